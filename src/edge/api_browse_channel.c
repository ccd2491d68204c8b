/*
 * One channel, as operators look it up: its lists, its messages, what a cluster would say of it;
 * and the conversations of a user. The other half of api_browse.h.
 */
#include "edge/api_browse.h"
#include "edge/api_checks.h"
#include "edge/api_cluster.h"
#include "edge/api_conversation.h"
#include "edge/api_log.h"
#include "edge/api_message_json.h"
#include "edge/api_time.h"
#include "edge/browse_page.h"
#include "store/browse.h"

#define FAILURE        "获取数据失败！"
#define SEARCH_MAX     10000u /* messages looked at for one page */
#define SEARCH_BYTES   (16u * 1024 * 1024)
#define NS_PER_S       1000000000ull
#define SETTING_STREAM 2u

static uint32_t query_limit(const struct http_request *request)
{
    const uint64_t limit = http_query_number(request, "limit", UINT32_MAX);
    if (limit == 0) {
        return BROWSE_LIMIT_DEFAULT;
    }
    return limit < BROWSE_LIMIT_MAX ? (uint32_t)limit : BROWSE_LIMIT_MAX;
}

/* ---- The channel in the path: /cluster/channels/:channel_id/:channel_type/… ---- */

static uint8_t type_of(struct bytes text)
{
    uint32_t type = 0;
    for (size_t i = 0; i < text.size && type <= UINT8_MAX; i++) {
        const uint8_t digit = (uint8_t)(text.data[i] - '0');
        if (digit > 9) {
            return 0;
        }
        type = type * 10 + digit;
    }
    return type <= UINT8_MAX ? (uint8_t)type : 0;
}

/* NULL: the request was answered. */
static struct channel_name *take_channel(struct http_request *request)
{
    struct channel_name *name = http_acquire(request, sizeof(*name));
    if (name == NULL) {
        return NULL;
    }
    name->id = http_segment(request, 2);
    name->type = type_of(http_segment(request, 3));
    request->work = name;
    return api_check(request, name->id.size <= NAME_PAIR_BYTES_MAX, "channel_id is too long")
               ? name
               : NULL;
}

static enum err load(const struct http_request *request, struct channel_name name,
                     struct channel_state *out_state)
{
    if (name.id.size == 0 || name.type == 0) {
        return ERR_ABSENT;
    }
    return store_load_channel(request->http->options.store, STORE_MAY_BLOCK, name, out_state);
}

static bool write_uid(void *context, struct bytes uid, const struct member_row *row)
{
    (void)row;
    struct http_request *request = context;
    json_text_string(&request->json, uid);
    return !request->out.is_full;
}

static enum err read_list(struct http_request *request, enum list_kind kind)
{
    const struct channel_name *name = request->work;
    struct channel_state state;
    json_text_array_begin(&request->json);
    enum err err = load(request, *name, &state);
    if (err == ERR_OK) {
        const struct member_page page = {.list = {.channel = state.ref, .kind = kind},
                                         .count_max = UINT32_MAX,
                                         .visit = write_uid,
                                         .context = request};
        err = store_read_members(request->http->options.store, STORE_MAY_BLOCK, &page);
    }
    json_text_array_end(&request->json);
    return err == ERR_ABSENT ? ERR_OK : err;
}

static enum err read_subscribers(struct http_request *request)
{
    return read_list(request, LIST_SUBSCRIBER);
}

static enum err read_denylist(struct http_request *request)
{
    return read_list(request, LIST_DENY);
}

static enum err read_allowlist(struct http_request *request)
{
    return read_list(request, LIST_ALLOW);
}

static void answer_of_channel(struct http_request *request, http_read_fn *read)
{
    if (take_channel(request) != NULL) {
        http_read(request, read, HTTP_READ_BYTES_FIRST, FAILURE);
    }
}

void api_browse_subscribers(struct http_request *request)
{
    answer_of_channel(request, read_subscribers);
}

