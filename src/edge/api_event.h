/*
 * api_event.h -- event streams: http-api 11.1 and 11.2.
 */
#pragma once

#include "base/bytes.h"
#include "edge/json_fields.h"

struct http_request;

extern const struct json_shape api_shape_event;
extern const struct json_shape api_shape_event_sync;

void api_event(struct http_request *request);
void api_event_sync(struct http_request *request);

/* An event that another endpoint tells. Borrowed from the request, or kept as long. */
struct api_event_order {
    struct bytes channel_id; /* as the sender calls it */
    uint8_t channel_type;
    struct bytes from_uid;
    struct bytes client_msg_no;
    struct bytes event_id;
    struct bytes event_type;
    struct bytes payload; /* JSON, or empty */
    uint64_t message_id;
    /* It is durable, also when it was before. */
    void (*answer)(struct http_request *request, const struct api_event_order *order);
};

/* Tells it in the lane `main` and answers the request. Its stream stays known (anchors.h) when it
 * has ended. */
void api_event_tell(struct http_request *request, const struct api_event_order *order);
