/*
 * api_recents.h -- recent messages of many channels at once: http-api 12.8.
 *
 * What the nodes of the original's cluster ask each other; a node alone answers it for
 * the tools that know it. Channels are named by their internal ids.
 */
#pragma once

#include "edge/json_fields.h"

struct http_request;

extern const struct json_shape api_shape_recent_messages;

void api_recent_messages(struct http_request *request);
