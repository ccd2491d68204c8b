/* How bytes come in: read, unwrapped (PROXY, WebSocket), told apart, and cut into frames. */
#include "base/assert.h"
#include "edge/conn.h"
#include "edge/edge.h"
#include "edge/gate.h"
#include "edge/inflow.h"
#include "edge/rpc.h"
#include "edge/wk.h"
#include "memory/allocator.h"
#include "system/tls.h"
#include "wire/detect.h"
#include "wire/json_token.h"
#include "wire/packet.h"
#include "wire/proxy.h"

#define READ_ROUNDS_MAX  4 /* one fast sender leaves the rest of its bytes for the next turn */
#define READ_ROOM_MIN    4096u
#define LOGIN_READ_BYTES 2048u /* before login no more is taken at a time */
#define CROWD_READ_BYTES 4096u /* in a crowd: the rest is better left in the socket */

static uint32_t held_limit(const struct conn *conn)
{
    if (conn->state != CONN_OPEN) {
        return CONN_LOGIN_BYTES_MAX;
    }
    return conn->dialect == DIALECT_JSONRPC ? JSONRPC_OBJECT_BYTES_MAX + WEBSOCKET_RAW_BYTES_MAX
                                            : CONN_FRAME_BYTES_MAX + WEBSOCKET_RAW_BYTES_MAX;
}

void conn_let_go(struct edge *edge, struct conn *conn)
{
    if (conn->held != NULL) {
        memory_release(&edge->reads_budget, conn->held, sizeof(*conn->held) + conn->held->capacity);
        conn->held = NULL;
    }
}

static struct held *held_acquire(struct edge *edge, size_t capacity)
{
    struct held *held =
        memory_acquire(&edge->reads_budget, MEMORY_RANK_READ, sizeof(*held) + capacity);
    if (held != NULL) {
        *held = (struct held){.capacity = (uint32_t)capacity};
    }
    return held;
}

/* Twice the room, with what is in it. */
static enum err held_grow(struct edge *edge, struct conn *conn)
{
    const struct held *small = conn->held;
    struct held *held = held_acquire(edge, (size_t)small->capacity * 2);
    if (held == NULL) {
        return ERR_BUDGET;
    }
    held->size = small->size;
    held->raw = small->raw;
    held->scan = small->scan;
    memcpy(held->bytes, small->bytes, small->size);
    conn_let_go(edge, conn);
    conn->held = held;
    return ERR_OK;
}

enum err conn_hold(struct edge *edge, struct conn *conn, const struct inflow *in, size_t consumed)
{
    const size_t size = in->stream_size + in->raw_size - consumed;
    if (size == 0) {
        conn_let_go(edge, conn);
        return ERR_OK;
    }
    if (size > EDGE_SCRATCH_BYTES + CONN_FRAME_BYTES_MAX * 2) {
        return ERR_LIMIT;
    }
    if (conn->held == NULL || size > conn->held->capacity) {
        struct held *held = held_acquire(edge, size);
        if (held == NULL) {
            return ERR_BUDGET;
        }
        conn_let_go(edge, conn); /* nothing of `in` lies in it: that would not have been too much */
        conn->held = held;
    }
    ASSERT(in->area != NULL); /* it has come from somewhere */
    memmove(conn->held->bytes, in->area + consumed, size);
    conn->held->size = (uint32_t)size;
    conn->held->raw = (uint32_t)in->raw_size;
    conn->held->scan = in->scan;
    return ERR_OK;
}

/* ---- Unwrapping. Each step works on the bytes at the end of `in` that are still raw. ---- */

static uint8_t *inflow_raw(const struct inflow *in)
{
    return in->area + in->stream_size;
}

static void inflow_skip_raw(struct inflow *in, size_t size)
{
    ASSERT(size <= in->raw_size);
    memmove(inflow_raw(in), inflow_raw(in) + size, in->raw_size - size);
    in->raw_size -= size;
}

