#include "edge/conn.h"

#include "base/assert.h"
#include "edge/edge.h"
#include "memory/allocator.h"
#include "system/tls.h"
#include "telemetry/logger.h"

static const char *const cause_names[] = {
    [CAUSE_PEER] = "peer",         [CAUSE_IDLE] = "idle",         [CAUSE_LATE] = "late",
    [CAUSE_PROTOCOL] = "protocol", [CAUSE_TLS] = "tls",           [CAUSE_DENIED] = "denied",
    [CAUSE_KICKED] = "kicked",     [CAUSE_REPLACED] = "replaced", [CAUSE_BEHIND] = "behind",
    [CAUSE_MEMORY] = "memory",     [CAUSE_SHUTDOWN] = "shutdown", [CAUSE_SYSTEM] = "system",
};

static const enum metric cause_metrics[] = {
    [CAUSE_PEER] = METRIC_CLOSED_PEER,         [CAUSE_IDLE] = METRIC_CLOSED_IDLE,
    [CAUSE_LATE] = METRIC_CLOSED_LATE,         [CAUSE_PROTOCOL] = METRIC_CLOSED_PROTOCOL,
    [CAUSE_TLS] = METRIC_CLOSED_TLS,           [CAUSE_DENIED] = METRIC_CLOSED_DENIED,
    [CAUSE_KICKED] = METRIC_CLOSED_KICKED,     [CAUSE_REPLACED] = METRIC_CLOSED_REPLACED,
    [CAUSE_BEHIND] = METRIC_CLOSED_BEHIND,     [CAUSE_MEMORY] = METRIC_CLOSED_MEMORY,
    [CAUSE_SHUTDOWN] = METRIC_CLOSED_SHUTDOWN, [CAUSE_SYSTEM] = METRIC_CLOSED_SYSTEM,
};

const char *conn_cause_name(enum conn_cause cause)
{
    return cause_names[cause];
}

/* ---- The table. ---- */

static uint64_t conn_cookie(const struct conn *conn)
{
    return (uint64_t)conn->session.id.generation << 32 | conn->session.id.index;
}

static struct conn *conns_take(struct edge *edge)
{
    struct conns *conns = &edge->conns;
    uint32_t index = conns->free_first;
    if (index == CONN_NONE && conns->touched == conns->capacity) {
        return NULL;
    }
    if (budget_charge(&edge->conns_budget, MEMORY_RANK_ADMIT, sizeof(struct conn)) != ERR_OK) {
        return NULL;
    }
    if (index == CONN_NONE) {
        index = conns->touched++;
    } else {
        conns->free_first = conns->slots[index].next_free;
    }
    struct conn *conn = &conns->slots[index];
    ASSERT(conn->state == CONN_FREE);
    /* 0 is never a generation: it marks the loop's other descriptors. */
    const uint32_t before = conn->session.id.generation;
    const uint32_t generation =
        (before > conns->generation_min ? before : conns->generation_min) + 1;
    *conn = (struct conn){.fd = -1};
    conn->session.id = (struct session_id){.index = index,
                                           .generation = generation == 0 ? 1 : generation,
                                           .shard = edge->shard->index};
    conns->count++;
    return conn;
}

static void conns_give(struct edge *edge, struct conn *conn)
{
    struct conns *conns = &edge->conns;
    conn->state = CONN_FREE;
    conn->next_free = conns->free_first;
    conns->free_first = conn->session.id.index;
    conns->count--;
    budget_refund(&edge->conns_budget, sizeof(struct conn));
}

void conns_rest(struct edge *edge)
{
    struct conns *conns = &edge->conns;
    const uint32_t touched = conns->touched;
    while (conns->touched > 0 && conns->slots[conns->touched - 1].state == CONN_FREE) {
        const uint32_t generation = conns->slots[--conns->touched].session.id.generation;
        if (generation > conns->generation_min) {
            conns->generation_min = generation;
        }
    }
    if (conns->touched == touched) {
        return;
    }
    memory_table_forget(&conns->slots[conns->touched],
                        (touched - conns->touched) * sizeof(struct conn));
    conns->free_first = CONN_NONE;
    for (uint32_t index = conns->touched; index-- > 0;) {
        if (conns->slots[index].state == CONN_FREE) {
            conns->slots[index].next_free = conns->free_first;
            conns->free_first = index;
        }
    }
}

