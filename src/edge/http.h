/*
 * http.h -- the back end's door: the HTTP API of http-api.md, served by one thread.
 *
 * libmicrohttpd reads and writes the connections, driven from outside: its epoll
 * descriptor lies in this thread's loop beside the mailbox. A request is one object
 * with one owner at a time: this thread, then a shard or a reader that does the
 * work, then this thread again, which answers. While others have it the connection
 * is suspended, so a client that goes away meanwhile is noticed afterwards.
 *
 * A turn: sleep; receive letters (answers that have come home); let libmicrohttpd
 * read and write; wake whom letters were posted to.
 *
 * Promises:
 *   (1) nothing is answered before it is durable;
 *   (2) connections, bodies, answers and requests stay within `memory_bytes`; what
 *       does not fit is refused with the error envelope of http-api 3.3 and counted;
 *   (3) the token, payloads and other contents are never logged.
 *
 * There are two doors to it: the API's port, and the manager's, where operators and their
 * pages come in (http-api 16.2). One thread and one budget serve both; the manager's has few
 * connections, and its own rule of who may enter.
 *
 * Started and stopped by one other thread; everything else happens on its own.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "edge/anchors.h"
#include "edge/api.h"
#include "edge/api_access.h"
#include "edge/command_syncs.h"
#include "edge/forerunner.h"
#include "edge/http_lobby.h"
#include "edge/http_peers.h"
#include "memory/budget.h"
#include "shard/mailbox.h"
#include "system/loop.h"
#include "system/thread.h"
#include "telemetry/metric.h"

struct MHD_Daemon;
struct journal;
struct readers;
struct shard;
struct store;
struct webhook;

/* What /route tells clients (http-api 5.1). Borrowed; may be empty. */
struct http_addresses {
    struct bytes tcp;          /* host:port */
    struct bytes ws;           /* ws://host:port */
    struct bytes wss;          /* wss://host:port */
    struct bytes intranet_tcp; /* host:port, for clients in the same data centre */
};

/* What this node says of itself (http-api 14.3). */
struct http_identity {
    uint64_t node_id;
    const char *version;
    struct bytes manager_uid;
    struct bytes manager_address; /* host:port */
    struct bytes api_url;
    uint64_t started_wall_ms;
};

/* 0 takes the default. */
struct http_limits {
    uint32_t connections_max;      /* that have a place at once; others wait in the lobby */
    uint32_t connection_timeout_s; /* without a byte read or written, or a whole request */
    uint64_t body_bytes_max;       /* of one request */
    uint64_t answer_bytes_max;     /* of one answer */
    uint32_t conversations_max;    /* of a user, looked at by one sync: userMaxCount */
    uint32_t readings_max;         /* at once; leaves readers to the shards */
    uint32_t stop_ms;              /* how long http_stop waits for slow clients */
};

#define HTTP_CONNECTIONS_DEFAULT   256u
#define HTTP_TIMEOUT_S_DEFAULT     60u
#define HTTP_BODY_BYTES_DEFAULT    (4ull * 1024 * 1024)
#define HTTP_ANSWER_BYTES_DEFAULT  (32ull * 1024 * 1024)
#define HTTP_CONVERSATIONS_DEFAULT 1000u
#define HTTP_READINGS_DEFAULT      2u
#define HTTP_STOP_MS_DEFAULT       3000u

#define HTTP_MANAGER_CONNECTIONS_MAX 16u /* a page and a scraper or two */
#define HTTP_MONITOR_PLACES          2u  /* of each door, for who asks how the server is */
#define HTTP_GUESTS_MAX              256u
#define HTTP_MANAGER_GUESTS_MAX      32u
#define HTTP_DOORS_MAX               2u

/* What a page of the server's own was asked. */
struct http_page_query {
    uint64_t seconds;  /* ?seconds=, or 0 */
    struct bytes base; /* ?base=, or empty */
    struct bytes body; /* of a POST, or empty */
};

/* Writes the answer; like http_read_fn in http_reading.h, but ERR_AGAIN is "another one is under
 * way". */
