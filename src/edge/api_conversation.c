#include "edge/api_conversation.h"

#include "edge/api_checks.h"
#include "edge/api_conversation_list.h"
#include "edge/api_log.h"
#include "edge/api_message_json.h"

#include <stdlib.h>

#define SYNC_BYTES_FIRST    ((size_t)32 * 1024)
#define USUAL_BYTES         1024u /* of a conversation that is told, until we know better */
#define WHOLE_BYTES_MAX     ((size_t)512 * 1024) /* of a list; larger ones are sent in pieces */
#define PAGE_SIZE_DEFAULT   100
#define PAGE_SIZE_MAX       500
#define MSG_COUNT_DEFAULT   15
#define MSG_COUNT_MAX       10000
#define CHANNELS_MAX        10000u
#define SYNC_FAILURE        "获取conversation失败！"
#define BY_CHANNELS_FAILURE "获取会话失败！"

/* ---- The arithmetic. ---- */

struct reading_result conversation_unread(const struct reading_state *state)
{
    struct reading_result result = {.read_seq = state->read_seq};
    if (state->last_seq > state->read_seq) {
        result.unread = state->last_seq - state->read_seq;
    }
    if (state->own_last_seq > state->read_seq && state->own_last_seq <= state->last_seq &&
        state->last_seq - state->own_last_seq < result.unread) {
        result.unread = state->last_seq - state->own_last_seq;
        result.read_seq = state->own_last_seq;
    }
    if (state->is_newest_own) {
        result = (struct reading_result){.unread = 0, .read_seq = state->last_seq};
    }
    return result;
}

static struct bytes take_until(struct bytes *rest, uint8_t separator)
{
    const uint8_t *at = rest->size > 0 ? memchr(rest->data, separator, rest->size) : NULL;
    const size_t size = at != NULL ? (size_t)(at - rest->data) : rest->size;
    const struct bytes part = {.data = rest->data, .size = size};
    *rest = bytes_skip(*rest, at != NULL ? size + 1 : size);
    return part;
}

/* Digits only; anything else is 0, as the original has it. */
static uint64_t parse_digits(struct bytes text)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        const uint64_t digit = (uint64_t)text.data[i] - '0';
        if (digit > 9 || value > (UINT64_MAX - digit) / 10) {
            return 0;
        }
        value = value * 10 + digit;
    }
    return value;
}

static uint32_t count_colons(struct bytes item)
{
    uint32_t count = 0;
    for (size_t i = 0; i < item.size; i++) {
        count += item.data[i] == ':' ? 1 : 0;
    }
    return count;
}

uint32_t known_seqs_count(struct bytes list)
{
    uint32_t count = 0;
    while (list.size > 0) {
        count += count_colons(take_until(&list, '|')) == 2 ? 1 : 0;
    }
    return count;
}

static int compare_names(struct channel_name a, struct channel_name b)
{
    return a.type != b.type ? (int)a.type - (int)b.type : bytes_compare(a.id, b.id);
}

static int compare_known(const void *a, const void *b)
{
    const struct known_seq *first = a;
    const struct known_seq *second = b;
    return compare_names(first->name, second->name);
}

void known_seqs_parse(struct bytes list, struct known_seq *out_items)
{
    uint32_t count = 0;
    while (list.size > 0) {
        struct bytes item = take_until(&list, '|');
        if (count_colons(item) != 2) {
            continue;
        }
        const struct bytes id = take_until(&item, ':');
        const uint64_t type = parse_digits(take_until(&item, ':'));
        out_items[count++] = (struct known_seq){
            .name = {.type = type <= UINT8_MAX ? (uint8_t)type : 0, .id = id},
            .seq = parse_digits(item),
        };
    }
    qsort(out_items, count, sizeof(*out_items), compare_known);
}

uint64_t known_seqs_find(const struct known_seq *items, uint32_t count, struct channel_name name,
                         bool *out_is_named)
{
    const struct known_seq key = {.name = name};
    const struct known_seq *found =
        count > 0 ? bsearch(&key, items, count, sizeof(*items), compare_known) : NULL;
    *out_is_named = found != NULL;
    return found != NULL ? found->seq : 0;
}

/* ---- One conversation. ---- */

