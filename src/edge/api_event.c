#include "edge/api_event.h"

#include "chat/event.h"
#include "edge/anchors.h"
#include "edge/api_checks.h"
#include "edge/api_stream.h"
#include "edge/event_payload.h"

#define FAILURE              "追加事件失败！"
#define SYNC_FAILURE         "加载事件失败！"
#define CHANNEL_FAULT        "频道ID不合法！"
#define PAYLOAD_BYTES_MAX    ((size_t)1024 * 1024) /* as of a message */
#define SYNC_LIMIT_DEFAULT   200
#define SYNC_LIMIT_MAX       2000
#define DATA_FIXED_BYTES_MAX 384u /* of an event's data: names, brackets, numbers, the status */

struct event_input {
    struct bytes channel_id;
    uint64_t channel_type;
    struct bytes from_uid;
    int64_t message_id;
    struct bytes client_msg_no;
    struct bytes event_id;
    struct bytes event_type;
    struct bytes event_key;
    struct bytes visibility;
    int64_t occurred_at;
    struct bytes payload;
    uint8_t headers; /* checked, not kept */
};

static const struct json_field event_fields[] = {
    JSON_FIELD(struct event_input, channel_id, JSON_STRING),
    JSON_FIELD(struct event_input, channel_type, JSON_U8),
    JSON_FIELD(struct event_input, from_uid, JSON_STRING),
    JSON_FIELD(struct event_input, message_id, JSON_INT),
    JSON_FIELD(struct event_input, client_msg_no, JSON_STRING),
    JSON_FIELD(struct event_input, event_id, JSON_STRING),
    JSON_FIELD(struct event_input, event_type, JSON_STRING),
    JSON_FIELD(struct event_input, event_key, JSON_STRING),
    JSON_FIELD(struct event_input, visibility, JSON_STRING),
    JSON_FIELD(struct event_input, occurred_at, JSON_INT),
    JSON_FIELD(struct event_input, payload, JSON_ANY),
    JSON_FIELD(struct event_input, headers, JSON_LABELS),
};
const struct json_shape api_shape_event = JSON_SHAPE_OF(struct event_input, event_fields);

/* An event on its way. In the request's `work`. */
struct telling {
    struct event_input given;            /* completed by what is known of the message */
    const struct api_event_order *order; /* NULL: it is /message/event */
    uint8_t channel_area[NAME_PAIR_BYTES_MAX];
    struct bytes type_kept; /* in lower case */
    struct channel_name channel;
};

/* ---- What clients get. ---- */

static size_t data_bytes_max(const struct event_input *given, const struct event *event)
{
    return DATA_FIXED_BYTES_MAX + json_text_string_size(given->client_msg_no) +
           json_text_string_size(given->channel_id) + json_text_string_size(given->from_uid) +
           json_text_string_size(event->key) + json_text_string_size(given->visibility) +
           given->payload.size;
}

static void render(const struct event *event, struct writer *writer)
{
    const struct http_request *request = event->op.context;
    const struct telling *telling = request->work;
    const struct event_input *given = &telling->given;
    struct json_text json = json_text_of(writer);
    json_text_object_begin(&json);
    json_text_member_string(&json, "client_msg_no", given->client_msg_no);
    json_text_member_string(&json, "channel_id", given->channel_id);
    json_text_member_unsigned(&json, "channel_type", given->channel_type);
    json_text_member_string(&json, "from_uid", given->from_uid);
    json_text_key(&json, "message_id");
    json_text_signed(&json, given->message_id);
    json_text_member_string(&json, "event_key", event->key);
    json_text_member_unsigned(&json, "msg_event_seq", event->seq);
    json_text_member_string(&json, "stream_status", api_stream_status(event->status));
    if (given->visibility.size > 0) {
        json_text_member_string(&json, "visibility", given->visibility);
    }
    if (given->payload.size > 0) {
        json_text_key(&json, "payload");
        json_text_raw(&json, given->payload);
    }
    json_text_object_end(&json);
}

/* ---- Answering. ---- */