typedef enum err http_page_fn(void *context, const struct http_page_query *query,
                              struct writer *out);

/* A page that shows the server itself, at a path that api.c lists: only for loopback and for those
 * with the manager's token. */
struct http_page {
    const char *path;
    const char *content_type;
    http_page_fn *write;
    size_t size;  /* of most answers */
    bool is_slow; /* waits for seconds: on a thread of its own, one at a time */
};

/* Everything is borrowed and outlives the thread, but for the listener. */
struct http_options {
    int listener;         /* a listening socket, non-blocking; taken: http_stop closes it */
    int manager_listener; /* the same for the manager's port, with is_manager_on */
    bool is_manager_on;
    struct shard *const *shards;
    uint32_t shards_count;
    struct store *store;
    struct readers *readers;
    struct webhook *webhook; /* NULL: there is none */
    const struct journal *journal;
    const struct metrics *metrics; /* what /metrics shows */
    struct metrics_slot *slot;     /* this thread's own */
    /* Writes further figures (the memory ledger) behind the metrics; NULL: none. */
    void (*expose)(void *context, struct writer *writer);
    void *expose_context; /* of the pages too */
    const struct http_page *pages;
    uint32_t pages_count;
    struct http_addresses addresses;
    struct api_access access; /* who may do what; copied */
    struct http_identity identity;
    uint64_t memory_bytes; /* the root budget of this thread; see http_memory_min */
    struct http_limits limits;
    bool is_command_sync_off;    /* disableCMDMessageSync */
    struct bytes online_channel; /* of commands to named people that are not stored */
};

/* One port: who has come (http_lobby.h), and who has one of its places (http_peers.h). Private to
 * http.c. */
struct http_door {
    struct http *http;
    enum api_port port;
    int listener;
    struct MHD_Daemon *daemon;
    struct http_lobby lobby;
    struct http_peers peers;
    struct http_seat seat; /* of the one who is being seated */
};

/* Private to the http files. */
struct http {
    struct http_options options;
    struct http_door doors[HTTP_DOORS_MAX];
    uint32_t doors_count;
    struct loop loop;
    struct mailbox mailbox; /* its receiver is this struct */
    struct mailer mailer;
    struct thread thread;
    _Atomic bool is_stopping; /* set by http_stop */
    bool is_draining;         /* this thread has taken notice */
    bool has_closed;          /* a connection has gone in the last MHD_run */
    struct hash_key key;      /* of the shares of addresses */
    bool is_body_refused;     /* for want of memory, since the last look at who holds it */
    uint64_t still_ns;        /* when to look next */
    uint64_t drained_by_ns;   /* slow clients are cut off then */

    struct budget budget; /* the root; may be read by any thread */
    struct budget connections_budget;
    struct budget bodies_budget;   /* of requests that are being read or worked on */
    struct budget requests_budget; /* the requests themselves, and what they ask of others */
    struct budget answers_budget;  /* on their way out */
    struct budget syncs_budget;    /* of command_syncs */

    struct command_syncs command_syncs;

    struct anchors anchors; /* of stream messages */

    struct list readings_waiting;  /* requests whose reading waits for its turn */
    struct list readings_roomless; /* and whose answer there is no room for now */
    uint32_t readings_away;
    struct forerunner forerunner; /* of a long list of conversations */
    struct thread slow_thread;    /* of the one slow page that is being written */
    bool is_slow_busy;
    uint32_t requests_count;  /* from their first line to their last byte */
    uint32_t suspended_count; /* of them, with others */
    uint64_t now_ns;          /* of this turn */
};

/* What `memory_bytes` must be at least with these limits: the connections, one body, and a little
 * for answers. */
uint64_t http_memory_min(const struct http_limits *limits);

/* Starts the thread and takes the listener. On failure the listener is still the caller's.
 * ERR_LIMIT: memory_bytes is below http_memory_min. */
MUST_USE enum err http_start(struct http *http, const struct http_options *options);

/* Accepts nothing more, finishes what is under way (slow clients get `stop_ms`), ends the thread.
 * The shards, readers and journal are still running. */
void http_stop(struct http *http);