/* What is written of one, and where its writing is. */
struct conversation {
    struct http_request *request;
    struct bytes uid;
    struct channel_name name; /* as the user calls it */
    const struct directory_row *row;
    struct log_ref log;
    struct log_end end;
    uint64_t own_last_seq;
    uint64_t seq_bound; /* messages up to this one are not wanted */
    uint32_t msg_count;
    bool is_old; /* in the shape of GET /conversations */
    bool is_begun;
};

static void write_number(struct json_text *json, const char *name, uint64_t value)
{
    json_text_key(json, name);
    json_text_unsigned(json, value);
}

/* The fields before the messages; `newest` is NULL when there is none. */
static void begin_conversation(struct conversation *conversation, const struct message_view *newest)
{
    struct json_text *json = &conversation->request->json;
    const struct reading_state state = {
        .read_seq = conversation->row->read_seq,
        .last_seq = newest != NULL ? newest->seq : 0,
        .own_last_seq = conversation->own_last_seq,
        .is_newest_own = newest != NULL && bytes_equal(newest->from_uid, conversation->uid),
    };
    const struct reading_result result = conversation_unread(&state);
    const uint64_t version_ns = newest != NULL ? (uint64_t)newest->timestamp_s * 1000000000u
                                               : conversation->row->updated_ms * 1000000u;
    conversation->is_begun = true;
    json_text_object_begin(json);
    json_text_key(json, "channel_id");
    json_text_string(json, conversation->name.id);
    write_number(json, "channel_type", conversation->name.type);
    write_number(json, "unread", result.unread);
    write_number(json, "timestamp", newest != NULL ? newest->timestamp_s : 0);
    if (conversation->is_old) {
        json_text_key(json, "last_message");
        return;
    }
    write_number(json, "last_msg_seq", state.last_seq);
    json_text_key(json, "last_client_msg_no");
    json_text_string(json, newest != NULL ? newest->client_msg_no : BYTES_EMPTY);
    write_number(json, "offset_msg_seq", 0);
    write_number(json, "readed_to_msg_seq", result.read_seq);
    write_number(json, "version", version_ns);
    json_text_key(json, "recents");
    json_text_array_begin(json);
}

static void end_conversation(struct conversation *conversation)
{
    if (!conversation->is_old) {
        json_text_array_end(&conversation->request->json);
    }
    json_text_object_end(&conversation->request->json);
}

/* The user's own newest, where it changes the answer: if the newest is his, or the only one that he
 * has not read, it does not. */
static enum err find_own_last(struct conversation *conversation, const struct message_view *newest)
{
    const bool is_own = bytes_equal(newest->from_uid, conversation->uid);
    if (is_own || newest->seq <= conversation->row->read_seq + 1) {
        return ERR_OK;
    }
    return store_own_last_seq(conversation->request->http->options.store, STORE_MAY_BLOCK,
                              conversation->log, conversation->uid, &conversation->own_last_seq);
}

static bool recents_visit(void *context, const struct message_view *view, struct bytes row)
{
    struct conversation *conversation = context;
    if (!conversation->is_begun) {
        const enum err err = find_own_last(conversation, view);
        if (err != ERR_OK) {
            conversation->request->visit_err = err;
            return false;
        }
        begin_conversation(conversation, view);
    }
    return api_log_write_visit(conversation->request, view, row);
}

/* Writes the conversation if it has messages beyond its bound, newest first. */
static enum err write_recents(struct conversation *conversation)
{
    const struct http_options *options = &conversation->request->http->options;
    if (conversation->end.last_seq <= conversation->seq_bound) {
        return ERR_OK;
    }
    /* With large messages fewer of them: /channel/messagesync has the rest. */
    const uint64_t bytes_max = options->limits.answer_bytes_max / 4;
    const struct message_range range = {
        .log = conversation->log,
        .seq_min = conversation->seq_bound + 1,
        .seq_max = conversation->end.last_seq,
        .end_count = conversation->end.chunk_count,
        .order = MESSAGES_NEWEST_DESCENDING,
        .count_max = conversation->msg_count,
        .bytes_max = bytes_max < UINT32_MAX ? (uint32_t)bytes_max : UINT32_MAX,
        .visit = recents_visit,
        .context = conversation,
    };
    const enum err err = store_read_messages(options->store, STORE_MAY_BLOCK, &range);
    if (conversation->is_begun) {
        end_conversation(conversation);
    }
    return err;
}