static void answer_event(struct http_request *request, const struct event *event,
                         const struct telling *telling)
{
    const struct event_input *given = &telling->given;
    const size_t size = data_bytes_max(given, event) + json_text_string_size(event->id);
    if (!http_out_open(request, size)) {
        return;
    }
    struct json_text *json = &request->json;
    json_text_object_begin(json);
    json_text_key(json, "data");
    json_text_object_begin(json);
    json_text_member_string(json, "client_msg_no", given->client_msg_no);
    json_text_member_string(json, "event_key", event->key);
    json_text_member_string(json, "event_id", event->id);
    json_text_member_unsigned(json, "msg_event_seq", event->seq);
    json_text_member_string(json, "stream_status", api_stream_status(event->status));
    json_text_member_string(json, "channel_id", given->channel_id);
    json_text_member_unsigned(json, "channel_type", given->channel_type);
    json_text_member_string(json, "from_uid", given->from_uid);
    json_text_object_end(json);
    json_text_member_unsigned(json, "status", 200);
    json_text_object_end(json);
    http_answer_out(request, 200, HTTP_JSON_TYPE);
}

/* What the next events of the stream need not say. */
static void remember(struct http *http, const struct event *event, const struct telling *telling)
{
    if (event->is_over && telling->order == NULL) {
        anchors_drop(&http->anchors, event->client_msg_no);
        return;
    }
    const struct event_input *given = &telling->given;
    const struct anchor anchor = {
        .client_msg_no = event->client_msg_no,
        .from_uid = given->from_uid,
        .channel = telling->channel,
        .message_id = given->message_id > 0 ? (uint64_t)given->message_id : 0,
    };
    anchors_put(&http->anchors, &anchor, http->now_ns);
}

static void event_comes_home(struct letter *letter, void *receiver)
{
    struct http *http = receiver;
    struct event *event = CONTAINER_OF(CONTAINER_OF(letter, struct op, letter), struct event, op);
    struct http_request *request = event->op.context;
    const struct telling *telling = request->work;
    switch (event->result) {
    case EVENT_DONE:
    case EVENT_REPEATED:
        remember(http, event, telling);
        if (telling->order != NULL) {
            telling->order->answer(request, telling->order);
        } else {
            answer_event(request, event, telling);
        }
        break;
    case EVENT_CLOSED:
        http_answer_error(request, "stream closed");
        break;
    case EVENT_TOO_LARGE:
        http_answer_error(request, "the stream would be too large");
        break;
    case EVENT_TOO_MANY:
        http_answer_error(request, "the stream would have more than 64 event keys");
        break;
    case EVENT_BUSY:
        http_answer_busy(request);
        break;
    case EVENT_FAILED:
        http_answer_failure(request, FAILURE, ERR_IO);
        break;
    }
    event_release(event);
}

/* ---- /message/event: http-api 11.1. ---- */

static bool check_sizes(struct http_request *request, const struct event_input *given)
{
    return api_check_name(request, given->channel_id, "channel_id") &&
           api_check_name(request, given->from_uid, "from_uid") &&
           api_check(request, given->client_msg_no.size <= STREAM_MSG_NO_BYTES_MAX,
                     "client_msg_no is longer than 512 bytes") &&
           api_check(request, given->event_id.size <= STREAM_NAME_BYTES_MAX,
                     "event_id is longer than 128 bytes") &&
           api_check(request, given->event_key.size <= STREAM_NAME_BYTES_MAX,
                     "event_key is longer than 128 bytes") &&
           api_check(request, given->event_type.size <= STREAM_WORD_BYTES_MAX,
                     "event_type is longer than 64 bytes") &&
           api_check(request, given->visibility.size <= STREAM_WORD_BYTES_MAX,
                     "visibility is longer than 64 bytes") &&
           api_check(request, given->payload.size <= PAYLOAD_BYTES_MAX,
                     "the payload is larger than 1048576 bytes");
}

