#include "model/connection.h"

#include "chat/chat.h"
#include "memory/allocator.h"
#include "model/world.h"

#include "support/test.h"

#define RECEIPTS_FIRST 64u

static struct connection *connection_of(struct session *session)
{
    return CONTAINER_OF(session, struct connection, session);
}

/* ---- The port. ---- */

static void port_on_login(struct chat *chat, struct session *session, enum chat_reason reason)
{
    struct connection *connection = connection_of(session);
    const struct world *world = side_of_chat(chat)->world;
    CHECK_EQ(connection->state, CONNECTION_LOGGING_IN);
    CHECK(!connection->is_decided);
    connection->is_decided = true;
    connection->login_reason = reason;
    if (reason == CHAT_REASON_SUCCESS) {
        connection->state = CONNECTION_OPEN;
    } else {
        connection->state = CONNECTION_DOOMED;
    }
    world->options.on_login(world->options.context, connection);
}

/* The client reads what was written so far. */
static void read_all(struct chat *chat, struct connection *connection)
{
    connection->unread = 0;
    if (connection->session.is_behind) {
        session_drained(chat, &connection->session);
    }
}

static void note_receipt(struct world *world, struct connection *connection,
                         const struct receipt *receipt)
{
    if (connection->receipts_count == connection->receipts_capacity) {
        const uint32_t capacity =
            connection->receipts_capacity == 0 ? RECEIPTS_FIRST : 2 * connection->receipts_capacity;
        struct receipt *grown =
            memory_acquire(&world->budget, MEMORY_RANK_DRAIN, capacity * sizeof(*grown));
        CHECK(grown != NULL);
        if (connection->receipts_count > 0) {
            memcpy(grown, connection->receipts, connection->receipts_count * sizeof(*grown));
        }
        memory_release(&world->budget, connection->receipts,
                       connection->receipts_capacity * sizeof(*grown));
        connection->receipts = grown;
        connection->receipts_capacity = capacity;
    }
    connection->receipts[connection->receipts_count++] = *receipt;
}

static bool port_push(struct chat *chat, struct session *session, const struct push *push)
{
    struct connection *connection = connection_of(session);
    struct world *world = side_of_chat(chat)->world;
    CHECK_EQ(session->state, SESSION_OPEN);
    if (connection->state != CONNECTION_OPEN) {
        return true; /* on its way out */
    }
    if (connection->unread >= connection->room_max) {
        return false;
    }
    connection->unread++;
    struct receipt receipt = {.now_ms = world->now_ms};
    world->options.on_push(world->options.context, connection, push, &receipt);
    note_receipt(world, connection, &receipt);
    if (connection->is_reading && prng_below(&world->prng, 100) < connection->early_percent) {
        read_all(chat, connection);
    }
    return true;
}

static bool port_has_room(struct chat *chat, struct session *session)
{
    (void)chat;
    const struct connection *connection = connection_of(session);
    return connection->unread < connection->room_max;
}

static void port_kick(struct chat *chat, struct session *session, const struct kick *kick)
{
    struct connection *connection = connection_of(session);
    const struct world *world = side_of_chat(chat)->world;
    CHECK_EQ(session->state, SESSION_OPEN);
    CHECK(kick->delay_ms > 0);
    CHECK(connection->kicks_count < CONNECTION_KICKS_MAX);
    connection->kicks[connection->kicks_count++] =
        (struct kick_seen){.is_spoken = kick->is_spoken, .delay_ms = kick->delay_ms};
    if (connection->state == CONNECTION_OPEN && connection->close_at_ms == 0) {
        connection->close_at_ms = world->now_ms + kick->delay_ms;
    }
}

static void port_drop(struct chat *chat, struct session *session, const char *cause)
{
    (void)chat;
    struct connection *connection = connection_of(session);
    if (connection->state == CONNECTION_OPEN) {
        connection->drop_cause = cause;
        connection_doom(connection);
    }
}

static struct session *port_find(struct chat *chat, struct session_id id)
{
    struct side *side = side_of_chat(chat);
    CHECK_EQ(id.shard, side->shard.index);
    CHECK(id.index < CONNECTIONS_MAX);
    struct connection *connection = &side->connections[id.index];
    const bool is_known =
        connection->session.id.generation == id.generation &&
        (connection->state == CONNECTION_LOGGING_IN || connection->state == CONNECTION_OPEN);
    return is_known ? &connection->session : NULL;
}

/* The model tells no events. */
static bool port_push_event(struct chat *chat, struct session *session,
                            const struct session_event *event)
{
    (void)chat;
    (void)session;
    (void)event;
    fail();
    return false;
}

const struct session_port *connection_port(void)
{
    static const struct session_port port = {
        .on_login = port_on_login,
        .push = port_push,
        .push_event = port_push_event,
        .has_room = port_has_room,
        .kick = port_kick,
        .drop = port_drop,
        .find = port_find,
    };
    return &port;
}

/* ---- Its life. ---- */

struct connection *connection_take(struct world *world, uint32_t shard)
{
    for (uint32_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *connection = &world->sides[shard].connections[i];
        if (connection->state != CONNECTION_FREE) {
            continue;
        }
        const uint32_t generation = connection->session.id.generation + 1;
        *connection = (struct connection){
            .session = {.id = {.index = i, .generation = generation, .shard = shard}},
            .state = CONNECTION_LOGGING_IN,
            .serial = ++world->connections_made,
            .is_reading = true,
            .room_max = UINT32_MAX,
        };
        return connection;
    }
    return NULL;
}

void connection_free(struct world *world, struct connection *connection)
{
    CHECK_EQ(connection->state, CONNECTION_CLOSED);
    memory_release(&world->budget, connection->receipts,
                   connection->receipts_capacity * sizeof(*connection->receipts));
    connection->receipts = NULL;
    connection->state = CONNECTION_FREE;
}

void connection_doom(struct connection *connection)
{
    CHECK(connection->state == CONNECTION_OPEN || connection->state == CONNECTION_LOGGING_IN);
    connection->state = CONNECTION_DOOMED;
}

static bool connection_end_turn(struct world *world, struct side *side,
                                struct connection *connection)
{
    if (connection->state == CONNECTION_OPEN && connection->close_at_ms != 0 &&
        world->now_ms >= connection->close_at_ms) {
        connection_doom(connection);
    }
    if (connection->state == CONNECTION_DOOMED) {
        session_close(&side->chat, &connection->session);
        connection->state = CONNECTION_CLOSED;
        connection->close_step = world->step;
        return true;
    }
    if (connection->state == CONNECTION_OPEN && connection->is_reading && connection->unread > 0) {
        read_all(&side->chat, connection);
        return true;
    }
    return false;
}

bool connections_end_turn(struct world *world, uint32_t shard)
{
    struct side *side = &world->sides[shard];
    bool has_more = false;
    for (uint32_t i = 0; i < CONNECTIONS_MAX; i++) {
        has_more |= connection_end_turn(world, side, &side->connections[i]);
    }
    return has_more;
}

void connection_forget_receipts(struct connection *connection)
{
    connection->receipts_count = 0;
}