static enum flow take_proxy(struct edge *edge, struct conn *conn, struct inflow *in)
{
    struct proxy_header header;
    const struct bytes raw = {.data = inflow_raw(in), .size = in->raw_size};
    switch (proxy_decode(raw, &header)) {
    case PROXY_INCOMPLETE:
        return FLOW_HOLD;
    case PROXY_ABSENT:
        break;
    case PROXY_FOUND:
        if (header.has_source) {
            memcpy(conn->peer.ip, header.source_ip, sizeof(conn->peer.ip));
            conn->peer.port = header.source_port;
        }
        inflow_skip_raw(in, header.size);
        break;
    }
    (void)edge;
    conn->is_proxy_checked = true;
    return FLOW_NEXT;
}

/* The port that a header names, or `otherwise`. */
static uint16_t forwarded_port(struct bytes text, uint16_t otherwise)
{
    const struct json_token number = {.kind = JSON_TOKEN_NUMBER, .text = text};
    uint64_t port = 0;
    const bool is_port = json_token_unsigned(number, &port) == ERR_OK && port <= UINT16_MAX;
    return is_port ? (uint16_t)port : otherwise;
}

/* Behind a load balancer the peer is whom its headers name (wire-protocol 1.1). */
static void take_forwarded(struct conn *conn, const struct websocket_upgrade *upgrade)
{
    const struct bytes text =
        upgrade->forwarded_for.size > 0 ? upgrade->forwarded_for : upgrade->real_ip;
    struct address address;
    if (conn->tls == NULL && text.size > 0 && address_parse(text, &address) == ERR_OK) {
        address.port = forwarded_port(upgrade->real_port, conn->peer.port);
        conn->peer = address;
    }
}

static enum flow take_upgrade(struct edge *edge, struct conn *conn, struct inflow *in)
{
    struct websocket_upgrade upgrade;
    const struct bytes raw = {.data = inflow_raw(in), .size = in->raw_size};
    const enum err err = websocket_upgrade_decode(raw, &upgrade);
    if (err == ERR_AGAIN) {
        return FLOW_HOLD;
    }
    if (err != ERR_OK) {
        metric_add(edge->shard->metrics, METRIC_BAD_UPGRADE, 1);
        conn_doom(edge, conn, CAUSE_PROTOCOL);
        return FLOW_STOP;
    }
    uint8_t joined[WEBSOCKET_KEY_CHARS + sizeof(WEBSOCKET_GUID)];
    struct writer writer = writer_of(joined, sizeof(joined));
    writer_bytes_add(&writer, upgrade.key);
    writer_bytes_add(&writer, BYTES_OF(WEBSOCKET_GUID));
    uint8_t digest[CRYPTO_SHA1_BYTES];
    crypto_sha1(writer_bytes(&writer), digest);

    uint8_t *answer =
        write_queue_reserve(&edge->blocks, &conn->queue, WEBSOCKET_ACCEPT_BYTES_MAX, WRITE_ANSWER);
    if (answer == NULL) {
        conn_doom(edge, conn, CAUSE_MEMORY);
        return FLOW_STOP;
    }
    struct writer head = writer_of(answer, WEBSOCKET_ACCEPT_BYTES_MAX);
    websocket_accept_encode(digest, &head);
    write_queue_commit(&conn->queue, writer_size(&head));
    conn_mark_dirty(edge, conn);
    take_forwarded(conn, &upgrade);
    inflow_skip_raw(in, upgrade.size);
    conn->is_websocket_open = true;
    return FLOW_NEXT;
}

