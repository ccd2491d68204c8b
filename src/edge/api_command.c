#include "edge/api_command.h"

#include "chat/mark.h"
#include "edge/api_checks.h"
#include "edge/api_log.h"
#include "edge/api_message_json.h"
#include "edge/command_syncs.h"
#include "store/log_end.h"

#define LIMIT_DEFAULT    200
#define LIMIT_MAX        10000
#define SYNC_BYTES_FIRST ((size_t)64 * 1024)
#define MARKS_AWAY_MAX   64u /* of one acknowledgement, at once */
#define SYNC_FAILURE     "获取消息失败！"
#define ACK_FAILURE      "更新命令消息已读位置失败！"

/* ---- /message/sync: http-api 10.1. ---- */

struct sync_input {
    struct bytes uid;
    uint64_t message_seq; /* only its type is looked at */
    int64_t limit;
};

static const struct json_field sync_fields[] = {
    JSON_FIELD(struct sync_input, uid, JSON_STRING),
    JSON_FIELD(struct sync_input, message_seq, JSON_U64),
    JSON_FIELD(struct sync_input, limit, JSON_INT),
};
const struct json_shape api_shape_command_sync = JSON_SHAPE_OF(struct sync_input, sync_fields);

/* What one reading has found. The places lie in its scratch memory. */
struct sync {
    struct http_request *request;
    struct bytes uid;
    uint32_t limit;
    struct command_place *places;
    struct channel_ref *refs; /* beside the places */
    uint64_t *seqs_min;       /* likewise: from which seq on it is told */
    uint32_t places_count;
    uint64_t owed; /* messages in these places */
    enum err result;
    struct command_place *place; /* the one that is being written */
    uint32_t written;
    uint64_t bytes_left;
};

/* Is he still somebody who gets the commands of this channel? Who left in good order has an end in
 * his row; a list may also have been emptied over his head. */
static enum err check_member(const struct sync *sync, struct channel_name channel,
                             const struct directory_row *row, bool *out_is_member)
{
    const bool is_without_list = channel_type_is_pair(channel.type) ||
                                 channel.type == CHANNEL_TEMP || row->command_end_seq > 0 ||
                                 bytes_equal(name_visitor(channel.id, channel.type), sync->uid);
    *out_is_member = true;
    if (is_without_list) {
        return ERR_OK;
    }
    struct member_row member;
    const struct list_ref list = {.channel = row->channel, .kind = LIST_SUBSCRIBER};
    const enum err err = store_find_member(sync->request->http->options.store, STORE_MAY_BLOCK,
                                           list, sync->uid, &member);
    *out_is_member = err == ERR_OK;
    return err == ERR_ABSENT ? ERR_OK : err;
}

static enum err add_place(struct sync *sync, struct channel_name channel,
                          const struct directory_row *row, uint64_t seq_max)
{
    uint8_t *id = http_scratch(sync->request, channel.id.size);
    if (id == NULL) {
        return ERR_FULL;
    }
    memcpy(id, channel.id.data, channel.id.size);
    const uint32_t at = sync->places_count++;
    sync->places[at] = (struct command_place){
        .channel = {.type = channel.type, .id = {.data = id, .size = channel.id.size}},
        .seq = seq_max,
    };
    sync->refs[at] = row->channel;
    sync->seqs_min[at] = row->command_read_seq + 1;
    sync->owed += seq_max - row->command_read_seq;
    return ERR_OK;
}

static bool find_visit(void *context, struct channel_name channel, const struct directory_row *row)
{
    struct sync *sync = context;
    if ((row->flags & DIRECTORY_FLAG_COMMAND) == 0 || row->channel.number == 0) {
        return true;
    }
    struct log_end end = {.last_seq = 0};
    const struct log_ref log = {.channel = row->channel, .kind = LOG_COMMAND};
    sync->result = store_log_end(sync->request->http->options.store, log, &end);
    uint64_t last = end.last_seq;
    if (row->command_end_seq > 0 && row->command_end_seq < last) {
        last = row->command_end_seq;
    }
    if (sync->result != ERR_OK || last <= row->command_read_seq) {
        return sync->result == ERR_OK;
    }
    bool is_member = false;
    sync->result = check_member(sync, channel, row, &is_member);
    if (sync->result == ERR_OK && is_member) {
        sync->result = add_place(sync, channel, row, last);
    }
    return sync->result == ERR_OK && sync->owed < sync->limit;
}

