/*
 * session.h -- an authenticated connection, as the domain sees it.
 *
 * A session lives on the shard of its user. It is embedded in the edge's
 * connection; the edge tells it what the client does, and is called back through
 * the session_port. A session is named by an id with a generation, never kept by
 * pointer across turns.
 *
 *   login            login granted          close
 *   NEW ──▶ PENDING ───────────────▶ OPEN ───────▶ CLOSED
 *              │   login refused, or closed meanwhile  ▲
 *              └───────────────────────────────────────┘
 *
 *   NEW, CLOSED   in no table.
 *   PENDING       named by its login, in no table yet.
 *   OPEN          in its user's list; gets deliveries, also while a kick waits.
 */
#pragma once

#include "base/bytes.h"
#include "base/list.h"
#include "chat/names.h"
#include "chat/unacked.h"
#include "shard/timers.h"
#include "store/row.h"

struct chat;
struct session;
struct user;
struct message_view;

/* Names a session in the whole process. Zero names none. */
struct session_id {
    uint32_t index;      /* in its shard's table of connections */
    uint32_t generation; /* never 0; increases with each tenant of the slot */
    uint32_t shard;
};

static inline bool session_id_equal(struct session_id a, struct session_id b)
{
    return a.index == b.index && a.generation == b.generation && a.shard == b.shard;
}

enum session_state {
    SESSION_NEW = 0,
    SESSION_PENDING,
    SESSION_OPEN,
    SESSION_CLOSED,
};

enum device_level {
    DEVICE_SLAVE = 0,
    DEVICE_MASTER = 1,
};

/* A run of consecutive messages of one log that a session has not been sent: nothing of a message
 * is kept for it, it is read again when there is room (design 7). What the session sent itself, and
 * what was sent while its user was no member, is not for it and begins a new run. */
struct cursor {
    struct log_ref log;
    uint64_t seq_next; /* the first that it has not been sent */
    uint64_t seq_last; /* the newest that it has to be sent */
};

#define SESSION_CURSORS_MAX  64 /* runs a session may be behind; with more it is closed */
#define SESSION_CURSORS_MANY (SESSION_CURSORS_MAX / 4 * 3) /* an operator is told */

/* What a session was sent and has not acknowledged, and what it has not been sent. It is made when
 * there is something, and goes when its timer finds nothing: a session that nobody writes to has
 * none. Private to catch_up.c, but for looking. */
struct backlog {
    struct session *session;
    struct unacked unacked;
    struct timer retry;     /* the next look; always set */
    struct cursor *cursors; /* SESSION_CURSORS_MAX, while behind; else NULL */
    uint16_t cursors_count;
};

/* Embedded in the edge's connection, zeroed. Private to chat, but for `id` and `state`. */
struct session {
    struct session_id id;
    uint8_t state; /* enum session_state */
    uint8_t device_flag;
    uint8_t level;       /* enum device_level */
    bool is_behind;      /* has cursors */
    bool is_catching_up; /* a reading for it is under way */
    uint16_t device_id_size;
    struct user *user;       /* OPEN only */
    struct list link;        /* in its user's sessions */
    uint8_t *device_id;      /* allocated with it; NULL: it has none */
    struct backlog *backlog; /* or NULL */
};

_Static_assert(sizeof(struct session) <= 64, "each connection has one");

/* How a delivery must reach one session. */
struct push {
    const struct message_view *view;
    struct bytes channel_id; /* as this user sees it */
    struct bytes from_uid;   /* as this user sees it: empty for the system account */
    uint8_t flags;           /* as this session gets them */
};

/* An event of a stream, as every session that knows events gets it. */
struct session_event {
    struct bytes id;
    struct bytes type;
    int64_t timestamp_ms;
    struct bytes data; /* JSON */
    bool is_passing;   /* a delta: the first to be left out */
};

/* Somebody has to go. */
struct kick {
    bool is_spoken;    /* with a DISCONNECT, after which SDKs do not come back */
    struct bytes text; /* of the DISCONNECT */
    uint32_t delay_ms; /* until the connection is closed */
};

/* What the chat layer calls; the edge registers it at start. Called on the session's shard. */
struct session_port {
    /* The login is decided: the session is OPEN, or refused with this reason and forgotten. */
    void (*on_login)(struct chat *chat, struct session *session, enum chat_reason reason);
    /* Writes a RECV. False: there is no room, and nothing was written. */
    bool (*push)(struct chat *chat, struct session *session, const struct push *push);
    /* Writes an EVENT, if the client knows events. False: there is no room, and it is left out. */
    bool (*push_event)(struct chat *chat, struct session *session,
                       const struct session_event *event);
    /* Is there room for what a push refused? */
    bool (*has_room)(struct chat *chat, struct session *session);
    /* Says so if asked to, and closes later; until then the session goes on. */
    void (*kick)(struct chat *chat, struct session *session, const struct kick *kick);
    /* Closes without a word, so that the SDK reconnects and syncs. */
    void (*drop)(struct chat *chat, struct session *session, const char *cause);
    /* The open session with this id, or NULL. */
    struct session *(*find)(struct chat *chat, struct session_id id);
};

struct login_request {
    struct bytes uid; /* name_is_plain */
    struct bytes device_id;
    uint8_t device_flag;
    bool has_token;         /* it is not empty */
    uint8_t token_hash[32]; /* SHA-256 of the token */
};

/* Begins a login; on_login follows, perhaps before this returns. The bytes are borrowed for the
 * call. ERR_BUDGET: no room; the session stays NEW. */
MUST_USE enum err session_login(struct chat *chat, struct session *session,
                                const struct login_request *request);

/* RECVACK (semantics 4.4): whatever its header says, the message is not sent again. */
void session_received(struct chat *chat, struct session *session, uint64_t message_id);

/* There is room again for what a push refused. */
void session_drained(struct chat *chat, struct session *session);

/* Forgets the session wherever it is known; to be called once, from any state. */
void session_close(struct chat *chat, struct session *session);

/* The uid of an OPEN session; valid while it is open. */
struct bytes session_uid(const struct session *session);

static inline struct bytes session_device_id(const struct session *session)
{
    return (struct bytes){.data = session->device_id, .size = session->device_id_size};
}

/* The session as a number that a back end can keep in a double, for as long as the server runs. */
static inline uint64_t session_number(struct session_id id)
{
    return (uint64_t)id.generation << 32 | (uint64_t)id.shard << 24 | id.index;
}

/* May this session's user send at all (semantics 2.6, check 1)? */
bool session_is_mute(const struct session *session);

/* The inverse of session_number; whatever the number is, it may name nobody. */
static inline struct session_id session_of_number(uint64_t number)
{
    return (struct session_id){.index = (uint32_t)number & 0xffffffu,
                               .generation = (uint32_t)(number >> 32),
                               .shard = (uint32_t)(number >> 24) & 0xffu};
}
