/*
 * http_lobby.h -- who has come to a door of the API and has no place yet.
 *
 * A place costs the memory of a libmicrohttpd connection, so there are few. A guest here costs a
 * descriptor and some bytes, so there are more: everybody is let in from the kernel's queue, and
 * whoever only stands there, or is still saying what he wants, takes nobody's place.
 *
 *   come ──▶ SILENT ──head is there──▶ waiting in a line ──a place is free──▶ seated (http_peers.h)
 *               │                          │
 *               └ gone, too long silent, or the one who is to go when nobody more can be let in
 *
 * There are three lines:
 *
 *   MONITOR  asks how the server is, from this machine or with the token. HTTP_MONITOR_PLACES are
 *            for these alone, so that the answer does not wait for what others wait for;
 *
 *   WHOLE    the request is there: its place is free again when we have answered;
 *
 *   BODY     its body is on its way, so nobody knows for how long it will hold a place.
 *
 * Of eight places that become free, one is for the first line, two are for the third, the others,
 * and what those leave, for the second. In a line whoever's address holds the fewest places is
 * next; then, in the third, whoever has sent more; among equals (behind a proxy all are) the oldest
 * and the newest take turns: the oldest, so that everybody has his turn; the newest, so that a new
 * one does not stand behind hundreds of others, who may be strangers.
 *
 * Nothing is done for a guest but to look (http_glance.h). When the lobby is full, one who has been
 * silent for HTTP_SILENT_MS goes, of those whose address has the most guests the oldest; else, in
 * the same order, of those who have sent least, one whose body is on its way and who has waited for
 * HTTP_BODY_WAIT_MS; else the rest waits in the kernel's queue.
 *
 * The HTTP thread only.
 */
#pragma once

#include "base/list.h"
#include "edge/http_glance.h"
#include "edge/http_shares.h"
#include "memory/allocator.h"
#include "system/loop.h"
#include "telemetry/metric.h"

#define HTTP_SILENT_MS    100u
#define HTTP_BODY_WAIT_MS 1000u
#define HTTP_LET_IN_MAX   64u /* in one turn */
#define HTTP_PEEK_BYTES   16384u
#define HTTP_BLOCK_BYTES  4096u /* who has sent more of these is before who has sent fewer */

enum http_lobby_line {
    HTTP_LINE_MONITOR = 0,
    HTTP_LINE_WHOLE,
    HTTP_LINE_BODY,
};
#define HTTP_LINES_COUNT 3u

/* Private to http_lobby.c, but for what a place is made of. */
struct http_guest {
    struct list link; /* in `silent`, in a line, or in `free` */
    int fd;
    enum http_lobby_line line; /* of one who is not silent */
    bool is_silent;
    bool is_watched;
    uint8_t share;
    uint8_t blocks; /* of HTTP_BLOCK_BYTES that have come */
    struct address address;
    uint64_t came_ns;
};

struct http_lobby_options {
    struct budget *budget;            /* borrowed, as all of these */
    struct loop *loop;                /* where guests and the listener are watched */
    struct metrics_slot *slot;        /* of the thread */
    uint64_t cookie_base;             /* the listener's; guests have those behind it */
    int listener;                     /* not taken */
    uint32_t capacity;                /* of guests */
    uint64_t silence_ns;              /* how long one may be silent when there is room for all */
    const struct hash_key *key;       /* of the shares */
    const struct http_shares *seated; /* who holds places */
    /* Is that a token with which one may look at the server? */
    bool (*is_trusted)(void *context, const struct http_glance *glance,
                       const struct address *address);
    void *context;
};

struct http_lobby {
    struct http_lobby_options options;
    struct http_guest *guests;
    uint8_t *peeked; /* HTTP_PEEK_BYTES */
    struct list free;
    struct list silent; /* the oldest first; so are the lines */
    struct list lines[HTTP_LINES_COUNT];
    uint32_t waiting[HTTP_LINES_COUNT];
    uint32_t count;
    struct http_shares shares; /* of the guests */
    uint32_t turn;             /* how many have been taken */
    bool is_closed;            /* nobody more is let in */
    bool may_be_others;        /* in the kernel's queue */
    int wait_ms; /* after http_lobby_let_in: how long the thread may sleep; -1: for ever */
};

/* ERR_BUDGET, ERR_IO. */
MUST_USE enum err http_lobby_open(struct http_lobby *lobby,
                                  const struct http_lobby_options *options);
/* Ends all guests. */
void http_lobby_close(struct http_lobby *lobby);

/* Bytes that http_lobby_open charges. */
uint64_t http_lobby_bytes(uint32_t capacity);

/* Lets nobody more in, and forgets the listener; whoever is silent is ended. */
void http_lobby_stop(struct http_lobby *lobby);

/* The loop's event with that cookie is one of ours. */
static inline bool http_lobby_has_cookie(const struct http_lobby *lobby, uint64_t cookie)
{
    return cookie >= lobby->options.cookie_base &&
           cookie - lobby->options.cookie_base <= lobby->options.capacity;
}
void http_lobby_on_event(struct http_lobby *lobby, const struct loop_event *event);

/* Lets in who stands in the kernel's queue, as far as there is room, and ends who has been silent
 * for too long. */
void http_lobby_let_in(struct http_lobby *lobby, uint64_t now_ns);

/* How many wait for a place. */
static inline uint32_t http_lobby_waiting(const struct http_lobby *lobby)
{
    return lobby->waiting[HTTP_LINE_MONITOR] + lobby->waiting[HTTP_LINE_WHOLE] +
           lobby->waiting[HTTP_LINE_BODY];
}

/* Whose turn it is, of those who monitor or of all; NULL: nobody waits. He stays where he is. */
const struct http_guest *http_lobby_monitor(const struct http_lobby *lobby);
const struct http_guest *http_lobby_next(const struct http_lobby *lobby);

/* Takes him out, with his descriptor. */
struct http_guest http_lobby_take(struct http_lobby *lobby, const struct http_guest *guest);