void api_browse_denylist(struct http_request *request)
{
    answer_of_channel(request, read_denylist);
}

void api_browse_allowlist(struct http_request *request)
{
    answer_of_channel(request, read_allowlist);
}

/* ---- What a cluster would say of it. ---- */

static enum err read_config(struct http_request *request)
{
    const struct channel_name *name = request->work;
    struct json_text *json = &request->json;
    struct channel_state state;
    const enum err err = load(request, *name, &state);
    if (err != ERR_OK) {
        return err;
    }
    const uint64_t node_id = request->http->options.identity.node_id;
    json_text_object_begin(json);
    json_text_member_string(json, "channel_id", name->id);
    json_text_member_unsigned(json, "channel_type", name->type);
    json_text_member_unsigned(json, "replica_max_count", 1);
    json_text_key(json, "replicas");
    json_text_array_begin(json);
    json_text_unsigned(json, node_id);
    json_text_array_end(json);
    json_text_member_unsigned(json, "learder_id", node_id); /* so it is spelled */
    json_text_member_unsigned(json, "term", 1);
    json_text_member_unsigned(json, "conf_version", 1);
    json_text_key(json, "created_at");
    api_time_write(json, state.row.created_ms);
    json_text_key(json, "updated_at");
    api_time_write(json, state.row.updated_ms);
    json_text_object_end(json);
    return ERR_OK;
}

void api_browse_channel_config(struct http_request *request)
{
    answer_of_channel(request, read_config);
}

static enum err write_replica(struct http_request *request, bool is_detailed)
{
    const struct channel_name *name = request->work;
    struct json_text *json = &request->json;
    struct channel_state state;
    const enum err err = load(request, *name, &state);
    if (err != ERR_OK) {
        return err;
    }
    const uint64_t node_id = request->http->options.identity.node_id;
    json_text_object_begin(json);
    json_text_member_unsigned(json, "replica_id", node_id);
    json_text_member_unsigned(json, "leader_id", node_id);
    json_text_member_unsigned(json, "running", 1);
    json_text_member_unsigned(json, "last_msg_seq", state.last_seq[LOG_CHAT]);
    json_text_member_unsigned(json, "last_msg_time", 0);
    json_text_member_unsigned(json, "term", 1);
    json_text_member_unsigned(json, "conf_version", 1);
    if (is_detailed) {
        json_text_member_unsigned(json, "role", 3);
        json_text_member_string(json, "role_format", BYTES_OF("leader"));
        json_text_member_string(json, "last_msg_time_format", BYTES_EMPTY);
    }
    json_text_object_end(json);
    return ERR_OK;
}

static enum err read_replica(struct http_request *request)
{
    return write_replica(request, false);
}

static enum err read_replicas(struct http_request *request)
{
    json_text_array_begin(&request->json);
    const enum err err = write_replica(request, true);
    json_text_array_end(&request->json);
    return err == ERR_ABSENT ? ERR_OK : err;
}

void api_browse_channel_replica(struct http_request *request)
{
    answer_of_channel(request, read_replica);
}

void api_browse_channel_replicas(struct http_request *request)
{
    answer_of_channel(request, read_replicas);
}

struct status_channel {
    struct bytes channel_id;
    uint64_t channel_type;
};

static const struct json_field status_channel_fields[] = {
    JSON_FIELD(struct status_channel, channel_id, JSON_STRING),
    JSON_FIELD(struct status_channel, channel_type, JSON_U8),
};
static const struct json_shape status_channel_shape =
    JSON_SHAPE_OF(struct status_channel, status_channel_fields);

struct status_input {
    struct json_objects channels;
};

static const struct json_field status_fields[] = {
    JSON_FIELD_OF(struct status_input, channels, JSON_OBJECTS, &status_channel_shape),
};
const struct json_shape api_shape_channel_status =
    JSON_SHAPE_OF(struct status_input, status_fields);

