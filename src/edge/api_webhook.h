/*
 * api_webhook.h -- what the back end has refused for good, and how to send it again. Ours, not
 * WuKongIM's; docs/webhooks.md describes both for users.
 */
#pragma once

#include "edge/json_fields.h"

struct http_request;

extern const struct json_shape api_shape_resend;

/* GET /webhook/deadletters */
void api_dead_letters(struct http_request *request);

/* POST /webhook/resend */
void api_resend(struct http_request *request);
