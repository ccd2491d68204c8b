#include "edge/api_recents.h"

#include "edge/api_checks.h"
#include "edge/api_log.h"

#define RECENTS_BYTES_FIRST ((size_t)32 * 1024)
#define MSG_COUNT_DEFAULT   15
#define MSG_COUNT_MAX       10000
#define CHANNELS_MAX        10000u
#define FAILURE             "获取最近消息失败！"

struct recent_input {
    struct bytes channel_id; /* internal */
    uint64_t channel_type;
    uint64_t last_msg_seq;
};

struct recents_input {
    struct bytes uid;
    struct json_objects channels; /* of struct recent_input */
    int64_t msg_count;
    int64_t order_by_last;
};

static const struct json_field recent_fields[] = {
    JSON_FIELD(struct recent_input, channel_id, JSON_STRING),
    JSON_FIELD(struct recent_input, channel_type, JSON_U8),
    JSON_FIELD(struct recent_input, last_msg_seq, JSON_U64),
};
static const struct json_shape recent_shape = JSON_SHAPE_OF(struct recent_input, recent_fields);

static const struct json_field recents_fields[] = {
    JSON_FIELD(struct recents_input, uid, JSON_STRING),
    JSON_FIELD_OF(struct recents_input, channels, JSON_OBJECTS, &recent_shape),
    JSON_FIELD(struct recents_input, msg_count, JSON_INT),
    JSON_FIELD(struct recents_input, order_by_last, JSON_INT),
};
const struct json_shape api_shape_recent_messages =
    JSON_SHAPE_OF(struct recents_input, recents_fields);

/* The log with this internal id, and its last seqs; a command log has its suffix (http-api 4.4).
 * ERR_ABSENT: there is none. */
static enum err find_log(const struct http_request *request, const struct recent_input *channel,
                         struct log_ref *out_log, uint64_t *out_last)
{
    struct channel_name name = {.type = (uint8_t)channel->channel_type, .id = channel->channel_id};
    enum log_kind kind = LOG_CHAT;
    if (bytes_end_with(name.id, NAME_COMMAND_SUFFIX)) {
        name.id.size -= NAME_COMMAND_SUFFIX.size;
        kind = LOG_COMMAND;
    }
    if (name.id.size == 0) {
        return ERR_ABSENT;
    }
    struct channel_state state;
    const enum err err =
        store_load_channel(request->http->options.store, STORE_MAY_BLOCK, name, &state);
    if (err == ERR_OK) {
        *out_log = (struct log_ref){.channel = state.ref, .kind = kind};
        *out_last = state.last_seq[kind];
    }
    return err;
}

static enum err write_messages(struct http_request *request, const struct recent_input *channel,
                               struct log_ref log, uint64_t last_seq)
{
    const struct recents_input *input = request->input;
    const bool is_newest = api_flag(input->order_by_last);
    const uint64_t bytes_max = request->http->options.limits.answer_bytes_max / 4;
    const int64_t count = input->msg_count > 0 ? input->msg_count : MSG_COUNT_DEFAULT;
    const struct message_range range = {
        .log = log,
        .seq_min = channel->last_msg_seq > 0 ? channel->last_msg_seq : 1,
        .seq_max = last_seq,
        .order = is_newest ? MESSAGES_NEWEST_DESCENDING : MESSAGES_OLDEST_ASCENDING,
        .count_max = count < MSG_COUNT_MAX ? (uint32_t)count : MSG_COUNT_MAX,
        .bytes_max = bytes_max < UINT32_MAX ? (uint32_t)bytes_max : UINT32_MAX,
        .visit = api_log_write_visit,
        .context = request,
    };
    return range.seq_min > last_seq
               ? ERR_OK
               : store_read_messages(request->http->options.store, STORE_MAY_BLOCK, &range);
}

static enum err write_channel(struct http_request *request, const struct recent_input *channel)
{
    const struct recents_input *input = request->input;
    struct json_text *json = &request->json;
    struct log_ref log;
    uint64_t last_seq = 0;
    uint64_t own_last_seq = 0;
    json_text_object_begin(json);
    json_text_key(json, "channel_id");
    json_text_string(json, channel->channel_id);
    json_text_key(json, "channel_type");
    json_text_unsigned(json, channel->channel_type);
    json_text_key(json, "messages");
    json_text_array_begin(json);
    enum err err = find_log(request, channel, &log, &last_seq);
    if (err == ERR_OK) {
        err = write_messages(request, channel, log, last_seq);
        if (err == ERR_OK && input->uid.size > 0) {
            err = store_own_last_seq(request->http->options.store, STORE_MAY_BLOCK, log, input->uid,
                                     &own_last_seq);
        }
    }
    json_text_array_end(json);
    json_text_key(json, "user_last_msg_seq");
    json_text_unsigned(json, own_last_seq);
    json_text_object_end(json);
    return err == ERR_ABSENT ? ERR_OK : err;
}

static enum err read_recents(struct http_request *request)
{
    const struct recents_input *input = request->input;
    const struct recent_input *channels = input->channels.items;
    enum err err = ERR_OK;
    json_text_array_begin(&request->json);
    for (uint32_t i = 0; i < input->channels.count && err == ERR_OK && !request->out.is_full; i++) {
        err = write_channel(request, &channels[i]);
    }
    json_text_array_end(&request->json);
    return err;
}

void api_recent_messages(struct http_request *request)
{
    const struct recents_input *input = request->input;
    const struct recent_input *channels = input->channels.items;
    if (!api_check_name(request, input->uid, "uid") ||
        !api_check(request, input->channels.count <= CHANNELS_MAX,
                   "more than 10000 channels are asked for")) {
        return;
    }
    for (uint32_t i = 0; i < input->channels.count; i++) {
        const size_t id_max = NAME_PAIR_BYTES_MAX + NAME_COMMAND_SUFFIX.size;
        if (!api_check(request, channels[i].channel_id.size <= id_max, "channel_id is too long")) {
            return;
        }
    }
    http_read(request, read_recents, RECENTS_BYTES_FIRST, FAILURE);
}
