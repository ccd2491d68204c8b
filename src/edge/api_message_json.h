/*
 * api_message_json.h -- a stored message as back ends see it: MessageResp, http-api 4.6.
 */
#pragma once

#include "store/message_row.h"
#include "wire/json_text.h"

struct api_stream;

/* Writes the object. */
void api_message_json(struct json_text *json, const struct message_view *view);

/* The same with the fields of its event stream (http-api 11.3); NULL: it has none. */
void api_message_json_with(struct json_text *json, const struct message_view *view,
                           const struct api_stream *stream);

/* Who is named how, and the stream or NULL: what differs between those who are shown a message. */
struct api_message_names {
    struct bytes sender;
    struct bytes channel_id;
    const struct api_stream *stream;
};

/* Writes its members, without the object around them. */
void api_message_fields(struct json_text *json, const struct message_view *view,
                        const struct api_message_names *names);

/* The sender as he is shown: nobody for the system account. */
struct bytes api_message_sender(const struct message_view *view);

/* The channel as it is shown: of a person channel the last of its two uids that is not the shown
 * sender, whoever asks. */
struct bytes api_message_channel(const struct message_view *view);
