#include "edge/api_browse.h"

#include "base/hash.h"
#include "chat/names.h"
#include "edge/api_checks.h"
#include "edge/api_cluster.h"
#include "edge/api_time.h"
#include "edge/browse_page.h"
#include "edge/http_reading.h"
#include "store/browse.h"
#include "store/message_log.h"
#include "system/clock.h"

#define FAILURE          "获取数据失败！"
#define COUNT_MAX        10000u /* members are not counted further than this */
#define NS_PER_MS        1000000u
#define DEVICE_HAS_TOKEN 0x100u /* beside the level, in a row's flags */

/* What was asked, and the page it leads to. Lives in the request's arena. */
struct browse_input {
    struct bytes name; /* only this user, or this channel */
    uint8_t type;      /* only channels of this type; 0: all */
    bool is_flag_given;
    uint8_t device_flag;
    uint32_t seen_count; /* channels that the walk came by */
    struct browse_page page;
};

static struct browse_input *take_input(struct http_request *request, const char *name)
{
    struct browse_input *input = http_acquire(request, sizeof(*input));
    if (input == NULL) {
        return NULL;
    }
    const uint64_t limit = http_query_number(request, "limit", UINT32_MAX);
    input->name = http_query(request, name);
    input->type = (uint8_t)http_query_number(request, "channel_type", UINT8_MAX);
    input->is_flag_given = http_query(request, "device_flag").size > 0;
    input->device_flag = (uint8_t)http_query_number(request, "device_flag", UINT8_MAX);
    input->page.limit = limit == 0                 ? BROWSE_LIMIT_DEFAULT
                        : limit < BROWSE_LIMIT_MAX ? (uint32_t)limit
                                                   : BROWSE_LIMIT_MAX;
    input->page.offset_ns = http_query_number(request, "offset_created_at", INT64_MAX);
    input->page.is_back = http_query_number(request, "pre", 9) == 1;
    request->work = input;
    return input;
}

static void write_times(struct json_text *json, const struct browse_row *row)
{
    json_text_member_unsigned(json, "created_at", row->created_ns);
    json_text_member_unsigned(json, "updated_at", row->updated_ms * NS_PER_MS);
    json_text_key(json, "created_at_format");
    api_time_write_short(json, row->created_ms);
    json_text_key(json, "updated_at_format");
    api_time_write_short(json, row->updated_ms);
}

typedef enum err fill_page_fn(struct http_request *request, struct browse_input *input);
typedef enum err write_row_fn(struct http_request *request, const struct browse_row *row);

/* ERR_FULL: more scratch memory is needed; it will be filled again, from the beginning. */
static enum err fill_page(struct http_request *request, fill_page_fn *fill)
{
    struct browse_input *input = request->work;
    struct browse_page *page = &input->page;
    input->seen_count = 0;
    page->count = 0;
    page->has_more = false;
    page->rows = http_scratch(request, page->limit * sizeof(struct browse_row));
    return page->rows != NULL ? fill(request, input) : ERR_FULL;
}

/* The rows, in the object that has been begun. */
static enum err write_page(struct http_request *request, write_row_fn *write)
{
    const struct browse_page *page = &((const struct browse_input *)request->work)->page;
    struct json_text *json = &request->json;
    enum err err = ERR_OK;
    json_text_member_unsigned(json, "more", page->has_more);
    json_text_key(json, "data");
    json_text_array_begin(json);
    for (uint32_t i = 0; i < page->count && err == ERR_OK; i++) {
        err = write(request, browse_page_row(page, i));
    }
    json_text_array_end(json);
    json_text_object_end(json);
    return err;
}

/* The total is 0 as in the original, which does not count either. */
static enum err read_page(struct http_request *request, fill_page_fn *fill, write_row_fn *write)
{
    const enum err err = fill_page(request, fill);
    if (err != ERR_OK) {
        return err;
    }
    json_text_object_begin(&request->json);
    json_text_member_unsigned(&request->json, "total", 0);
    return write_page(request, write);
}

/* ---- Channels. ---- */

static bool offer_channel(void *context, struct channel_name name, const struct channel_row *row)
{
    struct browse_input *input = context;
    if (input->type == 0 || input->type == name.type) {
        input->seen_count++;
        const struct browse_row offered = {.created_ms = row->created_ms,
                                           .updated_ms = row->updated_ms,
                                           .flags = row->flags,
                                           .number = row->number,
                                           .tag = name.type};
        browse_page_offer(&input->page, &offered, name.id);
    }
    return true;
}

