#include "wire/packet.h"

#include "base/assert.h"
#include "wire/writer_room.h"

#define LENGTH_BYTES_MAX     4u /* of the remaining length (wire-protocol 3.2) */
#define VERSION_STREAM_MIN   2u /* the stream fields are there from here ... */
#define VERSION_STREAM_MAX   4u /* ... to here (wire-protocol 5) */
#define VERSION_EXPIRE_MIN   3u
#define VERSION_NODE_ID_MIN  4u
#define VERSION_LONG_SEQ_MIN 6u /* wire-protocol 15 */

static bool has_stream(uint8_t version, uint8_t setting)
{
    return (setting & PACKET_SETTING_STREAM) != 0 && version >= VERSION_STREAM_MIN &&
           version <= VERSION_STREAM_MAX;
}

static bool has_topic(uint8_t setting)
{
    return (setting & PACKET_SETTING_TOPIC) != 0;
}

static bool has_server_version(const struct packet *packet)
{
    return (packet->flags & PACKET_FLAG_HAS_SERVER_VERSION) != 0;
}

/* ---- Frame header. ---- */

static enum err header_decode(struct bytes input, size_t *out_header_size, size_t *out_body_size)
{
    if (input.size == 0) {
        return ERR_AGAIN;
    }
    const uint8_t type = input.data[0] >> 4;
    if (type < PACKET_CONNECT || type > PACKET_EVENT) {
        return ERR_PROTOCOL;
    }
    if (type == PACKET_PING || type == PACKET_PONG) {
        *out_header_size = 1;
        *out_body_size = 0;
        return ERR_OK;
    }
    size_t body_size = 0;
    for (size_t i = 0; i < LENGTH_BYTES_MAX; i++) {
        if (1 + i == input.size) {
            return ERR_AGAIN;
        }
        const uint8_t byte = input.data[1 + i];
        body_size |= (size_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            *out_header_size = 2 + i;
            *out_body_size = body_size;
            return body_size <= PACKET_BODY_BYTES_MAX ? ERR_OK : ERR_LIMIT;
        }
    }
    return ERR_PROTOCOL;
}

static size_t header_size(size_t body_size)
{
    if (body_size < 1u << 7) {
        return body_size == 0 ? 1 : 2;
    }
    return body_size < 1u << 14 ? 3 : (body_size < 1u << 21 ? 4 : 5);
}

static void header_encode(const struct packet *packet, size_t body_size, struct writer *writer)
{
    const unsigned flags = packet->type == PACKET_CONNACK
                               ? packet->flags & PACKET_FLAG_HAS_SERVER_VERSION
                               : packet->flags & PACKET_FLAGS_ON_WIRE;
    writer_u8(writer, (uint8_t)((unsigned)packet->type << 4 | flags));
    if (body_size > 0) { /* PING and PONG have no remaining length */
        writer_varint(writer, body_size);
    }
}

enum err packet_size(struct bytes input, size_t *out_size)
{
    size_t header = 0;
    size_t body = 0;
    const enum err err = header_decode(input, &header, &body);
    if (err == ERR_OK) {
        *out_size = header + body;
    }
    return err;
}

/* ---- Decoding. ---- */

static inline struct bytes string_decode(struct reader *reader)
{
    const uint16_t size = reader_u16(reader);
    if (UNLIKELY(size > PACKET_STRING_BYTES_MAX)) { /* negative, as the wire sees it */
        reader->is_short = true;
    }
    return reader_bytes(reader, size);
}

static inline uint64_t seq_decode(struct reader *reader, uint8_t version)
{
    return UNLIKELY(version >= VERSION_LONG_SEQ_MIN) ? reader_u64(reader) : reader_u32(reader);
}

static void connect_decode(struct reader *reader, struct packet_connect *connect)
{
    connect->version = reader_u8(reader);
    connect->device_flag = reader_u8(reader);
    connect->device_id = string_decode(reader);
    connect->uid = string_decode(reader);
    connect->token = string_decode(reader);
    connect->client_timestamp_ms = (int64_t)reader_u64(reader);
    connect->client_key = string_decode(reader);
}

static void connack_decode(struct reader *reader, uint8_t version, struct packet *packet)
{
    struct packet_connack *connack = &packet->connack;
    connack->server_version = has_server_version(packet) ? reader_u8(reader) : 0;
    connack->time_diff_ms = (int64_t)reader_u64(reader);
    connack->reason = reader_u8(reader);
    connack->server_key = string_decode(reader);
    connack->salt = string_decode(reader);
    connack->node_id = version >= VERSION_NODE_ID_MIN ? reader_u64(reader) : 0;
}