static bool check_event(struct http_request *request, const struct event_input *given)
{
    return api_check(request, !name_is_blank(given->channel_id), "channel_id不能为空！") &&
           api_check(request, !name_is_blank(given->client_msg_no), "client_msg_no不能为空！") &&
           api_check(request, !name_is_blank(given->event_id), "event_id不能为空！") &&
           api_check(request, !name_is_blank(given->event_type), "event_type不能为空！") &&
           check_sizes(request, given);
}

/* Completes what was given from the message, and finds the channel. False: answered. */
static bool find_channel(struct http_request *request, struct telling *telling,
                         enum event_kind kind)
{
    struct event_input *given = &telling->given;
    struct anchor anchor;
    const bool is_known = anchors_find(&request->http->anchors, api_trim(given->client_msg_no),
                                       request->http->now_ns, &anchor);
    if (name_is_blank(given->from_uid)) {
        given->from_uid = is_known ? anchor.from_uid : NAME_SYSTEM_UID;
    }
    if (given->message_id == 0 && is_known) {
        given->message_id = (int64_t)anchor.message_id;
    }
    const uint8_t type = (uint8_t)given->channel_type;
    telling->channel.type = type;
    if ((channel_type_is_pair(type) && name_is_special(given->from_uid)) ||
        name_internal(given->from_uid, given->channel_id, type, telling->channel_area,
                      &telling->channel.id) != ERR_OK) {
        http_answer_error(request, CHANNEL_FAULT);
        return false;
    }
    const bool is_same = !is_known || (anchor.channel.type == type &&
                                       bytes_equal(anchor.channel.id, telling->channel.id));
    return api_check(request, is_same || kind != EVENT_DELTA, "message event channel mismatch");
}

/* The sender outlives what is known of the message, and the type is kept in lower case. */
static bool keep_strings(struct http_request *request, struct telling *telling)
{
    struct event_input *given = &telling->given;
    const struct bytes type = api_trim(given->event_type);
    uint8_t *area = http_acquire(request, given->from_uid.size + type.size + 1);
    if (area == NULL) {
        return false;
    }
    memcpy(area, given->from_uid.data, given->from_uid.size);
    given->from_uid.data = area;
    area += given->from_uid.size;
    for (size_t i = 0; i < type.size; i++) {
        const uint8_t byte = type.data[i];
        area[i] = byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
    }
    telling->type_kept = (struct bytes){.data = area, .size = type.size};
    return true;
}

static struct bytes key_of(const struct event_input *given, enum event_kind kind)
{
    if (kind == EVENT_FINISH) {
        return API_STREAM_FINISH;
    }
    const struct bytes key = api_trim(given->event_key);
    return key.size > 0 ? key : API_STREAM_MAIN;
}

static void post_event(struct http_request *request, const struct telling *telling,
                       enum event_kind kind)
{
    struct http *http = request->http;
    const struct event_input *given = &telling->given;
    struct event *event = event_acquire(&http->requests_budget);
    if (event == NULL) {
        http_answer_busy(request);
        return;
    }
    event->op.home = &http->mailbox;
    event->op.on_home = event_comes_home;
    event->op.context = request;
    event->op.now_ns = http->now_ns;
    event->channel = telling->channel;
    event->client_msg_no = api_trim(given->client_msg_no);
    event->kind = kind;
    event->key = key_of(given, kind);
    event->id = api_trim(given->event_id);
    event->type = given->event_type;
    event->type_kept = telling->type_kept;
    event->visibility = given->visibility;
    event->timestamp_ms = given->occurred_at;
    event->occurred_ms = given->occurred_at;
    event->render = render;
    event->data_bytes_max = data_bytes_max(given, event);
    if (event_payload_read(event, given->payload, &request->arena) != ERR_OK) {
        event_release(event);
        http_answer_busy(request);
        return;
    }
    event_post(event, &http->mailer, http->options.shards, http->options.shards_count);
}

/* Its input is given. */
static void tell(struct http_request *request, struct telling *telling)
{
    request->work = telling;
    const enum event_kind kind = event_kind_of(api_trim(telling->given.event_type));
    if (find_channel(request, telling, kind) && keep_strings(request, telling)) {
        post_event(request, telling, kind);
    }
}

