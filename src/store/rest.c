#include "memory/allocator.h"
#include "store/store_private.h"

/* Less than this is not worth a file or a pause. */
#define REST_MEMTABLES_BYTES (1024ull * 1024)
#define REST_CACHE_BYTES     (64ull * 1024)
#define REST_LASTS_BYTES     (64ull * 1024)

/* Who reads all the time, as the thread of the webhooks while it goes through a long outbox, is
 * still outside for a moment between two reads. */
#define REST_PAUSE_MS 100u

static uint64_t memtables_bytes(struct store *store)
{
    if (!gate_enter(&store->gate)) {
        return 0;
    }
    const uint64_t bytes = engine_property_sum(&store->engine, "rocksdb.size-all-mem-tables");
    gate_leave(&store->gate);
    return bytes;
}

static uint64_t rest_memtables(struct store *store)
{
    const uint64_t before = memtables_bytes(store);
    if (before < REST_MEMTABLES_BYTES || store_flush(store) != ERR_OK) {
        return 0; /* the write-ahead log has it all, and the next commit tells what is wrong */
    }
    const uint64_t after = memtables_bytes(store);
    return before > after ? before - after : 0;
}

static void rest_blocks(struct store *store, enum cache_rest kept, struct store_rest *rest)
{
    const uint64_t before = engine_cache_usage(&store->engine);
    if (before >= REST_CACHE_BYTES) {
        engine_cache_trim(&store->engine, store->options.cache_bytes, kept);
        const uint64_t after = engine_cache_usage(&store->engine);
        rest->cache_bytes = before > after ? before - after : 0;
    }
}

/* While nobody is inside: what is in use would stay, and a reader who needs a large block in just
 * this moment would be refused. If somebody always is, room for large blocks stays. */
static void rest_caches(struct store *store, bool is_flushed, struct store_rest *rest)
{
    if (!gate_pause(&store->gate, REST_PAUSE_MS)) {
        if (gate_enter(&store->gate)) {
            rest_blocks(store, CACHE_KEEPS_ROOM, rest);
            gate_leave(&store->gate);
        }
        return;
    }
    rest_blocks(store, CACHE_KEEPS_NOTHING, rest);
    if (is_flushed) { /* it knows what was in the memtable, and that is empty now */
        seq_cache_forget(&store->owns);
        rest->owns_bytes = seq_cache_bytes(&store->owns);
    }
    const uint64_t lasts = memory_table_resident(store->lasts.sets, seq_cache_bytes(&store->lasts));
    if (lasts >= REST_LASTS_BYTES) { /* each is found again with one look-up */
        seq_cache_forget(&store->lasts);
        rest->lasts_bytes = lasts;
    }
    gate_resume(&store->gate);
}

void store_rest(struct store *store, struct store_rest *out_rest)
{
    *out_rest = (struct store_rest){.memtables_bytes = rest_memtables(store)};
    rest_caches(store, out_rest->memtables_bytes > 0, out_rest);
    out_rest->filters_bytes = send_filters_rest(&store->filters);
}
