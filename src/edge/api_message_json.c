#include "edge/api_message_json.h"

#include "chat/names.h"
#include "edge/api_stream.h"

struct bytes api_message_sender(const struct message_view *view)
{
    return bytes_equal(view->from_uid, NAME_SYSTEM_UID) ? BYTES_EMPTY : view->from_uid;
}

struct bytes api_message_channel(const struct message_view *view)
{
    struct bytes first;
    struct bytes second;
    if (view->channel_type != CHANNEL_PERSON ||
        name_split_pair(view->channel_id, &first, &second) != ERR_OK) {
        return view->channel_id;
    }
    const struct bytes sender = api_message_sender(view);
    if (!bytes_equal(second, sender)) {
        return second;
    }
    return bytes_equal(first, sender) ? view->channel_id : first;
}

static void write_flag(struct json_text *json, const char *name, const struct message_view *view,
                       enum message_flag flag)
{
    json_text_key(json, name);
    json_text_unsigned(json, (view->flags & flag) != 0 ? 1 : 0);
}

void api_message_fields(struct json_text *json, const struct message_view *view,
                        const struct api_message_names *names)
{
    json_text_key(json, "header");
    json_text_object_begin(json);
    write_flag(json, "no_persist", view, MESSAGE_NO_PERSIST);
    write_flag(json, "red_dot", view, MESSAGE_RED_DOT);
    write_flag(json, "sync_once", view, MESSAGE_SYNC_ONCE);
    json_text_object_end(json);
    json_text_member_unsigned(json, "setting", view->setting);
    json_text_member_unsigned(json, "message_id", view->message_id);
    json_text_key(json, "message_idstr");
    json_text_decimal_string(json, view->message_id);
    json_text_member_string(json, "client_msg_no", view->client_msg_no);
    if (names->stream != NULL) {
        api_stream_fields(json, names->stream, view->client_msg_no);
    }
    json_text_member_unsigned(json, "message_seq", view->seq);
    json_text_member_string(json, "from_uid", names->sender);
    json_text_member_string(json, "channel_id", names->channel_id);
    json_text_member_unsigned(json, "channel_type", view->channel_type);
    if (view->topic.size > 0) {
        json_text_member_string(json, "topic", view->topic);
    }
    json_text_member_unsigned(json, "expire", view->expire_s);
    json_text_member_unsigned(json, "timestamp", view->timestamp_s);
    json_text_key(json, "payload");
    if (view->payload.size > 0) {
        json_text_base64(json, view->payload);
    } else {
        json_text_null(json);
    }
}

void api_message_json(struct json_text *json, const struct message_view *view)
{
    api_message_json_with(json, view, NULL);
}

void api_message_json_with(struct json_text *json, const struct message_view *view,
                           const struct api_stream *stream)
{
    const struct api_message_names names = {
        .sender = api_message_sender(view),
        .channel_id = api_message_channel(view),
        .stream = stream,
    };
    json_text_object_begin(json);
    api_message_fields(json, view, &names);
    json_text_object_end(json);
}
