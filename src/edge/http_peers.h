/*
 * http_peers.h -- who has a place at a door of the API, and who gives his up when others wait.
 *
 * libmicrohttpd bounds the silence of a connection, not the time that a request takes: a byte a
 * second holds a place for ever, and so does whoever does not read his answer but now and then. And
 * it misses the end of a connection that had come together with bytes it had not read yet (its
 * epoll is edge-triggered, and a read that does not fill the buffer ends its interest). So every
 * connection is kept here, too:
 *   - one whose peer has closed is told again and again, until it has noticed;
 *   - one that has not completed a request for HTTP_TIMEOUT_S_DEFAULT (or what the limits say) is
 *     ended, whatever it sends meanwhile;
 *   - when others wait for a place (http_lobby.h) and none is free, the next answer of whoever has
 *     had his for a turn is his last one (Connection: close), and one is ended for each who waits:
 *
 *       first   the idle: nothing is asked, nothing is on its way; the longest idle;
 *       then    those who do not move: a body that does not come, an answer that is not read;
 *       last    those who move, after HTTP_MOVING_MS, the slowest, and only when none of the others
 *               is left, or has not had its time, or is about to leave its place.
 *
 *     Of the second and third, those first whose address has more places than its share; and whose
 *     own address has more than that ends nobody else's. A request that is ours to answer is never
 *     ended. Patience with the first two, and a turn, are the shorter the more wait: all of them
 *     would have had a place within HTTP_ROUND_MS, but nobody has less than HTTP_PATIENCE_MIN_MS.
 *
 * Whether one moves is what the kernel counts (bytes that came, bytes that were acknowledged),
 * looked at each HTTP_PEERS_REVIEW_MS; who has moved well may hang for two seconds.
 *
 * The HTTP thread only.
 */
#pragma once

#include "edge/http_shares.h"
#include "memory/allocator.h"
#include "system/loop.h"
#include "telemetry/metric.h"

#define HTTP_ROUND_MS        500u
#define HTTP_PATIENCE_MIN_MS 50u
#define HTTP_TURN_MS         1000u
#define HTTP_MOVING_MS       1000u
#define HTTP_STILL_MS        5000u
#define HTTP_MOVING_BYTES    512u   /* in a review's time: about a kilobyte a second */
#define HTTP_PACE_MAX        16384u /* in a review's time: what more than that is does not count */
#define HTTP_PEERS_REVIEW_MS 500u
#define HTTP_PEERS_BESIDES   8u /* that are no longer counted */

/* What is being done for a connection. */
enum http_doing {
    HTTP_IDLE = 0, /* nothing: it has had its answer, or has not said what it wants */
    HTTP_COMING,   /* its body is on its way */
    HTTP_OURS,     /* its request is ours to answer */
    HTTP_GOING,    /* its answer is on its way */
};

/* Private to http_peers.c. */
struct http_peer {
    int fd; /* -1: free */
    uint32_t next_free;
    enum http_doing doing;
    uint8_t share;
    bool is_extra;
    bool is_ended;  /* the peer has closed its side */
    bool is_ending; /* we have */
    uint64_t opened_ns;
    uint64_t since_ns; /* when it was connected or had its last answer */
    uint64_t doing_ns; /* since when it does that */
    uint64_t moved;    /* in all, when its pace was taken; what came before it had a place counts */
    uint64_t pace;     /* bytes that had moved then since the time before, or half of what it was */
};

/* What a place is given for. */
struct http_seat {
    uint8_t share;
    bool is_extra; /* it is one of those for who monitors */
};

struct http_peers {
    struct budget *budget; /* borrowed */
    struct loop *loop;     /* borrowed */
    struct metrics_slot *slot;
    uint64_t cookie_base;
    struct http_peer *peers;
    uint32_t capacity;
    uint32_t limit; /* of places, without the extra ones */
    uint32_t extra;
    uint32_t count;
    uint32_t extra_count; /* of them, in the extra places */
    uint32_t ending_count;
    uint32_t waiting; /* in the lobby; see http_peers_wait */
    uint32_t free_first;
    struct http_shares shares;
    uint64_t silence_ns;
    uint64_t review_ns;
    uint64_t pace_ns; /* when the next pace is taken */
};

/* Places for `limit`, for `extra` who monitor, and for those that libmicrohttpd no longer counts.
 * `loop`, `slot` and `cookie_base` are set before. ERR_BUDGET. */
MUST_USE enum err http_peers_open(struct http_peers *peers, struct budget *budget, uint32_t limit,
                                  uint32_t extra, uint32_t silence_s);
void http_peers_close(struct http_peers *peers);

static inline bool http_peers_have_room(const struct http_peers *peers)
{
    return peers->count - peers->extra_count < peers->limit;
}

static inline bool http_peers_have_extra_room(const struct http_peers *peers)
{
    return peers->extra_count < peers->extra;
}

/* A connection has come. NULL: no place, which libmicrohttpd's own limit should not let happen. */
struct http_peer *http_peers_add(struct http_peers *peers, int fd, const struct http_seat *seat,
                                 uint64_t now_ns);
void http_peers_remove(struct http_peers *peers, struct http_peer *peer); /* NULL is allowed */

/* NULL is allowed. */
void http_peer_does(struct http_peer *peer, enum http_doing doing, uint64_t now_ns);

/* So many wait for a place. */
static inline void http_peers_wait(struct http_peers *peers, uint32_t waiting)
{
    peers->waiting = waiting;
}

/* Is the next answer its last? NULL is allowed. */
bool http_peer_has_had_its_turn(const struct http_peers *peers, const struct http_peer *peer,
                                uint64_t now_ns);

/* That answer is on its way, and the kernel does not keep it for ever for who does not take it. */
void http_peer_is_told_its_last(const struct http_peer *peer);

/* Ends one for somebody of the bucket `share`. False: there is none who would have to go. */
bool http_peers_make_room(struct http_peers *peers, uint8_t share, uint64_t now_ns);

/* Others wait for memory that those hold who do this, COMING or GOING: ends the one that has done
 * so for the longest, HTTP_STILL_MS at least, without moving. False: there is none. */
bool http_peers_end_the_still(struct http_peers *peers, enum http_doing doing, uint64_t now_ns);

/* The loop's event with that cookie is one of ours. */
static inline bool http_peers_have_cookie(const struct http_peers *peers, uint64_t cookie)
{
    return cookie >= peers->cookie_base && cookie - peers->cookie_base < peers->capacity;
}
void http_peers_on_event(struct http_peers *peers, uint64_t cookie);

/* Does what is due. */
void http_peers_review(struct http_peers *peers, uint64_t now_ns);
