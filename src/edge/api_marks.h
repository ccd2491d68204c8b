/*
 * api_marks.h -- what a user has read or deleted of a conversation: http-api 12.2 to 12.4.
 */
#pragma once

#include "edge/json_fields.h"

struct http_request;

extern const struct json_shape api_shape_clear_unread;
extern const struct json_shape api_shape_set_unread;
extern const struct json_shape api_shape_delete_conversation;

void api_clear_unread(struct http_request *request);
void api_set_unread(struct http_request *request);
void api_delete_conversation(struct http_request *request);
