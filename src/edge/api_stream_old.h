/*
 * api_stream_old.h -- streams as back ends of older releases write them: http-api 17.3.
 *
 *   /streammessage/start            a message that is the anchor of a stream (api_send.c)
 *   /message/send with stream_no    a piece of its text
 *   /streammessage/end              its end
 *
 * They are event streams by other names (api_event.h), so that whoever can read those can
 * read these: a stream's number is the client_msg_no of its message, a piece is a
 * stream.delta, the end a stream.close. Only the start says who sends, so a piece and the
 * end count while that is known, for ten minutes after the one before (anchors.h).
 */
#pragma once

#include "edge/json_fields.h"

struct anchor;
struct http_request;

extern const struct json_shape api_shape_stream_end;

void api_stream_end(struct http_request *request);

/* Tells a piece, the payload of a message, of a stream that is known, and answers with
 * `client_msg_no`; everything is borrowed from the request. `anchor` is borrowed for the call. */
void api_stream_piece(struct http_request *request, const struct anchor *anchor,
                      struct bytes payload, struct bytes client_msg_no);