static bool write_visit(void *context, const struct message_view *view, struct bytes row)
{
    struct sync *sync = context;
    if (!api_log_write_visit(sync->request, view, row)) {
        return false;
    }
    sync->written++;
    sync->bytes_left -= row.size < sync->bytes_left ? row.size : sync->bytes_left;
    sync->place->seq = view->seq;
    return true;
}

/* Writes a place's messages as far as the limits let it; its seq becomes that of the last. */
static enum err write_place(struct sync *sync, uint32_t at)
{
    sync->place = &sync->places[at];
    const struct message_range range = {
        .log = {.channel = sync->refs[at], .kind = LOG_COMMAND},
        .seq_min = sync->seqs_min[at],
        .seq_max = sync->place->seq,
        .order = MESSAGES_OLDEST_ASCENDING,
        .count_max = sync->limit - sync->written,
        .bytes_max = sync->bytes_left < UINT32_MAX ? (uint32_t)sync->bytes_left : UINT32_MAX,
        .visit = write_visit,
        .context = sync,
    };
    return store_read_messages(sync->request->http->options.store, STORE_MAY_BLOCK, &range);
}

static enum err write_places(struct sync *sync)
{
    uint32_t at = 0;
    enum err err = ERR_OK;
    json_text_array_begin(&sync->request->json);
    /* With large messages fewer of them: the next sync has the rest. */
    sync->bytes_left = sync->request->http->options.limits.answer_bytes_max / 4;
    while (at < sync->places_count && err == ERR_OK && sync->written < sync->limit &&
           sync->bytes_left > 0) {
        err = write_place(sync, at);
        at++;
    }
    json_text_array_end(&sync->request->json);
    sync->places_count = at; /* those behind the cut were not told */
    return err;
}

static enum err read_sync(struct http_request *request)
{
    struct sync *sync = request->work;
    const struct sync_input *input = request->input;
    *sync = (struct sync){.request = request, .uid = input->uid, .limit = sync->limit};
    const uint32_t places_max = sync->limit; /* each owes a message at least */
    sync->places = http_scratch(request, places_max * sizeof(*sync->places));
    sync->refs =
        sync->places == NULL ? NULL : http_scratch(request, places_max * sizeof(*sync->refs));
    sync->seqs_min =
        sync->refs == NULL ? NULL : http_scratch(request, places_max * sizeof(*sync->seqs_min));
    if (sync->seqs_min == NULL) {
        return ERR_FULL;
    }
    const struct directory_page page = {
        .uid = sync->uid, .count_max = UINT32_MAX, .visit = find_visit, .context = sync};
    const enum err err = store_read_directory(request->http->options.store, STORE_MAY_BLOCK, &page);
    if (err != ERR_OK || sync->result != ERR_OK) {
        return err != ERR_OK ? err : sync->result;
    }
    return write_places(sync);
}

/* The answer is written: what it tells is what an acknowledgement will mean. */
static void remember_sync(struct http_request *request)
{
    const struct sync *sync = request->work;
    struct http *http = request->http;
    if (sync->written == 0) {
        return;
    }
    const struct command_told told = {
        .uid = sync->uid, .places = sync->places, .places_count = sync->places_count};
    const enum err err = command_syncs_add(&http->command_syncs, &told, http->now_ns);
    if (err != ERR_OK) {
        metric_add(http->options.slot, METRIC_COMMAND_SYNCS_FORGOTTEN, 1);
    }
}

static void answer_none(struct http_request *request)
{
    http_answer_text(request, 200, HTTP_JSON_TYPE, BYTES_OF("[]"));
}

void api_command_sync(struct http_request *request)
{
    const struct sync_input *input = request->input;
    if (request->http->options.is_command_sync_off) {
        answer_none(request);
        return;
    }
    if (!api_check(request, !name_is_blank(input->uid), "用户uid不能为空！") ||
        !api_check(request, input->limit >= 0, "limit不能为负数！") ||
        !api_check_name(request, input->uid, "uid")) {
        return;
    }
    struct sync *sync = http_acquire(request, sizeof(*sync));
    if (sync == NULL) {
        return;
    }
    const int64_t answer_max = (int64_t)(request->http->options.limits.answer_bytes_max / 1024);
    const int64_t limit_max = answer_max < LIMIT_MAX ? answer_max : LIMIT_MAX;
    const int64_t limit = input->limit > 0 ? input->limit : LIMIT_DEFAULT;
    sync->limit = (uint32_t)(limit < limit_max ? limit : limit_max);
    request->work = sync;
    http_read_then(request, read_sync, SYNC_BYTES_FIRST, SYNC_FAILURE, remember_sync);
}

