#include "edge/api_user.h"

#include "chat/device.h"
#include "chat/names.h"
#include "chat/roll_call.h"
#include "chat/session.h"
#include "chat/system_accounts.h"
#include "edge/api_checks.h"
#include "edge/conn.h"
#include "edge/http_reading.h"
#include "store/read.h"
#include "system/crypto.h"

#define DEVICES_EXPECTED_MAX 4u  /* of a user; with more online the roll is called again */
#define STATUS_ITEM_BYTES    64u /* of the answer, besides the uid */

/* ---- Devices. ---- */

/* A longer one never fits a CONNECT, beside a uid, a device and a PROXY header. */
#define TOKEN_BYTES_MAX 6144u
_Static_assert(TOKEN_BYTES_MAX + 2048u <= CONN_LOGIN_BYTES_MAX, "who has such a token can log in");

struct token_input {
    struct bytes uid;
    struct bytes token;
    uint64_t device_flag;
    uint64_t device_level;
};

static const struct json_field token_fields[] = {
    JSON_FIELD(struct token_input, uid, JSON_STRING),
    JSON_FIELD(struct token_input, token, JSON_STRING),
    JSON_FIELD(struct token_input, device_flag, JSON_U8),
    JSON_FIELD(struct token_input, device_level, JSON_U8),
};
const struct json_shape api_shape_user_token = JSON_SHAPE_OF(struct token_input, token_fields);

struct quit_input {
    struct bytes uid;
    int64_t device_flag;
};

static const struct json_field quit_fields[] = {
    JSON_FIELD(struct quit_input, uid, JSON_STRING),
    JSON_FIELD(struct quit_input, device_flag, JSON_INT),
};
const struct json_shape api_shape_device_quit = JSON_SHAPE_OF(struct quit_input, quit_fields);

static const char *failure_of(enum device_change_kind kind)
{
    if (kind == DEVICE_CHANGE_PLUGIN) {
        return "更新插件编号失败！";
    }
    return kind == DEVICE_CHANGE_QUIT ? "设备退出失败！" : "更新token失败！";
}

static void device_change_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct device_change *change = CONTAINER_OF(letter, struct device_change, letter);
    struct http_request *request = change->context;
    const char *failure = failure_of(change->kind);
    const enum err result = change->result;
    const enum chat_reason reason = change->reason;
    device_change_release(change);
    if (result != ERR_OK) {
        http_answer_failure(request, failure, result);
    } else if (reason != CHAT_REASON_SUCCESS) {
        http_answer_status(request, (uint32_t)reason);
    } else {
        http_answer_ok(request);
    }
}

/* A change to fill in and post; NULL: no room, and the request was answered. */
static struct device_change *make_change(struct http_request *request, enum device_change_kind kind,
                                         struct bytes uid)
{
    struct device_change *change = device_change_acquire(&request->http->requests_budget);
    if (change == NULL) {
        http_answer_busy(request);
        return NULL;
    }
    change->home = &request->http->mailbox;
    change->on_home = device_change_comes_home;
    change->context = request;
    change->kind = kind;
    change->uid = uid;
    return change;
}

static void post_change(struct http_request *request, struct device_change *change)
{
    struct http *http = request->http;
    device_change_post(change, &http->mailer, http->options.shards, http->options.shards_count);
}

/* http-api 6.1 */
void api_user_token(struct http_request *request)
{
    const struct token_input *input = request->input;
    if (!api_check(request, !name_is_blank(input->uid), "uid不能为空！") ||
        !api_check(request, input->token.size > 0, "token不能为空！") ||
        !api_check(request, !name_is_special(input->uid), "uid不能包含特殊字符！") ||
        !api_check(request, !bytes_equal(input->uid, NAME_SYSTEM_UID),
                   "系统账号不允许更新token！") ||
        !api_check_name(request, input->uid, "uid") ||
        !api_check(request, input->token.size <= TOKEN_BYTES_MAX,
                   "token is longer than 6144 bytes")) {
        return;
    }
    struct device_change *change = make_change(request, DEVICE_CHANGE_SET, input->uid);
    if (change != NULL) {
        change->device_flag = (int16_t)input->device_flag;
        change->level = (uint8_t)input->device_level;
        crypto_sha256(input->token, change->token_hash);
        post_change(request, change);
    }
}

/* http-api 6.2: whatever is asked of nobody is done. */
void api_device_quit(struct http_request *request)
{
    const struct quit_input *input = request->input;
    if (input->uid.size == 0 || input->device_flag < DEVICE_FLAG_ALL ||
        input->device_flag > UINT8_MAX) {
        http_answer_ok(request);
        return;
    }
    if (!api_check_name(request, input->uid, "uid")) {
        return;
    }
    struct device_change *change = make_change(request, DEVICE_CHANGE_QUIT, input->uid);
    if (change != NULL) {
        change->device_flag = (int16_t)input->device_flag;
        post_change(request, change);
    }
}

struct plugin_no_input {
    struct bytes uid;
    struct bytes plugin_no;
};

static const struct json_field plugin_no_fields[] = {
    JSON_FIELD(struct plugin_no_input, uid, JSON_STRING),
    JSON_FIELD(struct plugin_no_input, plugin_no, JSON_STRING),
};
const struct json_shape api_shape_plugin_no =
    JSON_SHAPE_OF(struct plugin_no_input, plugin_no_fields);

