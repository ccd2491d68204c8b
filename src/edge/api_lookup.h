/*
 * api_lookup.h -- single messages by seq, by id, by client_msg_no: http-api 9.4 to 9.6.
 *
 * The index of client_msg_nos is one of senders and their numbers, and a request names
 * no sender. Those who may have sent it are tried: the two uids of a person channel,
 * the members of others; then the newest (or oldest) part of the log is looked
 * through. How much work one request may make is bounded: LOOKUP_PROBES_MAX and
 * LOOKUP_ROWS_MAX.
 */
#pragma once

#include "edge/json_fields.h"

struct http_request;

#define LOOKUPS_MAX       10000u /* of one request */
#define LOOKUP_PROBES_MAX 20000u /* of the index, by one request */
#define LOOKUP_ROWS_MAX   50000u /* of the logs, by one request */

extern const struct json_shape api_shape_messages;
extern const struct json_shape api_shape_message;

void api_messages(struct http_request *request);
void api_message(struct http_request *request);
void api_message_by_client_msg_no(struct http_request *request);