static inline void send_decode(struct reader *reader, uint8_t version, struct packet_send *send)
{
    send->setting = reader_u8(reader);
    send->client_seq = reader_u32(reader);
    send->client_msg_no = string_decode(reader);
    send->stream_no = has_stream(version, send->setting) ? string_decode(reader) : BYTES_EMPTY;
    send->channel_id = string_decode(reader);
    send->channel_type = reader_u8(reader);
    send->expire_s = version >= VERSION_EXPIRE_MIN ? reader_u32(reader) : 0;
    send->msg_key = string_decode(reader);
    send->topic = has_topic(send->setting) ? string_decode(reader) : BYTES_EMPTY;
    send->payload = reader_rest(reader);
}

static void sendack_decode(struct reader *reader, uint8_t version, struct packet_sendack *sendack)
{
    sendack->message_id = reader_u64(reader);
    sendack->client_seq = reader_u32(reader);
    sendack->message_seq = seq_decode(reader, version);
    sendack->reason = reader_u8(reader);
    /* What follows may be the v3 line's string, or anything, which is ignored (wire-protocol 2). */
    struct reader ahead = *reader;
    const struct bytes client_msg_no = string_decode(&ahead);
    sendack->client_msg_no = ahead.is_short ? BYTES_EMPTY : client_msg_no;
}

static void recv_decode(struct reader *reader, uint8_t version, struct packet_recv *recv)
{
    recv->setting = reader_u8(reader);
    recv->msg_key = string_decode(reader);
    recv->from_uid = string_decode(reader);
    recv->channel_id = string_decode(reader);
    recv->channel_type = reader_u8(reader);
    recv->expire_s = version >= VERSION_EXPIRE_MIN ? reader_u32(reader) : 0;
    recv->client_msg_no = string_decode(reader);
    const bool is_stream = has_stream(version, recv->setting);
    recv->stream_flag = is_stream ? reader_u8(reader) : 0;
    recv->stream_no = is_stream ? string_decode(reader) : BYTES_EMPTY;
    recv->stream_id = is_stream ? reader_u64(reader) : 0;
    recv->message_id = reader_u64(reader);
    recv->message_seq = seq_decode(reader, version);
    recv->timestamp_s = reader_u32(reader);
    recv->topic = has_topic(recv->setting) ? string_decode(reader) : BYTES_EMPTY;
    recv->payload = reader_rest(reader);
}

static inline void recvack_decode(struct reader *reader, uint8_t version,
                                  struct packet_recvack *recvack)
{
    recvack->message_id = reader_u64(reader);
    recvack->message_seq = seq_decode(reader, version);
}

static void sub_decode(struct reader *reader, struct packet_sub *sub)
{
    sub->setting = reader_u8(reader);
    sub->sub_no = string_decode(reader);
    sub->channel_id = string_decode(reader);
    sub->channel_type = reader_u8(reader);
    sub->action = reader_u8(reader);
    sub->param = string_decode(reader);
}

static void suback_decode(struct reader *reader, struct packet_suback *suback)
{
    suback->sub_no = string_decode(reader);
    suback->channel_id = string_decode(reader);
    suback->channel_type = reader_u8(reader);
    suback->action = reader_u8(reader);
    suback->reason = reader_u8(reader);
}

static void event_decode(struct reader *reader, struct packet_event *event)
{
    event->id = string_decode(reader);
    event->type = string_decode(reader);
    event->timestamp_ms = (int64_t)reader_u64(reader);
    event->data = reader_rest(reader);
}

static void body_decode(struct reader *reader, uint8_t version, struct packet *packet)
{
    switch (packet->type) {
    case PACKET_SEND:
        send_decode(reader, version, &packet->send);
        break;
    case PACKET_RECVACK:
        recvack_decode(reader, version, &packet->recvack);
        break;
    case PACKET_CONNECT:
        connect_decode(reader, &packet->connect);
        break;
    case PACKET_CONNACK:
        connack_decode(reader, version, packet);
        break;
    case PACKET_SENDACK:
        sendack_decode(reader, version, &packet->sendack);
        break;
    case PACKET_RECV:
        recv_decode(reader, version, &packet->recv);
        break;
    case PACKET_DISCONNECT:
        packet->disconnect.reason = reader_u8(reader);
        packet->disconnect.text = string_decode(reader);
        break;
    case PACKET_SUB:
        sub_decode(reader, &packet->sub);
        break;
    case PACKET_SUBACK:
        suback_decode(reader, &packet->suback);
        break;
    case PACKET_EVENT:
        event_decode(reader, &packet->event);
        break;
    case PACKET_PING:
    case PACKET_PONG:
        break;
    case PACKET_INVALID:
        UNREACHABLE(); /* header_decode lets no such type through */
    }
}

