#include "edge/api_stream_old.h"

#include "chat/names.h"
#include "edge/anchors.h"
#include "edge/api_checks.h"
#include "edge/api_event.h"
#include "edge/api_send.h"
#include "wire/json_token.h"

#define UNKNOWN         "流消息元数据不存在！"
#define DELTA_BYTES_MAX 32u /* of a delta's payload, besides its text */

/* A copy in the request's memory, or empty: no room, and answered. */
static struct bytes keep(struct http_request *request, struct bytes bytes)
{
    uint8_t *area = http_acquire(request, bytes.size + 1);
    if (area == NULL) {
        return BYTES_EMPTY;
    }
    memcpy(area, bytes.data, bytes.size);
    return (struct bytes){.data = area, .size = bytes.size};
}

/* The event of the anchor's stream; NULL: no room, and answered. */
static struct api_event_order *make_order(struct http_request *request, const struct anchor *anchor)
{
    struct api_event_order *order = http_acquire(request, sizeof(*order));
    if (order == NULL) {
        return NULL;
    }
    const struct bytes from_uid = anchor->from_uid;
    const struct channel_name channel = anchor->channel;
    const bool is_agent = channel.type == CHANNEL_AGENT; /* either side names it in full */
    order->message_id = anchor->message_id;
    order->channel_type = channel.type;
    order->channel_id =
        keep(request, is_agent ? channel.id : name_as_seen(channel.id, channel.type, from_uid));
    if (order->channel_id.size > 0) {
        order->from_uid = keep(request, from_uid);
    }
    if (order->from_uid.size > 0) {
        order->client_msg_no = keep(request, anchor->client_msg_no);
    }
    return order->client_msg_no.size > 0 ? order : NULL;
}

/* ---- A piece. ---- */

static void answer_piece(struct http_request *request, const struct api_event_order *order)
{
    api_send_answer(request, order->event_id, order->message_id);
}

/* The text that the payload of a message shows, as JSON; nothing: it shows none. */
static struct bytes text_of(struct json_token message)
{
    struct json_token_walk walk = json_token_walk_of(message);
    struct json_token key;
    struct json_token value;
    struct bytes text = BYTES_EMPTY;
    while (json_token_walk_member(&walk, &key, &value)) {
        if (json_token_is(key, BYTES_OF("content"))) {
            text = value.kind == JSON_TOKEN_STRING ? value.text : BYTES_EMPTY;
        }
    }
    return text;
}

/* What a piece adds: the text of its message; of what is not JSON its bytes as text; of another
 * message the whole, which takes the place of what was said before (http-api 11.1). Empty: no room,
 * and answered. */
static struct bytes make_delta(struct http_request *request, struct bytes payload)
{
    struct bytes rest = payload;
    struct json_token token = {.kind = JSON_TOKEN_INVALID};
    const bool is_json = json_token_take(&rest, &token) == ERR_OK && rest.size == 0;
    struct bytes text = BYTES_EMPTY;
    if (is_json) {
        text = token.kind == JSON_TOKEN_OBJECT ? text_of(token) : BYTES_EMPTY;
        if (text.size == 0) {
            return token.text;
        }
    }
    const size_t size = is_json ? text.size : json_text_string_size(payload);
    uint8_t *area = http_acquire(request, size + DELTA_BYTES_MAX);
    if (area == NULL) {
        return BYTES_EMPTY;
    }
    struct writer writer = writer_of(area, size + DELTA_BYTES_MAX);
    struct json_text json = json_text_of(&writer);
    json_text_object_begin(&json);
    json_text_member_string(&json, "kind", BYTES_OF("text"));
    json_text_key(&json, "delta");
    if (is_json) {
        json_text_raw(&json, text);
    } else {
        json_text_string(&json, payload);
    }
    json_text_object_end(&json);
    return writer_bytes(&writer);
}

void api_stream_piece(struct http_request *request, const struct anchor *anchor,
                      struct bytes payload, struct bytes client_msg_no)
{
    struct api_event_order *order = make_order(request, anchor);
    if (order == NULL) {
        return;
    }
    order->event_id = client_msg_no;
    order->event_type = BYTES_OF("stream.delta");
    order->answer = answer_piece;
    order->payload = make_delta(request, payload);
    if (order->payload.size > 0) {
        api_event_tell(request, order);
    }
}

/* ---- /streammessage/end. ---- */

struct stream_end_input {
    struct bytes stream_no;
    struct bytes channel_id;
    uint64_t channel_type;
};

static const struct json_field stream_end_fields[] = {
    JSON_FIELD(struct stream_end_input, stream_no, JSON_STRING),
    JSON_FIELD(struct stream_end_input, channel_id, JSON_STRING),
    JSON_FIELD(struct stream_end_input, channel_type, JSON_U8),
};
const struct json_shape api_shape_stream_end =
    JSON_SHAPE_OF(struct stream_end_input, stream_end_fields);

static void answer_end(struct http_request *request, const struct api_event_order *order)
{
    (void)order;
    http_answer_ok(request);
}

/* Is that how the stream's sender calls its channel? */
static bool is_channel(const struct stream_end_input *input, const struct anchor *anchor)
{
    const struct channel_name channel = anchor->channel;
    return input->channel_type == channel.type &&
           (bytes_equal(input->channel_id, channel.id) ||
            bytes_equal(input->channel_id,
                        name_as_seen(channel.id, channel.type, anchor->from_uid)));
}

void api_stream_end(struct http_request *request)
{
    const struct stream_end_input *input = request->input;
    struct http *http = request->http;
    struct anchor anchor;
    const bool is_known =
        anchors_find(&http->anchors, api_trim(input->stream_no), http->now_ns, &anchor);
    if (!api_check(request, is_known && is_channel(input, &anchor), UNKNOWN)) {
        return;
    }
    struct api_event_order *order = make_order(request, &anchor);
    if (order != NULL) {
        order->event_id = BYTES_OF("end");
        order->event_type = BYTES_OF("stream.close");
        order->answer = answer_end;
        api_event_tell(request, order);
    }
}
