/*
 * seq_cache.h -- seqs that were committed lately, found without asking RocksDB.
 *
 * The store has two. `owns` knows the "own last seqs": a commit writes, for each sender in a
 * log, the seq of its last message, small rows in random order, the dearest kind there is for a
 * sorted memtable (measured: 2.4 us each, against 0.3 us). So the family `owns` has a memtable
 * that only appends. It is sorted when it is full; to find a row before that, RocksDB would
 * copy and sort it for each search. A Bloom filter keeps searches for what is not there away
 * from it, and this cache answers those for what is there. `lasts` knows where logs end
 * (log_end.h), so that a list of conversations passes over what has not changed.
 *
 * Promises:
 *   (1) what is found is what was added last for the key;
 *   (2) what is not found may still be in RocksDB: the cache forgets the oldest, set by
 *       set, and it may forget anything at any time.
 *
 * Any thread reads, without waiting; writers exclude each other. Keys of `owns` are keyed
 * hashes of 64 bits: nobody can choose collisions, and a chance one is as likely as damage
 * that no checksum finds. Keys of `lasts` name one log each.
 *
 * Private to the store layer.
 */
#pragma once

#include "memory/budget.h"
#include "system/thread.h"

#include <stdbool.h>
#include <stdint.h>

#define SEQ_CACHE_WAYS 8 /* entries of one set */

struct seq_cache_set;

/* Private to seq_cache.c. */
struct seq_cache {
    struct seq_cache_set *sets;
    uint64_t sets_count; /* a power of two */
    struct budget *budget;
    struct monitor writing;
};

/* Room for `entries_min` entries at least. ERR_BUDGET: it does not fit. */
MUST_USE enum err seq_cache_open(struct seq_cache *cache, struct budget *budget,
                                 uint64_t entries_min);
void seq_cache_close(struct seq_cache *cache);

/* The most entries for which a cache takes no more than so many bytes, which are those of one set
 * at least. */
uint64_t seq_cache_entries_within(uint64_t bytes);

uint64_t seq_cache_bytes(const struct seq_cache *cache);

/* Forgets everything. */
void seq_cache_clear(struct seq_cache *cache);

/* The same, and gives the pages back to the system. Nobody reads meanwhile. */
void seq_cache_forget(struct seq_cache *cache);

/* Between these, one thread adds. */
void seq_cache_begin(struct seq_cache *cache);
void seq_cache_end(struct seq_cache *cache);

/* `key` is not 0. */
void seq_cache_add(struct seq_cache *cache, uint64_t key, uint64_t seq);

bool seq_cache_find(const struct seq_cache *cache, uint64_t key, uint64_t *out_seq);

/* `key` is about to be looked for: has what is known of it brought nearer. */
void seq_cache_prefetch(const struct seq_cache *cache, uint64_t key);
