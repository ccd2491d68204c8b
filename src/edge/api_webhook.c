#include "edge/api_webhook.h"

#include "edge/api_checks.h"
#include "edge/http_reading.h"
#include "edge/webhook.h"
#include "edge/webhook_body.h"

#define LETTERS_DEFAULT 100u
#define LETTERS_MAX     1000u
#define NO_WEBHOOK      "no webhook is configured"
#define ID_FAULT        "there is no such id: one is written like 1-2046861562479546375-0"

struct resend_input {
    struct json_strings ids;
    int64_t all;
};

static const struct json_field resend_fields[] = {
    JSON_FIELD(struct resend_input, ids, JSON_STRINGS),
    JSON_FIELD(struct resend_input, all, JSON_INT),
};
const struct json_shape api_shape_resend = JSON_SHAPE_OF(struct resend_input, resend_fields);

/* ---- The names of dead letters: queue-id-part. ---- */

static bool take_number(struct bytes *text, uint64_t max, uint64_t *out_value)
{
    uint64_t value = 0;
    size_t digits = 0;
    while (digits < text->size && text->data[digits] >= '0' && text->data[digits] <= '9') {
        const uint64_t digit = (uint64_t)(text->data[digits] - '0');
        if (digit > max || value > (max - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
        digits++;
    }
    *text = bytes_skip(*text, digits);
    *out_value = value;
    return digits > 0;
}

static bool take_dash(struct bytes *text)
{
    if (text->size == 0 || text->data[0] != '-') {
        return false;
    }
    *text = bytes_skip(*text, 1);
    return true;
}

static bool parse_id(struct bytes text, struct outbox_key *out_key)
{
    uint64_t queue = 0;
    uint64_t id = 0;
    uint64_t part = 0;
    if (!take_number(&text, OUTBOX_QUEUES_END - 1, &queue) || !take_dash(&text) ||
        !take_number(&text, INT64_MAX, &id) || !take_dash(&text) ||
        !take_number(&text, UINT16_MAX, &part) || text.size > 0) {
        return false;
    }
    *out_key = (struct outbox_key){
        .queue = OUTBOX_DEAD, .lane = (uint8_t)queue, .id = id, .part = (uint16_t)part};
    return true;
}

static void write_id(struct json_text *json, const struct outbox_key *key)
{
    uint8_t area[48];
    struct writer writer = writer_of(area, sizeof(area));
    writer_decimal(&writer, key->lane);
    writer_u8(&writer, '-');
    writer_decimal(&writer, key->id);
    writer_u8(&writer, '-');
    writer_decimal(&writer, key->part);
    json_text_string(json, writer_bytes(&writer));
}

static const char *event_name(uint8_t queue)
{
    switch ((enum outbox_queue)queue) {
    case OUTBOX_NOTIFY:
    case OUTBOX_AGENT:
        return "msg.notify";
    case OUTBOX_OFFLINE:
        return "msg.offline";
    case OUTBOX_STATUS:
        return "user.onlinestatus";
    case OUTBOX_INVALID:
    case OUTBOX_PENDING:
    case OUTBOX_DEAD:
        break;
    }
    return "";
}

/* ---- Listing. ---- */

struct listing {
    struct outbox_key after; /* the last of the page before */
    bool has_after;
    uint32_t count_max;
    uint32_t count;
    bool has_more;
};

struct showing {
    struct http_request *request;
    const struct outbox_key *key;
};

static enum err show_message(void *context, const struct outbox_row *row,
                             const struct message_view *view)
{
    const struct showing *showing = context;
    struct json_text *json = &showing->request->json;
    if (showing->key->lane != OUTBOX_OFFLINE) {
        json_text_array_begin(json);
        webhook_json_message(json, view);
        json_text_array_end(json);
        return ERR_OK;
    }
    const struct webhook_offline offline = {
        .view = view,
        .is_explicit = (row->flags & OUTBOX_EXPLICIT) != 0,
        .uids = row->data,
        .source_id = showing->request->http->options.identity.node_id,
    };
    webhook_json_offline(json, &offline);
    return ERR_OK;
}

/* What would be posted. */
static void show_body(struct http_request *request, const struct outbox_key *key,
                      const struct outbox_row *row)
{
    struct json_text *json = &request->json;
    if (key->lane == OUTBOX_STATUS) {
        json_text_array_begin(json);
        json_text_string(json, row->data);
        json_text_array_end(json);
        return;
    }
    struct showing showing = {.request = request, .key = key};
    if (webhook_with_message(request->http->options.store, key->id, row, show_message, &showing) !=
        ERR_OK) {
        json_text_null(json); /* its message is not in the log any more */
    }
}

static bool show_visit(void *context, const struct outbox_key *key, const struct outbox_row *row,
                       size_t row_bytes)
{
    (void)row_bytes;
    struct http_request *request = context;
    struct listing *listing = request->work;
    if (listing->count == listing->count_max) {
        listing->has_more = true;
        return false;
    }
    listing->count++;
    struct json_text *json = &request->json;
    json_text_object_begin(json);
    json_text_key(json, "id");
    write_id(json, key);
    json_text_key(json, "event");
    json_text_string(json, bytes_of_string(event_name(key->lane)));
    json_text_key(json, "refused_at");
    json_text_unsigned(json, row->queued_ms / 1000);
    json_text_key(json, "http_status");
    json_text_unsigned(json, row->status);
    json_text_key(json, "body");
    show_body(request, key, row);
    json_text_object_end(json);
    return !request->out.is_full;
}

static enum err read_letters(struct http_request *request)
{
    struct listing *listing = request->work;
    struct json_text *json = &request->json;
    listing->count = 0;
    listing->has_more = false;
    struct outbox_range range = {
        .from = {.queue = OUTBOX_DEAD},
        .is_all_lanes = true,
        .count_max = listing->count_max + 1,
        .visit = show_visit,
        .context = request,
    };
    if (listing->has_after) {
        range.from = listing->after;
        range.from.id += listing->after.part == UINT16_MAX ? 1 : 0;
        range.from.part++;
    }
    json_text_object_begin(json);
    json_text_key(json, "dead_letters");
    json_text_array_begin(json);
    const enum err err = store_read_outbox(request->http->options.store, &range, NULL);
    json_text_array_end(json);
    json_text_key(json, "more");
    json_text_unsigned(json, listing->has_more ? 1 : 0);
    json_text_object_end(json);
    return err;
}

void api_dead_letters(struct http_request *request)
{
    struct listing *listing = http_acquire(request, sizeof(*listing));
    if (listing == NULL) {
        return;
    }
    const struct bytes after = http_query(request, "after");
    listing->has_after = after.size > 0;
    if (listing->has_after && !parse_id(after, &listing->after)) {
        http_answer_error(request, ID_FAULT);
        return;
    }
    const uint64_t limit = http_query_number(request, "limit", LETTERS_MAX);
    listing->count_max = limit > 0 ? (uint32_t)limit : LETTERS_DEFAULT;
    request->work = listing;
    http_read(request, read_letters, HTTP_READ_BYTES_FIRST, "the dead letters cannot be read");
}

/* ---- Sending again. ---- */

static void resend_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct resend *resend = CONTAINER_OF(letter, struct resend, letter);
    struct http_request *request = resend->context;
    if (resend->result != ERR_OK) {
        http_answer_failure(request, "the dead letters cannot be sent again", resend->result);
        return;
    }
    if (!http_out_open(request, 128)) {
        return;
    }
    struct json_text *json = &request->json;
    json_text_object_begin(json);
    json_text_key(json, "data");
    json_text_object_begin(json);
    json_text_key(json, "resent");
    json_text_unsigned(json, resend->moved_count);
    json_text_key(json, "more");
    json_text_unsigned(json, resend->has_more ? 1 : 0);
    json_text_object_end(json);
    json_text_key(json, "status");
    json_text_unsigned(json, 200);
    json_text_object_end(json);
    http_answer_out(request, 200, HTTP_JSON_TYPE);
}

void api_resend(struct http_request *request)
{
    const struct resend_input *input = request->input;
    struct http *http = request->http;
    const bool is_all = api_flag(input->all);
    if (!api_check(request, http->options.webhook != NULL, NO_WEBHOOK) ||
        !api_check(request, is_all || input->ids.count > 0, "give ids, or all: 1") ||
        !api_check(request, input->ids.count <= RESEND_EVENTS_MAX, "more than 1000 ids")) {
        return;
    }
    struct resend *resend = http_acquire(request, sizeof(*resend));
    struct outbox_key *keys =
        resend != NULL ? http_acquire(request, (input->ids.count + 1) * sizeof(*keys)) : NULL;
    if (keys == NULL) {
        return;
    }
    for (uint32_t i = 0; i < input->ids.count; i++) {
        if (!api_check(request, parse_id(input->ids.items[i], &keys[i]), ID_FAULT)) {
            return;
        }
    }
    resend->home = &http->mailbox;
    resend->on_home = resend_comes_home;
    resend->context = request;
    resend->keys = is_all ? NULL : keys;
    resend->keys_count = is_all ? 0 : input->ids.count;
    resend_post(resend, &http->mailer, http->options.webhook);
}