static uint32_t clamp_msg_count(int64_t msg_count)
{
    return msg_count < MSG_COUNT_MAX ? (uint32_t)msg_count : MSG_COUNT_MAX;
}

/* ---- /conversation/sync: http-api 12.5. ---- */

struct sync_input {
    struct bytes uid;
    int64_t version;
    struct bytes last_msg_seqs;
    int64_t msg_count;
    uint64_t only_unread;
    struct bytes exclude_channel_types;
    int64_t page;
    int64_t page_size;
};

static const struct json_field sync_fields[] = {
    JSON_FIELD(struct sync_input, uid, JSON_STRING),
    JSON_FIELD(struct sync_input, version, JSON_INT),
    JSON_FIELD(struct sync_input, last_msg_seqs, JSON_STRING),
    JSON_FIELD(struct sync_input, msg_count, JSON_INT),
    JSON_FIELD(struct sync_input, only_unread, JSON_U8),
    JSON_FIELD(struct sync_input, exclude_channel_types, JSON_PAYLOAD),
    JSON_FIELD(struct sync_input, page, JSON_INT),
    JSON_FIELD(struct sync_input, page_size, JSON_INT),
};
const struct json_shape api_shape_conversation_sync = JSON_SHAPE_OF(struct sync_input, sync_fields);

struct sync {
    const struct sync_input *input;
    bool is_old;
    struct known_seq *known;
    uint32_t known_count;
    uint32_t searches; /* ends of logs that memory did not have */

    /* What is told in pieces. */
    struct conversation_list list;
    uint32_t told; /* of them, in the pieces before */
};

/* Which of the rows the page is, by rank. */
static void rank_page(const struct sync_input *input, struct conversation_query *query)
{
    query->is_paged = input->page > 0;
    if (!query->is_paged) {
        return;
    }
    uint64_t size = input->page_size > 0 ? (uint64_t)input->page_size : PAGE_SIZE_DEFAULT;
    size = size < PAGE_SIZE_MAX ? size : PAGE_SIZE_MAX;
    const uint64_t before = (uint64_t)input->page - 1;
    query->rank_begin = before < query->rank_end / size + 1 ? before * size : query->rank_end;
    if (query->rank_begin + size < query->rank_end) {
        query->rank_end = query->rank_begin + size;
    }
}

/* The messages up to this seq are not wanted; false: the conversation is not wanted at all. */
static bool find_bound(const struct sync *sync, const struct conversation_entry *entry,
                       struct channel_name seen, uint64_t *out_bound)
{
    const struct sync_input *input = sync->input;
    bool is_named = false;
    const uint64_t known = known_seqs_find(sync->known, sync->known_count, seen, &is_named);
    if (!is_named && bytes_contain(input->exclude_channel_types, seen.type)) {
        return false;
    }
    if (seen.type == CHANNEL_PERSON && bytes_equal(seen.id, NAME_SYSTEM_UID)) {
        return false;
    }
    uint64_t bound = 0;
    if (known != 0) {
        bound = known;
    } else if (input->version > 0 || input->only_unread == 1) {
        bound = entry->row.read_seq;
    }
    *out_bound = bound > entry->row.deleted_to_seq ? bound : entry->row.deleted_to_seq;
    return true;
}

/* A list that meets many logs whose end is not known gets help with the rest of them. */
static void note_search(struct http_request *request, struct log_ref log)
{
    struct sync *sync = request->work;
    if (sync->searches < FORERUNNER_WORTH_IT &&
        !store_knows_log_end(request->http->options.store, log) &&
        ++sync->searches == FORERUNNER_WORTH_IT) {
        forerunner_start(&request->http->forerunner, sync->input->uid);
    }
}

/* Is there anything beyond its bound? Of a long list most have nothing. */
static enum err entry_is_wanted(void *context, struct conversation_entry *entry,
                                bool *out_is_wanted)
{
    struct http_request *request = context;
    const struct sync *sync = request->work;
    const struct channel_name seen = {
        .type = entry->name.type,
        .id = name_as_seen(entry->name.id, entry->name.type, sync->input->uid)};
    *out_is_wanted = false;
    if (entry->row.channel.number == 0 || !find_bound(sync, entry, seen, &entry->seq_bound)) {
        return ERR_OK;
    }
    const struct log_ref log = {.channel = entry->row.channel, .kind = LOG_CHAT};
    note_search(request, log);
    const enum err err = store_log_end(request->http->options.store, log, &entry->end);
    *out_is_wanted = err == ERR_OK && entry->end.last_seq > entry->seq_bound;
    return err;
}

