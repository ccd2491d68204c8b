#include "store/engine.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>

#define KIB 1024ull
#define MIB (1024ull * KIB)

#define OPTIONS_TEXT_MAX 2048

/* What a family is tuned for. A memtable of it may take `share` 256ths of the memory for all
 * memtables, and there may be `memtables_max` of them: one that is filled, the others on their way
 * to the disk. A writer waits when all are full, so that the shares bound the memory. */
struct family_settings {
    const char *name;
    uint32_t share;
    uint32_t memtables_max;
    uint32_t bloom_bits;  /* of each row in the files' filters; 0: no filters */
    uint32_t block_bytes; /* of the files */
    const char *text;
};

#define BLOCK_BYTES_POINTS 4096u
#define BLOCK_BYTES_RANGES 16384u

/* Most rows: looked up by their whole key, often in vain (a filter of ten bits for each row, small
 * blocks), or read in order (no filter, larger blocks). */
#define TEXT_LEVELS "compression_per_level=kNoCompression:kNoCompression:kLZ4Compression;"

/* The same of rows that are looked up in vain more often than not, by the shard itself: of a
 * channel that is new, of a receiver who has no lists. A filter of the memtable, too. */
#define TEXT_NEW_NAMES                                                                             \
    TEXT_LEVELS                                                                                    \
    "memtable_whole_key_filtering=true;memtable_prefix_bloom_size_ratio=0.05;"

/* Read in order, and where a log ends by the whole key (log_end.h), thousands of times for a list
 * of conversations: small blocks, since one row of each is wanted, and filters, in the memtable
 * too, say which file has it. A key that is asked for is there, so the last level needs none (ADR
 * 31). */
#define TEXT_MESSAGES                                                                              \
    TEXT_LEVELS                                                                                    \
    "memtable_whole_key_filtering=true;memtable_prefix_bloom_size_ratio=0.02;"                     \
    "optimize_filters_for_hits=true;"

/* A small row for each sender in a log at each commit, in random order. The memtable only appends
 * and is sorted when it is full (see seq_cache.h); its own Bloom filter, some thirty bits for each
 * row, keeps look-ups away from it, since one that passes costs a sort. Hashes do not compress.
 * Merging sorted runs of like size (universal) rewrites such rows half as often as levels do; the
 * filters make up for the larger number of runs. */
#define TEXT_OWNS                                                                                  \
    "compression=kNoCompression;"                                                                  \
    "memtable_factory=vector;"                                                                     \
    "memtable_whole_key_filtering=true;memtable_prefix_bloom_size_ratio=0.1;"                      \
    "compaction_style=kCompactionStyleUniversal;level0_file_num_compaction_trigger=8;"

static const struct family_settings settings[FAMILIES_COUNT] = {
    [FAMILY_DEFAULT] = {"default", 1, 2, 0, BLOCK_BYTES_POINTS, ""},
    [FAMILY_CHANNELS] = {"channels", 4, 2, 10, BLOCK_BYTES_POINTS, TEXT_NEW_NAMES},
    [FAMILY_NUMBERS] = {"numbers", 3, 2, 0, BLOCK_BYTES_RANGES, TEXT_LEVELS},
    [FAMILY_MESSAGES] = {"messages", 46, 3, 10, BLOCK_BYTES_POINTS, TEXT_MESSAGES},
    [FAMILY_SENDS] = {"sends", 4, 2, 0, BLOCK_BYTES_RANGES, TEXT_LEVELS},
    [FAMILY_OWNS] = {"owns", 12, 2, 10, BLOCK_BYTES_POINTS, TEXT_OWNS},
    [FAMILY_MEMBERS] = {"members", 8, 2, 10, BLOCK_BYTES_POINTS, TEXT_LEVELS},
    [FAMILY_DIRECTORY] = {"directory", 10, 2, 10, BLOCK_BYTES_POINTS, TEXT_LEVELS},
    [FAMILY_USERS] = {"users", 4, 2, 10, BLOCK_BYTES_POINTS, TEXT_LEVELS},
    [FAMILY_META] = {"meta", 2, 2, 0, BLOCK_BYTES_RANGES, TEXT_LEVELS},
    [FAMILY_OUTBOX] = {"outbox", 8, 2, 0, BLOCK_BYTES_RANGES, TEXT_LEVELS},
    [FAMILY_EVENTS] = {"events", 2, 2, 0, BLOCK_BYTES_RANGES, TEXT_LEVELS},
};

