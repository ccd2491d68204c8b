#include "edge/rpc.h"

#include "base/assert.h"
#include "base/utf8.h"
#include "chat/chat.h"
#include "edge/conn.h"
#include "edge/edge.h"
#include "edge/frame.h"
#include "edge/gate.h"
#include "memory/allocator.h"
#include "store/message_row.h"
#include "wire/jsonrpc.h"

/* ---- Writing. ---- */

static bool write_object(struct edge *edge, struct conn *conn, const struct jsonrpc_answer *answer,
                         enum write_kind kind)
{
    struct writer writer;
    if (!frame_begin_loose(edge, conn, jsonrpc_size_max(answer), kind, &writer)) {
        return false;
    }
    const enum err err = jsonrpc_encode(answer, &writer);
    ASSERT(err == ERR_OK); /* the room was for its largest size */
    frame_end_loose(edge, conn, answer->packet->type, &writer);
    return true;
}

static void write_answer(struct edge *edge, struct conn *conn, const struct packet *packet,
                         struct bytes id)
{
    const struct jsonrpc_answer answer = {.packet = packet, .id = id};
    if (!write_object(edge, conn, &answer, WRITE_ANSWER)) {
        conn_doom(edge, conn, CAUSE_BEHIND);
    }
}

static void write_error(struct edge *edge, struct conn *conn, struct bytes id,
                        enum jsonrpc_fault fault)
{
    const struct bytes text = bytes_of_string(jsonrpc_fault_text(fault));
    struct writer writer;
    if (!frame_begin_loose(edge, conn, jsonrpc_error_size_max(id, text), WRITE_ANSWER, &writer)) {
        conn_doom(edge, conn, CAUSE_BEHIND);
        return;
    }
    const enum err err = jsonrpc_error_encode(id, jsonrpc_fault_code(fault), text, &writer);
    ASSERT(err == ERR_OK);
    frame_end_loose(edge, conn, PACKET_INVALID, &writer);
}

void rpc_write_sent(struct edge *edge, struct conn *conn, const struct send *send)
{
    const struct packet packet = {
        .type = PACKET_SENDACK,
        .flags = send->flags,
        .sendack = {.message_id = send->message_id,
                    .message_seq = send->seq,
                    .reason = (uint8_t)send->reason},
    };
    write_answer(edge, conn, &packet, send->tag);
}

bool rpc_write_recv(struct edge *edge, struct conn *conn, const struct push *push)
{
    const struct message_view *view = push->view;
    const struct packet packet = {
        .type = PACKET_RECV,
        .flags = push->flags,
        .recv =
            {
                .setting = view->setting,
                .channel_type = view->channel_type,
                .expire_s = view->expire_s,
                .timestamp_s = view->timestamp_s,
                .message_id = view->message_id,
                .message_seq = view->seq,
                .from_uid = push->from_uid,
                .channel_id = push->channel_id,
                .client_msg_no = view->client_msg_no,
                .stream_no = view->stream_no,
                .topic = view->topic,
                .payload = view->payload,
            },
    };
    const struct jsonrpc_answer answer = {.packet = &packet,
                                          .wants_object = conn->is_object_payload};
    if (!write_object(edge, conn, &answer, WRITE_DELIVERY)) {
        return false;
    }
    conn->traffic.out_messages++;
    conn->traffic.out_message_bytes += push->view->payload.size;
    metric_add(edge->shard->metrics, METRIC_DELIVERIES, 1);
    return true;
}

bool rpc_write_event(struct edge *edge, struct conn *conn, const struct session_event *event)
{
    const struct packet packet = {
        .type = PACKET_EVENT,
        .event = {.id = event->id,
                  .type = event->type,
                  .timestamp_ms = event->timestamp_ms,
                  .data = event->data},
    };
    const struct jsonrpc_answer answer = {.packet = &packet};
    return write_object(edge, conn, &answer, event->is_passing ? WRITE_DELIVERY : WRITE_ANSWER);
}

void rpc_write_disconnect(struct edge *edge, struct conn *conn, enum chat_reason reason,
                          struct bytes text)
{
    const struct packet packet = {.type = PACKET_DISCONNECT,
                                  .disconnect = {.reason = (uint8_t)reason, .text = text}};
    write_answer(edge, conn, &packet, BYTES_EMPTY);
}

/* ---- Connect. ---- */

