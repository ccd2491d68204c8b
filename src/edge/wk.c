#include "edge/wk.h"

#include "base/assert.h"
#include "chat/chat.h"
#include "edge/checking.h"
#include "edge/conn.h"
#include "edge/edge.h"
#include "edge/frame.h"
#include "edge/gate.h"
#include "edge/seal.h"
#include "store/message_row.h"
#include "wire/packet.h"

#define EVENT_VERSION_MIN 5 /* clients of older versions reconnect when they get one */

/* ---- Writing. ---- */

/* Writes a packet of its own size. False: no room. */
static bool write_packet(struct edge *edge, struct conn *conn, const struct packet *packet,
                         enum write_kind kind)
{
    struct writer writer;
    const size_t size = packet_encoded_size(packet, conn->version);
    if (!frame_begin(edge, conn, size, kind, &writer) ||
        packet_encode(packet, conn->version, &writer) != ERR_OK) {
        return false;
    }
    frame_end(edge, conn, packet->type, &writer);
    return true;
}

/* An answer that finds no room: the client asks more than it reads. */
static void write_answer(struct edge *edge, struct conn *conn, const struct packet *packet)
{
    if (!write_packet(edge, conn, packet, WRITE_ANSWER)) {
        conn_doom(edge, conn, CAUSE_BEHIND);
    }
}

static void write_sendack(struct edge *edge, struct conn *conn, uint8_t flags,
                          const struct packet_sendack *sendack)
{
    const struct packet packet = {
        .type = PACKET_SENDACK, .flags = flags & PACKET_FLAGS_ON_WIRE, .sendack = *sendack};
    write_answer(edge, conn, &packet);
}

void wk_write_sendack(struct edge *edge, struct conn *conn, const struct send *send)
{
    const struct packet_sendack sendack = {
        .message_id = send->message_id,
        .message_seq = send->seq,
        .client_seq = send->client_seq,
        .reason = (uint8_t)send->reason,
    };
    write_sendack(edge, conn, send->flags, &sendack);
}

/* The setting as a receiver gets it: without what it would misread (wire-protocol 7.5, 8.3). */
static uint8_t recv_setting(const struct conn *conn, uint8_t setting)
{
    uint8_t hidden = PACKET_SETTING_STREAM_OLD;
    if (conn->version < 5) {
        hidden |= PACKET_SETTING_STREAM;
    }
    if (conn->is_encrypted) {
        hidden |= PACKET_SETTING_NO_ENCRYPT;
    }
    return setting & (uint8_t)~hidden;
}

static struct packet recv_packet(const struct conn *conn, const struct push *push)
{
    const struct message_view *view = push->view;
    return (struct packet){
        .type = PACKET_RECV,
        .flags = push->flags,
        .recv =
            {
                .setting = recv_setting(conn, view->setting),
                .channel_type = view->channel_type,
                .expire_s = view->expire_s,
                .timestamp_s = view->timestamp_s,
                .message_id = view->message_id,
                .message_seq = view->seq,
                .from_uid = push->from_uid,
                .channel_id = push->channel_id,
                .client_msg_no = view->client_msg_no,
                .topic = view->topic,
                .payload = view->payload,
            },
    };
}

/* Encrypts payload and key into their places in the frame, sooner or later. */
static void seal_into(struct edge *edge, const struct conn *conn, const struct push *push,
                      const struct packet_recv_room *room)
{
    const struct message_view *view = push->view;
    const struct seal_recv recv = {
        .message_id = view->message_id,
        .seq = view->seq,
        .timestamp_s = view->timestamp_s,
        .channel_type = view->channel_type,
        .client_msg_no = view->client_msg_no,
        .from_uid = push->from_uid,
        .channel_id = push->channel_id,
    };
    const size_t strings = view->client_msg_no.size + push->from_uid.size + push->channel_id.size +
                           seal_payload_size(view->payload.size);
    const struct seal_place place = {
        .payload = room->payload, .msg_key = room->msg_key, .scratch = edge->sealing};
    if (seal_sign_fits(strings)) {
        signing_add(&edge->signing, &conn->secret, &recv, view->payload, &place);
    } else {
        seal_recv(&conn->secret, &recv, view->payload, &place);
    }
}