/* http-api 6.8: what is asked of nobody is done. */
void api_update_plugin_no(struct http_request *request)
{
    const struct plugin_no_input *input = request->input;
    if (input->uid.size == 0) {
        http_answer_ok(request);
        return;
    }
    if (!api_check_name(request, input->uid, "uid") ||
        !api_check(request, input->plugin_no.size <= STORE_PLUGIN_NO_BYTES_MAX,
                   "plugin_no is longer than 255 bytes")) {
        return;
    }
    struct device_change *change = make_change(request, DEVICE_CHANGE_PLUGIN, input->uid);
    if (change != NULL) {
        change->plugin_no = input->plugin_no;
        post_change(request, change);
    }
}

/* ---- Who is online: http-api 6.3. ---- */

static void call_roll(struct http_request *request, uint32_t entries_max);

static size_t status_bytes(const struct roll_call *call)
{
    size_t size = 2;
    for (uint32_t i = 0; i < call->found_count; i++) {
        size += json_text_string_size(call->uids[call->entries[i].uid_index]) + STATUS_ITEM_BYTES;
    }
    return size;
}

static void answer_roll(struct http_request *request, const struct roll_call *call)
{
    if (!http_out_open(request, status_bytes(call))) {
        return;
    }
    struct json_text *json = &request->json;
    json_text_array_begin(json);
    for (uint32_t i = 0; i < call->found_count; i++) {
        const struct roll_call_entry *entry = &call->entries[i];
        json_text_object_begin(json);
        json_text_key(json, "uid");
        json_text_string(json, call->uids[entry->uid_index]);
        json_text_key(json, "device_flag");
        json_text_unsigned(json, entry->device_flag);
        json_text_key(json, "online");
        json_text_unsigned(json, 1);
        json_text_object_end(json);
    }
    json_text_array_end(json);
    http_answer_out(request, 200, HTTP_JSON_TYPE);
}

static void roll_call_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct roll_call *call = CONTAINER_OF(letter, struct roll_call, letter);
    struct http_request *request = call->context;
    const uint32_t found_count = call->found_count;
    const bool has_all = found_count <= call->entries_max;
    if (has_all) {
        answer_roll(request, call);
    }
    roll_call_release(call);
    if (!has_all) {
        call_roll(request, found_count + found_count / 4);
    }
}

static void call_roll(struct http_request *request, uint32_t entries_max)
{
    struct http *http = request->http;
    const struct json_strings *uids = request->input;
    struct roll_call *call = roll_call_acquire(&http->requests_budget, entries_max);
    if (call == NULL) {
        http_answer_busy(request);
        return;
    }
    call->home = &http->mailbox;
    call->on_home = roll_call_comes_home;
    call->context = request;
    call->uids = uids->items;
    call->uids_count = uids->count;
    roll_call_post(call, &http->mailer, http->options.shards, http->options.shards_count);
}

void api_online_status(struct http_request *request)
{
    const struct json_strings *uids = request->input;
    if (uids->count == 0) {
        http_answer_ok(request); /* the object, not an empty array */
        return;
    }
    call_roll(request, uids->count * DEVICES_EXPECTED_MAX);
}

/* ---- System accounts: http-api 6.4 to 6.6. ---- */

struct system_uids_input {
    struct json_strings uids;
};

static const struct json_field system_uids_fields[] = {
    JSON_FIELD(struct system_uids_input, uids, JSON_STRINGS),
};
const struct json_shape api_shape_system_uids =
    JSON_SHAPE_OF(struct system_uids_input, system_uids_fields);

static void system_change_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct system_change *change = CONTAINER_OF(letter, struct system_change, letter);
    struct http_request *request = change->context;
    const bool is_removal = change->is_removal;
    const enum err result = change->result;
    system_change_release(change);
    if (result == ERR_OK) {
        http_answer_ok(request);
    } else {
        http_answer_failure(request, is_removal ? "移除系统账号失败！" : "添加系统账号失败！",
                            result);
    }
}

static void post_system_change(struct http_request *request, bool is_removal)
{
    const struct system_uids_input *input = request->input;
    struct http *http = request->http;
    struct json_strings uids;
    if (!api_take_uids(request, &input->uids, &uids)) {
        return;
    }
    struct system_change *change =
        system_change_acquire(&http->requests_budget, http->options.shards_count);
    if (change == NULL) {
        http_answer_busy(request);
        return;
    }
    change->home = &http->mailbox;
    change->on_home = system_change_comes_home;
    change->context = request;
    change->is_removal = is_removal;
    change->uids = uids.items;
    change->uids_count = uids.count;
    system_change_post(change, &http->mailer, http->options.shards);
}

void api_system_uids_add(struct http_request *request)
{
    post_system_change(request, false);
}

void api_system_uids_remove(struct http_request *request)
{
    post_system_change(request, true);
}

static bool write_system_uid(void *context, struct bytes uid)
{
    struct http_request *request = context;
    if (writer_size(&request->out) == 0) {
        json_text_array_begin(&request->json);
    }
    json_text_string(&request->json, uid);
    return !request->out.is_full;
}

static enum err read_system_uids(struct http_request *request)
{
    const enum err err =
        store_read_system_uids(request->http->options.store, write_system_uid, request);
    if (writer_size(&request->out) == 0) {
        json_text_null(&request->json); /* null when there is none */
    } else {
        json_text_array_end(&request->json);
    }
    return err;
}

void api_system_uids(struct http_request *request)
{
    http_read(request, read_system_uids, HTTP_READ_BYTES_FIRST, "获取系统账号失败！");
}