/* ---- /message/syncack: http-api 10.2. ---- */

struct ack_input {
    struct bytes uid;
    uint64_t last_message_seq;
};

static const struct json_field ack_fields[] = {
    JSON_FIELD(struct ack_input, uid, JSON_STRING),
    JSON_FIELD(struct ack_input, last_message_seq, JSON_U64),
};
const struct json_shape api_shape_command_ack = JSON_SHAPE_OF(struct ack_input, ack_fields);

struct ack {
    struct command_sync *sync;
    uint32_t posted;
    uint32_t away;
    enum err result;
};

static void ack_end(struct http_request *request)
{
    const struct ack *ack = request->work;
    struct command_syncs *syncs = &request->http->command_syncs;
    if (ack->result == ERR_OK) {
        command_syncs_release(syncs, ack->sync);
        http_answer_ok(request);
        return;
    }
    command_syncs_give(syncs, ack->sync);
    if (ack->result == ERR_BUDGET) {
        http_answer_busy(request);
    } else {
        http_answer_failure(request, ACK_FAILURE, ack->result);
    }
}

static void mark_comes_home(struct letter *letter, void *receiver);

static enum err post_place(struct http_request *request, const struct command_place *place)
{
    const struct ack_input *input = request->input;
    struct http *http = request->http;
    struct mark *mark = mark_acquire(&http->requests_budget, input->uid, place->channel);
    if (mark == NULL) {
        return ERR_BUDGET;
    }
    mark->kind = MARK_COMMANDS;
    mark->value = (int64_t)place->seq;
    mark->op.home = &http->mailbox;
    mark->op.on_home = mark_comes_home;
    mark->op.context = request;
    mark->op.now_ns = http->now_ns;
    mark_post(mark, &http->mailer, http->options.shards, http->options.shards_count);
    return ERR_OK;
}

/* Posts as many as may be away, and answers when all are back. */
static void ack_advance(struct http_request *request)
{
    struct ack *ack = request->work;
    while (ack->result == ERR_OK && ack->posted < ack->sync->places_count &&
           ack->away < MARKS_AWAY_MAX) {
        const enum err err = post_place(request, &ack->sync->places[ack->posted]);
        if (err == ERR_BUDGET && ack->away > 0) {
            return; /* when one comes home there is room again */
        }
        ack->result = err;
        if (err == ERR_OK) {
            ack->posted++;
            ack->away++;
        }
    }
    if (ack->away == 0) {
        ack_end(request);
    }
}

static void mark_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct mark *mark = CONTAINER_OF(CONTAINER_OF(letter, struct op, letter), struct mark, op);
    struct http_request *request = mark->op.context;
    struct ack *ack = request->work;
    if (mark->result != ERR_OK) {
        ack->result = mark->result;
    }
    mark_release(mark);
    ack->away--;
    ack_advance(request);
}

void api_command_ack(struct http_request *request)
{
    const struct ack_input *input = request->input;
    struct http *http = request->http;
    if (http->options.is_command_sync_off) {
        http_answer_ok(request);
        return;
    }
    if (!api_check(request, !name_is_blank(input->uid), "用户UID不能为空！") ||
        !api_check(request, input->last_message_seq != 0, "最后一次messageSeq不能为0！") ||
        !api_check_name(request, input->uid, "uid")) {
        return;
    }
    struct ack *ack = http_acquire(request, sizeof(*ack));
    if (ack == NULL) {
        return;
    }
    ack->sync =
        command_syncs_take(&http->command_syncs, input->uid, input->last_message_seq, http->now_ns);
    if (ack->sync == NULL) {
        http_answer_ok(request); /* it was not told, or too long ago: it will be told again */
        return;
    }
    request->work = ack;
    ack_advance(request);
}