static enum err write_status(struct http_request *request, const struct status_channel *channel)
{
    const struct channel_name name = {.type = (uint8_t)channel->channel_type,
                                      .id = channel->channel_id};
    struct json_text *json = &request->json;
    struct channel_state state = {.last_seq = {0}};
    enum err err = ERR_ABSENT;
    if (name.id.size <= NAME_PAIR_BYTES_MAX) {
        err = load(request, name, &state);
    }
    json_text_object_begin(json);
    json_text_member_string(json, "channel_id", name.id);
    json_text_member_unsigned(json, "channel_type", name.type);
    json_text_member_unsigned(json, "running", err == ERR_OK);
    json_text_member_unsigned(json, "last_msg_seq", state.last_seq[LOG_CHAT]);
    json_text_member_unsigned(json, "last_msg_time", 0);
    json_text_object_end(json);
    return err == ERR_ABSENT ? ERR_OK : err;
}

static enum err read_status(struct http_request *request)
{
    const struct status_input *input = request->input;
    const struct status_channel *channels = input->channels.items;
    enum err err = ERR_OK;
    json_text_array_begin(&request->json);
    for (uint32_t i = 0; i < input->channels.count && err == ERR_OK && !request->out.is_full; i++) {
        err = write_status(request, &channels[i]);
    }
    json_text_array_end(&request->json);
    return err;
}

void api_browse_channel_status(struct http_request *request)
{
    const struct status_input *input = request->input;
    if (api_check(request, input->channels.count <= SEARCH_MAX, "too many channels")) {
        http_read(request, read_status, HTTP_READ_BYTES_FIRST, FAILURE);
    }
}

/* ---- Messages, newest first. ---- */

struct messages_search {
    struct http_request *request;
    struct channel_name channel;
    uint64_t message_id;
    struct bytes from_uid;
    struct bytes client_msg_no;
    uint64_t offset_seq; /* of the row the page begins behind; 0: at the newest */
    bool is_back;
    uint32_t limit;
    uint32_t count;
};

static bool write_found(void *context, const struct message_view *view, struct bytes row)
{
    (void)row;
    struct messages_search *search = context;
    if ((search->from_uid.size > 0 && !bytes_equal(search->from_uid, view->from_uid)) ||
        (search->client_msg_no.size > 0 &&
         !bytes_equal(search->client_msg_no, view->client_msg_no))) {
        return true;
    }
    struct json_text *json = &search->request->json;
    json_text_object_begin(json);
    json_text_key(json, "message_id");
    json_text_decimal_string(json, view->message_id);
    json_text_member_unsigned(json, "message_seq", view->seq);
    json_text_member_string(json, "client_msg_no", view->client_msg_no);
    json_text_member_unsigned(json, "timestamp", view->timestamp_s);
    json_text_key(json, "timestamp_format");
    api_time_write_short(json, view->timestamp_s * 1000ull);
    json_text_member_string(json, "channel_id", view->channel_id);
    json_text_member_unsigned(json, "channel_type", view->channel_type);
    json_text_member_string(json, "topic", view->topic);
    json_text_member_string(json, "from_uid", view->from_uid);
    json_text_key(json, "payload");
    json_text_base64(json, view->payload);
    json_text_member_unsigned(json, "expire", view->expire_s);
    json_text_member_unsigned(json, "term", 1);
    json_text_member_unsigned(json, "is_stream", (view->setting & SETTING_STREAM) != 0);
    json_text_object_end(json);
    search->count++;
    return search->count < search->limit && !search->request->out.is_full;
}

static enum err search_log(struct messages_search *search, struct log_ref log)
{
    const uint64_t offset = search->offset_seq;
    const struct message_range range = {
        .log = log,
        .seq_min = search->is_back && offset > 0 ? offset + 1 : 1,
        .seq_max = search->is_back || offset == 0 ? UINT64_MAX : offset - 1,
        .order = MESSAGES_NEWEST_DESCENDING,
        .count_max = SEARCH_MAX,
        .bytes_max = SEARCH_BYTES,
        .visit = write_found,
        .context = search,
    };
    return range.seq_max == 0
               ? ERR_OK
               : store_read_messages(search->request->http->options.store, STORE_MAY_BLOCK, &range);
}

