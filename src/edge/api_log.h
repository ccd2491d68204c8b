/*
 * api_log.h -- which channel's log a request means, and reading it.
 *
 * Requests name a channel as its members do: a person channel by the peer, together
 * with the uid who asks (http-api 4.3). What cannot be a channel is treated as one
 * that has no messages, as the original does.
 */
#pragma once

#include "chat/names.h"
#include "edge/http_reading.h"
#include "store/message_log.h"
#include "store/read.h"

struct api_log {
    struct channel_name name; /* internal; type and an empty id: there can be no such channel */
    uint8_t area[NAME_PAIR_BYTES_MAX];
};

/* Sets `out_log` to the channel that `login_uid` calls `given`. */
void api_log_init(struct api_log *out_log, struct bytes login_uid, struct channel_name given);

/* The channel's row and last seqs; blocks. ERR_ABSENT: it is not known. */
MUST_USE enum err api_log_load(const struct http_request *request, const struct api_log *log,
                               struct channel_state *out_state);

/* Writes the message with this seq as an object. ERR_ABSENT: it is not there, and nothing was
 * written. Blocks. */
MUST_USE enum err api_log_write(struct http_request *request, struct log_ref log, uint64_t seq);

/* A visitor of messages, whose context is the request: writes each as an object. */
store_message_fn api_log_write_visit;