/* A row of `owns` takes at least so much of a memtable: key, value, sizes, sequence, pointer. */
#define OWN_MEMTABLE_ROW_BYTES 40

void fault_set(struct store_fault *fault, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault->text, sizeof(fault->text), format, arguments);
    va_end(arguments);
}

static uint64_t memtable_bytes(const struct store_options *options, enum family family)
{
    return options->memtables_bytes * settings[family].share / 256;
}

uint64_t engine_recent_owns_max(const struct store_options *options)
{
    return memtable_bytes(options, FAMILY_OWNS) / OWN_MEMTABLE_ROW_BYTES;
}

const char *engine_family_name(enum family family)
{
    return settings[family].name;
}

enum err engine_error(char *error, struct store_fault *out_fault)
{
    if (error == NULL) {
        return ERR_OK;
    }
    static const struct {
        const char *beginning;
        enum err err;
    } meanings[] = {
        {"Result incomplete", ERR_AGAIN}, /* not in memory, and we said not to block */
        {"Operation aborted: Memory limit", ERR_BUDGET}, /* the cache is full of blocks in use */
        {"Corruption", ERR_CORRUPT},
        {"Invalid argument", ERR_DENIED}, /* options, or families that do not fit */
        {"Not implemented", ERR_DENIED},  /* written by a newer RocksDB */
    };
    enum err err = ERR_IO;
    for (size_t i = 0; i < COUNT_OF(meanings); i++) {
        if (strncmp(error, meanings[i].beginning, strlen(meanings[i].beginning)) == 0) {
            err = meanings[i].err;
        }
    }
    fault_set(out_fault, "%s", error);
    rocksdb_free(error);
    return err;
}

/* Makes new options from `base` and a text. */
static enum err options_parse(const rocksdb_options_t *base, const char *text,
                              rocksdb_options_t **out_options, struct store_fault *out_fault)
{
    char *error = NULL;
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_get_options_from_string(base, text, options, &error);
    if (error != NULL) {
        rocksdb_options_destroy(options);
        const enum err err = engine_error(error, out_fault);
        return err == ERR_OK ? ERR_DENIED : err;
    }
    *out_options = options;
    return ERR_OK;
}

/* A shard of the cache holds the blocks of all readers at once, and the largest message is two
 * megabytes: with the strict limit, a shard must be a good deal larger. */
static unsigned cache_shard_bits(uint64_t cache_bytes)
{
    unsigned bits = 0;
    while (bits < 4 && cache_bytes >> (bits + 1) >= 8 * MIB) {
        bits++;
    }
    return bits;
}

static uint64_t clamp(uint64_t value, uint64_t min, uint64_t max)
{
    return value < min ? min : (value > max ? max : value);
}

static uint64_t write_buffer_bytes(const struct store_options *options, enum family family)
{
    return clamp(memtable_bytes(options, family), 64 * KIB, 256 * MIB);
}

/* RocksDB takes a memtable and a tenth of it, of the family whose memtable is full. */
uint64_t engine_log_ahead_bytes(const struct store_options *options)
{
    uint64_t largest = 0;
    for (size_t i = 0; i < FAMILIES_COUNT; i++) {
        const uint64_t bytes = write_buffer_bytes(options, (enum family)i);
        largest = bytes > largest ? bytes : largest;
    }
    return largest + largest / 10;
}