static enum err fill_channels(struct http_request *request, struct browse_input *input)
{
    struct store *store = request->http->options.store;
    if (input->name.size == 0) {
        return store_browse_channels(store, offer_channel, input);
    }
    for (uint32_t type = 1; type <= CHANNEL_AGENT_GROUP; type++) {
        const struct channel_name name = {.type = (uint8_t)type, .id = input->name};
        struct channel_state state;
        const enum err err = store_load_channel(store, STORE_MAY_BLOCK, name, &state);
        if (err == ERR_OK) {
            offer_channel(input, name, &state.row);
        } else if (err != ERR_ABSENT) {
            return err;
        }
    }
    return ERR_OK;
}

static bool count_member(void *context, struct bytes uid, const struct member_row *row)
{
    (void)uid;
    (void)row;
    (*(uint64_t *)context)++;
    return true;
}

static enum err write_list_count(struct http_request *request, const char *name,
                                 struct list_ref list)
{
    uint64_t count = 0;
    const struct member_page page = {
        .list = list, .count_max = COUNT_MAX, .visit = count_member, .context = &count};
    const enum err err = store_read_members(request->http->options.store, STORE_MAY_BLOCK, &page);
    json_text_member_unsigned(&request->json, name, count);
    return err;
}

static enum err write_counts(struct http_request *request, struct channel_ref channel)
{
    enum err err = write_list_count(request, "subscriber_count",
                                    (struct list_ref){.channel = channel, .kind = LIST_SUBSCRIBER});
    if (err == ERR_OK) {
        err = write_list_count(request, "allowlist_count",
                               (struct list_ref){.channel = channel, .kind = LIST_ALLOW});
    }
    if (err == ERR_OK) {
        err = write_list_count(request, "denylist_count",
                               (struct list_ref){.channel = channel, .kind = LIST_DENY});
    }
    return err;
}

static bool take_time(void *context, const struct message_view *view, struct bytes row)
{
    (void)row;
    *(uint64_t *)context = view->timestamp_s * 1000ull;
    return true;
}

/* Of the newest message; 0: there is none. */
static enum err find_last(struct http_request *request, struct channel_ref channel,
                          uint64_t *out_seq, uint64_t *out_ms)
{
    const struct log_ref log = {.channel = channel, .kind = LOG_CHAT};
    *out_ms = 0;
    *out_seq = 0;
    struct store *store = request->http->options.store;
    const enum err err = store_last_seq(store, STORE_MAY_BLOCK, log, out_seq);
    if (err != ERR_OK || *out_seq == 0) {
        return err;
    }
    const struct message_range range = {.log = log,
                                        .seq_min = *out_seq,
                                        .seq_max = *out_seq,
                                        .count_max = 1,
                                        .bytes_max = MESSAGE_ROW_BYTES_MAX,
                                        .visit = take_time,
                                        .context = out_ms};
    return store_read_messages(store, STORE_MAY_BLOCK, &range);
}

static enum err write_last(struct http_request *request, struct channel_ref channel)
{
    struct json_text *json = &request->json;
    uint64_t last_ms = 0;
    uint64_t last_seq = 0;
    const enum err err = find_last(request, channel, &last_seq, &last_ms);
    json_text_member_unsigned(json, "last_msg_seq", last_seq);
    json_text_member_unsigned(json, "last_msg_time", last_ms * NS_PER_MS);
    json_text_key(json, "last_msg_time_format");
    api_time_write_short(json, last_ms);
    return err;
}

static enum err write_channel(struct http_request *request, const struct browse_row *row)
{
    struct json_text *json = &request->json;
    const struct channel_name name = {.type = row->tag, .id = browse_row_name(row)};
    const struct channel_ref channel = {.slot = slot_of_channel(name), .number = row->number};
    const bool is_banned = (row->flags & CHANNEL_FLAG_BAN) != 0;
    const bool is_disbanded = (row->flags & CHANNEL_FLAG_DISBAND) != 0;
    json_text_object_begin(json);
    json_text_member_unsigned(json, "id", hash_fnv1a64(name.id) ^ name.type);
    json_text_member_unsigned(json, "slot", api_cluster_slot_of(name.id));
    json_text_member_string(json, "channel_id", name.id);
    json_text_member_unsigned(json, "channel_type", name.type);
    json_text_member_unsigned(json, "ban", is_banned);
    json_text_member_unsigned(json, "disband", is_disbanded);
    enum err err = write_counts(request, channel);
    if (err == ERR_OK) {
        err = write_last(request, channel);
    }
    json_text_member_string(json, "status_format",
                            is_disbanded ? BYTES_OF("解散")
                                         : (is_banned ? BYTES_OF("封禁") : BYTES_OF("正常")));
    write_times(json, row);
    json_text_object_end(json);
    return err;
}