struct conn *conn_find(struct edge *edge, struct session_id id)
{
    ASSERT(id.shard == edge->shard->index);
    if (id.index >= edge->conns.touched) {
        return NULL;
    }
    struct conn *conn = &edge->conns.slots[id.index];
    const bool is_same = conn->session.id.generation == id.generation;
    return is_same && conn->state != CONN_FREE && conn->state != CONN_DOOMED ? conn : NULL;
}

/* ---- Deadlines. ---- */

static void conn_watch(struct edge *edge, struct conn *conn);

/* It has said something, and waits for its part of a turn: not it is late, we are. */
static bool is_unread(const struct conn *conn)
{
    return conn->is_readable && !conn->is_paused && list_is_linked(&conn->waiting);
}

/* How long ago it was when the sockets were asked; 0: it has been since. */
static uint64_t ms_since(const struct edge *edge, uint64_t then_ms)
{
    const uint64_t asked_ms = edge->shard->asked_ms;
    return asked_ms > then_ms ? asked_ms - then_ms : 0;
}

static void conn_timer_fires(struct timer *timer, void *context)
{
    struct edge *edge = edge_of(context);
    struct conn *conn = CONTAINER_OF(timer, struct conn, timer);
    const uint64_t idle_ms = ms_since(edge, conn->last_in_ms);
    const uint64_t age_ms = ms_since(edge, conn->accepted_ms);
    switch ((enum conn_state)conn->state) {
    case CONN_OPENING:
        if ((idle_ms >= CONN_OPENING_IDLE_MS && !is_unread(conn)) ||
            age_ms >= CONN_LOGIN_TOTAL_MS) {
            conn_doom(edge, conn, CAUSE_LATE);
            return;
        }
        break;
    case CONN_LOGGING_IN:
        if (idle_ms >= CONN_LOGIN_IDLE_MS) {
            conn_doom(edge, conn, CAUSE_LATE);
            return;
        }
        break;
    case CONN_OPEN:
        if (conn->close_at_ms != 0 && edge->shard->asked_ms >= conn->close_at_ms) {
            conn_close_gently(edge, conn, (enum conn_cause)conn->cause);
            return;
        }
        if (idle_ms >= edge->settings->idle_ms) {
            conn_doom(edge, conn, CAUSE_IDLE);
            return;
        }
        break;
    case CONN_CLOSING:
        conn_doom(edge, conn, (enum conn_cause)conn->cause);
        return;
    case CONN_FREE:
    case CONN_DOOMED:
        UNREACHABLE();
    }
    conn_watch(edge, conn);
}

/* Sets the timer to the first deadline of its state. Bytes that come meanwhile move the deadline,
 * not the timer: it looks when it fires. */
static void conn_watch(struct edge *edge, struct conn *conn)
{
    uint64_t at_ms = 0;
    switch ((enum conn_state)conn->state) {
    case CONN_OPENING: {
        const uint64_t idle_at_ms = conn->last_in_ms + CONN_OPENING_IDLE_MS;
        const uint64_t total_at_ms = conn->accepted_ms + CONN_LOGIN_TOTAL_MS;
        at_ms = idle_at_ms < total_at_ms ? idle_at_ms : total_at_ms;
        break;
    }
    case CONN_LOGGING_IN:
        at_ms = conn->last_in_ms + CONN_LOGIN_IDLE_MS;
        break;
    case CONN_OPEN:
        at_ms = conn->last_in_ms + edge->settings->idle_ms;
        if (conn->close_at_ms != 0 && conn->close_at_ms < at_ms) {
            at_ms = conn->close_at_ms;
        }
        break;
    case CONN_CLOSING:
        at_ms = edge->shard->now_ms + CONN_CLOSING_MS;
        break;
    case CONN_FREE:
    case CONN_DOOMED:
        UNREACHABLE();
    }
    timers_set(&edge->shard->timers, &conn->timer, at_ms, conn_timer_fires);
}

void conn_enter(struct edge *edge, struct conn *conn, enum conn_state state)
{
    ASSERT(state != CONN_DOOMED); /* that is conn_doom */
    conn->state = (uint8_t)state;
    conn_watch(edge, conn);
}

void conn_close_at(struct edge *edge, struct conn *conn, uint64_t at_ms, enum conn_cause cause)
{
    conn->close_at_ms = at_ms;
    conn->cause = (uint8_t)cause;
    conn_watch(edge, conn);
}

