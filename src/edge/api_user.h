/*
 * api_user.h -- users, their devices, who is online, and system accounts: http-api 6.
 */
#pragma once

#include "edge/json_fields.h"

struct http_request;

extern const struct json_shape api_shape_user_token;
extern const struct json_shape api_shape_device_quit;
extern const struct json_shape api_shape_system_uids;
extern const struct json_shape api_shape_plugin_no;

void api_user_token(struct http_request *request);
void api_device_quit(struct http_request *request);
void api_online_status(struct http_request *request);
void api_system_uids_add(struct http_request *request);
void api_system_uids_remove(struct http_request *request);
void api_system_uids(struct http_request *request);
void api_update_plugin_no(struct http_request *request);
