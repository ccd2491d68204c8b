/*
 * conn.h -- a client's connection: from accept to its last byte.
 *
 *   accept           CONNECT            granted
 *  ───────▶ OPENING ─────────▶ LOGGING_IN ───────▶ OPEN
 *              │                  │ refused          │ kicked: after a delay
 *              │ bad, late        ▼                  │ peer gone, idle, bad
 *              └───────────▶ CLOSING ◀───────────────┘
 *                              │ flushed, or too late
 *                              ▼
 *                            DOOMED ──▶ buried at the end of the turn
 *
 *   OPENING     TLS, PROXY and WebSocket heads, then the first frame. A few hundred bytes and
 *               two deadlines: for the next byte, and for the login as a whole.
 *   LOGGING_IN  the domain decides; what the client has sent behind CONNECT is held.
 *   OPEN        a session. Idle without inbound bytes for idle_ms ends it.
 *   CLOSING     what is queued is written, nothing is read.
 *   DOOMED      in no index; whoever still holds the pointer this turn sees `state`.
 *
 * The connection moves to the shard of its user with CONNECT (design 4): the
 * descriptor leaves one loop, the struct and its unread bytes travel in a letter,
 * and CONNECT is decoded again at home. It is registered in the table before it is
 * armed in the loop, and deleted before its descriptor is closed (semantics 8.2).
 *
 * An idle connection has no buffer: only an incomplete frame is kept. There are tens of
 * thousands of them, so what only some need stands elsewhere: in `held`, in the
 * session's backlog.
 */
#pragma once

#include "chat/session.h"
#include "edge/inflow.h"
#include "edge/write_queue.h"
#include "shard/timers.h"
#include "system/crypto.h"
#include "system/socket.h"
#include "wire/websocket.h"

struct edge;
struct tls;

enum conn_state {
    CONN_FREE = 0,
    CONN_OPENING,
    CONN_LOGGING_IN,
    CONN_OPEN,
    CONN_CLOSING,
    CONN_DOOMED,
};

enum conn_dialect {
    DIALECT_UNKNOWN = 0,
    DIALECT_WKPROTO,
    DIALECT_JSONRPC,
};

/* Why a connection ended, for the counters and the log. */
enum conn_cause {
    CAUSE_PEER = 0,
    CAUSE_IDLE,
    CAUSE_LATE,
    CAUSE_PROTOCOL,
    CAUSE_TLS,
    CAUSE_DENIED,
    CAUSE_KICKED,
    CAUSE_REPLACED,
    CAUSE_BEHIND,
    CAUSE_MEMORY,
    CAUSE_SHUTDOWN,
    CAUSE_SYSTEM,
};

#define CONN_FRAME_BYTES_MAX 1048581u /* wire-protocol 3.2 */
#define CONN_LOGIN_BYTES_MAX 8192u    /* of everything before and with CONNECT */
/* Sends of one connection that are not answered yet. Enough for 10,000 a second when a sync takes
 * 5 ms; more would only be the queue that everybody else stands in behind a sender who pushes. */
#define CONN_SENDS_MAX       64u
#define CONN_OPENING_IDLE_MS 2000u /* wire-protocol 9.2 */
#define CONN_LOGIN_IDLE_MS   4000u
#define CONN_LOGIN_TOTAL_MS  10000u /* absolute: one byte a second does not keep it open */
#define CONN_CLOSING_MS      2000u  /* how long a last word may take to leave */
#define CONN_UNREAD_MS       30000u /* how long the kernel may keep it after that */

/* Counted for /connz (http-api 14.2). */
struct conn_traffic {
    uint32_t in_messages;
    uint32_t out_messages;
    uint32_t in_packets;
    uint32_t out_packets;
    uint64_t in_message_bytes; /* of payloads, as they come and go */
    uint64_t out_message_bytes;
    uint64_t in_bytes;
    uint64_t out_bytes;
};

/* Bytes that were read and not consumed: of the stream, then raw ones. */
struct held {
    uint32_t size;
    uint32_t raw; /* how many of them, at the end, are raw */
    uint32_t capacity;
    struct jsonrpc_scan scan; /* as in the inflow that they come from */
    uint8_t bytes[];
};