static enum flow take_connect(struct edge *edge, struct conn *conn,
                              const struct jsonrpc_request *request)
{
    const struct packet_connect *connect = &request->packet.connect;
    if (conn->state != CONN_OPENING) {
        write_error(edge, conn, request->id, JSONRPC_FAULT_REQUEST);
        return FLOW_NEXT;
    }
    if (!gate_knows_uid(connect->uid)) {
        write_error(edge, conn, request->id, JSONRPC_FAULT_PARAMS);
        conn_close_gently(edge, conn, CAUSE_PROTOCOL);
        return FLOW_STOP;
    }
    const enum flow flow = gate_route(edge, conn, connect->uid);
    if (flow != FLOW_NEXT) {
        return flow;
    }
    const struct gate_login login = {
        .uid = connect->uid,
        .token = connect->token,
        .device_id = connect->device_id,
        .device_flag = connect->device_flag,
    };
    return gate_login(edge, conn, &login);
}

size_t rpc_finish_login(struct edge *edge, struct conn *conn, struct bytes stream)
{
    size_t size = 0;
    struct jsonrpc_scan scan = {.offset = 0};
    enum err err = jsonrpc_object_size(stream, &scan, &size);
    ASSERT(err == ERR_OK);
    uint8_t area[CONN_LOGIN_BYTES_MAX];
    struct jsonrpc_request request;
    const enum jsonrpc_fault fault =
        jsonrpc_decode((struct bytes){.data = stream.data, .size = size}, area, &request);
    ASSERT(fault == JSONRPC_FAULT_NONE); /* it was decoded when the login began */
    const struct packet_connect *connect = &request.packet.connect;
    const uint8_t version =
        connect->version < PACKET_VERSION_MAX ? connect->version : PACKET_VERSION_MAX;
    conn->version = version;
    const struct packet connack = {
        .type = PACKET_CONNACK,
        .flags = PACKET_FLAG_HAS_SERVER_VERSION,
        .connack =
            {
                .server_version = version,
                .time_diff_ms = gate_time_diff(edge, connect->client_timestamp_ms),
                .reason = conn->login_reason,
                .node_id = edge->settings->node_id,
            },
    };
    frame_taken(edge, conn, PACKET_CONNECT, size);
    write_answer(edge, conn, &connack, request.id);
    gate_logged_in(edge, conn, conn->login_reason == CHAT_REASON_SUCCESS);
    return size;
}

/* ---- Send. ---- */

/* 32 hexadecimal digits, for a sender that gave no number (jsonrpc 5.1). */
static struct bytes draw_number(uint8_t area[32])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t random[16];
    crypto_random(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) {
        area[2 * i] = (uint8_t)digits[random[i] >> 4];
        area[2 * i + 1] = (uint8_t)digits[random[i] & 15];
    }
    return (struct bytes){.data = area, .size = 32};
}

static enum flow take_send(struct edge *edge, struct conn *conn,
                           const struct jsonrpc_request *request)
{
    const struct packet_send *sent = &request->packet.send;
    uint8_t number[32];
    const struct gate_send input = {
        .flags = request->packet.flags,
        .setting = sent->setting,
        .channel_type = sent->channel_type,
        .expire_s = sent->expire_s,
        .client_msg_no = sent->client_msg_no.size > 0 ? sent->client_msg_no : draw_number(number),
        .channel_id = sent->channel_id,
        .topic = sent->topic,
        .stream_no = sent->stream_no,
        .tag = request->id,
        .payload_size = sent->payload.size,
    };
    struct send *send = NULL;
    enum chat_reason reason = CHAT_REASON_SUCCESS;
    const enum err err = gate_send(edge, conn, &input, &send, &reason);
    if (err == ERR_AGAIN) {
        return FLOW_HOLD;
    }
    conn->traffic.in_messages++;
    conn->traffic.in_message_bytes += input.payload_size;
    if (err != ERR_OK) {
        const struct packet refusal = {
            .type = PACKET_SENDACK,
            .flags = request->packet.flags,
            .sendack = {.message_id = gate_refusal_id(edge, sent->channel_id, sent->channel_type),
                        .reason = (uint8_t)reason},
        };
        write_answer(edge, conn, &refusal, request->id);
        return FLOW_NEXT;
    }
    if (request->is_object_payload) {
        conn->is_object_payload = true;
    }
    if (sent->payload.size > 0) {
        memcpy(send_payload(send), sent->payload.data, sent->payload.size);
    }
    gate_count(edge, conn, send);
    gate_post(edge, send);
    return FLOW_NEXT;
}

/* ---- Everything. ---- */

