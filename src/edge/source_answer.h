/*
 * source_answer.h -- what a data source answers: lists of uids, a channel's flags (webhook 7.2).
 *
 * The back end is read like any peer: an answer that is not JSON, of another type, or
 * with a name that is too long is no answer at all. `null` is an empty list, as some
 * languages write it; blank uids are skipped, as the API does.
 *
 * Pure but for the room of the uids, which is charged to the caller's budget.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "memory/budget.h"
#include "store/row.h"

/* The uids of an answer, each once, in byte order; borrowed from its text. */
struct source_uids {
    struct bytes *items;
    uint32_t count;
    uint32_t capacity;
    struct budget *budget;
};

/* An answer's text, which reading destroys. */
struct source_text {
    uint8_t *data;
    size_t size;
};

/* Reads an array of uids; `uids` is empty, with its budget. ERR_PROTOCOL: that is no such array.
 * ERR_BUDGET: no room. */
MUST_USE enum err source_uids_read(struct source_uids *uids, struct source_text text);
/* Gives the room back; empty ones are allowed. */
void source_uids_clear(struct source_uids *uids);

/* The flags of a channel that getChannelInfo decides about. */
#define SOURCE_INFO_FLAGS                                                                          \
    ((uint32_t)CHANNEL_FLAG_LARGE | (uint32_t)CHANNEL_FLAG_BAN | (uint32_t)CHANNEL_FLAG_DISBAND)

/* Reads which of them are set, from an object of numbers 0 and 1, or of booleans; what is missing
 * or null is not set, what has another name is ignored. ERR_PROTOCOL: that is no such object, or it
 * names none of them, as the answer of a back end to what it does not know. */
MUST_USE enum err source_flags_read(struct bytes text, uint32_t *out_flags);
