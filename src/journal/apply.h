/*
 * apply.h -- from records to rows: the one function that says what a record means.
 *
 * Pure and deterministic: the same records in the same order give the same rows,
 * whichever engine brought them.
 */
#pragma once

#include "journal/record.h"
#include "store/batch.h"

/* Adds the rows of all records in `bytes` to the batch. `clock_ms` is the latest time of all clocks
 * so far, and is raised: each shard tells of its own, and what is stored covers all of them.
 * ERR_CORRUPT: not an entry's bytes. ERR_LIMIT, ERR_FULL, ERR_BUDGET: as batch.h; the batch then
 * holds a part of it: clear it. */
MUST_USE enum err apply_entry(struct store_batch *batch, struct bytes bytes, uint64_t *clock_ms);
