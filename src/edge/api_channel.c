#include "edge/api_channel.h"

#include "base/hash.h"
#include "chat/change.h"
#include "chat/names.h"
#include "chat/temporary.h"
#include "edge/api_checks.h"
#include "edge/api_time.h"
#include "edge/http_reading.h"
#include "store/read.h"

/* One struct for all endpoints; each fills the fields that its shape has. */
struct channel_input {
    struct bytes channel_id;
    uint64_t channel_type;
    int64_t large;
    int64_t ban;
    int64_t disband;
    int64_t send_ban;
    int64_t allow_stranger;
    int64_t reset;
    int64_t temp_subscriber;
    struct json_strings subscribers;
    struct json_strings uids;
};

#define FIELD(member, type) JSON_FIELD(struct channel_input, member, type)
#define FIELDS_CHANNEL      FIELD(channel_id, JSON_STRING), FIELD(channel_type, JSON_U8)
#define FIELDS_FLAGS                                                                               \
    FIELD(large, JSON_INT), FIELD(ban, JSON_INT), FIELD(disband, JSON_INT),                        \
        FIELD(send_ban, JSON_INT), FIELD(allow_stranger, JSON_INT)

static const struct json_field channel_fields[] = {FIELDS_CHANNEL};
static const struct json_field info_fields[] = {FIELDS_CHANNEL, FIELDS_FLAGS};
static const struct json_field put_fields[] = {FIELDS_CHANNEL, FIELDS_FLAGS, FIELD(reset, JSON_INT),
                                               FIELD(subscribers, JSON_STRINGS)};
static const struct json_field subscribers_fields[] = {FIELDS_CHANNEL, FIELD(reset, JSON_INT),
                                                       FIELD(temp_subscriber, JSON_INT),
                                                       FIELD(subscribers, JSON_STRINGS)};
static const struct json_field uids_fields[] = {FIELDS_CHANNEL, FIELD(uids, JSON_STRINGS)};

const struct json_shape api_shape_channel = JSON_SHAPE_OF(struct channel_input, channel_fields);
const struct json_shape api_shape_channel_info = JSON_SHAPE_OF(struct channel_input, info_fields);
const struct json_shape api_shape_channel_put = JSON_SHAPE_OF(struct channel_input, put_fields);
const struct json_shape api_shape_subscribers =
    JSON_SHAPE_OF(struct channel_input, subscribers_fields);
const struct json_shape api_shape_uids = JSON_SHAPE_OF(struct channel_input, uids_fields);

/* ---- Changes. ---- */

/* What an endpoint wants of the channel that its body names. */
struct order {
    enum change_kind kind;
    enum list_kind list;
    bool is_reset;
    uint32_t flags;
    struct json_strings uids;
    const char *failure; /* what is told when it cannot be done; a literal */
};

static void change_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct change *change =
        CONTAINER_OF(CONTAINER_OF(letter, struct op, letter), struct change, op);
    struct http_request *request = change->op.context;
    const struct order *order = request->work;
    const enum err result = change->result;
    change_release(change);
    if (result == ERR_OK) {
        http_answer_ok(request);
    } else {
        http_answer_failure(request, order->failure, result);
    }
}

static void post_change(struct http_request *request, const struct order *order)
{
    const struct channel_input *input = request->input;
    struct http *http = request->http;
    if (!api_check_name(request, input->channel_id, "channel_id")) {
        return;
    }
    struct order *kept = http_acquire(request, sizeof(*kept));
    if (kept == NULL) {
        return;
    }
    struct change *change = change_acquire(&http->requests_budget, http->options.shards_count);
    if (change == NULL) {
        http_answer_busy(request);
        return;
    }
    *kept = *order;
    request->work = kept;
    change->op.home = &http->mailbox;
    change->op.on_home = change_comes_home;
    change->op.context = request;
    change->op.now_ns = http->now_ns;
    change->kind = order->kind;
    change->list = order->list;
    change->is_reset = order->is_reset;
    change->flags = order->flags;
    change->name =
        (struct channel_name){.type = (uint8_t)input->channel_type, .id = input->channel_id};
    change->uids = kept->uids.items;
    change->uids_count = kept->uids.count;
    change_post(change, &http->mailer, http->options.shards, http->options.shards_count);
}

