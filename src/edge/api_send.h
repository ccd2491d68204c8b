/*
 * api_send.h -- back ends send messages: http-api 8.
 *
 * The answer waits for the commit: success means stored (or, for what is not to be
 * stored, delivered to those online). Where the original answers before it checks
 * (semantics 3.9), a refusal is told in the same envelope: {"status":<reason>}.
 */
#pragma once

#include "base/bytes.h"
#include "edge/json_fields.h"

struct http_request;

extern const struct json_shape api_shape_send;
extern const struct json_shape api_shape_send_batch;
extern const struct json_shape api_shape_stream_start;

void api_send(struct http_request *request);
void api_send_batch(struct http_request *request);

/* The message that begins a stream of the older form (api_stream_old.h). */
void api_stream_start(struct http_request *request);

/* Answers as for a message that was sent. */
void api_send_answer(struct http_request *request, struct bytes client_msg_no, uint64_t message_id);