static enum flow answer_control(struct edge *edge, struct conn *conn, uint8_t opcode,
                                struct bytes payload)
{
    const size_t size = WEBSOCKET_HEADER_BYTES_MAX + payload.size;
    uint8_t *room = write_queue_reserve(&edge->blocks, &conn->queue, size, WRITE_ANSWER);
    if (room == NULL) {
        conn_doom(edge, conn, CAUSE_BEHIND);
        return FLOW_STOP;
    }
    struct writer writer = writer_of(room, size);
    websocket_header_encode(opcode, payload.size, &writer);
    writer_bytes_add(&writer, payload);
    write_queue_commit(&conn->queue, writer_size(&writer));
    conn_mark_dirty(edge, conn);
    return FLOW_NEXT;
}

static enum flow take_control(struct edge *edge, struct conn *conn,
                              const struct websocket_event *event)
{
    switch (event->kind) {
    case WEBSOCKET_EVENT_PING:
        return answer_control(edge, conn, WEBSOCKET_OPCODE_PONG, event->payload);
    case WEBSOCKET_EVENT_CLOSE: /* answered when all that was said before it is */
        conn->is_close_asked = true;
        conn->close_code = event->payload.size >= 2 ? bytes_u16_be(event->payload.data) : 0;
        return FLOW_NEXT;
    case WEBSOCKET_EVENT_PONG:
    case WEBSOCKET_EVENT_NONE:
        break;
    }
    return FLOW_NEXT;
}

/* What it said before is done, as if it had closed then; it is told why nothing else is. */
static void end_faulty(struct edge *edge, struct conn *conn)
{
    metric_add(edge->shard->metrics, METRIC_BAD_WEBSOCKET, 1);
    conn->is_close_asked = true;
    conn->is_faulty = true;
    conn->close_code = WEBSOCKET_CODE_PROTOCOL;
}

/* Turns raw WebSocket bytes into stream bytes, in place, and answers control frames. */
static enum flow take_websocket(struct edge *edge, struct conn *conn, struct inflow *in)
{
    for (;;) {
        struct websocket_event event;
        const enum err err =
            websocket_consume(&conn->websocket, inflow_raw(in), in->raw_size, &event);
        if (err != ERR_OK && err != ERR_AGAIN) {
            end_faulty(edge, conn);
        }
        /* What was produced lies at the front of what was consumed; the payload of a control frame
         * lies in between and is used before the rest moves down. */
        if (event.kind != WEBSOCKET_EVENT_NONE) {
            const enum flow flow = take_control(edge, conn, &event);
            if (flow != FLOW_NEXT) {
                return flow;
            }
        }
        in->stream_size += event.produced;
        in->raw_size -= event.produced;
        inflow_skip_raw(in, event.consumed - event.produced);
        if (conn->is_close_asked) {
            in->raw_size = 0; /* nothing may follow it (RFC 6455, 5.5.1) */
        }
        if (err == ERR_AGAIN || in->raw_size == 0) {
            return FLOW_NEXT;
        }
    }
}

/* Everything raw that can become stream does. FLOW_HOLD: more bytes are needed first. */
static enum flow conn_unwrap(struct edge *edge, struct conn *conn, struct inflow *in)
{
    enum flow flow = FLOW_NEXT;
    if (!conn->is_proxy_checked && in->raw_size > 0) {
        flow = take_proxy(edge, conn, in);
    }
    if (flow != FLOW_NEXT || in->raw_size == 0) {
        return flow;
    }
    if (conn->transport == TRANSPORT_TCP) {
        in->stream_size += in->raw_size;
        in->raw_size = 0;
        return FLOW_NEXT;
    }
    if (!conn->is_websocket_open) {
        flow = take_upgrade(edge, conn, in);
    }
    return flow == FLOW_NEXT && in->raw_size > 0 ? take_websocket(edge, conn, in) : flow;
}

/* ---- Frames. ---- */

