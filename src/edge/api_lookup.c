#include "edge/api_lookup.h"

#include "edge/api_checks.h"
#include "edge/api_log.h"
#include "store/message_id.h"

#define FAILURE        "查询消息失败！"
#define SCAN_BYTES_MAX (64u * 1024u * 1024u) /* of one look through a log */

struct messages_input {
    struct bytes login_uid;
    struct bytes channel_id;
    uint64_t channel_type;
    struct json_integers message_seqs;
    struct json_integers message_ids;
    struct json_strings client_msg_nos;
};

static const struct json_field messages_fields[] = {
    JSON_FIELD(struct messages_input, login_uid, JSON_STRING),
    JSON_FIELD(struct messages_input, channel_id, JSON_STRING),
    JSON_FIELD(struct messages_input, channel_type, JSON_U8),
    JSON_FIELD(struct messages_input, message_seqs, JSON_U32_LIST),
    JSON_FIELD(struct messages_input, message_ids, JSON_INT_LIST),
    JSON_FIELD(struct messages_input, client_msg_nos, JSON_STRINGS),
};
const struct json_shape api_shape_messages = JSON_SHAPE_OF(struct messages_input, messages_fields);

struct message_input {
    struct bytes login_uid;
    struct bytes channel_id;
    uint64_t channel_type;
    int64_t message_id;
    struct bytes client_msg_no;
};

static const struct json_field message_fields[] = {
    JSON_FIELD(struct message_input, login_uid, JSON_STRING),
    JSON_FIELD(struct message_input, channel_id, JSON_STRING),
    JSON_FIELD(struct message_input, channel_type, JSON_U8),
    JSON_FIELD(struct message_input, message_id, JSON_INT),
    JSON_FIELD(struct message_input, client_msg_no, JSON_STRING),
};
const struct json_shape api_shape_message = JSON_SHAPE_OF(struct message_input, message_fields);

/* A request's log and what it may still cost. In the request's `work`. */
struct lookup {
    struct api_log log;
    struct channel_state state; /* number 0: the channel is not known */
    uint32_t probes_left;
    uint32_t rows_left;
    int64_t message_id;         /* /message only */
    struct bytes client_msg_no; /* the two single look-ups only */
};

static struct lookup *lookup_acquire(struct http_request *request)
{
    struct lookup *lookup = http_acquire(request, sizeof(*lookup));
    if (lookup != NULL) {
        request->work = lookup;
    }
    return lookup;
}

static enum err lookup_begin(struct http_request *request, struct lookup *lookup)
{
    lookup->probes_left = LOOKUP_PROBES_MAX;
    lookup->rows_left = LOOKUP_ROWS_MAX;
    lookup->state = (struct channel_state){.ref = {.number = 0}};
    const enum err err = api_log_load(request, &lookup->log, &lookup->state);
    return err == ERR_ABSENT ? ERR_OK : err;
}

/* ---- By client_msg_no. ---- */

/* A search for the newest or the oldest message with a number. */
struct search {
    struct store *store;
    struct lookup *lookup;
    struct bytes client_msg_no;
    bool is_newest;
    uint64_t seq; /* the best so far; 0: none */
    enum err err;
};

static struct log_ref search_log(const struct search *search)
{
    return (struct log_ref){.channel = search->lookup->state.ref, .kind = LOG_CHAT};
}

static void search_found(struct search *search, uint64_t seq)
{
    const bool is_better = search->is_newest ? seq > search->seq : seq < search->seq;
    if (search->seq == 0 || is_better) {
        search->seq = seq;
    }
}

/* The index knows hashes only. */
static bool confirm_visit(void *context, const struct message_view *view, struct bytes row)
{
    (void)row;
    struct search *search = context;
    if (bytes_equal(view->client_msg_no, search->client_msg_no)) {
        search_found(search, view->seq);
    }
    return false;
}

/* Asks the index. False: it failed, or that was enough. */
static bool probe(struct search *search, struct bytes sender)
{
    if (search->lookup->probes_left == 0) {
        return false;
    }
    search->lookup->probes_left--;
    const struct store_send send = {
        .log = search_log(search), .sender = sender, .client_msg_no = search->client_msg_no};
    struct store_sent sent = {.seq = 0};
    enum err err = store_find_send(search->store, STORE_MAY_BLOCK, &send, &sent);
    if (err == ERR_OK) {
        const struct message_range range = {.log = send.log,
                                            .seq_min = sent.seq,
                                            .seq_max = sent.seq,
                                            .count_max = 1,
                                            .bytes_max = MESSAGE_ROW_BYTES_MAX,
                                            .visit = confirm_visit,
                                            .context = search};
        err = store_read_messages(search->store, STORE_MAY_BLOCK, &range);
    }
    search->err = err == ERR_ABSENT ? ERR_OK : err;
    return search->err == ERR_OK;
}