static enum err read_channels(struct http_request *request)
{
    return read_page(request, fill_channels, write_channel);
}

void api_browse_channels(struct http_request *request)
{
    struct browse_input *input = take_input(request, "channel_id");
    if (input != NULL &&
        api_check(request, input->name.size <= NAME_PAIR_BYTES_MAX, "channel_id is too long")) {
        http_read(request, read_channels, HTTP_READ_BYTES_FIRST, FAILURE);
    }
}

/* ---- The channels of a node, as its cluster sees them. ---- */

static enum err write_placed_channel(struct http_request *request, const struct browse_row *row)
{
    struct json_text *json = &request->json;
    const struct channel_name name = {.type = row->tag, .id = browse_row_name(row)};
    const struct channel_ref channel = {.slot = slot_of_channel(name), .number = row->number};
    const uint64_t node_id = request->http->options.identity.node_id;
    uint64_t last_ms = 0;
    uint64_t last_seq = 0;
    const enum err err = find_last(request, channel, &last_seq, &last_ms);
    json_text_object_begin(json);
    json_text_member_string(json, "channel_id", name.id);
    json_text_member_unsigned(json, "channel_type", name.type);
    json_text_member_string(json, "channel_type_format", api_browse_type_name(name.type));
    json_text_member_unsigned(json, "replica_count", 1);
    json_text_key(json, "replicas");
    json_text_array_begin(json);
    json_text_unsigned(json, node_id);
    json_text_array_end(json);
    json_text_member_unsigned(json, "leader_id", node_id);
    json_text_member_unsigned(json, "term", 1);
    json_text_member_unsigned(json, "slot_id", api_cluster_slot_of(name.id));
    json_text_member_unsigned(json, "slot_leader_id", node_id);
    json_text_member_unsigned(json, "last_message_seq", last_seq);
    json_text_key(json, "last_append_time");
    if (last_ms > 0) {
        const uint64_t now_ms = clock_wall_ms();
        api_time_write_span(json, now_ms > last_ms ? now_ms - last_ms : 0);
    } else {
        json_text_string(json, BYTES_EMPTY);
    }
    json_text_member_unsigned(json, "active", 1); /* a channel runs whenever it is needed */
    json_text_member_string(json, "active_format", BYTES_OF("运行中"));
    json_text_member_unsigned(json, "status", 0);
    json_text_member_string(json, "status_format", BYTES_OF("正常"));
    json_text_member_unsigned(json, "migrate_from", 0);
    json_text_member_unsigned(json, "migrate_to", 0);
    write_times(json, row);
    json_text_object_end(json);
    return err;
}

static enum err read_placed_channels(struct http_request *request)
{
    const enum err err = fill_page(request, fill_channels);
    if (err != ERR_OK) {
        return err;
    }
    const struct browse_input *input = request->work;
    json_text_object_begin(&request->json);
    json_text_member_unsigned(&request->json, "total", 0);
    json_text_member_unsigned(&request->json, "running", input->seen_count);
    return write_page(request, write_placed_channel);
}

void api_browse_node_channels(struct http_request *request)
{
    if (!api_check(request, api_cluster_is_this_node(request, http_segment(request, 2)),
                   API_CLUSTER_NO_SUCH_NODE)) {
        return;
    }
    struct browse_input *input = take_input(request, "channel_id");
    if (input != NULL &&
        api_check(request, input->name.size <= NAME_PAIR_BYTES_MAX, "channel_id is too long")) {
        http_read(request, read_placed_channels, HTTP_READ_BYTES_FIRST, FAILURE);
    }
}

/* ---- Users. ---- */

static bool offer_user(void *context, struct bytes uid, const struct user_row *row)
{
    struct browse_input *input = context;
    const struct browse_row offered = {.created_ms = row->created_ms,
                                       .updated_ms = row->created_ms};
    browse_page_offer(&input->page, &offered, uid);
    return true;
}

static enum err fill_users(struct http_request *request, struct browse_input *input)
{
    struct store *store = request->http->options.store;
    if (input->name.size == 0) {
        return store_browse_users(store, offer_user, input);
    }
    struct user_row row;
    const enum err err = store_find_user(store, STORE_MAY_BLOCK, input->name, &row);
    if (err == ERR_OK) {
        offer_user(input, input->name, &row);
    }
    return err == ERR_ABSENT ? ERR_OK : err;
}