/*
 * What all families share.
 *
 * The write-ahead log. Its files are not recycled: RocksDB 7.8 allows that only together with
 * skipping any damaged record (log_room.h does without). Of the ways to recover,
 * kTolerateCorruptedTailRecords refuses a tail that a power cut has torn and that nobody was
 * promised; kAbsoluteConsistency refuses a cut one too; kSkipAnyCorruptedRecords gives wrong
 * answers; kPointInTimeRecovery opens them all, but would also drop, in silence, what was
 * acknowledged and lies behind damage. So we recover to the point in time, and wal_check.h has
 * proven before that nothing intact lies behind that point. That each closed log file is there in
 * the length that was synced is in RocksDB's manifest, and verified by it
 * (track_and_verify_wals_in_manifest), unless the operator accepts a loss.
 *
 * Memory. The cache has a strict limit, indexes and filters are in it and partitioned, so that a
 * small cache holds the parts in use. Only so many tables are open. Buffers for writing files are
 * a quarter of the usual. Nothing is written in the background but flushes and compactions: the
 * statistics that RocksDB would dump and store are off.
 *
 * RocksDB's own log has nothing but its head, which is written at opening. Built with assertions,
 * as Debian's is, RocksDB aborts the process when it writes to that log again after a write to it
 * has failed: on a full disk. So a disk that is full already is not opened (store.c), and the log
 * is not rolled over, for which RocksDB would also keep its head in memory.
 *
 * Speed. One thread writes batches, so nothing is prepared for concurrent writers (the memtable of
 * `owns` could not bear it). Files are written back steadily (bytes_per_sync), so that a sync of
 * the log does not wait for megabytes of somebody else's. Readers leave the deletion of files to
 * the background.
 */
static void database_text(const struct store_options *options, char *text, size_t size)
{
    snprintf(text, size,
             "create_missing_column_families=true;paranoid_checks=true;"
             "wal_recovery_mode=kPointInTimeRecovery;track_and_verify_wals_in_manifest=%s;"
             "max_total_wal_size=%llu;recycle_log_file_num=0;"
             "db_write_buffer_size=%llu;max_open_files=%u;table_cache_numshardbits=2;"
             "max_background_jobs=%u;writable_file_max_buffer_size=262144;"
             "allow_concurrent_memtable_write=false;enable_write_thread_adaptive_yield=false;"
             "bytes_per_sync=262144;avoid_unnecessary_blocking_io=true;"
             "skip_stats_update_on_db_open=true;max_manifest_file_size=16777216;"
             "manifest_preallocation_size=65536;"
             "info_log_level=HEADER_LEVEL;max_log_file_size=0;keep_log_file_num=2;"
             "stats_dump_period_sec=0;stats_persist_period_sec=0;",
             options->is_loss_accepted ? "false" : "true",
             (unsigned long long)clamp(4 * options->memtables_bytes, 32 * MIB, 128 * MIB),
             (unsigned long long)options->memtables_bytes, options->files_open_max,
             options->threads_count);
}

/* What each family begins with. Levels: the first has four times what a memtable leaves behind when
 * compaction begins; files are small, so that a compaction is. */
static void family_text(const struct store_options *options, enum family family, char *text,
                        size_t size)
{
    const uint64_t memtable = write_buffer_bytes(options, family);
    snprintf(text, size,
             "write_buffer_size=%llu;max_write_buffer_number=%u;"
             "level_compaction_dynamic_level_bytes=true;"
             "max_bytes_for_level_base=%llu;target_file_size_base=%llu;%s",
             (unsigned long long)memtable, settings[family].memtables_max,
             (unsigned long long)clamp(16 * memtable, 8 * MIB, 1024 * MIB),
             (unsigned long long)clamp(4 * memtable, 4 * MIB, 32 * MIB), settings[family].text);
}

/* The cache has as many shards as RocksDB thinks right for the capacity that it is made with, one
 * for each half megabyte; they grow with the capacity. The C interface has no other way to a
 * strict cache of few shards. */
