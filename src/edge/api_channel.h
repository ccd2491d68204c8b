/*
 * api_channel.h -- channels, their members and lists: http-api 7.
 */
#pragma once

#include "edge/json_fields.h"

struct http_request;

extern const struct json_shape api_shape_channel_put;
extern const struct json_shape api_shape_channel_info;
extern const struct json_shape api_shape_channel;
extern const struct json_shape api_shape_subscribers;
extern const struct json_shape api_shape_uids;

void api_channel_put(struct http_request *request);
void api_channel_info(struct http_request *request);
void api_channel_delete(struct http_request *request);
void api_subscriber_add(struct http_request *request);
void api_subscriber_remove(struct http_request *request);
void api_subscriber_remove_all(struct http_request *request);
void api_blacklist_add(struct http_request *request);
void api_blacklist_set(struct http_request *request);
void api_blacklist_remove(struct http_request *request);
void api_blacklist_remove_all(struct http_request *request);
void api_whitelist_add(struct http_request *request);
void api_whitelist_set(struct http_request *request);
void api_whitelist_remove(struct http_request *request);
void api_whitelist_remove_all(struct http_request *request);
void api_whitelist(struct http_request *request);
void api_temporary_subscriber_set(struct http_request *request);