HOT enum err packet_decode(struct bytes frame, uint8_t version, struct packet *out_packet)
{
    size_t header = 0;
    size_t body = 0;
    const enum err err = header_decode(frame, &header, &body);
    if (err != ERR_OK) {
        return err == ERR_AGAIN ? ERR_PROTOCOL : err;
    }
    if (frame.size != header + body) {
        return ERR_PROTOCOL;
    }
    struct packet packet;
    packet.type = (enum packet_type)(frame.data[0] >> 4);
    packet.flags = frame.data[0] & PACKET_FLAGS_ON_WIRE;
    struct reader reader = reader_of(bytes_skip(frame, header));
    body_decode(&reader, version, &packet);
    if (reader.is_short) {
        return ERR_PROTOCOL;
    }
    *out_packet = packet;
    return ERR_OK;
}

/* ---- Measuring: how large is the body, and can the wire say it at all? ---- */

struct measure {
    size_t size;
    bool is_beyond; /* a string or a number is larger than its field */
};

static inline void measure_string(struct measure *measure, struct bytes string)
{
    measure->size += sizeof(uint16_t) + string.size;
    measure->is_beyond |= string.size > PACKET_STRING_BYTES_MAX;
}

static inline void measure_seq(struct measure *measure, uint64_t seq, uint8_t version)
{
    if (version >= VERSION_LONG_SEQ_MIN) {
        measure->size += sizeof(uint64_t);
    } else {
        measure->size += sizeof(uint32_t);
        measure->is_beyond |= seq > UINT32_MAX;
    }
}

static void measure_connect(struct measure *measure, const struct packet_connect *connect)
{
    measure->size += 2 + sizeof(uint64_t); /* version, device flag, timestamp */
    measure_string(measure, connect->device_id);
    measure_string(measure, connect->uid);
    measure_string(measure, connect->token);
    measure_string(measure, connect->client_key);
}

static void measure_connack(struct measure *measure, const struct packet *packet, uint8_t version)
{
    measure->size += sizeof(uint64_t) + 1; /* time difference, reason */
    measure->size += has_server_version(packet) ? 1 : 0;
    measure->size += version >= VERSION_NODE_ID_MIN ? sizeof(uint64_t) : 0;
    measure_string(measure, packet->connack.server_key);
    measure_string(measure, packet->connack.salt);
}

static void measure_send(struct measure *measure, const struct packet_send *send, uint8_t version)
{
    measure->size += 1 + sizeof(uint32_t) + 1; /* setting, client seq, channel type */
    measure->size += version >= VERSION_EXPIRE_MIN ? sizeof(uint32_t) : 0;
    measure->size += send->payload.size;
    measure_string(measure, send->client_msg_no);
    measure_string(measure, send->channel_id);
    measure_string(measure, send->msg_key);
    if (has_stream(version, send->setting)) {
        measure_string(measure, send->stream_no);
    }
    if (has_topic(send->setting)) {
        measure_string(measure, send->topic);
    }
}

static void measure_sendack(struct measure *measure, const struct packet_sendack *sendack,
                            uint8_t version)
{
    measure->size += sizeof(uint64_t) + sizeof(uint32_t) + 1; /* id, client seq, reason */
    measure_seq(measure, sendack->message_seq, version);
    if (sendack->client_msg_no.size > 0) {
        measure_string(measure, sendack->client_msg_no);
    }
}

static void measure_recv(struct measure *measure, const struct packet_recv *recv, uint8_t version)
{
    measure->size += 1 + 1 + sizeof(uint64_t) + sizeof(uint32_t); /* setting, type, id, time */
    measure->size += version >= VERSION_EXPIRE_MIN ? sizeof(uint32_t) : 0;
    measure->size += recv->payload.size;
    measure_seq(measure, recv->message_seq, version);
    measure_string(measure, recv->msg_key);
    measure_string(measure, recv->from_uid);
    measure_string(measure, recv->channel_id);
    measure_string(measure, recv->client_msg_no);
    if (has_stream(version, recv->setting)) {
        measure->size += 1 + sizeof(uint64_t); /* stream flag, stream id */
        measure_string(measure, recv->stream_no);
    }
    if (has_topic(recv->setting)) {
        measure_string(measure, recv->topic);
    }
}

