#include "edge/api_send.h"

#include "base/hash.h"
#include "chat/names.h"
#include "chat/send.h"
#include "edge/anchors.h"
#include "edge/api_checks.h"
#include "edge/api_stream_old.h"
#include "store/message_row.h"
#include "system/crypto.h"

#include <stdlib.h>

#define SETTING_STREAM      0x02u /* semantics 0.4 */
#define MSG_NO_RANDOM_BYTES 16u
#define MSG_NO_BYTES        (2 * MSG_NO_RANDOM_BYTES + 1)
#define STREAM_NO_BYTES     (2 * MSG_NO_RANDOM_BYTES)
#define BATCH_AWAY_MAX      16u /* messages of one batch on their way at once */
#define FAILURE             "发送消息失败！"
#define PAYLOAD_FAULT       "the payload is larger than 1048576 bytes"
#define CHANNEL_FAULT       "频道ID不合法！"

struct header_input {
    int64_t no_persist;
    int64_t red_dot;
    int64_t sync_once;
};

struct send_request_input {
    struct header_input header;
    struct bytes client_msg_no;
    int64_t is_stream;
    struct bytes stream_no;
    struct bytes from_uid;
    struct bytes channel_id;
    uint64_t channel_type;
    uint64_t expire;
    struct json_strings subscribers;
    struct bytes payload;
    struct bytes tag_key;
};

static const struct json_field header_fields[] = {
    JSON_FIELD(struct header_input, no_persist, JSON_INT),
    JSON_FIELD(struct header_input, red_dot, JSON_INT),
    JSON_FIELD(struct header_input, sync_once, JSON_INT),
};
static const struct json_shape header_shape = JSON_SHAPE_OF(struct header_input, header_fields);

static const struct json_field send_fields[] = {
    JSON_FIELD_OF(struct send_request_input, header, JSON_OBJECT, &header_shape),
    JSON_FIELD(struct send_request_input, client_msg_no, JSON_STRING),
    JSON_FIELD(struct send_request_input, is_stream, JSON_INT),
    JSON_FIELD(struct send_request_input, stream_no, JSON_STRING),
    JSON_FIELD(struct send_request_input, from_uid, JSON_STRING),
    JSON_FIELD(struct send_request_input, channel_id, JSON_STRING),
    JSON_FIELD(struct send_request_input, channel_type, JSON_U8),
    JSON_FIELD(struct send_request_input, expire, JSON_U32),
    JSON_FIELD(struct send_request_input, subscribers, JSON_STRINGS),
    JSON_FIELD(struct send_request_input, payload, JSON_PAYLOAD),
    JSON_FIELD(struct send_request_input, tag_key, JSON_STRING),
};
const struct json_shape api_shape_send = JSON_SHAPE_OF(struct send_request_input, send_fields);

static const struct json_field batch_fields[] = {
    JSON_FIELD_OF(struct send_request_input, header, JSON_OBJECT, &header_shape),
    JSON_FIELD(struct send_request_input, from_uid, JSON_STRING),
    JSON_FIELD(struct send_request_input, subscribers, JSON_STRINGS),
    JSON_FIELD(struct send_request_input, payload, JSON_PAYLOAD),
};
const struct json_shape api_shape_send_batch =
    JSON_SHAPE_OF(struct send_request_input, batch_fields);

static const struct json_field stream_start_fields[] = {
    JSON_FIELD_OF(struct send_request_input, header, JSON_OBJECT, &header_shape),
    JSON_FIELD(struct send_request_input, client_msg_no, JSON_STRING),
    JSON_FIELD(struct send_request_input, from_uid, JSON_STRING),
    JSON_FIELD(struct send_request_input, channel_id, JSON_STRING),
    JSON_FIELD(struct send_request_input, channel_type, JSON_U8),
    JSON_FIELD(struct send_request_input, payload, JSON_PAYLOAD),
};
const struct json_shape api_shape_stream_start =
    JSON_SHAPE_OF(struct send_request_input, stream_start_fields);

static uint8_t header_flags(const struct header_input *header)
{
    uint8_t flags = 0;
    flags |= api_flag(header->no_persist) ? MESSAGE_NO_PERSIST : 0;
    flags |= api_flag(header->red_dot) ? MESSAGE_RED_DOT : 0;
    flags |= api_flag(header->sync_once) ? MESSAGE_SYNC_ONCE : 0;
    return flags;
}

