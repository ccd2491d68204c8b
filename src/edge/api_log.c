#include "edge/api_log.h"

#include "edge/api_message_json.h"
#include "edge/api_stream.h"

/* When so much of the largest answer is taken, contents of streams are left out: the hint in the
 * message says where they are. */
#define STREAMS_SHARE 4

void api_log_init(struct api_log *out_log, struct bytes login_uid, struct channel_name given)
{
    *out_log = (struct api_log){.name = {.type = given.type}};
    const bool is_pair_of_nobody =
        channel_type_is_pair(given.type) &&
        (login_uid.size > NAME_BYTES_MAX || name_is_special(login_uid) || login_uid.size == 0);
    struct bytes internal;
    if (!is_pair_of_nobody &&
        name_internal(login_uid, given.id, given.type, out_log->area, &internal) == ERR_OK) {
        out_log->name.id = internal;
    }
}

enum err api_log_load(const struct http_request *request, const struct api_log *log,
                      struct channel_state *out_state)
{
    if (log->name.id.size == 0) {
        return ERR_ABSENT;
    }
    return store_load_channel(request->http->options.store, STORE_MAY_BLOCK, log->name, out_state);
}

static void write_with_stream(struct http_request *request, const struct message_view *view)
{
    const uint64_t answer_bytes_max = request->http->options.limits.answer_bytes_max;
    const bool wants_contents = writer_size(&request->out) < answer_bytes_max / STREAMS_SHARE;
    struct api_stream stream;
    const struct channel_name channel = {.type = view->channel_type, .id = view->channel_id};
    request->visit_err =
        api_stream_open(&stream, request, channel, view->client_msg_no, wants_contents);
    if (request->visit_err == ERR_OK) {
        api_message_json_with(&request->json, view, &stream);
    }
    api_stream_close(&stream);
}

bool api_log_write_visit(void *context, const struct message_view *view, struct bytes row)
{
    (void)row;
    struct http_request *request = context;
    if ((view->setting & API_STREAM_SETTING) != 0 && view->client_msg_no.size > 0) {
        write_with_stream(request, view);
    } else {
        api_message_json(&request->json, view);
    }
    return !request->out.is_full && request->visit_err == ERR_OK;
}

enum err api_log_write(struct http_request *request, struct log_ref log, uint64_t seq)
{
    const size_t size = writer_size(&request->out);
    const struct message_range range = {
        .log = log,
        .seq_min = seq,
        .seq_max = seq,
        .order = MESSAGES_OLDEST_ASCENDING,
        .count_max = 1,
        .bytes_max = MESSAGE_ROW_BYTES_MAX,
        .visit = api_log_write_visit,
        .context = request,
    };
    const enum err err = store_read_messages(request->http->options.store, STORE_MAY_BLOCK, &range);
    const bool is_written = writer_size(&request->out) > size || request->out.is_full;
    return err == ERR_OK && !is_written ? ERR_ABSENT : err;
}