bool wk_write_recv(struct edge *edge, struct conn *conn, const struct push *push)
{
    struct packet packet = recv_packet(conn, push);
    if (conn->is_encrypted) { /* only their sizes are looked at */
        packet.recv.msg_key.size = SEAL_MSG_KEY_CHARS;
        packet.recv.payload.size = seal_payload_size(push->view->payload.size);
    }
    struct writer writer;
    const size_t size = packet_encoded_size(&packet, conn->version);
    if (!frame_begin(edge, conn, size, WRITE_DELIVERY, &writer)) {
        return false;
    }
    struct packet_recv_room room;
    const enum err err = conn->is_encrypted
                             ? packet_encode_recv(&packet, conn->version, &writer, &room)
                             : packet_encode(&packet, conn->version, &writer);
    if (err != ERR_OK) {
        return true; /* a seq that its version cannot say counts as taken */
    }
    if (conn->is_encrypted) {
        seal_into(edge, conn, push, &room);
    }
    frame_end(edge, conn, PACKET_RECV, &writer);
    conn->traffic.out_messages++;
    conn->traffic.out_message_bytes += push->view->payload.size;
    metric_add(edge->shard->metrics, METRIC_DELIVERIES, 1);
    return true;
}

bool wk_write_event(struct edge *edge, struct conn *conn, const struct session_event *event)
{
    const struct packet packet = {
        .type = PACKET_EVENT,
        .event = {.id = event->id,
                  .type = event->type,
                  .timestamp_ms = event->timestamp_ms,
                  .data = event->data},
    };
    if (conn->version < EVENT_VERSION_MIN) {
        return true; /* nobody there to miss it */
    }
    return write_packet(edge, conn, &packet, event->is_passing ? WRITE_DELIVERY : WRITE_ANSWER);
}

void wk_write_disconnect(struct edge *edge, struct conn *conn, enum chat_reason reason,
                         struct bytes text)
{
    const struct packet packet = {.type = PACKET_DISCONNECT,
                                  .disconnect = {.reason = (uint8_t)reason, .text = text}};
    write_answer(edge, conn, &packet);
}

/* ---- CONNECT. ---- */

static bool client_key_is_good(const struct edge *edge, struct bytes client_key)
{
    return edge->settings->is_encryption_off || client_key.size == SEAL_SERVER_KEY_CHARS;
}

