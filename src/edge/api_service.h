/*
 * api_service.h -- addresses, health and figures of this node: http-api 5 and 14.
 */
#pragma once

struct http_request;

void api_route_get(struct http_request *request);
void api_route_batch(struct http_request *request);
void api_health(struct http_request *request);
void api_metrics(struct http_request *request);