#define CACHE_SHARD_BYTES_AT_FIRST (512u * KIB)

static rocksdb_cache_t *cache_make(uint64_t bytes)
{
    rocksdb_cache_t *cache = rocksdb_cache_create_lru_with_strict_capacity_limit(
        CACHE_SHARD_BYTES_AT_FIRST << cache_shard_bits(bytes));
    rocksdb_cache_set_capacity(cache, bytes);
    return cache;
}

/* How the files of a family are made and read: indexes and filters in the cache, in pieces. */
static void table_set(const struct engine *engine, const struct family_settings *family,
                      rocksdb_options_t *options)
{
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(table, engine->cache);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1);
    rocksdb_block_based_options_set_index_type(
        table, rocksdb_block_based_table_index_type_two_level_index_search);
    rocksdb_block_based_options_set_partition_filters(table, 1);
    rocksdb_block_based_options_set_metadata_block_size(table, 4096);
    rocksdb_block_based_options_set_format_version(table, 5);
    rocksdb_block_based_options_set_block_size(table, family->block_bytes);
    if (family->bloom_bits > 0) { /* the policy is the table's then */
        rocksdb_block_based_options_set_filter_policy(
            table, rocksdb_filterpolicy_create_bloom_full(family->bloom_bits));
    }
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
}

static enum err families_init(struct engine *engine, const rocksdb_options_t *base,
                              const struct store_options *options, struct store_fault *out_fault)
{
    char text[OPTIONS_TEXT_MAX];
    for (size_t i = 0; i < FAMILIES_COUNT; i++) {
        family_text(options, (enum family)i, text, sizeof(text));
        const enum err err = options_parse(base, text, &engine->options[i], out_fault);
        if (err != ERR_OK) {
            return err;
        }
        table_set(engine, &settings[i], engine->options[i]);
    }
    return ERR_OK;
}

rocksdb_readoptions_t *engine_read_options(enum store_wait wait)
{
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    const int block_cache_tier = 1;
    if (wait == STORE_CACHED_ONLY) {
        rocksdb_readoptions_set_read_tier(options, block_cache_tier);
    }
    rocksdb_readoptions_set_fill_cache(options, wait != STORE_PASSING ? 1 : 0);
    rocksdb_readoptions_set_background_purge_on_iterator_cleanup(options, 1);
    return options;
}

enum err engine_init(struct engine *engine, const struct store_options *options,
                     struct store_fault *out_fault)
{
    memset(engine, 0, sizeof(*engine));
    char text[OPTIONS_TEXT_MAX];
    database_text(options, text, sizeof(text));
    engine->cache = cache_make(options->cache_bytes);

    rocksdb_options_t *nothing = rocksdb_options_create();
    rocksdb_options_t *base = NULL;
    enum err err = options_parse(nothing, text, &base, out_fault);
    rocksdb_options_destroy(nothing);
    if (err == ERR_OK) {
        err = families_init(engine, base, options, out_fault);
        rocksdb_options_destroy(base);
    }
    if (err != ERR_OK) {
        engine_deinit(engine);
        return err;
    }
    for (int i = 0; i < STORE_WAITS_COUNT; i++) {
        engine->reads[i] = engine_read_options((enum store_wait)i);
    }
    for (int i = 0; i < 2; i++) {
        engine->writes[i] = rocksdb_writeoptions_create();
        rocksdb_writeoptions_set_sync(engine->writes[i], (unsigned char)i);
    }
    return ERR_OK;
}

void engine_deinit(struct engine *engine)
{
    ASSERT(engine->db == NULL);
    for (size_t i = 0; i < FAMILIES_COUNT; i++) {
        if (engine->options[i] != NULL) {
            rocksdb_options_destroy(engine->options[i]);
        }
    }
    for (int i = 0; i < STORE_WAITS_COUNT; i++) {
        if (engine->reads[i] != NULL) {
            rocksdb_readoptions_destroy(engine->reads[i]);
        }
    }
    for (int i = 0; i < 2; i++) {
        if (engine->writes[i] != NULL) {
            rocksdb_writeoptions_destroy(engine->writes[i]);
        }
    }
    rocksdb_cache_destroy(engine->cache);
    memset(engine, 0, sizeof(*engine));
}

