/*
 * webhook_body.h -- what the back end is sent: the bodies of webhook.md, byte for byte.
 *
 * Bodies are built in a buffer that grows as far as its budget and limit let it; the
 * courier's headroom is in front. Building is otherwise pure.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "memory/budget.h"
#include "store/message_row.h"
#include "wire/json_text.h"

/* A body being built. Private to webhook_body.c, but for `buffer`. */
struct webhook_body {
    struct budget *budget;
    uint8_t *buffer; /* NULL: none */
    size_t capacity;
    size_t size;    /* of the headroom and what has been written */
    uint32_t items; /* of the array */
};

void webhook_body_init(struct webhook_body *body, struct budget *budget);
/* Gives the buffer back; what was written is gone. */
void webhook_body_clear(struct webhook_body *body);

/* The text. */
struct bytes webhook_body_text(const struct webhook_body *body);

/* Adds a message to the array of msg.notify (3.2). ERR_LIMIT: the body would be larger than
 * `bytes_max` and is not empty; nothing was added. ERR_BUDGET: no room. */
MUST_USE enum err webhook_body_add_message(struct webhook_body *body,
                                           const struct message_view *view, size_t bytes_max);

/* Adds a line to the array of user.onlinestatus (5.1). Errors likewise. */
MUST_USE enum err webhook_body_add_status(struct webhook_body *body, struct bytes line,
                                          size_t bytes_max);

/* Closes the array; there was room kept for that. */
void webhook_body_end(struct webhook_body *body);

/* msg.offline. */
struct webhook_offline {
    const struct message_view *view;
    bool is_explicit;        /* the message went to a list of uids */
    struct bytes uids;       /* each with its size in two bytes before it */
    uint64_t compress_above; /* so many uids are sent compressed (4.3); 0: never */
    uint64_t source_id;
};

/* The objects themselves, for whoever shows them; the uids are never compressed. */
void webhook_json_message(struct json_text *json, const struct message_view *view);
void webhook_json_offline(struct json_text *json, const struct webhook_offline *offline);

/* Writes the whole body (4.2). ERR_BUDGET: no room. */
MUST_USE enum err webhook_body_write_offline(struct webhook_body *body,
                                             const struct webhook_offline *offline);