static uint32_t channel_flags(const struct channel_input *input)
{
    uint32_t flags = 0;
    flags |= api_flag(input->ban) ? CHANNEL_FLAG_BAN : 0;
    flags |= api_flag(input->disband) ? CHANNEL_FLAG_DISBAND : 0;
    flags |= api_flag(input->send_ban) ? CHANNEL_FLAG_SEND_BAN : 0;
    flags |= api_flag(input->allow_stranger) ? CHANNEL_FLAG_ALLOW_STRANGER : 0;
    flags |= api_flag(input->large) ? CHANNEL_FLAG_LARGE : 0;
    return flags;
}

/* http-api 7.3 */
void api_channel_put(struct http_request *request)
{
    const struct channel_input *input = request->input;
    struct order order = {
        .kind = CHANGE_PUT,
        .list = LIST_SUBSCRIBER,
        .is_reset = api_flag(input->reset),
        .flags = channel_flags(input),
        .failure = "创建或更新频道失败",
    };
    const bool is_person = input->channel_type == CHANNEL_PERSON;
    if (!api_check(request, !name_is_blank(input->channel_id), "频道ID不能为空！") ||
        !api_check(request, input->channel_type != 0, "频道类型错误！") ||
        !api_check(request, !name_is_special(input->channel_id), "频道ID不能包含特殊字符！") ||
        !api_check(request, !is_person || input->subscribers.count == 0,
                   "不支持个人频道添加订阅者！") ||
        !api_take_uids(request, &input->subscribers, &order.uids)) {
        return;
    }
    post_change(request, &order);
}

/* http-api 7.4: nothing is checked, but a channel without a name cannot be stored. */
void api_channel_info(struct http_request *request)
{
    const struct channel_input *input = request->input;
    if (api_check(request, input->channel_id.size > 0, "频道ID不能为空！")) {
        post_change(request, &(struct order){
                                 .kind = CHANGE_PUT,
                                 .list = LIST_SUBSCRIBER,
                                 .flags = channel_flags(input),
                                 .failure = "添加或更新频道信息失败！",
                             });
    }
}

/* http-api 7.5 */
void api_channel_delete(struct http_request *request)
{
    const struct channel_input *input = request->input;
    if (!api_check(request, input->channel_type != CHANNEL_PERSON, "个人频道不支持添加订阅者！")) {
        return;
    }
    if (input->channel_id.size == 0) {
        http_answer_ok(request); /* as for every unknown channel */
        return;
    }
    post_change(request, &(struct order){.kind = CHANGE_DISBAND,
                                         .list = LIST_SUBSCRIBER,
                                         .failure = "更新频道信息失败！"});
}

/* ---- Members: http-api 7.6 to 7.8. ---- */

static bool check_subscribers(struct http_request *request, struct order *order)
{
    const struct channel_input *input = request->input;
    return api_check(request, !name_is_blank(input->channel_id), "频道ID不能为空！") &&
           api_check(request, !name_is_special(input->channel_id), "频道ID不能包含特殊字符！") &&
           api_take_uids(request, &input->subscribers, &order->uids) &&
           api_check(request, order->uids.count > 0, "订阅者不能为空！") &&
           api_check(request, input->channel_type != CHANNEL_PERSON, "个人频道不支持添加订阅者！");
}

void api_subscriber_add(struct http_request *request)
{
    struct channel_input *input = request->input;
    struct order order = {
        .kind = CHANGE_ADD,
        .list = LIST_SUBSCRIBER,
        .is_reset = api_flag(input->reset),
        .failure = "添加频道失败！",
    };
    if (!check_subscribers(request, &order) ||
        !api_check(request, !api_flag(input->temp_subscriber), "新版本临时订阅者已不支持！")) {
        return;
    }
    if (input->channel_type == 0) {
        input->channel_type = CHANNEL_GROUP;
    }
    post_change(request, &order);
}