static enum err write_entry(struct http_request *request, const struct conversation_entry *entry)
{
    const struct sync *sync = request->work;
    struct conversation conversation = {
        .request = request,
        .uid = sync->input->uid,
        .name = {.type = entry->name.type,
                 .id = name_as_seen(entry->name.id, entry->name.type, sync->input->uid)},
        .row = &entry->row,
        .log = {.channel = entry->row.channel, .kind = LOG_CHAT},
        .end = entry->end,
        .seq_bound = entry->seq_bound,
        .msg_count = clamp_msg_count(sync->input->msg_count),
        .is_old = sync->is_old,
    };
    return write_recents(&conversation);
}

/* How large the buffer should be, so that the next reading is the last: by what those that were
 * `written` have taken, or by what is usual. */
static size_t bytes_wanted(const struct http_request *request, const struct conversation_list *list,
                           uint32_t written)
{
    const size_t text = request->buffer->capacity - request->scratch_size;
    const size_t each = written > 0 ? text / written * 9 / 8 : USUAL_BYTES;
    return (size_t)list->count * (CONVERSATION_ENTRY_BYTES + each);
}

/* More room is wanted: for all of the answer, or for the list if that would be large. */
static void want_room(struct http_request *request, const struct conversation_list *list,
                      uint32_t written)
{
    const size_t wanted = bytes_wanted(request, list, written);
    const size_t list_bytes = (size_t)list->count * CONVERSATION_ENTRY_BYTES;
    request->is_in_pieces = request->is_in_pieces || wanted > WHOLE_BYTES_MAX;
    request->read_wanted = request->is_in_pieces ? list_bytes + SYNC_BYTES_FIRST : wanted;
}

static enum err write_whole(struct http_request *request, const struct conversation_list *list)
{
    enum err err = ERR_OK;
    json_text_array_begin(&request->json);
    uint32_t i = 0;
    for (; i < list->count && err == ERR_OK && !request->out.is_full; i++) {
        err = write_entry(request, list->entries[i]);
    }
    json_text_array_end(&request->json);
    if (request->out.is_full && i > 1) { /* the last one is not whole */
        want_room(request, list, i - 1);
    }
    return err;
}

