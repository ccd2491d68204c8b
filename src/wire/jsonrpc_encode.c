/* The other half of jsonrpc.h: what the server says. */
#include "base/assert.h"
#include "wire/base64.h"
#include "wire/json_text.h"
#include "wire/jsonrpc.h"

/* All names, brackets and numbers of the longest object that we write (recv) are fewer. */
#define FIXED_BYTES_MAX 640u

/* ---- Pieces. ---- */

struct name_of_bit {
    const char *name;
    uint8_t mask;
};

static void bits_encode(struct json_text *text, uint8_t bits, const struct name_of_bit *names,
                        size_t count)
{
    json_text_object_begin(text);
    for (size_t i = 0; i < count; i++) {
        if ((bits & names[i].mask) != 0) {
            json_text_key(text, names[i].name);
            json_text_bool(text, true);
        }
    }
    json_text_object_end(text);
}

static void header_encode(struct json_text *text, uint8_t flags)
{
    static const struct name_of_bit names[] = {
        {"noPersist", PACKET_FLAG_NO_PERSIST},
        {"redDot", PACKET_FLAG_RED_DOT},
        {"syncOnce", PACKET_FLAG_SYNC_ONCE},
        {"dup", PACKET_FLAG_DUP},
        {"end", PACKET_FLAG_END},
    };
    json_text_key(text, "header");
    bits_encode(text, flags, names, COUNT_OF(names));
}

static void setting_encode(struct json_text *text, uint8_t setting)
{
    static const struct name_of_bit names[] = {
        {"receipt", PACKET_SETTING_RECEIPT},
        {"signal", PACKET_SETTING_SIGNAL},
        {"stream", PACKET_SETTING_STREAM},
        {"topic", PACKET_SETTING_TOPIC},
    };
    json_text_key(text, "setting");
    bits_encode(text, setting, names, COUNT_OF(names));
}

static void member_string(struct json_text *text, const char *name, struct bytes value)
{
    json_text_key(text, name);
    json_text_string(text, value);
}

static void member_string_if_any(struct json_text *text, const char *name, struct bytes value)
{
    if (value.size > 0) {
        member_string(text, name, value);
    }
}

static void member_unsigned(struct json_text *text, const char *name, uint64_t value)
{
    json_text_key(text, name);
    json_text_unsigned(text, value);
}

static void member_signed(struct json_text *text, const char *name, int64_t value)
{
    json_text_key(text, name);
    json_text_signed(text, value);
}

static void envelope_begin(struct json_text *text)
{
    json_text_object_begin(text);
    member_string(text, "jsonrpc", BYTES_OF("2.0"));
}

static void answer_begin(struct json_text *text, struct bytes id)
{
    envelope_begin(text);
    if (id.size > 0) {
        json_text_key(text, "id");
        json_text_raw(text, id);
    }
}

/* ---- Answers. ---- */

static void error_encode(struct json_text *text, struct bytes id, int32_t code,
                         struct bytes message)
{
    answer_begin(text, id);
    json_text_key(text, "error");
    json_text_object_begin(text);
    member_signed(text, "code", code);
    member_string(text, "message", message);
    json_text_object_end(text);
    json_text_object_end(text);
}

/* EasyJS takes any result for a login, so a refusal is an error (jsonrpc 4.3). */
static void refusal_encode(struct json_text *text, struct bytes id, uint8_t reason)
{
    uint8_t area[64];
    struct writer message = writer_of(area, sizeof(area));
    writer_bytes_add(&message, BYTES_OF("Reason"));
    writer_bytes_add(&message, bytes_of_string(packet_reason_name(reason)));
    ASSERT(!message.is_full);
    error_encode(text, id, reason, writer_bytes(&message));
}

static void connack_encode(struct json_text *text, struct bytes id,
                           const struct packet_connack *connack)
{
    if (connack->reason != PACKET_REASON_SUCCESS) {
        refusal_encode(text, id, connack->reason);
        return;
    }
    answer_begin(text, id);
    json_text_key(text, "result");
    json_text_object_begin(text);
    if (connack->server_version != 0) {
        member_unsigned(text, "serverVersion", connack->server_version);
    }
    member_signed(text, "timeDiff", connack->time_diff_ms);
    member_unsigned(text, "reasonCode", connack->reason);
    member_unsigned(text, "nodeId", connack->node_id);
    json_text_object_end(text);
    json_text_object_end(text);
}

static void message_id_encode(struct json_text *text, uint64_t message_id)
{
    json_text_key(text, "messageId");
    json_text_decimal_string(text, message_id);
}

static void sendack_encode(struct json_text *text, struct bytes id, const struct packet *packet)
{
    answer_begin(text, id);
    json_text_key(text, "result");
    json_text_object_begin(text);
    if (packet->flags != 0) {
        header_encode(text, packet->flags);
    }
    message_id_encode(text, packet->sendack.message_id);
    member_unsigned(text, "messageSeq", packet->sendack.message_seq);
    member_unsigned(text, "reasonCode", packet->sendack.reason);
    json_text_object_end(text);
    json_text_object_end(text);
}

/* The Python SDK wants a result, be it null (jsonrpc 7). */
static void empty_answer_encode(struct json_text *text, struct bytes id)
{
    answer_begin(text, id);
    json_text_key(text, "result");
    json_text_null(text);
    json_text_object_end(text);
}

/* ---- Notifications: never an id, or clients take them for answers. ---- */

static void notification_begin(struct json_text *text, struct bytes method)
{
    envelope_begin(text);
    member_string(text, "method", method);
    json_text_key(text, "params");
    json_text_object_begin(text);
}