struct conn {
    struct session session; /* first: session and conn are found from each other */
    int fd;
    uint8_t state;     /* enum conn_state */
    uint8_t dialect;   /* enum conn_dialect */
    uint8_t transport; /* enum transport */
    uint8_t version;   /* negotiated; 0 before CONNECT */
    uint8_t device_flag;
    uint8_t move_to;        /* the shard of its user, while it moves there */
    bool is_ended;          /* the peer has said all and waits for answers */
    bool is_hung_up;        /* the peer has closed its side, or the connection broke */
    bool is_close_asked;    /* WebSocket: the peer has */
    bool is_faulty;         /* WebSocket: it has by breaking the rules */
    bool is_websocket_open; /* the upgrade is done */
    bool is_proxy_checked;  /* the first bytes were looked at for a PROXY header */
    bool is_handshaking;    /* TLS */
    bool is_readable;       /* the kernel has said so and not yet "again" */
    bool is_writable;       /* likewise */
    bool is_paused;         /* nothing is read until an answer has come */
    bool is_encrypted;
    bool is_object_payload; /* JSON-RPC: this client sends payloads as objects */
    bool is_counted;        /* among the sessions, not among those who wait */
    bool is_consuming;      /* its bytes are being worked on up the stack */
    bool is_login_decided;  /* with login_reason; CONNECT is the first frame that is held */
    uint8_t login_reason;   /* enum chat_reason */
    uint8_t cause;          /* enum conn_cause; set with CLOSING and DOOMED */
    uint16_t close_code;    /* to answer with; 0: none */
    struct address peer;
    uint32_t sends;      /* under way */
    uint32_t next_free;  /* FREE: the next free slot */
    struct tls *tls;     /* NULL on a plain connection */
    struct list dirty;   /* in edge->dirty */
    struct list waiting; /* in one of the edge's lists but `dirty` */
    struct timer timer;  /* the next deadline to look at */
    uint64_t accepted_ms;
    uint64_t last_in_ms;
    uint64_t close_at_ms; /* a kick is under way: closed then; 0: none */
    struct write_queue queue;
    struct held *held; /* NULL: nothing */
    struct websocket_state websocket;
    struct crypto_secret secret;
    struct conn_traffic traffic;
};

_Static_assert(sizeof(struct conn) <= 352, "an idle connection is to cost 512 bytes (docs/memory)");

/* A shard's connections: a table, reserved at start and touched as it fills. Private to conn.c. */
struct conns {
    struct conn *slots;
    uint32_t capacity;
    uint32_t touched;        /* slots from here on were never used */
    uint32_t free_first;     /* UINT32_MAX: none */
    uint32_t generation_min; /* of slots that were given back: their next ones are above it */
    uint32_t count;
};

#define CONN_NONE UINT32_MAX

/* Gives back the end of the table behind the last slot in use. */
void conns_rest(struct edge *edge);

/* The connection with this id, or NULL if it has gone meanwhile, which is normal. */
struct conn *conn_find(struct edge *edge, struct session_id id);

static inline struct conn *conn_of_session(struct session *session)
{
    return CONTAINER_OF(session, struct conn, session);
}

/* Takes an accepted socket over. ERR_FULL, ERR_BUDGET: the caller still has it. */
MUST_USE enum err conn_open(struct edge *edge, int fd, const struct address *peer,
                            uint8_t transport, struct tls *tls);

/* Marks it, takes it out of every list, stops its timers; edge_bury does the rest. */
void conn_doom(struct edge *edge, struct conn *conn, enum conn_cause cause);

/* Writes what is queued, then closes. */
void conn_close_gently(struct edge *edge, struct conn *conn, enum conn_cause cause);

/* Releases a doomed connection. */
void conn_bury(struct edge *edge, struct conn *conn);

/* Moves it to another shard, with `held` as what it had read. */
void conn_move(struct edge *edge, struct conn *conn, uint32_t shard);

/* Changes state and sets the deadline that goes with it. */
void conn_enter(struct edge *edge, struct conn *conn, enum conn_state state);

/* An open connection is to be closed at `at_ms`, whatever it does until then. */
void conn_close_at(struct edge *edge, struct conn *conn, uint64_t at_ms, enum conn_cause cause);

/* Keeps what is left of `in` behind its first `consumed` bytes, instead of what is held now; it may
 * lie in the held buffer itself. ERR_BUDGET: no memory; ERR_LIMIT: more than a frame can take. */
MUST_USE enum err conn_hold(struct edge *edge, struct conn *conn, const struct inflow *in,
                            size_t consumed);

/* Forgets what is held. */
void conn_let_go(struct edge *edge, struct conn *conn);

/* It has something to write. */
void conn_mark_dirty(struct edge *edge, struct conn *conn);

/* It has something to read, and waits for the part of a turn that is for such as it. */
void conn_wait_to_read(struct edge *edge, struct conn *conn);

/* Reads and consumes what is there, in its part of the turn. */
void conn_read(struct edge *edge, struct conn *conn);

/* The login is decided: answers the CONNECT that is held, and goes on behind it. */
void conn_finish_login(struct edge *edge, struct conn *conn);

/* Consumes what is held, after something it waited for has come; then reads on. */
void conn_resume(struct edge *edge, struct conn *conn);

/* An open connection has nothing more to say: it gets the answers it waits for, then it is closed.
 */
void conn_end_asking(struct edge *edge, struct conn *conn);

/* The last of these answers has been written. */
void conn_end_answered(struct edge *edge, struct conn *conn);

/* Nothing is read until conn_resume. */
void conn_pause(struct conn *conn);

/* The same, for want of memory or in a crowd: resumed when there is some again, or in its turn. */
void conn_stall(struct edge *edge, struct conn *conn);

/* Writes what the kernel takes; tells the session when there is room again. */
void conn_flush(struct edge *edge, struct conn *conn);

/* A word for logs and metrics. */
const char *conn_cause_name(enum conn_cause cause);
