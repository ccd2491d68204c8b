/*
 * api_monitor.h -- what monitoring pages poll: http-api 14.3, 14.4 and 15.4.
 */
#pragma once

struct http_request;

void api_varz(struct http_request *request);
void api_varz_setting(struct http_request *request);
void api_migrate_result(struct http_request *request);
