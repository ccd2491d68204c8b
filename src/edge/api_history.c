#include "edge/api_history.h"

#include "edge/api_checks.h"
#include "edge/api_log.h"
#include "edge/api_message_json.h"

#define PULL_UP 1
#define FAILURE "获取消息失败！"

static const struct json_field history_fields[] = {
    JSON_FIELD(struct history_input, login_uid, JSON_STRING),
    JSON_FIELD(struct history_input, channel_id, JSON_STRING),
    JSON_FIELD(struct history_input, channel_type, JSON_U8),
    JSON_FIELD(struct history_input, start_message_seq, JSON_U64),
    JSON_FIELD(struct history_input, end_message_seq, JSON_U64),
    JSON_FIELD(struct history_input, limit, JSON_INT),
    JSON_FIELD(struct history_input, pull_mode, JSON_INT),
    JSON_FIELD(struct history_input, event_summary_mode, JSON_STRING),
};
const struct json_shape api_shape_history = JSON_SHAPE_OF(struct history_input, history_fields);

/* ---- /channel/messagesync: http-api 9.1. ---- */

static uint32_t history_limit(int64_t limit)
{
    if (limit <= 0) {
        return HISTORY_LIMIT_DEFAULT;
    }
    return limit < HISTORY_LIMIT_MAX ? (uint32_t)limit : HISTORY_LIMIT_MAX;
}

struct history_span history_span(const struct history_input *input, uint64_t last_seq)
{
    const uint64_t start = input->start_message_seq;
    const uint64_t end = input->end_message_seq;
    struct history_span span = {
        .seq_min = 1, .seq_max = last_seq, .limit = history_limit(input->limit), .is_newest = true};
    if (start == 0 && end == 0) {
        return span;
    }
    if (input->pull_mode == PULL_UP) {
        span.is_newest = false;
        span.seq_min = start > 0 ? start : 1;
        span.seq_max = end == 0 || end > last_seq ? last_seq : end - 1;
        return span;
    }
    /* Down. The start is clamped to what there is before anything else is computed of it. */
    span.seq_max = start < last_seq ? start : last_seq;
    span.seq_min = end < UINT64_MAX ? end + 1 : UINT64_MAX;
    return span;
}

struct history_page {
    struct http_request *request;
    uint32_t count;
};

static bool history_visit(void *context, const struct message_view *view, struct bytes row)
{
    struct history_page *page = context;
    page->count++;
    return api_log_write_visit(page->request, view, row);
}

static uint64_t history_count(const struct history_span *span)
{
    const uint64_t count = span->seq_min > span->seq_max ? 0 : span->seq_max - span->seq_min + 1;
    return count < span->limit ? count : span->limit;
}

static enum err read_span(struct http_request *request, struct channel_ref channel,
                          const struct history_span *span, struct history_page *page)
{
    if (history_count(span) == 0) {
        return ERR_OK;
    }
    /* What would not fit an answer makes a page shorter than its limit, and `more` says so: a
     * quarter for the payloads, which grow by a third, and 1 KiB a message for what is around. */
    const uint64_t answer_bytes_max = request->http->options.limits.answer_bytes_max;
    const uint64_t bytes_max = answer_bytes_max / 4;
    const uint64_t count_max = answer_bytes_max / 1024;
    const struct message_range range = {
        .log = {.channel = channel, .kind = LOG_CHAT},
        .seq_min = span->seq_min,
        .seq_max = span->seq_max,
        .order = span->is_newest ? MESSAGES_NEWEST_ASCENDING : MESSAGES_OLDEST_ASCENDING,
        .count_max = span->limit < count_max ? span->limit : (uint32_t)count_max,
        .bytes_max = bytes_max < UINT32_MAX ? (uint32_t)bytes_max : UINT32_MAX,
        .visit = history_visit,
        .context = page,
    };
    return store_read_messages(request->http->options.store, STORE_MAY_BLOCK, &range);
}

struct history {
    const struct history_input *input;
    struct api_log log;
};