static void measure_sub(struct measure *measure, const struct packet_sub *sub)
{
    measure->size += 3; /* setting, channel type, action */
    measure_string(measure, sub->sub_no);
    measure_string(measure, sub->channel_id);
    measure_string(measure, sub->param);
}

static struct measure measure_body(const struct packet *packet, uint8_t version)
{
    struct measure measure = {.size = 0, .is_beyond = false};
    switch (packet->type) {
    case PACKET_CONNECT:
        measure_connect(&measure, &packet->connect);
        break;
    case PACKET_CONNACK:
        measure_connack(&measure, packet, version);
        break;
    case PACKET_SEND:
        measure_send(&measure, &packet->send, version);
        break;
    case PACKET_SENDACK:
        measure_sendack(&measure, &packet->sendack, version);
        break;
    case PACKET_RECV:
        measure_recv(&measure, &packet->recv, version);
        break;
    case PACKET_RECVACK:
        measure.size = sizeof(uint64_t);
        measure_seq(&measure, packet->recvack.message_seq, version);
        break;
    case PACKET_DISCONNECT:
        measure.size = 1; /* reason */
        measure_string(&measure, packet->disconnect.text);
        break;
    case PACKET_SUB:
        measure_sub(&measure, &packet->sub);
        break;
    case PACKET_SUBACK:
        measure.size = 3; /* channel type, action, reason */
        measure_string(&measure, packet->suback.sub_no);
        measure_string(&measure, packet->suback.channel_id);
        break;
    case PACKET_EVENT:
        measure.size = sizeof(uint64_t) + packet->event.data.size;
        measure_string(&measure, packet->event.id);
        measure_string(&measure, packet->event.type);
        break;
    case PACKET_PING:
    case PACKET_PONG:
        break;
    case PACKET_INVALID:
        UNREACHABLE();
    }
    return measure;
}

size_t packet_encoded_size(const struct packet *packet, uint8_t version)
{
    const size_t body_size = measure_body(packet, version).size;
    return header_size(body_size) + body_size;
}

/* ---- Encoding. The body is known to fit its fields and the area. ---- */

static inline void string_encode(struct writer *writer, struct bytes string)
{
    writer_u16(writer, (uint16_t)string.size);
    writer_bytes_add(writer, string);
}

static inline void seq_encode(struct writer *writer, uint64_t seq, uint8_t version)
{
    if (UNLIKELY(version >= VERSION_LONG_SEQ_MIN)) {
        writer_u64(writer, seq);
    } else {
        writer_u32(writer, (uint32_t)seq);
    }
}

static void connect_encode(struct writer *writer, const struct packet_connect *connect)
{
    writer_u8(writer, connect->version);
    writer_u8(writer, connect->device_flag);
    string_encode(writer, connect->device_id);
    string_encode(writer, connect->uid);
    string_encode(writer, connect->token);
    writer_u64(writer, (uint64_t)connect->client_timestamp_ms);
    string_encode(writer, connect->client_key);
}

static void connack_encode(struct writer *writer, const struct packet *packet, uint8_t version)
{
    const struct packet_connack *connack = &packet->connack;
    if (has_server_version(packet)) {
        writer_u8(writer, connack->server_version);
    }
    writer_u64(writer, (uint64_t)connack->time_diff_ms);
    writer_u8(writer, connack->reason);
    string_encode(writer, connack->server_key);
    string_encode(writer, connack->salt);
    if (version >= VERSION_NODE_ID_MIN) {
        writer_u64(writer, connack->node_id);
    }
}

static void send_encode(struct writer *writer, const struct packet_send *send, uint8_t version)
{
    writer_u8(writer, send->setting);
    writer_u32(writer, send->client_seq);
    string_encode(writer, send->client_msg_no);
    if (has_stream(version, send->setting)) {
        string_encode(writer, send->stream_no);
    }
    string_encode(writer, send->channel_id);
    writer_u8(writer, send->channel_type);
    if (version >= VERSION_EXPIRE_MIN) {
        writer_u32(writer, send->expire_s);
    }
    string_encode(writer, send->msg_key);
    if (has_topic(send->setting)) {
        string_encode(writer, send->topic);
    }
    writer_bytes_add(writer, send->payload);
}