static enum flow conn_tell_apart(struct edge *edge, struct conn *conn, struct inflow *in)
{
    const struct bytes stream = {.data = in->area, .size = in->stream_size};
    switch (detect_dialect(stream)) {
    case DETECT_INCOMPLETE:
        return FLOW_HOLD;
    case DETECT_JSONRPC:
        if (!edge->settings->is_jsonrpc_off) {
            conn->dialect = DIALECT_JSONRPC;
            return FLOW_NEXT;
        }
        break;
    case DETECT_WKPROTO:
        break;
    }
    conn->dialect = DIALECT_WKPROTO;
    return FLOW_NEXT;
}

/* Whoever leaves his answers unread is not asked for more questions; conn_flush goes on. */
static bool conn_takes_frames(const struct conn *conn)
{
    return (conn->state == CONN_OPENING || conn->state == CONN_OPEN) && !conn->is_paused &&
           conn->queue.size <= WRITE_QUEUE_ASKED_MAX;
}

/* Hands on complete frames until none is left or one has to wait; `out_consumed` bytes of the
 * stream are done. */
static enum flow conn_take_frames(struct edge *edge, struct conn *conn, struct inflow *in,
                                  size_t *out_consumed)
{
    size_t consumed = 0;
    enum flow flow = FLOW_NEXT;
    uint32_t frames = 0;
    while (flow == FLOW_NEXT && consumed < in->stream_size && conn_takes_frames(conn)) {
        if (frames++ >= EDGE_FRAMES_FAIR && edge_is_crowded(edge)) {
            conn_stall(edge, conn);
            break;
        }
        const struct bytes rest = {.data = in->area + consumed, .size = in->stream_size - consumed};
        size_t size = 0;
        flow = conn->dialect == DIALECT_JSONRPC ? rpc_take(edge, conn, rest, &in->scan, &size)
                                                : wk_take(edge, conn, rest, &size);
        consumed += size;
    }
    *out_consumed = consumed;
    return flow;
}

/* Keeps what was not consumed. */
static void conn_keep(struct edge *edge, struct conn *conn, const struct inflow *in,
                      size_t consumed)
{
    const size_t rest = in->stream_size + in->raw_size - consumed;
    if (rest > held_limit(conn) && !conn->is_paused) {
        conn_doom(edge, conn, CAUSE_PROTOCOL);
        return;
    }
    if (conn_hold(edge, conn, in, consumed) != ERR_OK) {
        conn_doom(edge, conn, CAUSE_MEMORY);
    }
}

/* The peer wants to close, and what it said before that is done. */
static void conn_obey_close(struct edge *edge, struct conn *conn)
{
    if (conn->is_close_asked && conn_takes_frames(conn)) {
        conn_end_asking(edge, conn);
    }
}

static void conn_consume_some(struct edge *edge, struct conn *conn, struct inflow *in)
{
    size_t consumed = 0;
    enum flow flow = conn_unwrap(edge, conn, in);
    if (flow != FLOW_STOP && in->stream_size > 0) {
        if (conn->dialect == DIALECT_UNKNOWN) {
            flow = conn_tell_apart(edge, conn, in);
        }
        if (conn->dialect != DIALECT_UNKNOWN) {
            flow = conn_take_frames(edge, conn, in, &consumed);
        }
    }
    if (flow == FLOW_STOP || conn->state == CONN_DOOMED || conn->state == CONN_CLOSING) {
        return;
    }
    conn_keep(edge, conn, in, consumed);
    if (flow == FLOW_MOVE && conn->state != CONN_DOOMED) {
        conn_move(edge, conn, conn->move_to);
    } else {
        conn_obey_close(edge, conn);
    }
}

/* NOLINTBEGIN(misc-no-recursion): consuming what lies behind CONNECT is one step deeper, once in
 * the life of a connection. */

/* Consumes what is in `in`. */
static void conn_consume(struct edge *edge, struct conn *conn, struct inflow *in)
{
    const uint32_t generation = conn->session.id.generation;
    conn->is_consuming = true;
    conn_consume_some(edge, conn, in);
    if (conn->state == CONN_FREE || conn->session.id.generation != generation) {
        return; /* it has moved */
    }
    conn->is_consuming = false;
    if (conn->is_login_decided && conn->state == CONN_LOGGING_IN) {
        conn_finish_login(edge, conn);
    }
}