void api_event_tell(struct http_request *request, const struct api_event_order *order)
{
    struct telling *telling = http_acquire(request, sizeof(*telling));
    if (telling != NULL) {
        telling->order = order;
        telling->given = (struct event_input){
            .channel_id = order->channel_id,
            .channel_type = order->channel_type,
            .from_uid = order->from_uid,
            .message_id = (int64_t)order->message_id,
            .client_msg_no = order->client_msg_no,
            .event_id = order->event_id,
            .event_type = order->event_type,
            .payload = order->payload,
        };
        tell(request, telling);
    }
}

void api_event(struct http_request *request)
{
    const struct event_input *input = request->input;
    if (!check_event(request, input)) {
        return;
    }
    struct telling *telling = http_acquire(request, sizeof(*telling));
    if (telling == NULL) {
        return;
    }
    telling->given = *input;
    tell(request, telling);
}

/* ---- /message/eventsync: http-api 11.2. ---- */

struct event_sync_input {
    struct bytes channel_id;
    uint64_t channel_type;
    struct bytes from_uid;
    struct bytes client_msg_no;
    struct bytes event_key;
    uint64_t from_msg_event_seq;
    int64_t limit;
    int64_t include_private;
};

static const struct json_field event_sync_fields[] = {
    JSON_FIELD(struct event_sync_input, channel_id, JSON_STRING),
    JSON_FIELD(struct event_sync_input, channel_type, JSON_U8),
    JSON_FIELD(struct event_sync_input, from_uid, JSON_STRING),
    JSON_FIELD(struct event_sync_input, client_msg_no, JSON_STRING),
    JSON_FIELD(struct event_sync_input, event_key, JSON_STRING),
    JSON_FIELD(struct event_sync_input, from_msg_event_seq, JSON_U64),
    JSON_FIELD(struct event_sync_input, limit, JSON_INT),
    JSON_FIELD(struct event_sync_input, include_private, JSON_INT),
};
const struct json_shape api_shape_event_sync =
    JSON_SHAPE_OF(struct event_sync_input, event_sync_fields);

struct event_sync {
    struct channel_name channel;
    uint8_t channel_area[NAME_PAIR_BYTES_MAX];
};

static bool is_wanted(const struct event_sync_input *input, const struct api_lane *lane)
{
    const struct bytes key = api_trim(input->event_key);
    const bool is_hidden = bytes_equal(lane->row.visibility, BYTES_OF("private")) ||
                           bytes_equal(lane->row.visibility, BYTES_OF("restricted"));
    return lane->row.seq > input->from_msg_event_seq &&
           (key.size == 0 || bytes_equal(key, lane->key)) &&
           (!is_hidden || api_flag(input->include_private));
}

/* The wanted lane with the smallest seq above `after`, or NULL. */
static const struct api_lane *next_lane(const struct event_sync_input *input,
                                        const struct api_stream *stream, uint64_t after)
{
    const struct api_lane *next = NULL;
    for (uint32_t i = 0; i < stream->lanes_count; i++) {
        const struct api_lane *lane = &stream->lanes[i];
        if (lane->row.seq > after && is_wanted(input, lane) &&
            (next == NULL || lane->row.seq < next->row.seq)) {
            next = lane;
        }
    }
    return next;
}

/* A lane without content says how it stands. */
static void write_standing(struct json_text *json, const struct lane_row *row)
{
    json_text_object_begin(json);
    json_text_member_string(json, "status", api_stream_status(row->status));
    json_text_member_unsigned(json, "end_reason", row->end_reason);
    if (row->error.size > 0) {
        json_text_member_string(json, "error", row->error);
    }
    json_text_object_end(json);
}