/* 32 random hexadecimal digits and a 0, as the original makes them. */
static struct bytes make_msg_no(uint8_t area[MSG_NO_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t random[MSG_NO_RANDOM_BYTES];
    crypto_random(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) {
        area[2 * i] = (uint8_t)digits[random[i] >> 4];
        area[2 * i + 1] = (uint8_t)digits[random[i] & 15];
    }
    area[MSG_NO_BYTES - 1] = '0';
    return (struct bytes){.data = area, .size = MSG_NO_BYTES};
}

/* ---- One message. ---- */

/* A message as an endpoint wants it sent; everything is borrowed from the request. */
struct order {
    struct channel_name channel; /* internal */
    struct bytes from_uid;
    struct bytes client_msg_no; /* blank: one is made */
    uint8_t flags;
    uint8_t setting;
    uint32_t expire_s;
    struct bytes payload;
    struct json_strings recipients; /* none: the channel's members */
    letter_fn *on_home;
};

/* It comes home with `context`. False: no room. */
static bool post_send(struct http *http, const struct order *order, letter_fn *on_home,
                      void *context)
{
    uint8_t msg_no[MSG_NO_BYTES];
    const struct send_input input = {
        .from_uid = order->from_uid,
        .channel_id = order->channel.id,
        .client_msg_no =
            name_is_blank(order->client_msg_no) ? make_msg_no(msg_no) : order->client_msg_no,
        .payload_size = order->payload.size,
    };
    struct send *send = send_acquire(&http->requests_budget, &input);
    if (send == NULL) {
        return false;
    }
    if (order->payload.size > 0) {
        memcpy(send_payload(send), order->payload.data, order->payload.size);
    }
    send->is_privileged = true;
    send->flags = order->flags;
    send->setting = order->setting;
    send->channel_type = order->channel.type;
    send->expire_s = order->expire_s;
    send->recipients = order->recipients.count > 0 ? order->recipients.items : NULL;
    send->recipients_count = order->recipients.count;
    send->op.home = &http->mailbox;
    send->op.on_home = on_home;
    send->op.context = context;
    send->op.now_ns = http->now_ns;
    send_post(send, &http->mailer, http->options.shards, http->options.shards_count);
    return true;
}

static struct send *send_of(struct letter *letter)
{
    return CONTAINER_OF(CONTAINER_OF(letter, struct op, letter), struct send, op);
}

void api_send_answer(struct http_request *request, struct bytes client_msg_no, uint64_t message_id)
{
    if (!http_out_open(request, json_text_string_size(client_msg_no) + 128)) {
        return;
    }
    struct json_text *json = &request->json;
    json_text_object_begin(json);
    json_text_key(json, "data");
    json_text_object_begin(json);
    json_text_member_string(json, "client_msg_no", client_msg_no);
    json_text_member_unsigned(json, "message_id", message_id);
    json_text_object_end(json);
    json_text_member_unsigned(json, "status", 200);
    json_text_object_end(json);
    http_answer_out(request, 200, HTTP_JSON_TYPE);
}

/* Its events need not say who sent it. */
static void remember_stream(struct http *http, const struct send *send)
{
    const struct anchor anchor = {
        .client_msg_no = send->client_msg_no,
        .from_uid = send->from_uid,
        .channel = {.type = send->channel_type, .id = send->channel_id},
        .message_id = send->message_id,
    };
    anchors_put(&http->anchors, &anchor, http->now_ns);
}

static void send_comes_home(struct letter *letter, void *receiver)
{
    struct send *send = send_of(letter);
    if (send->reason == CHAT_REASON_SUCCESS && (send->setting & SETTING_STREAM) != 0) {
        remember_stream(receiver, send);
    }
    struct http_request *request = send->op.context;
    if (send->reason == CHAT_REASON_SYSTEM_ERROR) {
        http_answer_failure(request, FAILURE, ERR_IO);
    } else if (send->reason != CHAT_REASON_SUCCESS) {
        http_answer_status(request, (uint32_t)send->reason);
    } else if (send->recipients != NULL) {
        http_answer_ok(request); /* http-api 8.1: without an id */
    } else {
        api_send_answer(request, send->client_msg_no, send->message_id);
    }
    send_release(send);
}

static void post_or_answer(struct http_request *request, const struct order *order)
{
    if (!post_send(request->http, order, order->on_home, request)) {
        http_answer_busy(request);
    }
}

/* The channel that `from_uid` means. ERR_PROTOCOL: that is none. `area` has room for
 * NAME_PAIR_BYTES_MAX and holds its id. */
static enum err find_channel(struct bytes from_uid, struct channel_name given, uint8_t *area,
                             struct channel_name *out_channel)
{
    if (channel_type_is_pair(given.type) && name_is_special(from_uid)) {
        return ERR_PROTOCOL;
    }
    out_channel->type = given.type;
    return name_internal(from_uid, given.id, given.type, area, &out_channel->id);
}

static const char *reason_text(enum chat_reason reason)
{
    if (reason == CHAT_REASON_BAN) {
        return "频道已被封禁！";
    }
    if (reason == CHAT_REASON_DISBAND) {
        return "频道已解散！";
    }
    return reason == CHAT_REASON_BUSY ? "服务器繁忙！" : FAILURE;
}

/* ---- /message/send: http-api 8.1. ---- */

static struct order make_order(const struct send_request_input *input)
{
    return (struct order){
        .from_uid = name_is_blank(input->from_uid) ? NAME_SYSTEM_UID : input->from_uid,
        .client_msg_no = input->client_msg_no,
        .flags = header_flags(&input->header),
        .setting = api_flag(input->is_stream) ? SETTING_STREAM : 0,
        .expire_s = (uint32_t)input->expire,
        .payload = input->payload,
        .on_home = send_comes_home,
    };
}

static void send_to_channel(struct http_request *request, struct order *order)
{
    const struct send_request_input *input = request->input;
    const struct channel_name given = {.type = (uint8_t)input->channel_type,
                                       .id = input->channel_id};
    if (!api_check_name(request, given.id, "channel_id")) {
        return;
    }
    uint8_t area[NAME_PAIR_BYTES_MAX];
    if (find_channel(order->from_uid, given, area, &order->channel) != ERR_OK) {
        http_answer_error(request, CHANNEL_FAULT);
        return;
    }
    post_or_answer(request, order);
}

static int compare_uids(const void *a, const void *b)
{
    const struct bytes *first = a;
    const struct bytes *second = b;
    return bytes_compare(*first, *second);
}

/* The command log of these people: FNV-1a of their uids, sorted so that the same people have one
 * log in whatever order they are named (semantics 2.4). Empty: no room, and answered. */
static struct bytes people_channel(struct http_request *request, const struct json_strings *uids)
{
    size_t size = 0;
    for (uint32_t i = 0; i < uids->count; i++) {
        size += uids->items[i].size + 1;
    }
    struct bytes *sorted = http_acquire(request, uids->count * sizeof(*sorted));
    uint8_t *area = sorted != NULL ? http_acquire(request, size) : NULL;
    uint8_t *name = area != NULL ? http_acquire(request, 20) : NULL;
    if (name == NULL) {
        return BYTES_EMPTY;
    }
    memcpy(sorted, uids->items, uids->count * sizeof(*sorted));
    qsort(sorted, uids->count, sizeof(*sorted), compare_uids);
    struct writer joined = writer_of(area, size);
    for (uint32_t i = 0; i < uids->count; i++) {
        if (i > 0) {
            writer_u8(&joined, ',');
        }
        writer_bytes_add(&joined, sorted[i]);
    }
    struct writer decimal = writer_of(name, 20);
    writer_decimal(&decimal, hash_fnv1a64(writer_bytes(&joined)));
    return writer_bytes(&decimal);
}

/* A command to people instead of a channel: nothing of the list stays behind the call. */
static void send_to_people(struct http_request *request, struct order *order)
{
    order->client_msg_no = BYTES_EMPTY; /* the given one does not count (http-api 8.1) */
    order->channel.type = CHANNEL_TEMP;
    order->channel.id = (order->flags & MESSAGE_NO_PERSIST) != 0
                            ? request->http->options.online_channel
                            : people_channel(request, &order->recipients);
    if (order->channel.id.size > 0) {
        post_or_answer(request, order);
    }
}

/* Is it a piece of a stream of the older form? Then it is told. What names a stream that nobody
 * knows is a message like any other, as it is for the original. */
static bool is_piece(struct http_request *request, const struct order *order)
{
    const struct send_request_input *input = request->input;
    struct http *http = request->http;
    const struct channel_name given = {.type = (uint8_t)input->channel_type,
                                       .id = input->channel_id};
    uint8_t area[NAME_PAIR_BYTES_MAX];
    struct channel_name channel;
    struct anchor anchor;
    if (name_is_blank(input->stream_no) ||
        !anchors_find(&http->anchors, api_trim(input->stream_no), http->now_ns, &anchor) ||
        find_channel(order->from_uid, given, area, &channel) != ERR_OK ||
        channel.type != anchor.channel.type || !bytes_equal(channel.id, anchor.channel.id)) {
        return false;
    }
    struct bytes msg_no = input->client_msg_no;
    if (name_is_blank(msg_no)) {
        uint8_t *made = http_acquire(request, MSG_NO_BYTES);
        if (made == NULL) {
            return true;
        }
        msg_no = make_msg_no(made);
    }
    api_stream_piece(request, &anchor, input->payload, msg_no);
    return true;
}

void api_send(struct http_request *request)
{
    const struct send_request_input *input = request->input;
    struct order order = make_order(input);
    if (!api_check(request, input->payload.size > 0, "payload不能为空！") ||
        !api_check(request, input->payload.size <= MESSAGE_PAYLOAD_BYTES_MAX, PAYLOAD_FAULT) ||
        !api_check(request, input->client_msg_no.size <= CLIENT_MSG_NO_BYTES_MAX,
                   "client_msg_no is longer than 512 bytes") ||
        !api_check_name(request, order.from_uid, "from_uid") ||
        !api_take_uids(request, &input->subscribers, &order.recipients)) {
        return;
    }
    const bool has_channel = !name_is_blank(input->channel_id);
    const bool has_people = order.recipients.count > 0;
    if (has_channel && !has_people) {
        if (!is_piece(request, &order)) {
            send_to_channel(request, &order);
        }
    } else if (!has_channel && has_people && api_flag(input->header.sync_once)) {
        send_to_people(request, &order);
    } else {
        http_answer_error(request, "无法处理发送消息请求！");
    }
}

/* ---- /streammessage/start: http-api 17.3. ---- */

static void answer_started(struct http_request *request, struct bytes stream_no)
{
    if (http_out_open(request, json_text_string_size(stream_no) + 32)) {
        json_text_object_begin(&request->json);
        json_text_member_string(&request->json, "stream_no", stream_no);
        json_text_object_end(&request->json);
        http_answer_out(request, 200, HTTP_JSON_TYPE);
    }
}

static void stream_has_started(struct letter *letter, void *receiver)
{
    struct send *send = send_of(letter);
    struct http_request *request = send->op.context;
    if (send->reason == CHAT_REASON_SUCCESS) {
        remember_stream(receiver, send);
        answer_started(request, send->client_msg_no);
    } else if (send->reason == CHAT_REASON_SYSTEM_ERROR) {
        http_answer_failure(request, FAILURE, ERR_IO);
    } else {
        http_answer_error(request, reason_text(send->reason)); /* callers read a number from 200 */
    }
    send_release(send);
}

void api_stream_start(struct http_request *request)
{
    const struct send_request_input *input = request->input;
    struct order order = make_order(input);
    order.setting = SETTING_STREAM;
    order.on_home = stream_has_started;
    if (name_is_blank(order.client_msg_no)) {
        uint8_t *made = http_acquire(request, MSG_NO_BYTES);
        if (made == NULL) {
            return;
        }
        order.client_msg_no =
            (struct bytes){.data = make_msg_no(made).data, .size = STREAM_NO_BYTES};
    }
    if (api_check(request, !name_is_blank(input->channel_id), "无法处理发送消息请求！") &&
        api_check(request, input->payload.size <= MESSAGE_PAYLOAD_BYTES_MAX, PAYLOAD_FAULT) &&
        api_check(request, order.client_msg_no.size <= CLIENT_MSG_NO_BYTES_MAX,
                  "client_msg_no is longer than 512 bytes") &&
        api_check_name(request, order.from_uid, "from_uid")) {
        send_to_channel(request, &order);
    }
}

/* ---- /message/sendbatch: http-api 8.2. ---- */

struct batch_fault {
    uint32_t index; /* of the uid */
    const char *reason;
};

/* One message of it that is on its way. */
struct batch_slot {
    struct http_request *request; /* NULL: free */
    uint32_t index;               /* of the uid */
};

struct batch {
    struct order order; /* but for the channel */
    const struct json_strings *uids;
    uint32_t uids_done; /* posted or refused */
    uint32_t away;
    struct batch_slot slots[BATCH_AWAY_MAX];
    struct batch_fault *faults; /* room for one a uid */
    uint32_t faults_count;
};

static void add_fault(struct batch *batch, uint32_t index, const char *reason)
{
    batch->faults[batch->faults_count++] = (struct batch_fault){.index = index, .reason = reason};
}

static void answer_batch(struct http_request *request)
{
    const struct batch *batch = request->work;
    size_t size = 64;
    for (uint32_t i = 0; i < batch->faults_count; i++) {
        const struct batch_fault *fault = &batch->faults[i];
        size += json_text_string_size(batch->uids->items[fault->index]) + 1;
        size += json_text_string_size(bytes_of_string(fault->reason)) + 1;
    }
    if (!http_out_open(request, size)) {
        return;
    }
    struct json_text *json = &request->json;
    json_text_object_begin(json);
    json_text_key(json, "fail_uids");
    json_text_array_begin(json);
    for (uint32_t i = 0; i < batch->faults_count; i++) {
        json_text_string(json, batch->uids->items[batch->faults[i].index]);
    }
    json_text_array_end(json);
    json_text_key(json, "reason");
    json_text_array_begin(json);
    for (uint32_t i = 0; i < batch->faults_count; i++) {
        json_text_string(json, bytes_of_string(batch->faults[i].reason));
    }
    json_text_array_end(json);
    json_text_object_end(json);
    http_answer_out(request, 200, HTTP_JSON_TYPE);
}

/* Posts the message to one uid. ERR_PROTOCOL: that is no uid. ERR_BUDGET: no room now. */
static enum err post_one(struct http_request *request, uint32_t index, letter_fn *on_home)
{
    struct batch *batch = request->work;
    const struct channel_name given = {.type = CHANNEL_PERSON, .id = batch->uids->items[index]};
    uint8_t area[NAME_PAIR_BYTES_MAX];
    struct order order = batch->order;
    if (find_channel(order.from_uid, given, area, &order.channel) != ERR_OK) {
        return ERR_PROTOCOL;
    }
    struct batch_slot *slot = batch->slots;
    while (slot->request != NULL) {
        slot++; /* fewer are away than there are slots */
    }
    if (!post_send(request->http, &order, on_home, slot)) {
        return ERR_BUDGET;
    }
    *slot = (struct batch_slot){.request = request, .index = index};
    return ERR_OK;
}

static void batch_comes_home(struct letter *letter, void *receiver);

/* Posts as many as may be away, and answers when all are back. */
static void batch_advance(struct http_request *request)
{
    struct batch *batch = request->work;
    while (batch->uids_done < batch->uids->count && batch->away < BATCH_AWAY_MAX) {
        const enum err err = post_one(request, batch->uids_done, batch_comes_home);
        if (err == ERR_BUDGET && batch->away > 0) {
            return; /* when one comes home there is room again */
        }
        if (err == ERR_OK) {
            batch->away++;
        } else {
            add_fault(batch, batch->uids_done,
                      err == ERR_PROTOCOL ? CHANNEL_FAULT : reason_text(CHAT_REASON_BUSY));
        }
        batch->uids_done++;
    }
    if (batch->away == 0) {
        answer_batch(request);
    }
}

static void batch_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct send *send = send_of(letter);
    struct batch_slot *slot = send->op.context;
    struct http_request *request = slot->request;
    struct batch *batch = request->work;
    if (send->reason != CHAT_REASON_SUCCESS) {
        add_fault(batch, slot->index, reason_text(send->reason));
    }
    send_release(send);
    slot->request = NULL;
    batch->away--;
    batch_advance(request);
}

void api_send_batch(struct http_request *request)
{
    const struct send_request_input *input = request->input;
    if (!api_check(request, !name_is_blank(input->from_uid), "from_uid不能为空！") ||
        !api_check(request, input->subscribers.count > 0, "subscribers不能为空！") ||
        !api_check(request, input->payload.size > 0, "payload不能为空！") ||
        !api_check(request, input->payload.size <= MESSAGE_PAYLOAD_BYTES_MAX, PAYLOAD_FAULT) ||
        !api_check_name(request, input->from_uid, "from_uid")) {
        return;
    }
    struct batch *batch = http_acquire(request, sizeof(*batch));
    if (batch == NULL) {
        return;
    }
    batch->order = make_order(input);
    batch->uids = &input->subscribers;
    batch->faults = http_acquire(request, batch->uids->count * sizeof(*batch->faults));
    if (batch->faults != NULL) {
        request->work = batch;
        batch_advance(request);
    }
}