/* What is held, as an inflow. */
static struct inflow inflow_held(const struct conn *conn)
{
    struct held *held = conn->held;
    if (held == NULL) {
        return (struct inflow){.area = NULL};
    }
    return (struct inflow){
        .area = held->bytes,
        .capacity = held->capacity,
        .stream_size = held->size - held->raw,
        .raw_size = held->raw,
        .scan = held->scan,
    };
}

void conn_finish_login(struct edge *edge, struct conn *conn)
{
    ASSERT(conn->state == CONN_LOGGING_IN);
    ASSERT(conn->is_login_decided);
    conn->is_login_decided = false;
    if (gate_login_has_failed(edge, conn)) {
        return;
    }
    struct inflow in = inflow_held(conn);
    const struct bytes stream = {.data = in.area, .size = in.stream_size};
    const size_t size = conn->dialect == DIALECT_JSONRPC ? rpc_finish_login(edge, conn, stream)
                                                         : wk_finish_login(edge, conn, stream);
    if (conn->state != CONN_OPEN) {
        return; /* refused, and closing */
    }
    conn_keep(edge, conn, &in, size);
    if (conn->state == CONN_OPEN) {
        conn_resume(edge, conn);
    }
}

/* ---- Reading. ---- */

static enum err conn_handshake(struct edge *edge, struct conn *conn)
{
    const enum err err = tls_handshake(conn->tls);
    if (err == ERR_OK) {
        conn->is_handshaking = false;
    } else if (err == ERR_AGAIN) {
        conn->is_readable = false;
    } else {
        metric_add(edge->shard->metrics, METRIC_BAD_TLS, 1);
        conn_doom(edge, conn, CAUSE_TLS);
    }
    return err;
}

/* Where the next bytes go: behind what is held, in the scratch area while that is large enough,
 * else in the held buffer itself, which grows with what has really come. */
static enum err inflow_prepare(struct edge *edge, struct conn *conn, struct inflow *in)
{
    const uint32_t size = conn->held != NULL ? conn->held->size : 0;
    if (size + READ_ROOM_MIN > EDGE_SCRATCH_BYTES / 2) {
        const bool has_room = conn->held->capacity - size >= READ_ROOM_MIN;
        const enum err err = has_room ? ERR_OK : held_grow(edge, conn);
        *in = inflow_held(conn);
        return err;
    }
    *in = inflow_held(conn);
    if (size > 0) {
        memcpy(edge->scratch, in->area, size);
    }
    in->area = edge->scratch;
    in->capacity = EDGE_SCRATCH_BYTES;
    return ERR_OK;
}

static enum err conn_read_some(struct edge *edge, struct conn *conn, struct inflow *in)
{
    const size_t held = in->stream_size + in->raw_size;
    size_t room = in->capacity - held;
    if (conn->state != CONN_OPEN && room > LOGIN_READ_BYTES) {
        room = LOGIN_READ_BYTES;
    } else if (room > CROWD_READ_BYTES && edge_is_crowded(edge)) {
        room = CROWD_READ_BYTES;
    }
    size_t size = 0;
    const enum err err = conn->tls != NULL ? tls_read(conn->tls, in->area + held, room, &size)
                                           : socket_read(conn->fd, in->area + held, room, &size);
    if (err == ERR_AGAIN) {
        conn->is_readable = false;
    } else if (err == ERR_OK) {
        in->raw_size += size;
        conn->last_in_ms = edge->shard->now_ms;
        conn->traffic.in_bytes += size;
        metric_add(edge->shard->metrics, METRIC_CLIENT_BYTES_IN, size);
        /* The socket is edge-triggered: a short read has emptied it, and news will come. Not so
         * with TLS, which reads a record at a time and leaves the next ones in the socket. */
        if (size < room && conn->tls == NULL && !conn->is_hung_up) {
            conn->is_readable = false;
        }
    }
    return err;
}