static enum err search_id(struct messages_search *search)
{
    struct message_place place;
    struct store *store = search->request->http->options.store;
    const enum err err = store_find_message_by_id(store, search->message_id, &place);
    if (err != ERR_OK) {
        return err == ERR_LIMIT ? ERR_ABSENT : err;
    }
    const struct message_range range = {.log = place.log,
                                        .seq_min = place.seq,
                                        .seq_max = place.seq,
                                        .count_max = 1,
                                        .bytes_max = MESSAGE_ROW_BYTES_MAX,
                                        .visit = write_found,
                                        .context = search};
    return store_read_messages(store, STORE_MAY_BLOCK, &range);
}

static enum err search_channel(struct messages_search *search)
{
    struct channel_state state;
    struct channel_name name = search->channel;
    const bool is_command = bytes_end_with(name.id, NAME_COMMAND_SUFFIX);
    name.id.size -= is_command ? NAME_COMMAND_SUFFIX.size : 0;
    const enum err err = load(search->request, name, &state);
    if (err != ERR_OK) {
        return err;
    }
    return search_log(search, (struct log_ref){.channel = state.ref,
                                               .kind = is_command ? LOG_COMMAND : LOG_CHAT});
}

static enum err read_messages(struct http_request *request)
{
    struct messages_search *search = request->work;
    struct json_text *json = &request->json;
    search->count = 0;
    json_text_object_begin(json);
    json_text_member_unsigned(json, "total", 0);
    json_text_key(json, "data");
    json_text_array_begin(json);
    const enum err err = search->message_id > 0 ? search_id(search) : search_channel(search);
    json_text_array_end(json);
    json_text_object_end(json);
    return err == ERR_ABSENT ? ERR_OK : err;
}

void api_browse_messages(struct http_request *request)
{
    struct messages_search *search = http_acquire(request, sizeof(*search));
    if (search == NULL) {
        return;
    }
    *search = (struct messages_search){
        .request = request,
        .channel = {.type = (uint8_t)http_query_number(request, "channel_type", UINT8_MAX),
                    .id = http_query(request, "channel_id")},
        .message_id = http_query_number(request, "message_id", INT64_MAX),
        .from_uid = http_query(request, "from_uid"),
        .client_msg_no = http_query(request, "client_msg_no"),
        .offset_seq = http_query_number(request, "offset_message_seq", INT64_MAX),
        .is_back = http_query_number(request, "pre", 9) == 1,
        .limit = query_limit(request),
    };
    request->work = search;
    /* There is no index of all messages by time, and none of payloads. */
    if (api_check(request, search->message_id > 0 || search->channel.id.size > 0,
                  "say which channel (channel_id, channel_type) or which message (message_id)") &&
        api_check(request,
                  search->channel.id.size <= NAME_PAIR_BYTES_MAX + NAME_COMMAND_SUFFIX.size,
                  "channel_id is too long")) {
        http_read(request, read_messages, HTTP_READ_BYTES_FIRST, FAILURE);
    }
}

/* ---- Conversations. ---- */

struct conversations_page {
    struct http_request *request;
    struct bytes uid;
    uint64_t skip;
    uint64_t skipped;
    uint32_t limit;
    uint32_t count;
    enum err err;
};

struct bytes api_browse_type_name(uint8_t type)
{
    static const char *const names[] = {"未知",     "个人",   "群组",    "客服", "社区",
                                        "社区话题", "资讯",   "数据",    "临时", "直播",
                                        "访客",     "智能体", "智能体群"};
    return bytes_of_string(names[type < COUNT_OF(names) ? type : 0]);
}

