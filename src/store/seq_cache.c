#include "store/seq_cache.h"

#include "base/assert.h"
#include "memory/allocator.h"

#include <stdatomic.h>

/* Readers do not lock a set: they read `version` before and after, and again if it has changed
 * meanwhile. It is odd while the set is written. */
struct seq_cache_set {
    _Atomic uint64_t version;
    uint64_t adds_count; /* of the writers; says whose turn it is to be forgotten */
    _Atomic uint64_t keys[SEQ_CACHE_WAYS]; /* 0: empty */
    _Atomic uint64_t seqs[SEQ_CACHE_WAYS];
};

/* How often a reader tries a set that is being written before it says "not found". */
#define SEQ_CACHE_TRIES 16

static struct seq_cache_set *set_of(const struct seq_cache *cache, uint64_t key)
{
    return &cache->sets[key & (cache->sets_count - 1)];
}

enum err seq_cache_open(struct seq_cache *cache, struct budget *budget, uint64_t entries_min)
{
    uint64_t sets_count = 1;
    while (sets_count * SEQ_CACHE_WAYS < entries_min) {
        sets_count *= 2;
    }
    const uint64_t bytes = sets_count * sizeof(struct seq_cache_set);
    const enum err err = budget_charge(budget, MEMORY_RANK_ADMIT, bytes);
    if (err != ERR_OK) {
        return err;
    }
    struct seq_cache_set *sets = memory_table_acquire(bytes); /* zeros: empty sets */
    if (sets == NULL) {
        budget_refund(budget, bytes);
        return ERR_BUDGET;
    }
    cache->sets = sets;
    cache->sets_count = sets_count;
    cache->budget = budget;
    monitor_init(&cache->writing);
    return ERR_OK;
}

uint64_t seq_cache_entries_within(uint64_t bytes)
{
    uint64_t sets_count = 1;
    while (2 * sets_count * sizeof(struct seq_cache_set) <= bytes) {
        sets_count *= 2;
    }
    return sets_count * SEQ_CACHE_WAYS;
}

void seq_cache_close(struct seq_cache *cache)
{
    if (cache->sets == NULL) {
        return;
    }
    memory_table_release(cache->sets, seq_cache_bytes(cache));
    budget_refund(cache->budget, seq_cache_bytes(cache));
    cache->sets = NULL;
    monitor_deinit(&cache->writing);
}

uint64_t seq_cache_bytes(const struct seq_cache *cache)
{
    return cache->sets_count * sizeof(*cache->sets);
}

void seq_cache_clear(struct seq_cache *cache)
{
    seq_cache_begin(cache);
    for (uint64_t i = 0; i < cache->sets_count; i++) {
        struct seq_cache_set *set = &cache->sets[i];
        atomic_fetch_add(&set->version, 1);
        for (uint32_t way = 0; way < SEQ_CACHE_WAYS; way++) {
            atomic_store_explicit(&set->keys[way], 0, memory_order_release);
        }
        atomic_fetch_add(&set->version, 1);
    }
    seq_cache_end(cache);
}

void seq_cache_forget(struct seq_cache *cache)
{
    seq_cache_begin(cache);
    memory_table_forget(cache->sets, seq_cache_bytes(cache));
    seq_cache_end(cache);
}

void seq_cache_begin(struct seq_cache *cache)
{
    monitor_enter(&cache->writing);
}

void seq_cache_end(struct seq_cache *cache)
{
    monitor_leave(&cache->writing);
}

void seq_cache_add(struct seq_cache *cache, uint64_t key, uint64_t seq)
{
    ASSERT(key != 0);
    struct seq_cache_set *set = set_of(cache, key);
    const uint64_t version = atomic_load_explicit(&set->version, memory_order_relaxed);
    uint32_t way = 0;
    while (way < SEQ_CACHE_WAYS &&
           atomic_load_explicit(&set->keys[way], memory_order_relaxed) != key) {
        way++;
    }
    if (way == SEQ_CACHE_WAYS) {
        way = (uint32_t)(set->adds_count++ % SEQ_CACHE_WAYS);
    }
    /* Each store is a release: none can be seen before the odd version is. */
    atomic_store_explicit(&set->version, version + 1, memory_order_release);
    atomic_store_explicit(&set->keys[way], key, memory_order_release);
    atomic_store_explicit(&set->seqs[way], seq, memory_order_release);
    atomic_store_explicit(&set->version, version + 2, memory_order_release);
}

/* Was the set at rest while it was searched? */
static bool set_search(const struct seq_cache_set *set, uint64_t key, bool *out_is_found,
                       uint64_t *out_seq)
{
    const uint64_t version = atomic_load_explicit(&set->version, memory_order_acquire);
    bool is_found = false;
    uint64_t seq = 0;
    for (uint32_t way = 0; way < SEQ_CACHE_WAYS; way++) {
        if (atomic_load_explicit(&set->keys[way], memory_order_acquire) == key) {
            seq = atomic_load_explicit(&set->seqs[way], memory_order_acquire);
            is_found = true;
        }
    }
    if (version % 2 != 0 || atomic_load_explicit(&set->version, memory_order_relaxed) != version) {
        return false;
    }
    *out_is_found = is_found;
    *out_seq = seq;
    return true;
}

bool seq_cache_find(const struct seq_cache *cache, uint64_t key, uint64_t *out_seq)
{
    const struct seq_cache_set *set = set_of(cache, key);
    bool is_found = false;
    uint64_t seq = 0;
    for (uint32_t tries = 0; tries < SEQ_CACHE_TRIES; tries++) {
        if (set_search(set, key, &is_found, &seq)) {
            if (is_found) {
                *out_seq = seq;
            }
            return is_found;
        }
    }
    return false;
}

void seq_cache_prefetch(const struct seq_cache *cache, uint64_t key)
{
    const uint8_t *set = (const uint8_t *)set_of(cache, key);
    for (size_t at = 0; at < sizeof(struct seq_cache_set); at += CACHE_LINE_BYTES) {
        __builtin_prefetch(set + at);
    }
    __builtin_prefetch(set + sizeof(struct seq_cache_set) - 1);
}
