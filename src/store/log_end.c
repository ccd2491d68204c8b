#include "store/log_end.h"

#include "base/assert.h"
#include "store/log_walk.h"

#define COUNT_BITS 6u
#define SEQ_LIMIT  ((1ull << (64 - COUNT_BITS)) - 1)
#define NOT_KNOWN  UINT64_MAX /* a seq that does not fit: the log is searched each time */

_Static_assert(STORE_CHUNK_MESSAGES_MAX <= 1u << COUNT_BITS, "a count less one fits its bits");

uint64_t log_end_key(struct log_ref log)
{
    uint64_t where =
        (uint64_t)log.channel.slot << 34 | (uint64_t)log.channel.number << 2 | (uint64_t)log.kind;
    where *= 0x9e3779b97f4a7c15ull; /* odd, so that this and the next step are one-to-one */
    return where ^ where >> 47;     /* the cache goes by the lowest bits: now they have it all */
}

static uint64_t end_pack(const struct log_end *end)
{
    ASSERT((end->last_seq > 0) == (end->chunk_count > 0));
    if (end->last_seq == 0) {
        return 0;
    }
    return end->last_seq < SEQ_LIMIT ? end->last_seq << COUNT_BITS | (end->chunk_count - 1)
                                     : NOT_KNOWN;
}

static struct log_end end_unpack(uint64_t packed)
{
    const uint32_t count_less_one = (uint32_t)(packed & ((1u << COUNT_BITS) - 1));
    return (struct log_end){.last_seq = packed >> COUNT_BITS,
                            .chunk_count = packed == 0 ? 0 : count_less_one + 1};
}

void log_end_remember(struct seq_cache *lasts, struct log_ref log, const struct log_end *end)
{
    seq_cache_add(lasts, log_end_key(log), end_pack(end));
}

static enum err end_search(struct store *store, struct log_ref log, struct log_end *out_end)
{
    struct log_walk walk;
    enum err err = walk_open(&walk, store, STORE_MAY_BLOCK, log);
    if (err != ERR_OK) {
        return err;
    }
    err = walk_last(&walk);
    const struct log_end end = {.last_seq = walk_last_seq(&walk),
                                .chunk_count = walk.has_chunk ? walk.chunk.count : 0};
    err = scan_close(&walk.scan, err);
    if (err == ERR_OK) {
        *out_end = end;
    }
    return err;
}

enum err store_log_end(struct store *store, struct log_ref log, struct log_end *out_end)
{
    uint64_t packed = NOT_KNOWN;
    if (seq_cache_find(&store->lasts, log_end_key(log), &packed) && packed != NOT_KNOWN) {
        atomic_fetch_add_explicit(&store->lasts_hits, 1, memory_order_relaxed);
        *out_end = end_unpack(packed);
        return ERR_OK;
    }
    atomic_fetch_add_explicit(&store->lasts_misses, 1, memory_order_relaxed);
    const uint64_t commits = atomic_load(&store->commits);
    const enum err err = end_search(store, log, out_end);
    if (err != ERR_OK) {
        return err;
    }
    /* Kept unless something was committed meanwhile: that may be newer, and what the cache knew of
     * it may be forgotten already. */
    seq_cache_begin(&store->lasts);
    if (atomic_load(&store->commits) == commits) {
        log_end_remember(&store->lasts, log, out_end);
    }
    seq_cache_end(&store->lasts);
    return ERR_OK;
}
