#include "edge/api_marks.h"

#include "chat/mark.h"
#include "edge/api_checks.h"
#include "edge/api_log.h"
#include "edge/http_request.h"

#define CHANNEL_MISSING "channel_id or channel_type cannot be empty"
#define FAILURE         "更新conversation失败！"

/* One struct for all endpoints; each fills the fields that its shape has. */
struct mark_input {
    struct bytes uid;
    struct bytes channel_id;
    uint64_t channel_type;
    uint64_t message_seq; /* only its type is looked at */
    int64_t unread;
};

#define FIELD(member, type) JSON_FIELD(struct mark_input, member, type)
#define FIELDS_CONVERSATION                                                                        \
    FIELD(uid, JSON_STRING), FIELD(channel_id, JSON_STRING), FIELD(channel_type, JSON_U8)

static const struct json_field clear_fields[] = {FIELDS_CONVERSATION, FIELD(message_seq, JSON_U32)};
static const struct json_field set_fields[] = {FIELDS_CONVERSATION, FIELD(unread, JSON_INT)};
static const struct json_field delete_fields[] = {FIELDS_CONVERSATION};

const struct json_shape api_shape_clear_unread = JSON_SHAPE_OF(struct mark_input, clear_fields);
const struct json_shape api_shape_set_unread = JSON_SHAPE_OF(struct mark_input, set_fields);
const struct json_shape api_shape_delete_conversation =
    JSON_SHAPE_OF(struct mark_input, delete_fields);

static void mark_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct mark *mark = CONTAINER_OF(CONTAINER_OF(letter, struct op, letter), struct mark, op);
    struct http_request *request = mark->op.context;
    const enum err result = mark->result;
    mark_release(mark);
    if (result == ERR_OK) {
        http_answer_ok(request);
    } else if (result == ERR_BUDGET) {
        http_answer_busy(request);
    } else {
        http_answer_failure(request, FAILURE, result);
    }
}

static void post_mark(struct http_request *request, enum mark_kind kind, const char *uid_missing)
{
    const struct mark_input *input = request->input;
    struct http *http = request->http;
    if (!api_check(request, input->uid.size > 0, uid_missing) ||
        !api_check(request, input->channel_id.size > 0 && input->channel_type != 0,
                   CHANNEL_MISSING) ||
        !api_check_name(request, input->uid, "uid") ||
        !api_check_name(request, input->channel_id, "channel_id")) {
        return;
    }
    struct api_log log;
    api_log_init(
        &log, input->uid,
        (struct channel_name){.type = (uint8_t)input->channel_type, .id = input->channel_id});
    if (log.name.id.size == 0) {
        http_answer_ok(request); /* there can be no such channel, so there is nothing in it */
        return;
    }
    struct mark *mark = mark_acquire(&http->requests_budget, input->uid, log.name);
    if (mark == NULL) {
        http_answer_busy(request);
        return;
    }
    mark->kind = kind;
    mark->value = input->unread;
    mark->op.home = &http->mailbox;
    mark->op.on_home = mark_comes_home;
    mark->op.context = request;
    mark->op.now_ns = http->now_ns;
    mark_post(mark, &http->mailer, http->options.shards, http->options.shards_count);
}

void api_clear_unread(struct http_request *request)
{
    post_mark(request, MARK_READ, "uid cannot be empty");
}

void api_set_unread(struct http_request *request)
{
    post_mark(request, MARK_UNREAD, "UID cannot be empty");
}

void api_delete_conversation(struct http_request *request)
{
    post_mark(request, MARK_DELETED, "Uid cannot be empty");
}