enum err engine_open(struct engine *engine, const char *path, bool is_new,
                     struct store_fault *out_fault)
{
    ASSERT(engine->db == NULL);
    const char *names[FAMILIES_COUNT];
    const rocksdb_options_t *options[FAMILIES_COUNT];
    for (size_t i = 0; i < FAMILIES_COUNT; i++) {
        names[i] = settings[i].name;
        options[i] = engine->options[i];
    }
    char *error = NULL;
    rocksdb_options_set_create_if_missing(engine->options[FAMILY_DEFAULT], is_new ? 1 : 0);
    engine->db = rocksdb_open_column_families(engine->options[FAMILY_DEFAULT], path, FAMILIES_COUNT,
                                              names, options, engine->families, &error);
    return engine_error(error, out_fault);
}

void engine_close(struct engine *engine)
{
    if (engine->db == NULL) {
        return;
    }
    for (size_t i = 0; i < FAMILIES_COUNT; i++) {
        rocksdb_column_family_handle_destroy(engine->families[i]);
        engine->families[i] = NULL;
    }
    rocksdb_close(engine->db);
    engine->db = NULL;
}

void engine_cancel(const struct engine *engine)
{
    if (engine->db != NULL) {
        rocksdb_cancel_all_background_work(engine->db, 0);
    }
}

uint64_t engine_property(const struct engine *engine, enum family family, const char *name)
{
    uint64_t value = 0;
    if (rocksdb_property_int_cf(engine->db, engine->families[family], name, &value) != 0) {
        return 0;
    }
    return value;
}

uint64_t engine_property_sum(const struct engine *engine, const char *name)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < FAMILIES_COUNT; i++) {
        sum += engine_property(engine, (enum family)i, name);
    }
    return sum;
}

uint64_t engine_cache_usage(const struct engine *engine)
{
    return rocksdb_cache_get_usage(engine->cache);
}

uint64_t engine_cache_pinned(const struct engine *engine)
{
    return rocksdb_cache_get_pinned_usage(engine->cache);
}

/* Does RocksDB open or write files by itself now, or is it about to? While nobody writes, it does
 * not begin again once it has come to an end. */
static bool is_merging(const struct engine *engine)
{
    static const char *const signs[] = {"rocksdb.num-running-compactions",
                                        "rocksdb.num-running-flushes", "rocksdb.compaction-pending",
                                        "rocksdb.mem-table-flush-pending"};
    uint64_t sum = 0;
    for (size_t i = 0; i < COUNT_OF(signs); i++) {
        sum += engine_property_sum(engine, signs[i]);
    }
    return sum > 0;
}

/* While files are merged a compaction that opens one finds room for its index: RocksDB takes a
 * refusal there for a broken disk. Else nothing stays: blocks are few by then, but each keeps slabs
 * of the heap with its small parts. */
#define CACHE_MERGING_BYTES (256u * KIB)

/* The largest block, and some of the usual size. */
#define CACHE_ROOM_BYTES (3 * MIB)

void engine_cache_trim(const struct engine *engine, uint64_t cache_bytes, enum cache_rest kept)
{
    const uint64_t shards = 1ull << cache_shard_bits(cache_bytes);
    uint64_t spare = is_merging(engine) ? CACHE_MERGING_BYTES : 0;
    spare = kept == CACHE_KEEPS_ROOM ? CACHE_ROOM_BYTES : spare;
    const uint64_t rest = 2 * engine_cache_pinned(engine) + spare * shards;
    if (rest < cache_bytes) {
        rocksdb_cache_set_capacity(engine->cache, rest);
        rocksdb_cache_set_capacity(engine->cache, cache_bytes);
    }
}
