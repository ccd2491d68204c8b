/*
 * api_command.h -- the commands that a user has missed: http-api 10.
 *
 * A user finds the command logs that are his by the rows of his directory; what he has
 * received of each is a position in the row, which message/syncack moves.
 */
#pragma once

#include "edge/json_fields.h"

struct http_request;

extern const struct json_shape api_shape_command_sync;
extern const struct json_shape api_shape_command_ack;

void api_command_sync(struct http_request *request);
void api_command_ack(struct http_request *request);