/* ---- Its life. ---- */

static enum metric conn_gauge(const struct conn *conn)
{
    if (conn->transport == TRANSPORT_WEBSOCKET) {
        return conn->tls != NULL ? METRIC_CONNECTIONS_OPEN_WSS : METRIC_CONNECTIONS_OPEN_WS;
    }
    return conn->tls != NULL ? METRIC_CONNECTIONS_OPEN_TLS : METRIC_CONNECTIONS_OPEN;
}

/* Into the table first, then into the loop: an event always finds its connection. */
static enum err conn_register(struct edge *edge, struct conn *conn)
{
    const enum err err = loop_watch_socket(&edge->shard->loop, conn->fd, conn_cookie(conn));
    if (err != ERR_OK) {
        return err;
    }
    metric_add(edge->shard->metrics, conn_gauge(conn), 1);
    metric_add(edge->shard->metrics, METRIC_CONNECTIONS_WAITING, 1);
    return ERR_OK;
}

enum err conn_open(struct edge *edge, int fd, const struct address *peer, uint8_t transport,
                   struct tls *tls)
{
    struct conn *conn = conns_take(edge);
    if (conn == NULL) {
        return ERR_FULL;
    }
    conn->fd = fd;
    conn->transport = transport;
    conn->tls = tls;
    conn->is_handshaking = tls != NULL;
    conn->is_proxy_checked = tls != NULL;
    conn->is_writable = true;
    conn->peer = *peer;
    conn->accepted_ms = edge->shard->now_ms;
    conn->last_in_ms = edge->shard->now_ms;
    const enum err err = conn_register(edge, conn);
    if (err != ERR_OK) {
        conns_give(edge, conn);
        return err;
    }
    conn_enter(edge, conn, CONN_OPENING);
    return ERR_OK;
}

static void conn_unlink(struct edge *edge, struct conn *conn)
{
    if (list_is_linked(&conn->dirty)) {
        list_remove(&conn->dirty);
        edge->dirty_count--;
    }
    if (list_is_linked(&conn->waiting)) {
        list_remove(&conn->waiting);
    }
    timers_cancel(&edge->shard->timers, &conn->timer);
}

static void conn_uncount(struct edge *edge, const struct conn *conn)
{
    metric_subtract(edge->shard->metrics, conn_gauge(conn), 1);
    metric_subtract(edge->shard->metrics,
                    conn->is_counted ? METRIC_SESSIONS : METRIC_CONNECTIONS_WAITING, 1);
}

void conn_doom(struct edge *edge, struct conn *conn, enum conn_cause cause)
{
    if (conn->state == CONN_DOOMED) {
        return;
    }
    conn_unlink(edge, conn);
    conn_uncount(edge, conn);
    conn->state = CONN_DOOMED;
    conn->cause = (uint8_t)cause;
    metric_add(edge->shard->metrics, cause_metrics[cause], 1);
    LOG_DEBUG("conn_closed", F_STR("cause", conn_cause_name(cause)),
              F_U64("shard", edge->shard->index), F_U64("conn", conn->session.id.index),
              F_U64("in_bytes", conn->traffic.in_bytes),
              F_U64("out_bytes", conn->traffic.out_bytes));
    list_push_back(&edge->doomed, &conn->waiting);
}

void conn_close_gently(struct edge *edge, struct conn *conn, enum conn_cause cause)
{
    if (conn->state == CONN_DOOMED || conn->state == CONN_CLOSING) {
        return;
    }
    if (write_queue_is_empty(&conn->queue)) {
        conn_doom(edge, conn, cause);
        return;
    }
    conn->cause = (uint8_t)cause;
    conn_enter(edge, conn, CONN_CLOSING);
    conn_mark_dirty(edge, conn);
}

void conn_bury(struct edge *edge, struct conn *conn)
{
    ASSERT(conn->state == CONN_DOOMED);
    list_remove(&conn->waiting);
    loop_forget(&edge->shard->loop, conn->fd);
    session_close(edge->chat, &conn->session);
    conn_let_go(edge, conn);
    write_queue_clear(&edge->blocks, &conn->queue);
    tls_close(conn->tls);
    conn->tls = NULL;
    const int fd = conn->fd;
    conns_give(edge, conn);
    socket_keep_unread(fd, CONN_UNREAD_MS);
    socket_close(fd);
    edge_crowd_leave(edge);
}