/* Counters of a user are not kept; who is online is told by /connz. */
static void write_no_counts(struct json_text *json)
{
    json_text_member_unsigned(json, "conn_count", 0);
    json_text_member_unsigned(json, "send_msg_count", 0);
    json_text_member_unsigned(json, "recv_msg_count", 0);
    json_text_member_unsigned(json, "send_msg_bytes", 0);
    json_text_member_unsigned(json, "recv_msg_bytes", 0);
}

static enum err write_user(struct http_request *request, const struct browse_row *row)
{
    struct json_text *json = &request->json;
    const struct bytes uid = browse_row_name(row);
    json_text_object_begin(json);
    json_text_member_unsigned(json, "id", hash_fnv1a64(uid));
    json_text_member_string(json, "uid", uid);
    json_text_member_unsigned(json, "device_count", 0);
    json_text_member_unsigned(json, "online_device_count", 0);
    write_no_counts(json);
    write_times(json, row);
    json_text_member_unsigned(json, "slot", api_cluster_slot_of(uid));
    json_text_object_end(json);
    return ERR_OK;
}

static enum err read_users(struct http_request *request)
{
    return read_page(request, fill_users, write_user);
}

void api_browse_users(struct http_request *request)
{
    const struct browse_input *input = take_input(request, "uid");
    if (input != NULL && api_check_name(request, input->name, "uid")) {
        http_read(request, read_users, HTTP_READ_BYTES_FIRST, FAILURE);
    }
}

/* ---- Devices. ---- */

static bool offer_device(void *context, struct device_key key, const struct device_row *row)
{
    struct browse_input *input = context;
    if (!input->is_flag_given || input->device_flag == key.device_flag) {
        const struct browse_row offered = {.created_ms = row->updated_ms,
                                           .updated_ms = row->updated_ms,
                                           .flags =
                                               row->level | (row->has_token ? DEVICE_HAS_TOKEN : 0),
                                           .tag = key.device_flag};
        browse_page_offer(&input->page, &offered, key.uid);
    }
    return true;
}

static enum err fill_devices(struct http_request *request, struct browse_input *input)
{
    struct store *store = request->http->options.store;
    if (input->name.size == 0) {
        return store_browse_devices(store, offer_device, input);
    }
    for (uint32_t flag = 0; flag <= UINT8_MAX; flag++) {
        const struct device_key key = {.uid = input->name, .device_flag = (uint8_t)flag};
        struct device_row row;
        const enum err err = store_find_device(store, STORE_MAY_BLOCK, key, &row);
        if (err == ERR_OK) {
            offer_device(input, key, &row);
        } else if (err != ERR_ABSENT) {
            return err;
        }
    }
    return ERR_OK;
}

static struct bytes device_flag_name(uint8_t flag)
{
    switch (flag) {
    case 0:
        return BYTES_OF("APP");
    case 1:
        return BYTES_OF("WEB");
    case 2:
        return BYTES_OF("PC");
    default:
        return BYTES_OF("其他");
    }
}

static enum err write_device(struct http_request *request, const struct browse_row *row)
{
    struct json_text *json = &request->json;
    const struct bytes uid = browse_row_name(row);
    const bool is_master = (row->flags & 1u) != 0;
    json_text_object_begin(json);
    json_text_member_unsigned(json, "id", hash_fnv1a64(uid) ^ row->tag);
    json_text_member_string(json, "uid", uid);
    json_text_member_string(json, "token",
                            (row->flags & DEVICE_HAS_TOKEN) != 0 ? BYTES_OF("***") : BYTES_EMPTY);
    json_text_member_unsigned(json, "device_flag", row->tag);
    json_text_member_string(json, "device_flag_format", device_flag_name(row->tag));
    json_text_member_unsigned(json, "device_level", is_master);
    json_text_member_string(json, "device_level_format",
                            is_master ? BYTES_OF("主设备") : BYTES_OF("从设备"));
    write_no_counts(json);
    write_times(json, row);
    json_text_object_end(json);
    return ERR_OK;
}

static enum err read_devices(struct http_request *request)
{
    return read_page(request, fill_devices, write_device);
}

void api_browse_devices(struct http_request *request)
{
    const struct browse_input *input = take_input(request, "uid");
    if (input != NULL && api_check_name(request, input->name, "uid")) {
        http_read(request, read_devices, HTTP_READ_BYTES_FIRST, FAILURE);
    }
}