void api_subscriber_remove(struct http_request *request)
{
    struct order order = {
        .kind = CHANGE_REMOVE, .list = LIST_SUBSCRIBER, .failure = "移除订阅者失败！"};
    if (check_subscribers(request, &order)) {
        post_change(request, &order);
    }
}

void api_subscriber_remove_all(struct http_request *request)
{
    const struct channel_input *input = request->input;
    if (api_check(request, !name_is_blank(input->channel_id), "channel_id不能为空！") &&
        api_check(request, input->channel_type != 0, "频道类型不能为0！") &&
        api_check(request, input->channel_type != CHANNEL_PERSON, "个人频道不支持此操作！")) {
        post_change(request, &(struct order){.kind = CHANGE_CLEAR,
                                             .list = LIST_SUBSCRIBER,
                                             .failure = "移除所有订阅者失败！"});
    }
}

/* ---- The black list: http-api 7.10 to 7.13. ---- */

static bool check_list(struct http_request *request, const char *special_text, struct order *order)
{
    const struct channel_input *input = request->input;
    return api_check(request, !name_is_blank(input->channel_id), "channel_id不能为空！") &&
           api_check(request, special_text == NULL || !name_is_special(input->channel_id),
                     special_text) &&
           api_check(request, input->channel_type != 0, "频道类型不能为0！") &&
           api_take_uids(request, &input->uids, &order->uids) &&
           api_check(request, order->uids.count > 0, "uids不能为空！");
}

void api_blacklist_add(struct http_request *request)
{
    struct order order = {.kind = CHANGE_ADD, .list = LIST_DENY, .failure = "添加黑名单失败！"};
    if (check_list(request, NULL, &order)) {
        post_change(request, &order);
    }
}

void api_blacklist_remove(struct http_request *request)
{
    struct order order = {.kind = CHANGE_REMOVE, .list = LIST_DENY, .failure = "移除黑名单失败！"};
    if (check_list(request, NULL, &order)) {
        post_change(request, &order);
    }
}

/* Clears the list, then adds, and checks little (http-api 7.11, 7.15). */
static void set_list(struct http_request *request, enum list_kind list, const char *failure)
{
    const struct channel_input *input = request->input;
    struct order order = {.kind = CHANGE_ADD, .list = list, .is_reset = true, .failure = failure};
    if (api_check(request, !name_is_blank(input->channel_id), "频道ID不能为空！") &&
        api_take_uids(request, &input->uids, &order.uids)) {
        post_change(request, &order);
    }
}

static void clear_list(struct http_request *request, enum list_kind list, const char *failure)
{
    const struct channel_input *input = request->input;
    if (api_check(request, !name_is_blank(input->channel_id), "channel_id不能为空！") &&
        api_check(request, input->channel_type != 0, "频道类型不能为0！")) {
        post_change(request,
                    &(struct order){.kind = CHANGE_CLEAR, .list = list, .failure = failure});
    }
}

void api_blacklist_set(struct http_request *request)
{
    set_list(request, LIST_DENY, "移除所有黑名单失败！");
}

void api_blacklist_remove_all(struct http_request *request)
{
    clear_list(request, LIST_DENY, "移除所有黑名单失败！");
}

/* ---- The white list: http-api 7.14 to 7.18. ---- */

#define SPECIAL_TEXT "频道ID不能包含特殊字符！"

void api_whitelist_add(struct http_request *request)
{
    struct order order = {.kind = CHANGE_ADD, .list = LIST_ALLOW, .failure = "添加白名单失败！"};
    if (check_list(request, SPECIAL_TEXT, &order)) {
        post_change(request, &order);
    }
}

void api_whitelist_remove(struct http_request *request)
{
    struct order order = {.kind = CHANGE_REMOVE, .list = LIST_ALLOW, .failure = "移除白名单失败！"};
    if (check_list(request, SPECIAL_TEXT, &order)) {
        post_change(request, &order);
    }
}