/* ---- Moving to another shard. ---- */

/* A connection on its way. Acquired by the shard it leaves, which gets it back to release it. */
struct conn_moving {
    struct letter letter;
    uint32_t from;
    struct conn conn; /* its fields but for lists, timers and buffers */
    struct inflow in; /* what was held; `bytes` */
    uint8_t bytes[];
};

static void moving_comes_home(struct letter *letter, void *receiver)
{
    struct edge *edge = edge_of(receiver);
    struct conn_moving *moving = CONTAINER_OF(letter, struct conn_moving, letter);
    edge->moving--;
    memory_release(&edge->reads_budget, moving, sizeof(*moving) + moving->in.capacity);
}

/* What of a connection survives a move. */
static void conn_copy(struct conn *conn, const struct conn *from)
{
    conn->fd = from->fd;
    conn->dialect = from->dialect;
    conn->transport = from->transport;
    conn->is_close_asked = from->is_close_asked;
    conn->is_faulty = from->is_faulty;
    conn->close_code = from->close_code;
    conn->is_websocket_open = from->is_websocket_open;
    conn->is_proxy_checked = from->is_proxy_checked;
    conn->is_handshaking = from->is_handshaking;
    conn->is_readable = true; /* what was there may have been read by the other loop's event */
    conn->is_writable = true;
    conn->tls = from->tls;
    conn->accepted_ms = from->accepted_ms;
    conn->last_in_ms = from->last_in_ms;
    conn->websocket = from->websocket;
    conn->peer = from->peer;
    conn->traffic = from->traffic;
}

static enum err conn_arrive(struct edge *edge, const struct conn_moving *moving)
{
    struct conn *conn = conns_take(edge);
    if (conn == NULL) {
        return ERR_FULL;
    }
    conn_copy(conn, &moving->conn);
    enum err err = conn_hold(edge, conn, &moving->in, 0);
    if (err == ERR_OK) {
        err = conn_register(edge, conn);
    }
    if (err != ERR_OK) {
        conn_let_go(edge, conn);
        conns_give(edge, conn);
        return err;
    }
    conn_enter(edge, conn, CONN_OPENING);
    conn_resume(edge, conn);
    return ERR_OK;
}

static void moving_arrives(struct letter *letter, void *receiver)
{
    struct edge *edge = edge_of(receiver);
    struct conn_moving *moving = CONTAINER_OF(letter, struct conn_moving, letter);
    if (!edge->is_accepting || conn_arrive(edge, moving) != ERR_OK) {
        metric_add(edge->shard->metrics, METRIC_CONNECTIONS_REFUSED_FULL, 1);
        tls_close(moving->conn.tls);
        socket_close(moving->conn.fd);
        edge_crowd_leave(edge);
    }
    moving->letter.receive = moving_comes_home;
    shard_post(edge->shard, moving->from, &moving->letter);
}

void conn_move(struct edge *edge, struct conn *conn, uint32_t shard)
{
    ASSERT(conn->state == CONN_OPENING);
    const struct held *held = conn->held; /* CONNECT is, if nothing else */
    struct conn_moving *moving =
        memory_acquire(&edge->reads_budget, MEMORY_RANK_ADMIT, sizeof(*moving) + held->size);
    if (moving == NULL || !write_queue_is_empty(&conn->queue)) {
        if (moving != NULL) {
            memory_release(&edge->reads_budget, moving, sizeof(*moving) + held->size);
        }
        conn_doom(edge, conn, CAUSE_MEMORY);
        return;
    }
    *moving = (struct conn_moving){.letter = {.receive = moving_arrives},
                                   .from = edge->shard->index,
                                   .conn = *conn,
                                   .in = {.area = moving->bytes,
                                          .capacity = held->size,
                                          .stream_size = held->size - held->raw,
                                          .raw_size = held->raw,
                                          .scan = held->scan}};
    memcpy(moving->bytes, held->bytes, held->size);

    conn_unlink(edge, conn);
    conn_uncount(edge, conn);
    loop_forget(&edge->shard->loop, conn->fd);
    session_close(edge->chat, &conn->session);
    conn_let_go(edge, conn);
    conns_give(edge, conn);
    edge->moving++;
    shard_post(edge->shard, shard, &moving->letter);
}
