#include "store/log_end.h"

#include "base/assert.h"
#include "store/log_walk.h"

/* An end in eight bytes: the seq, whether the log is the only one, and the count less one. */
#define COUNT_BITS 6u
#define SOLE_BIT   (1ull << COUNT_BITS)
#define SEQ_SHIFT  (COUNT_BITS + 1)
#define SEQ_LIMIT  ((1ull << (64 - SEQ_SHIFT)) - 1)
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
    if (end->last_seq >= SEQ_LIMIT) {
        return NOT_KNOWN;
    }
    const uint64_t count_less_one = end->last_seq > 0 ? end->chunk_count - 1 : 0;
    return end->last_seq << SEQ_SHIFT | (end->is_sole ? SOLE_BIT : 0) | count_less_one;
}

static struct log_end end_unpack(uint64_t packed)
{
    const uint32_t count_less_one = (uint32_t)(packed & ((1u << COUNT_BITS) - 1));
    const uint64_t last_seq = packed >> SEQ_SHIFT;
    return (struct log_end){.last_seq = last_seq,
                            .chunk_count = last_seq == 0 ? 0 : count_less_one + 1,
                            .is_sole = (packed & SOLE_BIT) != 0};
}

static bool end_find(const struct seq_cache *lasts, struct log_ref log, struct log_end *out_end)
{
    uint64_t packed = NOT_KNOWN;
    if (!seq_cache_find(lasts, log_end_key(log), &packed) || packed == NOT_KNOWN) {
        return false;
    }
    *out_end = end_unpack(packed);
    return true;
}

static struct log_ref other_log(struct log_ref log)
{
    log.kind = log.kind == LOG_CHAT ? LOG_COMMAND : LOG_CHAT;
    return log;
}

void log_end_is_joined(struct seq_cache *lasts, struct log_ref log)
{
    struct log_end end;
    if (end_find(lasts, other_log(log), &end) && end.is_sole) {
        end.is_sole = false;
        log_end_remember(lasts, other_log(log), &end);
    }
}

void log_end_remember(struct seq_cache *lasts, struct log_ref log, const struct log_end *end)
{
    seq_cache_add(lasts, log_end_key(log), end_pack(end));
}

void log_end_prefetch(const struct seq_cache *lasts, struct log_ref log)
{
    seq_cache_prefetch(lasts, log_end_key(log));
}

static struct log_end end_of_walk(const struct log_walk *walk)
{
    return (struct log_end){.last_seq = walk_last_seq(walk),
                            .chunk_count = walk->has_chunk ? walk->chunk.count : 0};
}

static enum err end_search(struct store *store, struct log_ref log, struct log_end *out_end)
{
    struct log_walk walk;
    enum err err = walk_open(&walk, store, STORE_MAY_BLOCK, log);
    if (err != ERR_OK) {
        return err;
    }
    err = walk_last(&walk);
    const struct log_end end = end_of_walk(&walk);
    err = scan_close(&walk.scan, err);
    if (err == ERR_OK) {
        *out_end = end;
    }
    return err;
}

static void count_asked(struct store *store, bool is_known)
{
    atomic_fetch_add_explicit(is_known ? &store->lasts_hits : &store->lasts_misses, 1,
                              memory_order_relaxed);
}

/* Begins to remember what a search has found. False: something was committed since `commits`, which
 * may be newer, and what the cache knew of it may be forgotten already. */
static bool remember_begin(struct store *store, uint64_t commits)
{
    seq_cache_begin(&store->lasts);
    if (atomic_load(&store->commits) == commits) {
        return true;
    }
    seq_cache_end(&store->lasts);
    return false;
}

enum err store_log_end(struct store *store, struct log_ref log, struct log_end *out_end)
{
    const bool is_known = end_find(&store->lasts, log, out_end);
    count_asked(store, is_known);
    if (is_known) {
        return ERR_OK;
    }
    const uint64_t commits = atomic_load(&store->commits);
    const enum err err = end_search(store, log, out_end);
    if (err == ERR_OK && remember_begin(store, commits)) {
        log_end_remember(&store->lasts, log, out_end);
        seq_cache_end(&store->lasts);
    }
    return err;
}

