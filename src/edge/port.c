/* How the domain reaches connections: the session port of chat/session.h. */
#include "chat/chat.h"
#include "edge/conn.h"
#include "edge/edge.h"
#include "edge/rpc.h"
#include "edge/wk.h"
#include "telemetry/logger.h"

static struct edge *edge_of_chat(const struct chat *chat)
{
    return chat->shard->edge;
}

static void port_on_login(struct chat *chat, struct session *session, enum chat_reason reason)
{
    struct conn *conn = conn_of_session(session);
    conn->login_reason = (uint8_t)reason;
    conn->is_login_decided = true;
    if (conn->is_consuming || conn->state != CONN_LOGGING_IN) {
        return; /* decided at once: answered when what was read is put away */
    }
    conn_finish_login(edge_of_chat(chat), conn);
}

static bool write_recv(struct edge *edge, struct conn *conn, const struct push *push)
{
    return conn->dialect == DIALECT_JSONRPC ? rpc_write_recv(edge, conn, push)
                                            : wk_write_recv(edge, conn, push);
}

static bool port_push(struct chat *chat, struct session *session, const struct push *push)
{
    struct edge *edge = edge_of_chat(chat);
    struct conn *conn = conn_of_session(session);
    if (conn->state != CONN_OPEN) {
        return true; /* on its way out: what it misses it will pull */
    }
    bool is_written = write_recv(edge, conn, push);
    if (!is_written && conn->is_writable && !write_queue_is_empty(&conn->queue)) {
        conn_flush(edge, conn); /* its reader is not slow: what waits is of this turn */
        is_written = conn->state != CONN_OPEN || write_recv(edge, conn, push);
    }
    if (is_written && edge->dirty_count > EDGE_DIRTY_MAX) {
        conn_flush(edge, conn); /* a large group: its copies do not pile up until the turn ends */
    }
    return is_written;
}

/* Deltas leave half of the queue to messages: who is slow at both loses deltas, whose sum he reads
 * later, and not the place of his messages. */
static bool port_push_event(struct chat *chat, struct session *session,
                            const struct session_event *event)
{
    struct edge *edge = edge_of_chat(chat);
    struct conn *conn = conn_of_session(session);
    if (conn->state != CONN_OPEN) {
        return true; /* on its way out */
    }
    if (event->is_passing && (session->is_behind || conn->queue.size > WRITE_QUEUE_BYTES_MAX / 2)) {
        return false;
    }
    const bool is_written = conn->dialect == DIALECT_JSONRPC ? rpc_write_event(edge, conn, event)
                                                             : wk_write_event(edge, conn, event);
    if (is_written && edge->dirty_count > EDGE_DIRTY_MAX) {
        conn_flush(edge, conn);
    }
    return is_written;
}

/* When a socket that is full takes more, conn_flush tells. */
static bool port_has_room(struct chat *chat, struct session *session)
{
    (void)chat;
    const struct conn *conn = conn_of_session(session);
    return conn->state == CONN_OPEN && conn->is_writable &&
           conn->queue.size <= WRITE_QUEUE_DRAINED_BYTES;
}

static void write_disconnect(struct edge *edge, struct conn *conn, struct bytes text)
{
    if (conn->dialect == DIALECT_JSONRPC) {
        rpc_write_disconnect(edge, conn, CHAT_REASON_CONNECT_KICK, text);
    } else {
        wk_write_disconnect(edge, conn, CHAT_REASON_CONNECT_KICK, text);
    }
}

/* Whoever is kicked a second time while he may still stay hears it, unless he has heard it, and
 * goes when the first of the two would have him go. */
static void port_kick(struct chat *chat, struct session *session, const struct kick *kick)
{
    struct edge *edge = edge_of_chat(chat);
    struct conn *conn = conn_of_session(session);
    if (conn->state != CONN_OPEN) {
        return;
    }
    const bool is_leaving = conn->close_at_ms != 0;
    const bool is_told = is_leaving && conn->cause == CAUSE_KICKED;
    if (kick->is_spoken && !is_told) {
        write_disconnect(edge, conn, kick->text);
    }
    if (conn->state != CONN_OPEN) {
        return;
    }
    uint64_t at_ms = edge->shard->now_ms + kick->delay_ms;
    if (is_leaving && conn->close_at_ms < at_ms) {
        at_ms = conn->close_at_ms;
    }
    conn_close_at(edge, conn, at_ms, kick->is_spoken || is_told ? CAUSE_KICKED : CAUSE_REPLACED);
}

static void port_drop(struct chat *chat, struct session *session, const char *cause)
{
    struct conn *conn = conn_of_session(session);
    LOG_INFO("session_dropped", F_STR("cause", cause), F_U64("conn", session->id.index),
             F_U64("shard", session->id.shard));
    conn_doom(edge_of_chat(chat), conn, CAUSE_BEHIND);
}

static struct session *port_find(struct chat *chat, struct session_id id)
{
    struct conn *conn = conn_find(edge_of_chat(chat), id);
    return conn != NULL ? &conn->session : NULL;
}

const struct session_port *edge_session_port(void)
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
