/*
 * connection.h -- a client's connection without a socket: what the edge is to the chat layer.
 *
 * It behaves as the edge does: it has room for so many messages, which its client empties at the
 * end of a turn while it reads; a connection that is dropped or kicked is closed at the end of a
 * turn; one that was dropped takes pushes and forgets them. What a client would see is noted.
 */
#pragma once

#include "base/prng.h"
#include "chat/session.h"
#include "memory/budget.h"

#define CONNECTIONS_MAX      48u /* of one shard */
#define CONNECTION_KICKS_MAX 8u

enum connection_state {
    CONNECTION_FREE = 0,
    CONNECTION_LOGGING_IN,
    CONNECTION_OPEN,
    CONNECTION_DOOMED, /* closed at the end of the turn */
    CONNECTION_CLOSED, /* kept until connection_free */
};

/* A RECV. */
struct receipt {
    uint32_t serial; /* of the send it came from; see payload.h */
    uint8_t log;     /* enum log_kind */
    bool is_stored;
    uint64_t seq;
    uint64_t message_id;
    uint64_t now_ms;
};

struct kick_seen {
    bool is_spoken;
    uint32_t delay_ms;
    bool is_explained; /* by the one who checks */
};

struct connection {
    struct session session;
    enum connection_state state;
    uint32_t serial; /* unique in a run of the test */
    uint8_t uid;     /* its number, see names in model.h */
    uint8_t device;  /* the number of its device id */
    uint8_t device_flag;

    /* Its client. */
    bool is_reading;
    uint32_t room_max; /* messages that it may hold unread */
    uint32_t unread;
    uint32_t early_percent; /* so often the client reads while it is being written to */

    /* What became of it. */
    bool is_decided; /* the login */
    enum chat_reason login_reason;
    uint64_t close_at_ms; /* it was kicked; 0: it was not */
    const char *drop_cause;
    uint32_t kicks_count;
    struct kick_seen kicks[CONNECTION_KICKS_MAX];
    uint32_t receipts_count;
    uint32_t receipts_capacity;
    struct receipt *receipts; /* since connection_forget_receipts */

    /* The checker's. */
    uint32_t login_step;
    uint32_t open_step;
    uint32_t close_step;
    uint32_t open_round;
    bool had_room_all_round;
    void *seen;
};

struct world;

/* What is told of each RECV, before it is noted; sets what the receipt says of it. */
typedef void connection_pushed_fn(void *context, struct connection *connection,
                                  const struct push *push, struct receipt *out_receipt);
typedef void connection_login_fn(void *context, struct connection *connection);

const struct session_port *connection_port(void);

/* A new one on a shard, in the state LOGGING_IN; its login is the caller's business. NULL: the
 * shard has enough. */
struct connection *connection_take(struct world *world, uint32_t shard);

/* A closed one may be taken again. */
void connection_free(struct world *world, struct connection *connection);

/* The client goes away. On the connection's shard, before the end of its turn. */
void connection_doom(struct connection *connection);

/* The end of a turn: what clients read, who is closed. True: something happened. */
bool connections_end_turn(struct world *world, uint32_t shard);

void connection_forget_receipts(struct connection *connection);

static inline bool connection_is_live(const struct connection *connection)
{
    return connection->state == CONNECTION_OPEN;
}