static void write_event(struct json_text *json, const struct api_lane *lane)
{
    json_text_object_begin(json);
    json_text_member_unsigned(json, "msg_event_seq", lane->row.seq);
    json_text_member_string(json, "event_id", lane->row.event_id);
    json_text_member_string(json, "event_key", lane->key);
    json_text_member_string(json, "event_type", lane->row.event_type);
    json_text_member_string(json, "visibility", lane->row.visibility);
    json_text_key(json, "occurred_at");
    json_text_signed(json, lane->row.occurred_ms);
    json_text_key(json, "payload");
    if (lane->content.size > 0) {
        api_stream_content(json, lane);
    } else {
        write_standing(json, &lane->row);
    }
    json_text_object_end(json);
}

static void write_events(struct http_request *request, const struct api_stream *stream)
{
    const struct event_sync_input *input = request->input;
    struct json_text *json = &request->json;
    const int64_t asked = input->limit == 0 ? SYNC_LIMIT_DEFAULT : input->limit;
    const uint32_t limit = (uint32_t)(asked < SYNC_LIMIT_MAX ? asked : SYNC_LIMIT_MAX);
    uint64_t last = input->from_msg_event_seq;
    const struct api_lane *lane = next_lane(input, stream, last);
    json_text_key(json, "events");
    json_text_array_begin(json);
    for (uint32_t count = 0; lane != NULL && count < limit; count++) {
        write_event(json, lane);
        last = lane->row.seq;
        lane = next_lane(input, stream, last);
    }
    json_text_array_end(json);
    json_text_member_unsigned(json, "next_msg_event_seq", last);
    json_text_member_unsigned(json, "more", lane != NULL ? 1 : 0);
}

static enum err read_events(struct http_request *request)
{
    const struct event_sync_input *input = request->input;
    const struct event_sync *sync = request->work;
    struct api_stream stream;
    const enum err err =
        api_stream_open(&stream, request, sync->channel, api_trim(input->client_msg_no), true);
    struct json_text *json = &request->json;
    json_text_object_begin(json);
    json_text_key(json, "data");
    json_text_object_begin(json);
    json_text_member_string(json, "client_msg_no", input->client_msg_no);
    json_text_member_unsigned(json, "from_msg_event_seq", input->from_msg_event_seq);
    write_events(request, &stream);
    json_text_member_string(json, "filtered_by_event_key", input->event_key);
    json_text_object_end(json);
    json_text_member_unsigned(json, "status", 200);
    json_text_object_end(json);
    api_stream_close(&stream);
    return err;
}

/* A person channel is named by the peer and the sender, or by its internal id alone; an agent's by
 * its internal id. What cannot be a channel has no events. */
static void name_channel(const struct event_sync_input *input, struct event_sync *sync)
{
    sync->channel =
        (struct channel_name){.type = (uint8_t)input->channel_type, .id = input->channel_id};
    if (sync->channel.type == CHANNEL_PERSON && !name_is_blank(input->from_uid) &&
        (name_is_special(input->from_uid) ||
         name_internal(input->from_uid, input->channel_id, CHANNEL_PERSON, sync->channel_area,
                       &sync->channel.id) != ERR_OK)) {
        sync->channel.id = BYTES_EMPTY;
    }
}

void api_event_sync(struct http_request *request)
{
    const struct event_sync_input *input = request->input;
    if (!api_check(request, !name_is_blank(input->channel_id), "channel_id不能为空！") ||
        !api_check(request, !name_is_blank(input->client_msg_no), "client_msg_no不能为空！") ||
        !api_check(request, input->limit >= 0, "limit不能为负数！") ||
        !api_check(request, input->channel_id.size <= NAME_PAIR_BYTES_MAX,
                   "channel_id is too long") ||
        !api_check(request, input->client_msg_no.size <= STREAM_MSG_NO_BYTES_MAX,
                   "client_msg_no is longer than 512 bytes") ||
        !api_check(request, input->event_key.size <= STREAM_NAME_BYTES_MAX,
                   "event_key is longer than 128 bytes") ||
        !api_check_name(request, input->from_uid, "from_uid")) {
        return;
    }
    struct event_sync *sync = http_acquire(request, sizeof(*sync));
    if (sync == NULL) {
        return;
    }
    name_channel(input, sync);
    request->work = sync;
    http_read(request, read_events, HTTP_READ_BYTES_FIRST, SYNC_FAILURE);
}