static inline void sendack_encode(struct writer *writer, const struct packet_sendack *sendack,
                                  uint8_t version)
{
    writer_u64(writer, sendack->message_id);
    writer_u32(writer, sendack->client_seq);
    seq_encode(writer, sendack->message_seq, version);
    writer_u8(writer, sendack->reason);
    if (UNLIKELY(sendack->client_msg_no.size > 0)) {
        string_encode(writer, sendack->client_msg_no);
    }
}

/* All but the bytes of the key and the payload, which get their places. */
static inline struct packet_recv_room recv_encode(struct writer *writer,
                                                  const struct packet_recv *recv, uint8_t version)
{
    struct packet_recv_room room;
    writer_u8(writer, recv->setting);
    writer_u16(writer, (uint16_t)recv->msg_key.size);
    room.msg_key = writer_room(writer, recv->msg_key.size);
    string_encode(writer, recv->from_uid);
    string_encode(writer, recv->channel_id);
    writer_u8(writer, recv->channel_type);
    if (version >= VERSION_EXPIRE_MIN) {
        writer_u32(writer, recv->expire_s);
    }
    string_encode(writer, recv->client_msg_no);
    if (has_stream(version, recv->setting)) {
        writer_u8(writer, recv->stream_flag);
        string_encode(writer, recv->stream_no);
        writer_u64(writer, recv->stream_id);
    }
    writer_u64(writer, recv->message_id);
    seq_encode(writer, recv->message_seq, version);
    writer_u32(writer, recv->timestamp_s);
    if (has_topic(recv->setting)) {
        string_encode(writer, recv->topic);
    }
    room.payload = writer_room(writer, recv->payload.size);
    return room;
}

static void recv_fill(const struct packet_recv *recv, const struct packet_recv_room *room)
{
    ASSERT(room->msg_key != NULL);
    ASSERT(room->payload != NULL);
    if (recv->msg_key.size > 0) {
        memcpy(room->msg_key, recv->msg_key.data, recv->msg_key.size);
    }
    if (recv->payload.size > 0) {
        memcpy(room->payload, recv->payload.data, recv->payload.size);
    }
}

static void sub_encode(struct writer *writer, const struct packet_sub *sub)
{
    writer_u8(writer, sub->setting);
    string_encode(writer, sub->sub_no);
    string_encode(writer, sub->channel_id);
    writer_u8(writer, sub->channel_type);
    writer_u8(writer, sub->action);
    string_encode(writer, sub->param);
}

static void suback_encode(struct writer *writer, const struct packet_suback *suback)
{
    string_encode(writer, suback->sub_no);
    string_encode(writer, suback->channel_id);
    writer_u8(writer, suback->channel_type);
    writer_u8(writer, suback->action);
    writer_u8(writer, suback->reason);
}

static void event_encode(struct writer *writer, const struct packet_event *event)
{
    string_encode(writer, event->id);
    string_encode(writer, event->type);
    writer_u64(writer, (uint64_t)event->timestamp_ms);
    writer_bytes_add(writer, event->data);
}

static void body_encode(struct writer *writer, const struct packet *packet, uint8_t version)
{
    switch (packet->type) {
    case PACKET_SENDACK:
        sendack_encode(writer, &packet->sendack, version);
        break;
    case PACKET_RECV: {
        const struct packet_recv_room room = recv_encode(writer, &packet->recv, version);
        recv_fill(&packet->recv, &room);
        break;
    }
    case PACKET_CONNECT:
        connect_encode(writer, &packet->connect);
        break;
    case PACKET_CONNACK:
        connack_encode(writer, packet, version);
        break;
    case PACKET_SEND:
        send_encode(writer, &packet->send, version);
        break;
    case PACKET_RECVACK:
        writer_u64(writer, packet->recvack.message_id);
        seq_encode(writer, packet->recvack.message_seq, version);
        break;
    case PACKET_DISCONNECT:
        writer_u8(writer, packet->disconnect.reason);
        string_encode(writer, packet->disconnect.text);
        break;
    case PACKET_SUB:
        sub_encode(writer, &packet->sub);
        break;
    case PACKET_SUBACK:
        suback_encode(writer, &packet->suback);
        break;
    case PACKET_EVENT:
        event_encode(writer, &packet->event);
        break;
    case PACKET_PING:
    case PACKET_PONG:
        break;
    case PACKET_INVALID:
        UNREACHABLE();
    }
}

