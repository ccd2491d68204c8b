/*
 * http_peers.h -- who is connected to the API, and who has been let wait long enough.
 *
 * libmicrohttpd bounds the silence of a connection, not the time that a request takes: a byte a
 * second holds a place for ever. And it misses the end of a connection that had come together with
 * bytes it had not read yet (its epoll is edge-triggered, and a read that does not fill the buffer
 * ends its interest): such a connection held its place until the silence was long enough. So every
 * connection is kept here, too:
 *   - one whose peer has closed is told again and again, until it has noticed;
 *   - one that has not completed a request for HTTP_TIMEOUT_S_DEFAULT (or what the limits say) is
 *     ended, whatever it sends meanwhile; when three quarters of the places are taken, already
 *     after HTTP_PRESSED_MS, and when all are, so that nobody else is let in, after HTTP_FULL_MS:
 *     a thousand idle connections then hold up an honest back end for seconds, not minutes.
 *   - when all places are taken, one that has had its place for HTTP_TURN_MS gives it up with its
 *     next answer (Connection: close): a pool of busy connections that are kept alive would leave
 *     those that wait to be let in without an answer for ever.
 * A request that was received and is not answered yet has no such limit: that is our time.
 *
 * The HTTP thread only.
 */
#pragma once

#include "memory/allocator.h"
#include "system/loop.h"
#include "telemetry/metric.h"

#define HTTP_PRESSED_MS       5000u
#define HTTP_FULL_MS          1000u
#define HTTP_TURN_MS          1000u
#define HTTP_PEERS_REVIEW_MS  500u
#define HTTP_PEERS_BESIDES    32u /* the manager's, and those that are no longer counted */
#define HTTP_PEER_COOKIE_BASE 16u /* of the loop's cookies: below are others' */

/* Private to http_peers.c. */
struct http_peer {
    int fd; /* -1: free */
    uint32_t next_free;
    bool is_ended; /* the peer has closed its side */
    bool is_busy;  /* its request is complete, and ours to answer */
    uint64_t opened_ns;
    uint64_t since_ns; /* when it was connected or had its last answer */
};

struct http_peers {
    struct budget *budget; /* borrowed */
    struct loop *loop;     /* borrowed */
    struct metrics_slot *slot;
    struct http_peer *peers;
    uint32_t capacity;
    uint32_t pressed_count; /* from so many on there is little time */
    uint32_t full_count;    /* and from so many on, hardly any */
    uint32_t count;
    uint32_t free_first;
    uint64_t silence_ns;
    uint64_t review_ns;
};

/* Places for the `limit` that the daemon has, and for those that it no longer counts. ERR_BUDGET.
 */
MUST_USE enum err http_peers_open(struct http_peers *peers, struct budget *budget, uint32_t limit,
                                  uint32_t silence_s);
void http_peers_close(struct http_peers *peers);

/* A connection has come. NULL: no place, which libmicrohttpd's own limit should not let happen. */
struct http_peer *http_peers_add(struct http_peers *peers, int fd, uint64_t now_ns);
void http_peers_remove(struct http_peers *peers, struct http_peer *peer); /* NULL is allowed */

/* Its request is complete; its answer has left. NULL is allowed. */
void http_peer_is_served(struct http_peer *peer);
void http_peer_was_served(struct http_peer *peer, uint64_t now_ns);

/* Do others wait for its place, as far as can be known, and has it had it for long enough? NULL is
 * allowed. */
bool http_peer_has_had_its_turn(const struct http_peers *peers, const struct http_peer *peer,
                                uint64_t now_ns);

/* The loop's event with that cookie is one of ours. */
void http_peers_on_event(struct http_peers *peers, uint64_t cookie);

/* Does what is due. */
void http_peers_review(struct http_peers *peers, uint64_t now_ns);
