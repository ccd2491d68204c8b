#include "wire/jsonrpc.h"

#include "base/assert.h"
#include "wire/base64.h"
#include "wire/json_text.h"

/* ---- Cutting the stream into objects. ---- */

_Static_assert(JSONRPC_OBJECT_BYTES_MAX <= UINT32_MAX, "struct jsonrpc_scan counts with 32 bits");
_Static_assert(JSON_TOKEN_DEPTH_MAX <= 64, "struct jsonrpc_scan has a bit for each level");

static enum err scan_open(struct jsonrpc_scan *scan, bool is_array)
{
    if (scan->depth == JSON_TOKEN_DEPTH_MAX) {
        return ERR_PROTOCOL;
    }
    scan->arrays &= ~(UINT64_C(1) << scan->depth);
    scan->arrays |= (uint64_t)is_array << scan->depth;
    scan->depth++;
    return ERR_OK;
}

static enum err scan_close(struct jsonrpc_scan *scan, bool is_array)
{
    if ((scan->arrays >> (scan->depth - 1) & 1) != is_array) {
        return ERR_PROTOCOL;
    }
    scan->depth--;
    return ERR_OK;
}

/* A byte within an object and outside of strings. */
static enum err scan_structure(struct jsonrpc_scan *scan, uint8_t byte)
{
    switch (byte) {
    case '"':
        scan->is_in_string = true;
        return ERR_OK;
    case '{':
    case '[':
        return scan_open(scan, byte == '[');
    case '}':
    case ']':
        return scan_close(scan, byte == ']');
    default:
        return ERR_OK; /* whether it makes sense is for jsonrpc_decode to say */
    }
}

static enum err scan_string(struct jsonrpc_scan *scan, uint8_t byte)
{
    if (byte < 0x20) {
        return ERR_PROTOCOL;
    }
    if (scan->is_escaped) {
        scan->is_escaped = false;
    } else if (byte == '\\') {
        scan->is_escaped = true;
    } else if (byte == '"') {
        scan->is_in_string = false;
    }
    return ERR_OK;
}

/* A byte before the object. */
static enum err scan_begin(struct jsonrpc_scan *scan, uint8_t byte)
{
    if (byte == '{') {
        return scan_open(scan, false);
    }
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' ? ERR_OK : ERR_PROTOCOL;
}

enum err jsonrpc_object_size(struct bytes input, struct jsonrpc_scan *scan, size_t *out_size)
{
    struct jsonrpc_scan now = *scan;
    struct bytes seen = input;
    if (seen.size > JSONRPC_OBJECT_BYTES_MAX) {
        seen.size = JSONRPC_OBJECT_BYTES_MAX;
    }
    ASSERT(now.offset <= seen.size);