static enum err read_sync(struct http_request *request)
{
    struct sync *sync = request->work;
    struct conversation_query query = {
        .uid = sync->input->uid,
        .rank_end = request->http->options.limits.conversations_max,
        .is_wanted = entry_is_wanted,
        .context = request,
    };
    rank_page(sync->input, &query);
    struct conversation_list list;
    const enum err err = conversation_list_read(request, &query, &list);
    if (err == ERR_FULL) {
        want_room(request, &list, 0);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (!request->is_in_pieces) {
        return write_whole(request, &list);
    }
    sync->list = list;
    return ERR_OK;
}

/* Writes the conversation with this index. */
typedef enum err write_nth_fn(struct http_request *request, uint32_t index);

/* As many of so many conversations as there is room for, and at least one; `told` of them have been
 * in the pieces before. */
static enum err write_piece(struct http_request *request, uint32_t count, uint32_t *told,
                            write_nth_fn *write)
{
    uint32_t i = *told;
    if (i == 0) {
        json_text_array_begin(&request->json);
    }
    for (; i < count; i++) {
        const struct writer out = request->out;
        const struct json_text json = request->json;
        const enum err err = write(request, i);
        if (err != ERR_OK || (request->out.is_full && i == *told)) {
            return err;
        }
        if (request->out.is_full) { /* the next piece begins with it */
            request->out = out;
            request->json = json;
            break;
        }
    }
    const bool is_over = i == count && request->out.at < request->out.end;
    if (is_over) {
        json_text_array_end(&request->json);
    }
    request->has_more = !is_over;
    *told = i;
    return ERR_OK;
}

static enum err write_listed(struct http_request *request, uint32_t index)
{
    const struct sync *sync = request->work;
    return write_entry(request, sync->list.entries[index]);
}

static enum err read_sync_piece(struct http_request *request)
{
    struct sync *sync = request->work;
    return write_piece(request, sync->list.count, &sync->told, write_listed);
}

static void answer_empty(struct http_request *request)
{
    http_answer_text(request, 200, HTTP_JSON_TYPE, BYTES_OF("[]"));
}

void api_conversation_sync(struct http_request *request)
{
    const struct sync_input *input = request->input;
    if (!api_check_name(request, input->uid, "uid")) {
        return;
    }
    if (input->msg_count <= 0 || input->uid.size == 0) {
        answer_empty(request);
        return;
    }
    struct sync *sync = http_acquire(request, sizeof(*sync));
    if (sync == NULL) {
        return;
    }
    sync->input = input;
    sync->known_count = known_seqs_count(input->last_msg_seqs);
    sync->known = http_acquire(request, (sync->known_count + 1) * sizeof(*sync->known));
    if (sync->known != NULL) {
        known_seqs_parse(input->last_msg_seqs, sync->known);
        request->work = sync;
        http_read_pieces(request, read_sync, read_sync_piece, SYNC_BYTES_FIRST, SYNC_FAILURE);
    }
}

/* ---- GET /conversations: http-api 17.3. ---- */

void api_conversations_old(struct http_request *request)
{
    const struct bytes uid = http_query(request, "uid");
    if (!api_check(request, !name_is_blank(uid), "uid cannot be empty") ||
        !api_check_name(request, uid, "uid")) {
        return;
    }
    struct sync *sync = http_acquire(request, sizeof(*sync));
    struct sync_input *input = sync != NULL ? http_acquire(request, sizeof(*input)) : NULL;
    if (input != NULL) {
        input->uid = uid;
        input->msg_count = 1;
        sync->input = input;
        sync->is_old = true;
        request->work = sync;
        http_read_pieces(request, read_sync, read_sync_piece, SYNC_BYTES_FIRST, SYNC_FAILURE);
    }
}

/* ---- /conversation/syncByChannels: http-api 12.6. ---- */

struct channel_input {
    struct bytes channel_id;
    uint64_t channel_type;
};

struct by_channels_input {
    struct bytes uid;
    struct json_objects channels; /* of struct channel_input */
    int64_t msg_count;
};

static const struct json_field channel_fields[] = {
    JSON_FIELD(struct channel_input, channel_id, JSON_STRING),
    JSON_FIELD(struct channel_input, channel_type, JSON_U8),
};
static const struct json_shape channel_shape = JSON_SHAPE_OF(struct channel_input, channel_fields);

static const struct json_field by_channels_fields[] = {
    JSON_FIELD(struct by_channels_input, uid, JSON_STRING),
    JSON_FIELD_OF(struct by_channels_input, channels, JSON_OBJECTS, &channel_shape),
    JSON_FIELD(struct by_channels_input, msg_count, JSON_INT),
};
const struct json_shape api_shape_conversations_by_channels =
    JSON_SHAPE_OF(struct by_channels_input, by_channels_fields);

static enum err find_row(struct store *store, struct bytes uid, struct channel_name channel,
                         struct directory_row *out_row)
{
    const struct directory_key key = {.uid = uid, .channel = channel};
    const enum err err = store_find_directory(store, STORE_MAY_BLOCK, &key, out_row);
    if (err != ERR_OK || (out_row->flags & DIRECTORY_FLAG_CHAT) == 0) {
        *out_row = (struct directory_row){.flags = 0};
    }
    return err == ERR_ABSENT ? ERR_OK : err;
}

/* Also without a row or messages, and in the order of the request. */
static enum err write_channel(struct http_request *request, const struct channel_input *channel)
{
    const struct by_channels_input *input = request->input;
    struct store *store = request->http->options.store;
    struct directory_row row = {.flags = 0};
    const struct channel_name given = {.type = (uint8_t)channel->channel_type,
                                       .id = channel->channel_id};
    struct conversation conversation = {
        .request = request,
        .uid = input->uid,
        .name = given,
        .row = &row,
        .msg_count = input->msg_count > 0 ? clamp_msg_count(input->msg_count) : MSG_COUNT_DEFAULT,
    };
    struct api_log log;
    struct channel_state state;
    api_log_init(&log, input->uid, given);
    enum err err = api_log_load(request, &log, &state);
    if (log.name.id.size > 0 && (err == ERR_OK || err == ERR_ABSENT)) {
        const bool is_known = err == ERR_OK;
        err = find_row(store, input->uid, log.name, &row);
        if (err == ERR_OK && is_known) {
            conversation.log = (struct log_ref){.channel = state.ref, .kind = LOG_CHAT};
            conversation.end.last_seq = state.last_seq[LOG_CHAT];
            err = write_recents(&conversation);
        }
    }
    if (err != ERR_OK && err != ERR_ABSENT) {
        return err;
    }
    if (!conversation.is_begun) {
        begin_conversation(&conversation, NULL);
        end_conversation(&conversation);
    }
    return ERR_OK;
}

static enum err write_asked(struct http_request *request, uint32_t index)
{
    const struct by_channels_input *input = request->input;
    const struct channel_input *channels = input->channels.items;
    return write_channel(request, &channels[index]);
}

/* What is told in pieces is asked for in the request: nothing has to be listed before. */
static enum err read_by_channels(struct http_request *request)
{
    const uint32_t count = ((const struct by_channels_input *)request->input)->channels.count;
    if (request->is_in_pieces) {
        return ERR_OK;
    }
    enum err err = ERR_OK;
    uint32_t i = 0;
    json_text_array_begin(&request->json);
    for (; i < count && err == ERR_OK && !request->out.is_full; i++) {
        err = write_asked(request, i);
    }
    json_text_array_end(&request->json);
    if (request->out.is_full && i > 1) { /* the last one is not whole */
        const size_t wanted = request->buffer->capacity / (i - 1) * count / 8 * 9;
        request->is_in_pieces = wanted > WHOLE_BYTES_MAX;
        request->read_wanted = request->is_in_pieces ? SYNC_BYTES_FIRST : wanted;
    }
    return err;
}

static enum err read_by_channels_piece(struct http_request *request)
{
    const struct by_channels_input *input = request->input;
    return write_piece(request, input->channels.count, request->work, write_asked);
}

void api_conversations_by_channels(struct http_request *request)
{
    const struct by_channels_input *input = request->input;
    if (api_check(request, !name_is_blank(input->uid), "uid cannot be empty") &&
        api_check(request, input->channels.count > 0, "channels cannot be empty") &&
        api_check(request, input->channels.count <= CHANNELS_MAX,
                  "more than 10000 channels are asked for") &&
        api_check_name(request, input->uid, "uid")) {
        request->work = http_acquire(request, sizeof(uint32_t)); /* how many have been told */
        if (request->work != NULL) {
            http_read_pieces(request, read_by_channels, read_by_channels_piece, SYNC_BYTES_FIRST,
                             BY_CHANNELS_FAILURE);
        }
    }
}

/* ---- /conversation/channels: http-api 12.7. ---- */

struct channels_input {
    struct bytes uid;
};

static const struct json_field channels_fields[] = {
    JSON_FIELD(struct channels_input, uid, JSON_STRING),
};
const struct json_shape api_shape_conversation_channels =
    JSON_SHAPE_OF(struct channels_input, channels_fields);

static bool channels_visit(void *context, struct channel_name channel,
                           const struct directory_row *row)
{
    struct http_request *request = context;
    if ((row->flags & DIRECTORY_FLAG_CHAT) != 0) {
        json_text_object_begin(&request->json);
        json_text_key(&request->json, "channel_id");
        json_text_string(&request->json, channel.id); /* internal, as the original shows it */
        write_number(&request->json, "channel_type", channel.type);
        json_text_object_end(&request->json);
    }
    return !request->out.is_full;
}

static enum err read_channels(struct http_request *request)
{
    const struct channels_input *input = request->input;
    const struct directory_page page = {
        .uid = input->uid, .count_max = UINT32_MAX, .visit = channels_visit, .context = request};
    json_text_array_begin(&request->json);
    const enum err err = store_read_directory(request->http->options.store, STORE_MAY_BLOCK, &page);
    json_text_array_end(&request->json);
    return err;
}

void api_conversation_channels(struct http_request *request)
{
    const struct channels_input *input = request->input;
    if (!api_check_name(request, input->uid, "uid")) {
        return;
    }
    if (input->uid.size == 0) {
        answer_empty(request);
        return;
    }
    http_read(request, read_channels, HTTP_READ_BYTES_FIRST, BY_CHANNELS_FAILURE);
}