void api_whitelist_set(struct http_request *request)
{
    set_list(request, LIST_ALLOW, "移除所有白明单失败！");
}

void api_whitelist_remove_all(struct http_request *request)
{
    clear_list(request, LIST_ALLOW, "移除所有白名单失败！");
}

static bool write_member(void *context, struct bytes uid, const struct member_row *row)
{
    struct http_request *request = context;
    struct json_text *json = &request->json;
    json_text_object_begin(json);
    json_text_key(json, "id");
    json_text_unsigned(json, hash_fnv1a64(uid));
    json_text_key(json, "uid");
    json_text_string(json, uid);
    if (row->created_ms > 0) {
        json_text_key(json, "created_at");
        api_time_write(json, row->created_ms);
        json_text_key(json, "updated_at");
        api_time_write(json, row->created_ms);
    }
    json_text_object_end(json);
    return !request->out.is_full;
}

static enum err read_whitelist(struct http_request *request)
{
    struct store *store = request->http->options.store;
    const struct channel_name *name = request->work;
    struct channel_state state;
    json_text_array_begin(&request->json);
    enum err err =
        name->id.size == 0 ? ERR_ABSENT : store_load_channel(store, STORE_MAY_BLOCK, *name, &state);
    if (err == ERR_OK) {
        const struct member_page page = {
            .list = {.channel = state.ref, .kind = LIST_ALLOW},
            .count_max = UINT32_MAX,
            .visit = write_member,
            .context = request,
        };
        err = store_read_members(store, STORE_MAY_BLOCK, &page);
    }
    json_text_array_end(&request->json);
    return err == ERR_ABSENT ? ERR_OK : err;
}

void api_whitelist(struct http_request *request)
{
    struct channel_name *name = http_acquire(request, sizeof(*name));
    if (name == NULL) {
        return;
    }
    name->id = http_query(request, "channel_id");
    name->type = (uint8_t)http_query_number(request, "channel_type", UINT8_MAX);
    request->work = name;
    if (api_check_name(request, name->id, "channel_id")) {
        http_read(request, read_whitelist, HTTP_READ_BYTES_FIRST, "获取白名单失败！");
    }
}

/* ---- Temporary channels: http-api 7.9. ---- */

static void temporary_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct temporary_set *set =
        CONTAINER_OF(CONTAINER_OF(letter, struct op, letter), struct temporary_set, op);
    struct http_request *request = set->op.context;
    const enum err result = set->result;
    temporary_set_release(set);
    if (result == ERR_OK) {
        http_answer_ok(request);
    } else if (result == ERR_LIMIT) {
        http_answer_error(request, "临时订阅者太多！");
    } else if (result == ERR_BUDGET) {
        http_answer_busy(request);
    } else {
        http_answer_failure(request, "更新tag失败！", result);
    }
}

static void post_temporary(struct http_request *request, const struct json_strings *uids)
{
    const struct channel_input *input = request->input;
    struct http *http = request->http;
    struct temporary_set *set = temporary_set_acquire(&http->requests_budget);
    if (set == NULL) {
        http_answer_busy(request);
        return;
    }
    set->op.home = &http->mailbox;
    set->op.on_home = temporary_comes_home;
    set->op.context = request;
    set->op.now_ns = http->now_ns;
    set->channel_id = input->channel_id;
    set->uids = uids->items;
    set->uids_count = uids->count;
    temporary_set_post(set, &http->mailer, http->options.shards, http->options.shards_count);
}

void api_temporary_subscriber_set(struct http_request *request)
{
    const struct channel_input *input = request->input;
    struct json_strings uids;
    if (api_check(request, !name_is_blank(input->channel_id), "channel_id不能为空！") &&
        api_check(request, !name_is_special(input->channel_id), SPECIAL_TEXT) &&
        api_take_uids(request, &input->uids, &uids) &&
        api_check(request, uids.count > 0, "uids不能为空！") &&
        api_check_name(request, input->channel_id, "channel_id")) {
        post_temporary(request, &uids);
    }
}