static void notification_end(struct json_text *text)
{
    json_text_object_end(text);
    json_text_object_end(text);
}

static void payload_encode(struct json_text *text, struct bytes payload, bool wants_object)
{
    json_text_key(text, "payload");
    if (wants_object && json_token_is_object(payload)) {
        json_text_raw(text, payload);
    } else {
        json_text_base64(text, payload);
    }
}

static void recv_encode(struct json_text *text, const struct packet *packet, bool wants_object)
{
    const struct packet_recv *recv = &packet->recv;
    const uint8_t shown = PACKET_FLAG_NO_PERSIST | PACKET_FLAG_RED_DOT | PACKET_FLAG_SYNC_ONCE;
    notification_begin(text, BYTES_OF("recv"));
    header_encode(text, packet->flags & shown); /* always: Flutter and iOS need it (jsonrpc 3.4) */
    if (recv->setting != 0) {
        setting_encode(text, recv->setting);
    }
    if (recv->expire_s != 0) {
        member_unsigned(text, "expire", recv->expire_s);
    }
    message_id_encode(text, recv->message_id);
    member_unsigned(text, "messageSeq", recv->message_seq);
    member_string_if_any(text, "clientMsgNo", recv->client_msg_no);
    member_string_if_any(text, "streamNo", recv->stream_no);
    if (recv->stream_id != 0) { /* the number itself, as the v3 line does (jsonrpc 15) */
        json_text_key(text, "streamId");
        json_text_decimal_string(text, recv->stream_id);
    }
    if (recv->stream_flag != 0) {
        member_unsigned(text, "streamFlag", recv->stream_flag);
    }
    member_unsigned(text, "timestamp", recv->timestamp_s);
    member_string(text, "channelId", recv->channel_id);
    member_unsigned(text, "channelType", recv->channel_type);
    member_string_if_any(text, "topic", recv->topic);
    member_string(text, "fromUid", recv->from_uid);
    payload_encode(text, recv->payload, wants_object);
    notification_end(text);
}

static void disconnect_encode(struct json_text *text, const struct packet_disconnect *disconnect)
{
    notification_begin(text, BYTES_OF("disconnect"));
    member_unsigned(text, "reasonCode", disconnect->reason);
    member_string_if_any(text, "reason", disconnect->text);
    notification_end(text);
}

static void event_encode(struct json_text *text, const struct packet_event *event)
{
    notification_begin(text, BYTES_OF("event"));
    member_string(text, "id", event->id);
    member_string(text, "type", event->type);
    member_signed(text, "timestamp", event->timestamp_ms);
    member_string(text, "data", event->data);
    notification_end(text);
}

/* ---- Whole objects. ---- */

static void packet_encode_text(struct json_text *text, const struct jsonrpc_answer *answer)
{
    const struct packet *packet = answer->packet;
    switch (packet->type) {
    case PACKET_CONNACK:
        connack_encode(text, answer->id, &packet->connack);
        break;
    case PACKET_SENDACK:
        sendack_encode(text, answer->id, packet);
        break;
    case PACKET_RECV:
        recv_encode(text, packet, answer->wants_object);
        break;
    case PACKET_RECVACK:
    case PACKET_PONG:
        empty_answer_encode(text, answer->id);
        break;
    case PACKET_DISCONNECT:
        disconnect_encode(text, &packet->disconnect);
        break;
    case PACKET_EVENT:
        event_encode(text, &packet->event);
        break;
    case PACKET_INVALID:
    case PACKET_CONNECT:
    case PACKET_SEND:
    case PACKET_PING:
    case PACKET_SUB:
    case PACKET_SUBACK:
        UNREACHABLE(); /* a server does not say these */
    }
}

static size_t recv_strings_size(const struct packet_recv *recv)
{
    return json_text_string_size(recv->client_msg_no) + json_text_string_size(recv->stream_no) +
           json_text_string_size(recv->channel_id) + json_text_string_size(recv->topic) +
           json_text_string_size(recv->from_uid) + base64_encoded_size(recv->payload.size);
}

static size_t event_strings_size(const struct packet_event *event)
{
    return json_text_string_size(event->id) + json_text_string_size(event->type) +
           json_text_string_size(event->data);
}

size_t jsonrpc_size_max(const struct jsonrpc_answer *answer)
{
    const struct packet *packet = answer->packet;
    size_t strings = answer->id.size;
    if (packet->type == PACKET_RECV) {
        strings = recv_strings_size(&packet->recv);
    } else if (packet->type == PACKET_EVENT) {
        strings = event_strings_size(&packet->event);
    } else if (packet->type == PACKET_DISCONNECT) {
        strings = json_text_string_size(packet->disconnect.text);
    }
    return FIXED_BYTES_MAX + strings;
}

enum err jsonrpc_encode(const struct jsonrpc_answer *answer, struct writer *writer)
{
    struct writer trial = *writer;
    struct json_text text = json_text_of(&trial);
    packet_encode_text(&text, answer);
    if (trial.is_full) {
        return ERR_FULL;
    }
    *writer = trial;
    return ERR_OK;
}

size_t jsonrpc_error_size_max(struct bytes id, struct bytes text)
{
    return FIXED_BYTES_MAX + id.size + json_text_string_size(text);
}

enum err jsonrpc_error_encode(struct bytes id, int32_t code, struct bytes message,
                              struct writer *writer)
{
    struct writer trial = *writer;
    struct json_text text = json_text_of(&trial);
    error_encode(&text, id, code, message);
    if (trial.is_full) {
        return ERR_FULL;
    }
    *writer = trial;
    return ERR_OK;
}