static bool probe_member(void *context, struct bytes uid, const struct member_row *row)
{
    (void)row;
    return probe(context, uid);
}

static void probe_members(struct search *search)
{
    struct bytes first;
    struct bytes second;
    const struct channel_name *name = &search->lookup->log.name;
    if (channel_type_is_pair(name->type) && name_split_pair(name->id, &first, &second) == ERR_OK) {
        if (probe(search, first)) {
            probe(search, second);
        }
        return;
    }
    if (!probe(search, NAME_SYSTEM_UID)) {
        return;
    }
    const struct member_page page = {
        .list = {.channel = search->lookup->state.ref, .kind = LIST_SUBSCRIBER},
        .count_max = search->lookup->probes_left + 1,
        .visit = probe_member,
        .context = search,
    };
    const enum err err = store_read_members(search->store, STORE_MAY_BLOCK, &page);
    search->err = search->err == ERR_OK ? err : search->err;
}

static bool scan_visit(void *context, const struct message_view *view, struct bytes row)
{
    (void)row;
    struct search *search = context;
    search->lookup->rows_left--;
    if (bytes_equal(view->client_msg_no, search->client_msg_no)) {
        search_found(search, view->seq);
        return false;
    }
    return true;
}

/* Senders who are no members (any more) are found as far as this goes. */
static void scan_log(struct search *search)
{
    const struct message_range range = {
        .log = search_log(search),
        .seq_min = 1,
        .seq_max = UINT64_MAX,
        .order = search->is_newest ? MESSAGES_NEWEST_DESCENDING : MESSAGES_OLDEST_ASCENDING,
        .count_max = search->lookup->rows_left,
        .bytes_max = SCAN_BYTES_MAX,
        .visit = scan_visit,
        .context = search,
    };
    search->err = store_read_messages(search->store, STORE_MAY_BLOCK, &range);
}

static enum err write_by_msg_no(struct http_request *request, struct bytes client_msg_no,
                                bool is_newest)
{
    struct lookup *lookup = request->work;
    struct search search = {.store = request->http->options.store,
                            .lookup = lookup,
                            .client_msg_no = client_msg_no,
                            .is_newest = is_newest};
    if (lookup->state.ref.number == 0 || client_msg_no.size == 0) {
        return ERR_ABSENT;
    }
    probe_members(&search);
    if (search.err == ERR_OK && search.seq == 0 && lookup->rows_left > 0) {
        scan_log(&search);
    }
    if (search.err != ERR_OK || search.seq == 0) {
        return search.err != ERR_OK ? search.err : ERR_ABSENT;
    }
    return api_log_write(request, search_log(&search), search.seq);
}

/* ---- By id. ---- */

/* The channel is not checked (http-api 9.4), but it is where the message probably is. */
static enum err write_by_id(struct http_request *request, int64_t message_id)
{
    const struct lookup *lookup = request->work;
    struct store *store = request->http->options.store;
    if (message_id <= 0) {
        return ERR_ABSENT;
    }
    const uint64_t id = (uint64_t)message_id;
    const struct channel_ref here = lookup->state.ref;
    struct message_place place;
    enum err err = ERR_ABSENT;
    if (here.number != 0 && here.slot == message_id_slot(id)) {
        err = store_find_message_in_channel(store, here, id, &place);
    }
    if (err == ERR_ABSENT) {
        err = store_find_message_by_id(store, id, &place);
    }
    if (err == ERR_LIMIT) {
        return ERR_ABSENT; /* not where it could be looked for */
    }
    return err == ERR_OK ? api_log_write(request, place.log, place.seq) : err;
}

/* ---- /messages: http-api 9.4. ---- */

static bool goes_on(const struct http_request *request, enum err err)
{
    return (err == ERR_OK || err == ERR_ABSENT) && !request->out.is_full;
}

static enum err write_all(struct http_request *request)
{
    const struct messages_input *input = request->input;
    const struct lookup *lookup = request->work;
    const struct log_ref log = {.channel = lookup->state.ref, .kind = LOG_CHAT};
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < input->message_seqs.count && goes_on(request, err); i++) {
        if (log.channel.number != 0) {
            err = api_log_write(request, log, (uint64_t)input->message_seqs.items[i]);
        }
    }
    for (uint32_t i = 0; i < input->message_ids.count && goes_on(request, err); i++) {
        err = write_by_id(request, input->message_ids.items[i]);
    }
    for (uint32_t i = 0; i < input->client_msg_nos.count && goes_on(request, err); i++) {
        err = write_by_msg_no(request, input->client_msg_nos.items[i], true);
    }
    return err == ERR_ABSENT ? ERR_OK : err;
}