bool store_knows_log_end(const struct store *store, struct log_ref log)
{
    struct log_end end;
    return end_find(&store->lasts, log, &end);
}

/* ---- Both logs of a channel. ---- */

/* Are both ends known? */
static bool ends_find(const struct seq_cache *lasts, struct channel_ref channel,
                      struct log_end out_ends[LOG_KINDS_COUNT])
{
    const struct log_end none = {.last_seq = 0};
    const struct log_ref chat = {.channel = channel, .kind = LOG_CHAT};
    if (end_find(lasts, chat, &out_ends[LOG_CHAT]) && out_ends[LOG_CHAT].is_sole) {
        out_ends[LOG_COMMAND] = none;
        return true;
    }
    const bool has_chat = end_find(lasts, chat, &out_ends[LOG_CHAT]);
    if (!end_find(lasts, other_log(chat), &out_ends[LOG_COMMAND])) {
        return false;
    }
    if (!has_chat && out_ends[LOG_COMMAND].is_sole) {
        out_ends[LOG_CHAT] = none;
        return true;
    }
    return has_chat;
}

/* One iterator serves both logs, which lie beside each other. */
static enum err ends_search(struct store *store, enum store_wait wait, struct channel_ref channel,
                            struct log_end out_ends[LOG_KINDS_COUNT])
{
    struct log_walk walk = {.log = {.channel = channel, .kind = LOG_CHAT}};
    struct log_end ends[LOG_KINDS_COUNT] = {0};
    key_of_log(&walk.scan.begin, walk.log);
    key_of_log(&walk.scan.end, other_log(walk.log));
    key_pass_prefix(&walk.scan.end);
    enum err err = scan_open(&walk.scan, store, wait, FAMILY_MESSAGES);
    if (err != ERR_OK) {
        return err;
    }
    err = walk_last(&walk);
    if (err == ERR_OK && walk.has_chunk &&
        scan_key(&walk.scan).data[KEY_CHANNEL_PREFIX_BYTES] == LOG_COMMAND) {
        ends[LOG_COMMAND] = end_of_walk(&walk);
        err = walk_seek(&walk, UINT64_MAX);
    }
    if (err == ERR_OK) {
        ends[LOG_CHAT] = end_of_walk(&walk);
    }
    err = scan_close(&walk.scan, err);
    if (err == ERR_OK) {
        ends[LOG_CHAT].is_sole = ends[LOG_COMMAND].last_seq == 0;
        ends[LOG_COMMAND].is_sole = ends[LOG_CHAT].last_seq == 0;
        memcpy(out_ends, ends, sizeof(ends));
    }
    return err;
}

/* An entry for each log that has messages, and one for a channel without any. */
static void ends_remember(struct seq_cache *lasts, struct channel_ref channel,
                          const struct log_end ends[LOG_KINDS_COUNT])
{
    const struct log_ref chat = {.channel = channel, .kind = LOG_CHAT};
    if (ends[LOG_CHAT].last_seq > 0 || ends[LOG_COMMAND].last_seq == 0) {
        log_end_remember(lasts, chat, &ends[LOG_CHAT]);
    }
    if (ends[LOG_COMMAND].last_seq > 0) {
        log_end_remember(lasts, other_log(chat), &ends[LOG_COMMAND]);
    }
}

enum err store_log_ends(struct store *store, enum store_wait wait, struct channel_ref channel,
                        uint64_t out_seq[LOG_KINDS_COUNT])
{
    struct log_end ends[LOG_KINDS_COUNT];
    const bool is_known = ends_find(&store->lasts, channel, ends);
    if (!is_known) {
        const uint64_t commits = atomic_load(&store->commits);
        const enum err err = ends_search(store, wait, channel, ends);
        if (err != ERR_OK) {
            return err;
        }
        if (remember_begin(store, commits)) {
            ends_remember(&store->lasts, channel, ends);
            seq_cache_end(&store->lasts);
        }
    }
    count_asked(store, is_known);
    for (uint32_t i = 0; i < LOG_KINDS_COUNT; i++) {
        out_seq[i] = ends[i].last_seq;
    }
    return ERR_OK;
}