static enum flow take_connect(struct edge *edge, struct conn *conn,
                              const struct packet_connect *connect)
{
    if (conn->state != CONN_OPENING) {
        return FLOW_NEXT; /* a second one is ignored (wire-protocol 3.3) */
    }
    if (!gate_knows_uid(connect->uid)) {
        conn_doom(edge, conn, CAUSE_PROTOCOL); /* no CONNACK (wire-protocol 9.4) */
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

/* Makes the CONNACK of a granted login; false if the keys do not agree. */
static bool grant(struct edge *edge, struct conn *conn, const struct packet_connect *connect,
                  struct packet *connack, struct seal_offer *offer)
{
    connack->connack.reason = CHAT_REASON_SUCCESS;
    if (edge->settings->is_encryption_off) {
        return true;
    }
    if (seal_agree(connect->client_key, &conn->secret, offer) != ERR_OK) {
        return false;
    }
    conn->is_encrypted = true;
    connack->connack.server_key =
        (struct bytes){.data = offer->server_key, .size = sizeof(offer->server_key)};
    connack->connack.salt = (struct bytes){.data = offer->salt, .size = sizeof(offer->salt)};
    return true;
}

size_t wk_finish_login(struct edge *edge, struct conn *conn, struct bytes stream)
{
    size_t size = 0;
    struct packet packet;
    enum err err = packet_size(stream, &size);
    ASSERT(err == ERR_OK);
    err = packet_decode((struct bytes){.data = stream.data, .size = size}, 0, &packet);
    ASSERT(err == ERR_OK); /* it was decoded when the login began */
    const struct packet_connect *connect = &packet.connect;

    conn->version = connect->version < PACKET_VERSION_MAX ? connect->version : PACKET_VERSION_MAX;
    struct packet connack = {
        .type = PACKET_CONNACK,
        .flags = connect->version > 3 ? PACKET_FLAG_HAS_SERVER_VERSION : 0,
        .connack =
            {
                .server_version = conn->version,
                .time_diff_ms = gate_time_diff(edge, connect->client_timestamp_ms),
                .reason = conn->login_reason,
                .node_id = edge->settings->node_id,
            },
    };
    struct seal_offer offer;
    bool is_granted = conn->login_reason == CHAT_REASON_SUCCESS;
    if (is_granted && !grant(edge, conn, connect, &connack, &offer)) {
        connack.connack.reason = CHAT_REASON_AUTH_FAIL;
        is_granted = false;
    }
    frame_taken(edge, conn, PACKET_CONNECT, size);
    write_answer(edge, conn, &connack);
    gate_logged_in(edge, conn, is_granted);
    return size;
}

/* ---- SEND. ---- */

static void refuse_send(struct edge *edge, struct conn *conn, const struct packet *packet,
                        enum chat_reason reason)
{
    const struct packet_sendack sendack = {
        .message_id = gate_refusal_id(edge, packet->send.channel_id, packet->send.channel_type),
        .client_seq = packet->send.client_seq,
        .reason = (uint8_t)reason,
    };
    write_sendack(edge, conn, packet->flags, &sendack);
}

static struct seal_send seal_send_of(const struct packet_send *send)
{
    return (struct seal_send){
        .client_seq = send->client_seq,
        .client_msg_no = send->client_msg_no,
        .channel_id = send->channel_id,
        .channel_type = send->channel_type,
        .payload = send->payload,
    };
}

/* Decrypts the payload into the request, and posts that once its key is known to be right. */
static void post_sealed(struct edge *edge, const struct conn *conn, const struct packet_send *sent,
                        struct send *send)
{
    size_t size = 0;
    enum err err = seal_open(&conn->secret, sent->payload, send_payload(send), &size);
    send->payload.size = size;
    const struct checking_send read = {
        .send = send,
        .is_readable = err == ERR_OK,
        .signed_over = seal_send_of(sent),
        .msg_key = sent->msg_key,
    };
    const size_t strings = sent->client_msg_no.size + sent->channel_id.size + sent->payload.size;
    if (seal_sign_fits(strings)) {
        checking_add(edge, conn, &read);
        return;
    }
    checking_finish(edge);
    if (err == ERR_OK) {
        err = seal_check(&conn->secret, &read.signed_over, sent->msg_key, edge->sealing);
    }
    if (err == ERR_OK) {
        gate_post(edge, send);
    } else {
        gate_refuse_unreadable(edge, send);
    }
}

static void post_plain(struct edge *edge, const struct packet_send *sent, struct send *send)
{
    if (sent->payload.size > 0) {
        memcpy(send_payload(send), sent->payload.data, sent->payload.size);
    }
    checking_finish(edge); /* the connection may have sealed ones before this */
    gate_post(edge, send);
}

static enum flow take_send(struct edge *edge, struct conn *conn, const struct packet *packet)
{
    const struct packet_send *sent = &packet->send;
    const bool is_sealed = conn->is_encrypted && (sent->setting & PACKET_SETTING_NO_ENCRYPT) == 0;
    const struct gate_send input = {
        .flags = packet->flags,
        .setting = sent->setting,
        .channel_type = sent->channel_type,
        .client_seq = sent->client_seq,
        .expire_s = sent->expire_s,
        .client_msg_no = sent->client_msg_no,
        .channel_id = sent->channel_id,
        .topic = sent->topic,
        .stream_no = sent->stream_no,
        .payload_size = sent->payload.size,
    };
    struct send *send = NULL;
    enum chat_reason reason = CHAT_REASON_SUCCESS;
    const enum err err = gate_send(edge, conn, &input, &send, &reason);
    if (err == ERR_AGAIN) {
        return FLOW_HOLD;
    }
    conn->traffic.in_messages++;
    conn->traffic.in_message_bytes += sent->payload.size;
    if (err != ERR_OK) {
        refuse_send(edge, conn, packet, reason);
        return FLOW_NEXT;
    }
    gate_count(edge, conn, send);
    if (is_sealed) {
        post_sealed(edge, conn, sent, send);
    } else {
        post_plain(edge, sent, send);
    }
    return FLOW_NEXT;
}

/* ---- Everything. ---- */

static enum flow take_packet(struct edge *edge, struct conn *conn, const struct packet *packet)
{
    static const struct packet pong = {.type = PACKET_PONG};
    if (conn->state == CONN_OPENING && packet->type != PACKET_CONNECT) {
        conn_doom(edge, conn, CAUSE_PROTOCOL); /* the first frame must be CONNECT (9.3) */
        return FLOW_STOP;
    }
    switch (packet->type) {
    case PACKET_CONNECT:
        return take_connect(edge, conn, &packet->connect);
    case PACKET_SEND:
        return take_send(edge, conn, packet);
    case PACKET_RECVACK:
        session_received(edge->chat, &conn->session, packet->recvack.message_id);
        return FLOW_NEXT;
    case PACKET_PING:
        write_answer(edge, conn, &pong);
        return conn->state == CONN_DOOMED ? FLOW_STOP : FLOW_NEXT;
    case PACKET_DISCONNECT:
        conn_end_asking(edge, conn);
        return FLOW_STOP;
    case PACKET_SUB: /* decoded and ignored (6.10) */
    case PACKET_CONNACK:
    case PACKET_SENDACK:
    case PACKET_RECV:
    case PACKET_PONG:
    case PACKET_SUBACK:
    case PACKET_EVENT:
    case PACKET_INVALID:
        return FLOW_NEXT;
    }
    return FLOW_NEXT;
}

static enum flow take_malformed(struct edge *edge, struct conn *conn)
{
    metric_add(edge->shard->metrics, METRIC_BAD_PACKET, 1);
    conn_doom(edge, conn, CAUSE_PROTOCOL);
    return FLOW_STOP;
}

enum flow wk_take(struct edge *edge, struct conn *conn, struct bytes stream, size_t *out_size)
{
    size_t size = 0;
    *out_size = 0;
    const enum err err = packet_size(stream, &size);
    if (err == ERR_AGAIN) {
        return FLOW_HOLD;
    }
    const bool is_early = conn->state == CONN_OPENING;
    if (err != ERR_OK || (is_early && size > CONN_LOGIN_BYTES_MAX)) {
        return take_malformed(edge, conn);
    }
    if (size > edge->packet_bytes_max) {
        conn_doom(edge, conn, CAUSE_MEMORY);
        return FLOW_STOP;
    }
    if (size > stream.size) {
        return FLOW_HOLD;
    }
    struct packet packet;
    if (packet_decode((struct bytes){.data = stream.data, .size = size}, conn->version, &packet) !=
        ERR_OK) {
        return take_malformed(edge, conn);
    }
    if (is_early && packet.type == PACKET_CONNECT && gate_knows_uid(packet.connect.uid) &&
        !client_key_is_good(edge, packet.connect.client_key)) {
        conn->login_reason = CHAT_REASON_AUTH_FAIL;
        wk_finish_login(edge, conn, stream);
        return FLOW_STOP;
    }
    const enum flow flow = take_packet(edge, conn, &packet);
    if (flow == FLOW_NEXT || flow == FLOW_STOP) {
        frame_taken(edge, conn, packet.type, size);
    }
    if (flow == FLOW_NEXT) {
        *out_size = size;
    }
    return flow;
}