static enum err read_history(struct http_request *request)
{
    const struct history *history = request->work;
    struct json_text *json = &request->json;
    struct channel_state state = {.ref = {.number = 0}};
    enum err err = api_log_load(request, &history->log, &state);
    if (err != ERR_OK && err != ERR_ABSENT) {
        return err;
    }
    json_text_object_begin(json);
    json_text_key(json, "start_message_seq");
    json_text_unsigned(json, history->input->start_message_seq);
    json_text_key(json, "end_message_seq");
    json_text_unsigned(json, history->input->end_message_seq);
    json_text_key(json, "more");
    json_text_unsigned(json, 0);
    const size_t more_at = writer_size(&request->out) - 1; /* known only at the end */
    json_text_key(json, "messages");
    json_text_array_begin(json);
    struct history_page page = {.request = request};
    if (err == ERR_OK) {
        const struct history_span span = history_span(history->input, state.last_seq[LOG_CHAT]);
        err = read_span(request, state.ref, &span, &page);
        const bool is_cut = page.count > 0 && page.count < history_count(&span);
        if ((page.count >= span.limit || is_cut) && !request->out.is_full) {
            request->buffer->bytes[more_at] = '1';
        }
    }
    json_text_array_end(json);
    json_text_object_end(json);
    return err == ERR_ABSENT ? ERR_OK : err;
}

void api_history(struct http_request *request)
{
    const struct history_input *input = request->input;
    if (!api_check(request, !name_is_blank(input->channel_id), "channel_id不能为空！") ||
        !api_check(request, !name_is_blank(input->login_uid), "login_uid不能为空！") ||
        !api_check_name(request, input->channel_id, "channel_id") ||
        !api_check_name(request, input->login_uid, "login_uid")) {
        return;
    }
    struct history *history = http_acquire(request, sizeof(*history));
    if (history == NULL) {
        return;
    }
    history->input = input;
    const struct bytes mode = api_trim(input->event_summary_mode);
    request->is_stream_basic = mode.size > 0 && !api_word_is(mode, "full");
    api_log_init(
        &history->log, input->login_uid,
        (struct channel_name){.type = (uint8_t)input->channel_type, .id = input->channel_id});
    request->work = history;
    http_read(request, read_history, HTTP_READ_BYTES_FIRST, FAILURE);
}

/* ---- The newest: http-api 9.2 and 9.3. ---- */

/* The log that the query means; NULL: the request was answered. With `is_internal_taken` a person
 * channel may be named by its internal id. */
static struct api_log *query_log(struct http_request *request, bool is_internal_taken)
{
    const struct bytes login_uid = http_query(request, "login_uid");
    const struct channel_name given = {
        .type = (uint8_t)http_query_number(request, "channel_type", UINT8_MAX),
        .id = http_query(request, "channel_id")};
    const bool is_person = given.type == CHANNEL_PERSON;
    const bool is_internal = is_internal_taken && is_person && bytes_contain(given.id, '@');
    if (!api_check(request, !name_is_blank(given.id), "channel_id不能为空") ||
        !api_check(request, !is_person || is_internal || !name_is_blank(login_uid),
                   "login_uid不能为空") ||
        !api_check(request, given.id.size <= NAME_PAIR_BYTES_MAX, "channel_id is too long") ||
        !api_check_name(request, is_internal ? BYTES_EMPTY : given.id, "channel_id")) {
        return NULL;
    }
    struct api_log *log = http_acquire(request, sizeof(*log));
    if (log == NULL) {
        return NULL;
    }
    if (is_internal) {
        log->name = given;
    } else {
        api_log_init(log, login_uid, given);
    }
    request->work = log;
    return log;
}

static enum err read_max_seq(struct http_request *request)
{
    struct channel_state state = {.last_seq = {0}};
    const enum err err = api_log_load(request, request->work, &state);
    json_text_object_begin(&request->json);
    json_text_key(&request->json, "message_seq");
    json_text_unsigned(&request->json, state.last_seq[LOG_CHAT]);
    json_text_object_end(&request->json);
    return err == ERR_ABSENT ? ERR_OK : err;
}

void api_max_message_seq(struct http_request *request)
{
    if (query_log(request, true) != NULL) {
        http_read(request, read_max_seq, HTTP_READ_BYTES_FIRST, FAILURE);
    }
}

static enum err read_last_message(struct http_request *request)
{
    struct channel_state state;
    const enum err err = api_log_load(request, request->work, &state);
    if (err != ERR_OK) {
        return err;
    }
    if (state.last_seq[LOG_CHAT] == 0) {
        return ERR_ABSENT;
    }
    const struct log_ref log = {.channel = state.ref, .kind = LOG_CHAT};
    return api_log_write(request, log, state.last_seq[LOG_CHAT]);
}

void api_last_message(struct http_request *request)
{
    if (query_log(request, false) != NULL) {
        http_read(request, read_last_message, HTTP_READ_BYTES_FIRST, FAILURE);
    }
}