/* No more bytes will come. */
static void conn_end(struct edge *edge, struct conn *conn, enum err why)
{
    if (why == ERR_CLOSED && conn->state == CONN_OPEN) {
        conn_end_asking(edge, conn);
        return;
    }
    conn_doom(edge, conn, why == ERR_PROTOCOL ? CAUSE_TLS : CAUSE_PEER);
}

static bool conn_may_read(const struct conn *conn)
{
    return conn_takes_frames(conn) && conn->is_readable && !conn->is_close_asked;
}

void conn_wait_to_read(struct edge *edge, struct conn *conn)
{
    struct list *list = conn->state == CONN_OPEN ? &edge->readable : &edge->strangers.waiting;
    list_push_back(list, &conn->waiting);
}

void conn_read(struct edge *edge, struct conn *conn)
{
    for (uint32_t round = 0; round < READ_ROUNDS_MAX && conn_may_read(conn); round++) {
        if (conn->is_handshaking && conn_handshake(edge, conn) != ERR_OK) {
            return;
        }
        struct inflow in;
        if (inflow_prepare(edge, conn, &in) != ERR_OK) {
            conn_stall(edge, conn);
            return;
        }
        const enum err err = conn_read_some(edge, conn, &in);
        if (err == ERR_AGAIN) {
            return;
        }
        if (err != ERR_OK) {
            conn_end(edge, conn, err);
            return;
        }
        const uint32_t generation = conn->session.id.generation;
        conn_consume(edge, conn, &in);
        if (conn->state == CONN_FREE || conn->session.id.generation != generation) {
            return; /* it has moved */
        }
    }
    if (conn_may_read(conn) && !list_is_linked(&conn->waiting)) {
        conn_wait_to_read(edge, conn);
    }
}

void conn_resume(struct edge *edge, struct conn *conn)
{
    if (conn->is_ended) {
        return; /* what is held was said after its last word */
    }
    conn->is_paused = false;
    if (conn->held != NULL && conn_takes_frames(conn)) {
        struct inflow in = inflow_held(conn);
        const uint32_t generation = conn->session.id.generation;
        conn_consume(edge, conn, &in);
        if (conn->state == CONN_FREE || conn->session.id.generation != generation) {
            return;
        }
    }
    conn_obey_close(edge, conn);
    if (conn_may_read(conn) && !list_is_linked(&conn->waiting)) {
        conn_wait_to_read(edge, conn);
    }
}

/* NOLINTEND(misc-no-recursion) */

void conn_end_asking(struct edge *edge, struct conn *conn)
{
    conn->is_ended = true;
    conn->is_paused = true;
    conn->is_readable = false;
    if (conn->sends == 0) {
        conn_end_answered(edge, conn);
    }
}

void conn_end_answered(struct edge *edge, struct conn *conn)
{
    /* The same code, without its text (wire-protocol 1.2). */
    const uint8_t code[] = {(uint8_t)(conn->close_code >> 8), (uint8_t)conn->close_code};
    const struct bytes payload = {.data = code, .size = conn->close_code != 0 ? sizeof(code) : 0};
    if (!conn->is_close_asked ||
        answer_control(edge, conn, WEBSOCKET_OPCODE_CLOSE, payload) == FLOW_NEXT) {
        conn_close_gently(edge, conn, conn->is_faulty ? CAUSE_PROTOCOL : CAUSE_PEER);
    }
}

void conn_pause(struct conn *conn)
{
    conn->is_paused = true;
}

void conn_stall(struct edge *edge, struct conn *conn)
{
    conn->is_paused = true;
    if (!list_is_linked(&conn->waiting)) {
        list_push_back(&edge->stalled, &conn->waiting);
    }
}
