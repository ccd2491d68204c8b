/*
 * api_browse.h -- what operators look up: channels and their lists, users, devices,
 * conversations, messages (http-api 16.1).
 *
 * A list without a name to look for walks over all rows of its kind, up to
 * STORE_BROWSE_ROWS_MAX, on a reader; that is for people, not for back ends.
 */
#pragma once

#include "edge/json_fields.h"

struct http_request;

extern const struct json_shape api_shape_channel_status;

void api_browse_channels(struct http_request *request);
void api_browse_node_channels(struct http_request *request);
void api_browse_users(struct http_request *request);
void api_browse_devices(struct http_request *request);
void api_browse_conversations(struct http_request *request);
void api_browse_messages(struct http_request *request);
void api_browse_subscribers(struct http_request *request);
void api_browse_denylist(struct http_request *request);
void api_browse_allowlist(struct http_request *request);
void api_browse_channel_config(struct http_request *request);
void api_browse_channel_replicas(struct http_request *request);
void api_browse_channel_replica(struct http_request *request);
void api_browse_channel_status(struct http_request *request);

/* What WuKongIM's pages call a type of channel. */
struct bytes api_browse_type_name(uint8_t type);
