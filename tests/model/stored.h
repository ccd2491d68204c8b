/*
 * stored.h -- what the store says of channels and messages, checked against what was asked for.
 */
#pragma once

#include "model/script.h"
#include "store/message_row.h"
#include "store/read.h"

/* A stored message, and whether it is what was asked for. */
struct stored {
    const struct model *model;
    const struct model_channel *channel;
    enum log_kind log;
    bool is_found;
    uint64_t seq;
    uint64_t message_id;
    uint32_t serial;
    uint32_t timestamp_s;
};

/* A channel as it is stored, zeroed if it is not (ERR_ABSENT). */
enum err stored_load(struct script *script, const struct model_channel *channel,
                     struct channel_state *out_state);

/* For a range of messages, with a struct stored that knows its model, channel and log: takes the
 * message, checks it, and ends the reading. */
bool stored_visit(void *context, const struct message_view *view, struct bytes row);

/* The message behind the last one that the model has. */
struct stored stored_read_next(struct script *script, const struct model_channel *channel,
                               enum log_kind log);