static void write_conversation(struct conversations_page *page, const struct directory_key *key,
                               const struct directory_row *row, uint64_t last_seq)
{
    struct json_text *json = &page->request->json;
    const uint64_t unread = last_seq > row->read_seq ? last_seq - row->read_seq : 0;
    json_text_object_begin(json);
    json_text_member_unsigned(json, "id", (uint64_t)row->channel.slot << 32 | row->channel.number);
    json_text_member_string(json, "uid", key->uid);
    json_text_member_unsigned(json, "type", 0);
    json_text_member_string(json, "type_format", BYTES_OF("聊天"));
    json_text_member_string(json, "channel_id", key->channel.id);
    json_text_member_unsigned(json, "channel_type", key->channel.type);
    json_text_member_string(json, "channel_type_format", api_browse_type_name(key->channel.type));
    json_text_member_unsigned(json, "unread_count", unread);
    json_text_member_unsigned(json, "last_msg_seq", last_seq);
    json_text_member_unsigned(json, "readed_to_msg_seq", row->read_seq);
    json_text_member_unsigned(json, "created_at", row->created_ms / 1000);
    json_text_member_unsigned(json, "updated_at", row->updated_ms / 1000);
    json_text_key(json, "created_at_format");
    api_time_write_short(json, row->created_ms);
    json_text_key(json, "updated_at_format");
    api_time_write_short(json, row->updated_ms);
    json_text_object_end(json);
}

static bool visit_conversation(void *context, const struct directory_key *key,
                               const struct directory_row *row)
{
    struct conversations_page *page = context;
    if ((row->flags & DIRECTORY_FLAG_CHAT) == 0) {
        return true;
    }
    if (page->skipped < page->skip) {
        page->skipped++;
        return true;
    }
    uint64_t last_seq = 0;
    const struct log_ref log = {.channel = row->channel, .kind = LOG_CHAT};
    page->err = store_last_seq(page->request->http->options.store, STORE_MAY_BLOCK, log, &last_seq);
    if (page->err != ERR_OK) {
        return false;
    }
    write_conversation(page, key, row, last_seq);
    page->count++;
    return page->count < page->limit && !page->request->out.is_full;
}

static bool visit_own(void *context, struct channel_name channel, const struct directory_row *row)
{
    struct conversations_page *page = context;
    const struct directory_key key = {.uid = page->uid, .channel = channel};
    return visit_conversation(page, &key, row);
}

static enum err read_conversations(struct http_request *request)
{
    struct conversations_page *page = request->work;
    struct store *store = request->http->options.store;
    struct json_text *json = &request->json;
    page->skipped = 0;
    page->count = 0;
    page->err = ERR_OK;
    json_text_object_begin(json);
    json_text_member_unsigned(json, "total", 0);
    json_text_key(json, "data");
    json_text_array_begin(json);
    enum err err;
    if (page->uid.size > 0) {
        const struct directory_page own = {
            .uid = page->uid, .count_max = UINT32_MAX, .visit = visit_own, .context = page};
        err = store_read_directory(store, STORE_MAY_BLOCK, &own);
    } else {
        err = store_browse_directory(store, visit_conversation, page);
    }
    json_text_array_end(json);
    json_text_object_end(json);
    return err == ERR_OK ? page->err : err;
}

void api_browse_conversations(struct http_request *request)
{
    struct conversations_page *page = http_acquire(request, sizeof(*page));
    if (page == NULL) {
        return;
    }
    const uint64_t page_number = http_query_number(request, "current_page", UINT32_MAX);
    *page = (struct conversations_page){
        .request = request, .uid = http_query(request, "uid"), .limit = query_limit(request)};
    page->skip = page_number > 1 ? (page_number - 1) * page->limit : 0;
    request->work = page;
    if (api_check_name(request, page->uid, "uid")) {
        http_read(request, read_conversations, HTTP_READ_BYTES_FIRST, FAILURE);
    }
}
