/*
 * api_event.h -- event streams: http-api 11.1 and 11.2.
 */
#pragma once

#include "edge/json_fields.h"

struct http_request;

extern const struct json_shape api_shape_event;
extern const struct json_shape api_shape_event_sync;

void api_event(struct http_request *request);
void api_event_sync(struct http_request *request);