static enum err read_messages(struct http_request *request)
{
    struct json_text *json = &request->json;
    enum err err = lookup_begin(request, request->work);
    if (err != ERR_OK) {
        return err;
    }
    json_text_object_begin(json);
    json_text_key(json, "start_message_seq");
    json_text_unsigned(json, 0);
    json_text_key(json, "end_message_seq");
    json_text_unsigned(json, 0);
    json_text_key(json, "more");
    json_text_unsigned(json, 0);
    json_text_key(json, "messages");
    json_text_array_begin(json);
    err = write_all(request);
    json_text_array_end(json);
    json_text_object_end(json);
    return err;
}

void api_messages(struct http_request *request)
{
    const struct messages_input *input = request->input;
    const uint64_t count = (uint64_t)input->message_seqs.count + input->message_ids.count +
                           input->client_msg_nos.count;
    if (!api_check(request, !name_is_blank(input->channel_id), "channel_id不能为空！") ||
        !api_check(request, count <= LOOKUPS_MAX, "more than 10000 messages are asked for") ||
        !api_check_name(request, input->channel_id, "channel_id") ||
        !api_check_name(request, input->login_uid, "login_uid")) {
        return;
    }
    struct lookup *lookup = lookup_acquire(request);
    if (lookup != NULL) {
        api_log_init(
            &lookup->log, input->login_uid,
            (struct channel_name){.type = (uint8_t)input->channel_type, .id = input->channel_id});
        http_read(request, read_messages, HTTP_READ_BYTES_FIRST, FAILURE);
    }
}

/* ---- /message and /message/byclientmsgno: http-api 9.5 and 9.6. ---- */

static enum err read_message(struct http_request *request)
{
    struct lookup *lookup = request->work;
    const enum err err = lookup_begin(request, lookup);
    if (err != ERR_OK) {
        return err;
    }
    return lookup->message_id > 0 ? write_by_id(request, lookup->message_id)
                                  : write_by_msg_no(request, lookup->client_msg_no, true);
}

void api_message(struct http_request *request)
{
    const struct message_input *input = request->input;
    const bool is_person = input->channel_type == CHANNEL_PERSON;
    if (!api_check(request, !name_is_blank(input->channel_id), "channel_id不能为空！") ||
        !api_check(request, input->channel_type != 0, "channel_type不能为0") ||
        !api_check(request, !is_person || !name_is_blank(input->login_uid),
                   "login_uid不能为空！") ||
        !api_check_name(request, input->channel_id, "channel_id") ||
        !api_check_name(request, input->login_uid, "login_uid")) {
        return;
    }
    struct lookup *lookup = lookup_acquire(request);
    if (lookup != NULL) {
        lookup->message_id = input->message_id;
        lookup->client_msg_no = input->client_msg_no;
        api_log_init(
            &lookup->log, input->login_uid,
            (struct channel_name){.type = (uint8_t)input->channel_type, .id = input->channel_id});
        http_read(request, read_message, HTTP_READ_BYTES_FIRST, FAILURE);
    }
}

static enum err read_by_client_msg_no(struct http_request *request)
{
    struct lookup *lookup = request->work;
    const enum err err = lookup_begin(request, lookup);
    return err == ERR_OK ? write_by_msg_no(request, lookup->client_msg_no, false) : err;
}

/* A person channel is named by its internal id. */
void api_message_by_client_msg_no(struct http_request *request)
{
    const struct channel_name name = {
        .type = (uint8_t)http_query_number(request, "channel_type", UINT8_MAX),
        .id = http_query(request, "channel_id")};
    const struct bytes client_msg_no = http_query(request, "client_msg_no");
    if (!api_check(request, !name_is_blank(name.id), "channel_id不能为空") ||
        !api_check(request, name.type != 0, "channel_type不能为0") ||
        !api_check(request, !name_is_blank(client_msg_no), "client_msg_no不能为空") ||
        !api_check(request, name.id.size <= NAME_PAIR_BYTES_MAX, "channel_id is too long")) {
        return;
    }
    struct lookup *lookup = lookup_acquire(request);
    if (lookup != NULL) {
        lookup->client_msg_no = client_msg_no;
        lookup->log.name = name;
        http_read(request, read_by_client_msg_no, HTTP_READ_BYTES_FIRST, FAILURE);
    }
}