static enum flow take_request(struct edge *edge, struct conn *conn,
                              const struct jsonrpc_request *request)
{
    static const struct packet pong = {.type = PACKET_PONG};
    static const struct packet received = {.type = PACKET_RECVACK};
    if (conn->state == CONN_OPENING && request->packet.type != PACKET_CONNECT) {
        conn_doom(edge, conn, CAUSE_PROTOCOL); /* the first message must be connect (jsonrpc 2.3) */
        return FLOW_STOP;
    }
    if (request->packet.type == PACKET_CONNECT) {
        return take_connect(edge, conn, request);
    }
    if (request->packet.type == PACKET_SEND) {
        return take_send(edge, conn, request);
    }
    if (request->packet.type == PACKET_RECVACK) {
        session_received(edge->chat, &conn->session, request->packet.recvack.message_id);
        if (request->is_request) {
            write_answer(edge, conn, &received, request->id);
        }
        return FLOW_NEXT;
    }
    if (request->packet.type == PACKET_PING) {
        write_answer(edge, conn, &pong, request->id);
        return FLOW_NEXT;
    }
    conn_end_asking(edge, conn); /* disconnect */
    return FLOW_STOP;
}

static enum flow take_fault(struct edge *edge, struct conn *conn,
                            const struct jsonrpc_request *request, enum jsonrpc_fault fault)
{
    metric_add(edge->shard->metrics, METRIC_BAD_JSONRPC, 1);
    if (conn->state == CONN_OPENING && fault != JSONRPC_FAULT_PARAMS) {
        conn_doom(edge, conn, CAUSE_PROTOCOL);
        return FLOW_STOP;
    }
    write_error(edge, conn, request->id, fault);
    if (fault == JSONRPC_FAULT_SYNTAX || conn->state == CONN_OPENING) {
        conn_close_gently(edge, conn, CAUSE_PROTOCOL);
        return FLOW_STOP;
    }
    return FLOW_NEXT; /* that message is dropped, the next is good (jsonrpc 2.3) */
}

/* Decoding changes its copy of the object: a send that has to wait is decoded again. */
static enum flow take_object(struct edge *edge, struct conn *conn, struct bytes object)
{
    uint8_t small[2048];
    uint8_t *area = small;
    if (object.size > sizeof(small)) {
        area = memory_acquire(&edge->reads_budget, MEMORY_RANK_READ, object.size);
        if (area == NULL) {
            conn_stall(edge, conn);
            return FLOW_HOLD;
        }
    }
    struct jsonrpc_request request = {.id = BYTES_EMPTY};
    const enum jsonrpc_fault fault = jsonrpc_decode(object, area, &request);
    const enum flow flow = fault == JSONRPC_FAULT_NONE ? take_request(edge, conn, &request)
                                                       : take_fault(edge, conn, &request, fault);
    if (flow == FLOW_NEXT || flow == FLOW_STOP) {
        const enum packet_type type =
            fault == JSONRPC_FAULT_NONE ? request.packet.type : PACKET_INVALID;
        frame_taken(edge, conn, type, object.size);
    }
    if (area != small) {
        memory_release(&edge->reads_budget, area, object.size);
    }
    return flow;
}

enum flow rpc_take(struct edge *edge, struct conn *conn, struct bytes stream,
                   struct jsonrpc_scan *scan, size_t *out_size)
{
    size_t size = 0;
    *out_size = 0;
    const enum err err = jsonrpc_object_size(stream, scan, &size);
    if ((err == ERR_OK ? size : stream.size) > edge->object_bytes_max) {
        conn_doom(edge, conn, CAUSE_MEMORY);
        return FLOW_STOP;
    }
    if (err == ERR_AGAIN) {
        return FLOW_HOLD;
    }
    if (err != ERR_OK) {
        const struct jsonrpc_request nothing = {.id = BYTES_EMPTY};
        return take_fault(edge, conn, &nothing, JSONRPC_FAULT_SYNTAX);
    }
    if (conn->state == CONN_OPENING && size > CONN_LOGIN_BYTES_MAX) {
        conn_doom(edge, conn, CAUSE_PROTOCOL);
        return FLOW_STOP;
    }
    const enum flow flow =
        take_object(edge, conn, (struct bytes){.data = stream.data, .size = size});
    if (flow == FLOW_NEXT) {
        *out_size = conn->state == CONN_DOOMED ? 0 : size;
        return conn->state == CONN_DOOMED ? FLOW_STOP : FLOW_NEXT;
    }
    return flow;
}