    while (now.offset < seen.size) {
        if (now.is_in_string && !now.is_escaped) {
            now.offset += (uint32_t)json_token_plain_size(bytes_skip(seen, now.offset));
            if (now.offset == seen.size) {
                break;
            }
        }
        const uint8_t byte = seen.data[now.offset++];
        enum err err = ERR_OK;
        if (now.is_in_string) {
            err = scan_string(&now, byte);
        } else if (now.depth == 0) {
            err = scan_begin(&now, byte);
        } else {
            err = scan_structure(&now, byte);
            if (err == ERR_OK && now.depth == 0) {
                *out_size = now.offset;
                *scan = (struct jsonrpc_scan){0};
                return ERR_OK;
            }
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    *scan = now;
    return input.size < JSONRPC_OBJECT_BYTES_MAX ? ERR_AGAIN : ERR_LIMIT;
}

/* ---- Decoding: the fields of params. ---- */

/* Where strings go that cannot be borrowed: to the place in the area that is theirs in the object,
 * so that the area is large enough, and may be the object itself. */
struct place {
    const uint8_t *object;
    uint8_t *area;
};

static uint8_t *place_of(const struct place *place, struct json_token token)
{
    return place->area + (token.text.data - place->object);
}

enum field_kind {
    FIELD_STRING,     /* struct bytes */
    FIELD_BYTE,       /* uint8_t: any integer, modulo 256 (jsonrpc 3.6) */
    FIELD_COUNT,      /* uint32_t */
    FIELD_SEQ,        /* uint64_t */
    FIELD_TIME,       /* int64_t */
    FIELD_MESSAGE_ID, /* uint64_t, as a string of digits or a number */
    FIELD_HEADER,     /* uint8_t: enum packet_flag */
    FIELD_SETTING,    /* uint8_t: enum packet_setting */
    FIELD_PAYLOAD,    /* struct jsonrpc_request */
};

/* What a member of params is called, what it must be, and where it goes. */
struct field {
    const char *name;
    enum field_kind kind;
    void *target;
};

struct bit {
    const char *name;
    uint8_t mask;
};

static const struct bit header_bits[] = {
    {"noPersist", PACKET_FLAG_NO_PERSIST},
    {"redDot", PACKET_FLAG_RED_DOT},
    {"syncOnce", PACKET_FLAG_SYNC_ONCE},
    {"dup", PACKET_FLAG_DUP},
    {"end", PACKET_FLAG_END},
};

static const struct bit setting_bits[] = {
    {"receipt", PACKET_SETTING_RECEIPT},
    {"signal", PACKET_SETTING_SIGNAL},
    {"stream", PACKET_SETTING_STREAM},
    {"topic", PACKET_SETTING_TOPIC},
};

/* Sets the bit of a member of a flags object; unknown names are ignored. */
static enum jsonrpc_fault bit_decode(struct bytes name, struct json_token value, struct bit bit,
                                     uint8_t *flags)
{
    if (value.kind == JSON_TOKEN_NULL || !json_name_is(name, bit.name)) {
        return JSONRPC_FAULT_NONE;
    }
    if (value.kind != JSON_TOKEN_TRUE && value.kind != JSON_TOKEN_FALSE) {
        return JSONRPC_FAULT_PARAMS;
    }
    *flags = (uint8_t)(*flags & ~bit.mask);
    *flags |= value.kind == JSON_TOKEN_TRUE ? bit.mask : 0;
    return JSONRPC_FAULT_NONE;
}

static enum jsonrpc_fault bits_decode(struct json_token value, const struct bit *bits, size_t count,
                                      uint8_t *flags)
{
    if (value.kind != JSON_TOKEN_OBJECT) {
        return JSONRPC_FAULT_PARAMS;
    }
    struct json_token_walk walk = json_token_walk_of(value);
    struct json_token name;
    struct json_token member;
    while (json_token_walk_member(&walk, &name, &member)) {
        uint8_t area[JSON_TOKEN_NAME_BYTES];
        const struct bytes given = json_token_name(name, area);
        for (size_t i = 0; i < count; i++) {
            const enum jsonrpc_fault fault = bit_decode(given, member, bits[i], flags);
            if (fault != JSONRPC_FAULT_NONE) {
                return fault;
            }
        }
    }
    return JSONRPC_FAULT_NONE;
}

/* The longest string that can be passed on in a packet is the longest that is taken. */
static enum jsonrpc_fault string_decode(const struct place *place, struct json_token value,
                                        struct bytes *out_string)
{
    if (value.kind != JSON_TOKEN_STRING) {
        return JSONRPC_FAULT_PARAMS;
    }
    const struct bytes string = json_token_string(value, place_of(place, value));
    if (string.size > PACKET_STRING_BYTES_MAX) {
        return JSONRPC_FAULT_PARAMS;
    }
    *out_string = string;
    return JSONRPC_FAULT_NONE;
}

/* Text that is not a positive number names no message (jsonrpc 6.2). */
static enum jsonrpc_fault message_id_decode(const struct place *place, struct json_token value,
                                            uint64_t *out_id)
{
    struct json_token number = {.kind = JSON_TOKEN_NUMBER, .text = value.text};
    if (value.kind == JSON_TOKEN_STRING) {
        number.text = json_token_string(value, place_of(place, value));
    } else if (value.kind != JSON_TOKEN_NUMBER) {
        return JSONRPC_FAULT_PARAMS;
    }
    uint64_t id = 0;
    if (json_token_unsigned(number, &id) != ERR_OK) {
        if (value.kind == JSON_TOKEN_NUMBER) {
            return JSONRPC_FAULT_PARAMS;
        }
        id = 0;
    }
    *out_id = id <= INT64_MAX ? id : 0;
    return JSONRPC_FAULT_NONE;
}

static enum jsonrpc_fault payload_decode_array(const struct place *place, struct json_token value,
                                               struct bytes *out_payload)
{
    uint8_t *area = place_of(place, value); /* each byte takes two characters or more */
    size_t size = 0;
    struct json_token_walk walk = json_token_walk_of(value);
    struct json_token element;
    while (json_token_walk_element(&walk, &element)) {
        uint64_t byte = 0;
        if (json_token_unsigned(element, &byte) != ERR_OK || byte > UINT8_MAX) {
            return JSONRPC_FAULT_PAYLOAD;
        }
        area[size++] = (uint8_t)byte;
    }
    *out_payload = (struct bytes){.data = area, .size = size};
    return JSONRPC_FAULT_NONE;
}

static enum jsonrpc_fault payload_decode_base64(const struct place *place, struct json_token value,
                                                struct bytes *out_payload)
{
    uint8_t *area = place_of(place, value);
    const struct bytes text = json_token_string(value, area);
    size_t size = 0;
    if (base64_decode_lines(text, area, &size) != ERR_OK) {
        return JSONRPC_FAULT_PAYLOAD;
    }
    *out_payload = (struct bytes){.data = area, .size = size};
    return JSONRPC_FAULT_NONE;
}

/* Base64, an array of byte values (jsonrpc 3.3), or, from old clients, the object itself (13). */
static enum jsonrpc_fault payload_decode(const struct place *place, struct json_token value,
                                         struct jsonrpc_request *request)
{
    struct bytes *payload = &request->packet.send.payload;
    request->is_object_payload = value.kind == JSON_TOKEN_OBJECT;
    switch (value.kind) {
    case JSON_TOKEN_STRING:
        return payload_decode_base64(place, value, payload);
    case JSON_TOKEN_ARRAY:
        return payload_decode_array(place, value, payload);
    case JSON_TOKEN_OBJECT:
        *payload = value.text;
        return JSONRPC_FAULT_NONE;
    case JSON_TOKEN_NUMBER:
    case JSON_TOKEN_TRUE:
    case JSON_TOKEN_FALSE:
    case JSON_TOKEN_NULL:
    case JSON_TOKEN_INVALID:
        break;
    }
    return JSONRPC_FAULT_PAYLOAD;
}

static enum jsonrpc_fault unsigned_decode(struct json_token value, uint64_t max,
                                          uint64_t *out_value)
{
    uint64_t number = 0;
    if (json_token_unsigned(value, &number) != ERR_OK || number > max) {
        return JSONRPC_FAULT_PARAMS;
    }
    *out_value = number;
    return JSONRPC_FAULT_NONE;
}

static enum jsonrpc_fault signed_decode(struct json_token value, int64_t *out_value)
{
    return json_token_signed(value, out_value) == ERR_OK ? JSONRPC_FAULT_NONE
                                                         : JSONRPC_FAULT_PARAMS;
}

static enum jsonrpc_fault field_decode(const struct place *place, const struct field *field,
                                       struct json_token value)
{
    enum jsonrpc_fault fault = JSONRPC_FAULT_NONE;
    switch (field->kind) {
    case FIELD_STRING:
        return string_decode(place, value, field->target);
    case FIELD_BYTE: {
        int64_t number = 0;
        fault = signed_decode(value, &number);
        const uint8_t byte = (uint8_t)number;
        memcpy(field->target, &byte, sizeof(byte));
        return fault;
    }
    case FIELD_COUNT: {
        uint64_t number = 0;
        fault = unsigned_decode(value, UINT32_MAX, &number);
        const uint32_t count = (uint32_t)number;
        memcpy(field->target, &count, sizeof(count));
        return fault;
    }
    case FIELD_SEQ:
        return unsigned_decode(value, UINT64_MAX, field->target);
    case FIELD_TIME:
        return signed_decode(value, field->target);
    case FIELD_MESSAGE_ID:
        return message_id_decode(place, value, field->target);
    case FIELD_HEADER:
        return bits_decode(value, header_bits, COUNT_OF(header_bits), field->target);
    case FIELD_SETTING:
        return bits_decode(value, setting_bits, COUNT_OF(setting_bits), field->target);
    case FIELD_PAYLOAD:
        return payload_decode(place, value, field->target);
    }
    UNREACHABLE();
}

/* Goes over the members of `params` once; null is as if absent, and the last one counts. */
static enum jsonrpc_fault fields_decode(const struct place *place, struct json_token params,
                                        const struct field *fields, size_t count)
{
    if (params.kind == JSON_TOKEN_NULL) {
        return JSONRPC_FAULT_NONE;
    }
    if (params.kind != JSON_TOKEN_OBJECT) {
        return JSONRPC_FAULT_PARAMS;
    }
    struct json_token_walk walk = json_token_walk_of(params);
    struct json_token name;
    struct json_token value;
    while (json_token_walk_member(&walk, &name, &value)) {
        uint8_t area[JSON_TOKEN_NAME_BYTES];
        const struct bytes given = json_token_name(name, area);
        for (size_t i = 0; i < count && value.kind != JSON_TOKEN_NULL; i++) {
            if (!json_name_is(given, fields[i].name)) {
                continue;
            }
            const enum jsonrpc_fault fault = field_decode(place, &fields[i], value);
            if (fault != JSONRPC_FAULT_NONE) {
                return fault;
            }
        }
    }
    return JSONRPC_FAULT_NONE;
}

/* ---- Decoding: one function for each method. ---- */

typedef enum jsonrpc_fault decode_fn(const struct place *place, struct json_token params,
                                     struct jsonrpc_request *request);

static enum jsonrpc_fault connect_decode(const struct place *place, struct json_token params,
                                         struct jsonrpc_request *request)
{
    struct packet_connect *connect = &request->packet.connect;
    const struct field fields[] = {
        {"uid", FIELD_STRING, &connect->uid},
        {"token", FIELD_STRING, &connect->token},
        {"deviceId", FIELD_STRING, &connect->device_id},
        {"deviceFlag", FIELD_BYTE, &connect->device_flag},
        {"clientTimestamp", FIELD_TIME, &connect->client_timestamp_ms},
        {"version", FIELD_BYTE, &connect->version},
        {"clientKey", FIELD_STRING, &connect->client_key},
    };
    const enum jsonrpc_fault fault = fields_decode(place, params, fields, COUNT_OF(fields));
    if (connect->version == 0) {
        connect->version = JSONRPC_VERSION_DEFAULT;
    }
    return fault;
}

static enum jsonrpc_fault send_decode(const struct place *place, struct json_token params,
                                      struct jsonrpc_request *request)
{
    struct packet_send *send = &request->packet.send;
    const struct field fields[] = {
        {"channelId", FIELD_STRING, &send->channel_id},
        {"channelType", FIELD_BYTE, &send->channel_type},
        {"payload", FIELD_PAYLOAD, request},
        {"clientMsgNo", FIELD_STRING, &send->client_msg_no},
        {"header", FIELD_HEADER, &request->packet.flags},
        {"setting", FIELD_SETTING, &send->setting},
        {"topic", FIELD_STRING, &send->topic},
        {"expire", FIELD_COUNT, &send->expire_s},
        {"streamNo", FIELD_STRING, &send->stream_no},
        {"msgKey", FIELD_STRING, &send->msg_key},
    };
    return fields_decode(place, params, fields, COUNT_OF(fields));
}

static enum jsonrpc_fault recvack_decode(const struct place *place, struct json_token params,
                                         struct jsonrpc_request *request)
{
    const struct field fields[] = {
        {"header", FIELD_HEADER, &request->packet.flags},
        {"messageId", FIELD_MESSAGE_ID, &request->packet.recvack.message_id},
        {"messageSeq", FIELD_SEQ, &request->packet.recvack.message_seq},
    };
    return fields_decode(place, params, fields, COUNT_OF(fields));
}

static enum jsonrpc_fault ping_decode(const struct place *place, struct json_token params,
                                      struct jsonrpc_request *request)
{
    (void)request;
    return fields_decode(place, params, NULL, 0);
}

static enum jsonrpc_fault disconnect_decode(const struct place *place, struct json_token params,
                                            struct jsonrpc_request *request)
{
    const struct field fields[] = {
        {"reasonCode", FIELD_BYTE, &request->packet.disconnect.reason},
        {"reason", FIELD_STRING, &request->packet.disconnect.text},
    };
    return fields_decode(place, params, fields, COUNT_OF(fields));
}

struct method {
    const char *name; /* case matters (jsonrpc 3.1) */
    enum packet_type type;
    bool needs_id;     /* its answer must have somewhere to go */
    bool needs_params; /* null will do */
    decode_fn *decode;
};

static const struct method methods[] = {
    {"connect", PACKET_CONNECT, true, true, connect_decode},
    {"send", PACKET_SEND, true, true, send_decode},
    {"recvack", PACKET_RECVACK, false, true, recvack_decode},
    {"ping", PACKET_PING, true, false, ping_decode},
    {"disconnect", PACKET_DISCONNECT, false, true, disconnect_decode},
};

static enum jsonrpc_fault method_decode(const struct place *place, struct json_token name,
                                        struct json_token params, struct jsonrpc_request *request)
{
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        const struct method *method = &methods[i];
        if (!json_token_is(name, bytes_of_string(method->name))) {
            continue;
        }
        if (method->needs_id && !request->is_request) {
            return JSONRPC_FAULT_ID;
        }
        if (params.kind == JSON_TOKEN_INVALID && method->needs_params) {
            return JSONRPC_FAULT_PARAMS;
        }
        request->packet.type = method->type;
        if (params.kind == JSON_TOKEN_INVALID) {
            params.kind = JSON_TOKEN_NULL;
        }
        return method->decode(place, params, request);
    }
    return JSONRPC_FAULT_METHOD;
}

/* ---- Decoding: the envelope (jsonrpc 3). ---- */

/* The members of the whole; JSON_TOKEN_INVALID: absent. The last of a name counts. */
struct envelope {
    struct json_token version;
    struct json_token id;
    struct json_token method;
    struct json_token params;
    struct json_token result;
    struct json_token error;
};

static enum jsonrpc_fault envelope_decode(struct bytes object, struct envelope *envelope)
{
    struct json_token whole;
    if (json_token_take(&object, &whole) != ERR_OK || whole.kind != JSON_TOKEN_OBJECT ||
        object.size > 0) {
        return JSONRPC_FAULT_SYNTAX;
    }
    struct json_token_walk walk = json_token_walk_of(whole);
    struct json_token name;
    struct json_token value;
    while (json_token_walk_member(&walk, &name, &value)) {
        uint8_t area[JSON_TOKEN_NAME_BYTES];
        const struct bytes given = json_token_name(name, area);
        if (json_name_is(given, "method")) {
            envelope->method = value;
        } else if (json_name_is(given, "params")) {
            envelope->params = value;
        } else if (json_name_is(given, "id")) {
            envelope->id = value;
        } else if (json_name_is(given, "jsonrpc")) {
            envelope->version = value;
        } else if (json_name_is(given, "result")) {
            envelope->result = value;
        } else if (json_name_is(given, "error")) {
            envelope->error = value;
        }
    }
    return JSONRPC_FAULT_NONE;
}

/* A string, or a whole number, is kept as it is written, to be written so in the answer. */
static enum jsonrpc_fault id_decode(struct json_token id, struct jsonrpc_request *request)
{
    int64_t number = 0;
    const bool is_string = id.kind == JSON_TOKEN_STRING;
    if (id.kind == JSON_TOKEN_INVALID) {
        return JSONRPC_FAULT_NONE;
    }
    if ((!is_string && json_token_signed(id, &number) != ERR_OK) ||
        id.text.size > JSONRPC_ID_BYTES_MAX) {
        return JSONRPC_FAULT_ID;
    }
    request->is_request = true;
    if (!is_string || id.text.size > 2) { /* an empty string is answered without an id */
        request->id = id.text;
    }
    return JSONRPC_FAULT_NONE;
}

/* Is there something to do, and do we know what? */
static enum jsonrpc_fault envelope_check(const struct envelope *envelope)
{
    if (envelope->version.kind != JSON_TOKEN_INVALID &&
        !json_token_is(envelope->version, BYTES_OF("2.0"))) {
        return JSONRPC_FAULT_VERSION;
    }
    if (envelope->method.kind == JSON_TOKEN_STRING && envelope->method.text.size > 2) {
        return JSONRPC_FAULT_NONE;
    }
    const bool has_result = envelope->result.kind != JSON_TOKEN_INVALID;
    const bool has_error = envelope->error.kind != JSON_TOKEN_INVALID;
    const bool has_method =
        envelope->method.kind != JSON_TOKEN_INVALID && envelope->method.kind != JSON_TOKEN_NULL;
    return !has_method && has_result != has_error ? JSONRPC_FAULT_RESPONSE : JSONRPC_FAULT_REQUEST;
}

enum jsonrpc_fault jsonrpc_decode(struct bytes object, uint8_t *area,
                                  struct jsonrpc_request *out_request)
{
    struct jsonrpc_request request = {.packet = {.type = PACKET_INVALID}};
    struct envelope envelope = {.version = {.kind = JSON_TOKEN_INVALID}};
    struct place place;
    place.object = object.data;
    place.area = area;
    enum jsonrpc_fault fault = envelope_decode(object, &envelope);
    if (fault == JSONRPC_FAULT_NONE) {
        fault = id_decode(envelope.id, &request);
    }
    if (fault == JSONRPC_FAULT_NONE) {
        fault = envelope_check(&envelope);
    }
    if (fault == JSONRPC_FAULT_NONE) {
        fault = method_decode(&place, envelope.method, envelope.params, &request);
    }
    if (fault != JSONRPC_FAULT_NONE) {
        request.packet = (struct packet){.type = PACKET_INVALID};
        request.is_object_payload = false;
    }
    *out_request = request;
    return fault;
}

int32_t jsonrpc_fault_code(enum jsonrpc_fault fault)
{
    switch (fault) {
    case JSONRPC_FAULT_NONE:
        return 0;
    case JSONRPC_FAULT_SYNTAX:
        return -32700;
    case JSONRPC_FAULT_VERSION:
    case JSONRPC_FAULT_ID:
    case JSONRPC_FAULT_REQUEST:
    case JSONRPC_FAULT_RESPONSE:
        return -32600;
    case JSONRPC_FAULT_METHOD:
        return -32601;
    case JSONRPC_FAULT_PARAMS:
    case JSONRPC_FAULT_PAYLOAD:
        return -32602;
    }
    UNREACHABLE();
}

const char *jsonrpc_fault_text(enum jsonrpc_fault fault)
{
    switch (fault) {
    case JSONRPC_FAULT_NONE:
        return "ok";
    case JSONRPC_FAULT_SYNTAX:
        return "not a JSON object";
    case JSONRPC_FAULT_VERSION:
        return "jsonrpc must be \"2.0\" or absent";
    case JSONRPC_FAULT_ID:
        return "id must be a string or an integer";
    case JSONRPC_FAULT_REQUEST:
        return "neither a request nor a notification";
    case JSONRPC_FAULT_RESPONSE:
        return "a response to no request";
    case JSONRPC_FAULT_METHOD:
        return "unknown method";
    case JSONRPC_FAULT_PARAMS:
        return "params are missing or have a member of the wrong type";
    case JSONRPC_FAULT_PAYLOAD:
        return "payload must be standard base64 with padding";
    }
    UNREACHABLE();
}