/* Writes the header, if all of the frame fits the wire and the area. */
static enum err frame_begin(const struct packet *packet, uint8_t version, struct writer *writer)
{
    const struct measure measure = measure_body(packet, version);
    if (measure.is_beyond || measure.size > PACKET_WRITTEN_BYTES_MAX) {
        return ERR_LIMIT;
    }
    if (!writer_has(writer, header_size(measure.size) + measure.size)) {
        return ERR_FULL;
    }
    header_encode(packet, measure.size, writer);
    return ERR_OK;
}

HOT enum err packet_encode(const struct packet *packet, uint8_t version, struct writer *writer)
{
    const enum err err = frame_begin(packet, version, writer);
    if (err == ERR_OK) {
        body_encode(writer, packet, version);
        ASSERT(!writer->is_full); /* by (3) the measure is exact */
    }
    return err;
}

HOT enum err packet_encode_recv(const struct packet *packet, uint8_t version, struct writer *writer,
                                struct packet_recv_room *out_room)
{
    ASSERT(packet->type == PACKET_RECV);

    const enum err err = frame_begin(packet, version, writer);
    if (err == ERR_OK) {
        *out_room = recv_encode(writer, &packet->recv, version);
        ASSERT(!writer->is_full);
    }
    return err;
}

const char *packet_reason_name(uint8_t reason)
{
    static const char *const names[] = {
        [PACKET_REASON_UNKNOWN] = "Unknown",
        [PACKET_REASON_SUCCESS] = "Success",
        [PACKET_REASON_AUTH_FAIL] = "AuthFail",
        [PACKET_REASON_SUBSCRIBER_NOT_EXIST] = "SubscriberNotExist",
        [PACKET_REASON_IN_BLACKLIST] = "InBlacklist",
        [PACKET_REASON_CHANNEL_NOT_EXIST] = "ChannelNotExist",
        [PACKET_REASON_USER_NOT_ON_NODE] = "UserNotOnNode",
        [PACKET_REASON_SENDER_OFFLINE] = "SenderOffline",
        [PACKET_REASON_MSG_KEY_ERROR] = "MsgKeyError",
        [PACKET_REASON_PAYLOAD_DECODE_ERROR] = "PayloadDecodeError",
        [PACKET_REASON_FORWARD_SEND_PACKET_ERROR] = "ForwardSendPacketError",
        [PACKET_REASON_NOT_ALLOW_SEND] = "NotAllowSend",
        [PACKET_REASON_CONNECT_KICK] = "ConnectKick",
        [PACKET_REASON_NOT_IN_WHITELIST] = "NotInWhitelist",
        [PACKET_REASON_QUERY_TOKEN_ERROR] = "QueryTokenError",
        [PACKET_REASON_SYSTEM_ERROR] = "SystemError",
        [PACKET_REASON_CHANNEL_ID_ERROR] = "ChannelIDError",
        [PACKET_REASON_NODE_MATCH_ERROR] = "NodeMatchError",
        [PACKET_REASON_NODE_NOT_MATCH] = "NodeNotMatch",
        [PACKET_REASON_BAN] = "Ban",
        [PACKET_REASON_NOT_SUPPORT_HEADER] = "NotSupportHeader",
        [PACKET_REASON_CLIENT_KEY_IS_EMPTY] = "ClientKeyIsEmpty",
        [PACKET_REASON_RATE_LIMIT] = "RateLimit",
        [PACKET_REASON_NOT_SUPPORT_CHANNEL_TYPE] = "NotSupportChannelType",
        [PACKET_REASON_DISBAND] = "Disband",
        [PACKET_REASON_SEND_BAN] = "SendBan",
        [PACKET_REASON_CHANNEL_DELETING] = "ChannelDeleting",
        [PACKET_REASON_PROTOCOL_UPGRADE_REQUIRED] = "ProtocolUpgradeRequired",
        [PACKET_REASON_IDEMPOTENCY_CONFLICT] = "IdempotencyConflict",
        [PACKET_REASON_MESSAGE_SEQ_EXHAUSTED] = "MessageSeqExhausted",
    };
    return reason < COUNT_OF(names) ? names[reason] : names[PACKET_REASON_UNKNOWN];
}
