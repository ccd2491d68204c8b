/*
 * api_manager.h -- logging in to the manager, and what there is no host for here: tags, plugins
 * (http-api 15).
 */
#pragma once

#include "edge/json_fields.h"

struct http_request;

extern const struct json_shape api_shape_login;
extern const struct json_shape api_shape_tag;
extern const struct json_shape api_shape_plugin;
extern const struct json_shape api_shape_nothing; /* an object whose members do not matter */

void api_login(struct http_request *request);

void api_tag(struct http_request *request);
void api_tag_remove(struct http_request *request);
void api_tags(struct http_request *request);

void api_plugins(struct http_request *request);
void api_plugin_call(struct http_request *request);
void api_plugin_config(struct http_request *request);
void api_plugin_bind(struct http_request *request);
void api_plugin_unbind(struct http_request *request);
void api_plugin_bindings(struct http_request *request);
void api_plugin_uninstall(struct http_request *request);

/* May whoever asks write to `resource`? Otherwise the request was answered (http-api 2.3). */
MUST_USE bool api_check_right(struct http_request *request, const char *resource);
