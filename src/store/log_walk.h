/*
 * log_walk.h -- moves over the chunks of one log, in either direction.
 *
 * Each move decodes the chunk it comes to; moving to a neighbour checks that the log goes on
 * there without a gap. ERR_CORRUPT ends a walk; so does anything that RocksDB found
 * wrong, which scan_close tells.
 *
 * Private to the store layer; one thread for each walk.
 */
#pragma once

#include "store/chunk.h"
#include "store/message_row.h"
#include "store/store_private.h"

/* While `has_chunk`, `chunk` is the one in hand, until the next move. */
struct log_walk {
    struct scan scan;
    struct log_ref log;
    struct chunk chunk;
    bool has_chunk;
};

/* Ends with scan_close(&walk->scan, …). Has no chunk in hand yet. */
MUST_USE enum err walk_open(struct log_walk *walk, struct store *store, enum store_wait wait,
                            struct log_ref log);

/* Decodes the chunk that the scan was moved to. */
MUST_USE enum err walk_take(struct log_walk *walk);

MUST_USE enum err walk_first(struct log_walk *walk);
MUST_USE enum err walk_last(struct log_walk *walk);

/* To the chunk that begins at `seq` or before it; to none if the log begins later. */
MUST_USE enum err walk_seek(struct log_walk *walk, uint64_t seq);

/* To the chunk that holds `seq`, or the first one behind it. */
MUST_USE enum err walk_seek_from(struct log_walk *walk, uint64_t seq);

/* Only while there is a chunk in hand. */
MUST_USE enum err walk_next(struct log_walk *walk);
MUST_USE enum err walk_previous(struct log_walk *walk);

/* The message `seq` of the chunk in hand, checked. */
MUST_USE enum err walk_message(const struct log_walk *walk, uint64_t seq, struct bytes *out_row,
                               struct message_view *out_view);

/* inline definitions */

/* The last seq of the chunk in hand; 0: there is none. */
static inline uint64_t walk_last_seq(const struct log_walk *walk)
{
    return walk->has_chunk ? chunk_last_seq(&walk->chunk) : 0;
}
