/*
 * source_table.h -- when the data source was last asked about which channel.
 *
 * Of a bounded number of channels; the one that was asked longest ago goes. A channel is
 * known by the hash of its name, 64 bits under a key that nobody knows: two that are
 * taken for one would only share when they are asked again.
 */
#pragma once

#include "base/err.h"
#include "memory/budget.h"

#define SOURCE_TABLE_WAYS 4u
#define SOURCE_TABLE_ROWS 2048u /* a power of two: 8192 channels, 192 KiB */

struct source_entry {
    uint64_t hash;
    uint64_t at_ns; /* 0: the entry is empty */
    bool is_good;   /* it answered, then; else it failed */
};

struct source_table {
    struct source_entry *entries; /* rows of SOURCE_TABLE_WAYS */
    struct budget *budget;
};

MUST_USE enum err source_table_init(struct source_table *table, struct budget *budget);
void source_table_deinit(struct source_table *table);

/* NULL: it was never asked, or is forgotten. Valid until something is put. */
const struct source_entry *source_table_find(const struct source_table *table, uint64_t hash);

/* `at_ns` is above 0. */
void source_table_put(struct source_table *table, uint64_t hash, uint64_t at_ns, bool is_good);
