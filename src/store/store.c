#include "store/store.h"

#include "base/assert.h"
#include "memory/allocator.h"
#include "store/home.h"
#include "store/leaving.h"
#include "store/log_end.h"
#include "store/store_private.h"
#include "store/wal_check.h"
#include "system/crypto.h"
#include "system/file.h"

#include <inttypes.h>

/* Below these RocksDB cannot work: a cache holds the blocks of some readers at once, and memtables
 * a batch each. */
#define STORE_CACHE_BYTES_MIN     (4ull * 1024 * 1024)
#define STORE_MEMTABLES_BYTES_MIN (4ull * 1024 * 1024)
#define STORE_FILTERS_BYTES_MIN   (256ull * 1024)
#define LASTS_PART                5 /* of the bytes for filters */
#define STORE_THREADS_MIN         2u
#define STORE_FILES_OPEN_MIN      16u
/* Opening writes some files before anything else; RocksDB aborts if there is no room (engine.c). */
#define STORE_DISK_FREE_MIN (1024ull * 1024)

/* Writes the row that makes the database ours, and knows its secret from then on. */
static enum err identity_make(struct store *store, struct store_fault *out_fault)
{
    struct identity_row *identity = &store->identity;
    identity->format_version = STORE_FORMAT_VERSION;
    crypto_random(identity->uuid, sizeof(identity->uuid));
    crypto_random((uint8_t *)&identity->hash_key, sizeof(identity->hash_key));

    struct key key;
    const enum err err = key_of_meta(&key, META_KIND_IDENTITY, BYTES_EMPTY);
    ASSERT(err == ERR_OK);
    struct row_area area;
    identity_row_encode(&area, identity);
    char *error = NULL;
    rocksdb_put_cf(store->engine.db, store->engine.writes[true],
                   store->engine.families[FAMILY_META], (const char *)key.data, key.size,
                   (const char *)area.data, area.size, &error);
    return engine_error(error, out_fault);
}

/* What is opened again must be what was open. Its identity is known, and not written: shards hash
 * with its key at the same time. */
static enum err identity_take(struct store *store, const struct identity_row *identity,
                              struct store_fault *out_fault)
{
    struct identity_row *known = &store->identity;
    if (identity->format_version > STORE_FORMAT_VERSION) {
        fault_set(out_fault, "%s: written in format %u by a newer version; this one reads up to %u",
                  store->options.path, identity->format_version, STORE_FORMAT_VERSION);
        return ERR_DENIED;
    }
    if (known->format_version == 0) {
        *known = *identity;
    } else if (memcmp(known->uuid, identity->uuid, sizeof(known->uuid)) != 0) {
        fault_set(out_fault, "%s: another database than the one that was open",
                  store->options.path);
        return ERR_DENIED;
    }
    return ERR_OK;
}

/* ERR_ABSENT: the database has none yet. */
static enum err identity_read(struct store *store, struct store_fault *out_fault)
{
    struct key key;
    enum err err = key_of_meta(&key, META_KIND_IDENTITY, BYTES_EMPTY);
    ASSERT(err == ERR_OK);
    char *error = NULL;
    rocksdb_pinnableslice_t *slice = rocksdb_get_pinned_cf(
        store->engine.db, store->engine.reads[STORE_MAY_BLOCK], store->engine.families[FAMILY_META],
        (const char *)key.data, key.size, &error);
    err = engine_error(error, out_fault);
    if (err != ERR_OK) {
        return err;
    }
    if (slice == NULL) {
        return ERR_ABSENT;
    }
    struct bytes value;
    value.data = (const uint8_t *)rocksdb_pinnableslice_value(slice, &value.size);
    struct identity_row identity;
    err = identity_row_decode(value, &identity);
    rocksdb_pinnableslice_destroy(slice);
    if (err != ERR_OK) {
        fault_set(out_fault, "%s: the row that names the database is damaged", store->options.path);
        return err;
    }
    return identity_take(store, &identity, out_fault);
}

/* Looks at the write-ahead log before RocksDB does, and decides whether it may. */
static enum err log_check(struct store *store, struct wal_report *report,
                          struct store_fault *out_fault)
{
    const char *path = store->options.path;
    const enum err err = wal_check(path, report, out_fault);
    if (err != ERR_OK) {
        return err;
    }
    store->dropped_bytes = report->dropped_bytes;
    if (!report->is_loss_proven) {
        return ERR_OK;
    }
    if (store->options.is_loss_accepted || store->options.is_tail_unsynced) {
        return wal_mark_end(path, report, out_fault);
    }
    fault_set(out_fault,
              "%s: log file %06" PRIu64 ".log is damaged at byte %" PRIu64 " and intact behind; "
              "%" PRIu64
              " bytes of acknowledged records would be lost: restore a backup, or accept "
              "the loss with --accept-loss",
              path, report->file_number, report->offset, report->dropped_bytes);
    return ERR_CORRUPT;
}

/* ERR_IO: the disk is full, or gone. */
static enum err disk_check(const struct store *store, struct store_fault *out_fault)
{
    struct file_disk disk = {0};
    if (file_disk(store->options.path, &disk) != ERR_OK) {
        fault_set(out_fault, "%s: the directory cannot be reached", store->options.path);
        return ERR_IO;
    }
    if (disk.free_bytes < STORE_DISK_FREE_MIN) {
        fault_set(out_fault, "%s: the disk is full", store->options.path);
        return ERR_IO;
    }
    return ERR_OK;
}

/* Opens RocksDB, and knows that it is ours. */
static enum err database_open(struct store *store, bool is_new, struct store_fault *out_fault)
{
    struct wal_report report;
    enum err err = disk_check(store, out_fault);
    if (err == ERR_OK) {
        err = log_check(store, &report, out_fault);
    }
    if (err != ERR_OK) {
        return err;
    }
    err = engine_open(&store->engine, store->options.path, is_new, out_fault);
    if (err != ERR_OK) {
        return err;
    }
    err = identity_read(store, out_fault);
    if (err == ERR_ABSENT && is_new) {
        err = identity_make(store, out_fault);
    } else if (err == ERR_ABSENT) {
        fault_set(out_fault, "%s: the row that names the database is missing", store->options.path);
        err = ERR_CORRUPT;
    }
    if (err == ERR_OK && report.is_damaged) {
        err = wal_cut(store->options.path, &report, out_fault);
    }
    if (err != ERR_OK) {
        engine_close(&store->engine);
    }
    return err;
}

/* From the state of the directory to an open database in a complete one. */
static enum err home_open(struct store *store, struct store_fault *out_fault)
{
    const char *path = store->options.path;
    enum home_state state;
    enum err err = home_inspect(path, &state, out_fault);
    if (err != ERR_OK) {
        return err;
    }
    if (state == HOME_ABSENT && !store->options.is_new_allowed) {
        fault_set(out_fault, "%s: there is no database, and none is to be made", path);
        return ERR_DENIED;
    }
    if (state != HOME_ABSENT) {
        err = home_probe_lock(path, out_fault);
        if (err != ERR_OK) {
            return err;
        }
    }
    const bool is_complete = state == HOME_OURS;
    if (!is_complete) {
        err = home_begin(path, out_fault);
        if (err != ERR_OK) {
            return err;
        }
    }
    err = database_open(store, !is_complete, out_fault);
    if (err == ERR_OK && !is_complete) {
        err = home_finish(path, out_fault);
    }
    return err;
}

static enum err options_check(const struct store_options *options, struct store_fault *out_fault)
{
    if (options->cache_bytes < STORE_CACHE_BYTES_MIN ||
        options->memtables_bytes < STORE_MEMTABLES_BYTES_MIN ||
        options->filters_bytes < STORE_FILTERS_BYTES_MIN ||
        options->threads_count < STORE_THREADS_MIN ||
        options->files_open_max < STORE_FILES_OPEN_MIN) {
        fault_set(out_fault,
                  "the store needs at least %llu bytes of cache, %llu of memtables, %llu of "
                  "filters, %u threads and %u open files",
                  STORE_CACHE_BYTES_MIN, STORE_MEMTABLES_BYTES_MIN, STORE_FILTERS_BYTES_MIN,
                  STORE_THREADS_MIN, STORE_FILES_OPEN_MIN);
        return ERR_LIMIT;
    }
    return ERR_OK;
}

/* Our own memory, as against RocksDB's. */
static enum err caches_open(struct store *store, struct store_fault *out_fault)
{
    struct budget *budget = store->options.budget;
    const uint64_t all_bytes = store->options.filters_bytes;
    enum err err =
        seq_cache_open(&store->owns, budget, 2 * engine_recent_owns_max(&store->options));
    if (err == ERR_OK) {
        err =
            seq_cache_open(&store->lasts, budget, seq_cache_entries_within(all_bytes / LASTS_PART));
    }
    if (err == ERR_OK) {
        err =
            send_filters_open(&store->filters, budget, all_bytes - seq_cache_bytes(&store->lasts));
    }
    if (err != ERR_OK) {
        seq_cache_close(&store->lasts);
        seq_cache_close(&store->owns);
        fault_set(out_fault, "no memory for the store");
    }
    return err;
}

static void caches_close(struct store *store)
{
    send_filters_close(&store->filters);
    seq_cache_close(&store->lasts);
    seq_cache_close(&store->owns);
}

enum err store_open(const struct store_options *options, struct store **out_store,
                    struct store_fault *out_fault)
{
    enum err err = options_check(options, out_fault);
    if (err != ERR_OK) {
        return err;
    }
    struct store *store = memory_acquire_zeroed(options->budget, MEMORY_RANK_ADMIT, sizeof(*store));
    if (store == NULL) {
        fault_set(out_fault, "no memory for the store");
        return ERR_BUDGET;
    }
    store->options = *options;
    gate_init(&store->gate);
    monitor_init(&store->fault_monitor);
    monitor_init(&store->writing);

    err = caches_open(store, out_fault);
    if (err != ERR_OK) {
        goto fail_release;
    }
    err = engine_init(&store->engine, options, out_fault);
    if (err != ERR_OK) {
        goto fail_cache;
    }
    err = home_open(store, out_fault);
    if (err != ERR_OK) {
        goto fail_engine;
    }
    store->options.is_loss_accepted = false; /* for this opening, not for later ones of this run */
    gate_open(&store->gate);
    log_room_open(&store->log_room, store->options.path);
    ERR_IGNORE(leaving_start(&store->leaving, store->options.path),
               "files then go at once, which costs milliseconds and no more");
    *out_store = store;
    return ERR_OK;

fail_engine:
    engine_close(&store->engine);
    engine_deinit(&store->engine);
fail_cache:
    caches_close(store);
fail_release:
    monitor_deinit(&store->fault_monitor);
    monitor_deinit(&store->writing);
    gate_deinit(&store->gate);
    memory_release(options->budget, store, sizeof(*store));
    return err;
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    leaving_stop(&store->leaving);
    log_room_close(&store->log_room);
    gate_close(&store->gate);
    engine_close(&store->engine);
    engine_deinit(&store->engine);
    caches_close(store);
    monitor_deinit(&store->fault_monitor);
    monitor_deinit(&store->writing);
    gate_deinit(&store->gate);
    memory_release(store->options.budget, store, sizeof(*store));
}

uint64_t store_dropped_bytes(const struct store *store)
{
    return store->dropped_bytes;
}

enum err store_reopen(struct store *store, struct store_fault *out_fault)
{
    gate_shut(&store->gate);
    engine_cancel(&store->engine); /* a guest may wait for a flush that finds no room */
    gate_close(&store->gate);
    engine_close(&store->engine);
    seq_cache_clear(&store->owns);        /* what is known may be wrong behind the unknown tail */
    atomic_fetch_add(&store->commits, 1); /* what was read before is not remembered after */
    seq_cache_clear(&store->lasts);
    send_filters_clear(&store->filters);
    const enum err err = database_open(store, false, out_fault);
    if (err == ERR_OK) {
        gate_open(&store->gate);
    }
    return err;
}

enum err store_write(struct store *store, rocksdb_writebatch_t *rows, bool is_synced,
                     struct store_fault *out_fault)
{
    char *error = NULL;
    monitor_enter(&store->writing);
    rocksdb_write(store->engine.db, store->engine.writes[is_synced], rows, &error);
    monitor_leave(&store->writing);
    return engine_error(error, out_fault);
}

enum err store_note(struct store *store, enum family family, enum err err)
{
    if (err == ERR_CORRUPT || err == ERR_IO) {
        monitor_enter(&store->fault_monitor);
        fault_set(&store->last_fault, "%s: a row of the family %s %s", store->options.path,
                  engine_family_name(family),
                  err == ERR_CORRUPT ? "failed its check" : "cannot be reached");
        monitor_leave(&store->fault_monitor);
    }
    return err;
}

void store_last_fault(struct store *store, struct store_fault *out_fault)
{
    monitor_enter(&store->fault_monitor);
    *out_fault = store->last_fault;
    monitor_leave(&store->fault_monitor);
}

/* Translates an error text, and remembers its words. */
enum err store_note_error(struct store *store, char *error)
{
    struct store_fault fault;
    const enum err err = engine_error(error, &fault);
    if (err != ERR_OK && err != ERR_AGAIN) {
        monitor_enter(&store->fault_monitor);
        store->last_fault = fault;
        monitor_leave(&store->fault_monitor);
    }
    return err;
}

enum err store_pin(struct store *store, enum store_wait wait, enum family family, struct bytes key,
                   struct pin *out_pin)
{
    if (!gate_enter(&store->gate)) {
        return store_note(store, family, ERR_IO);
    }
    char *error = NULL;
    rocksdb_pinnableslice_t *slice = rocksdb_get_pinned_cf(
        store->engine.db, store->engine.reads[wait], store->engine.families[family],
        (const char *)key.data, key.size, &error);
    const enum err err = store_note_error(store, error);
    if (err != ERR_OK || slice == NULL) {
        gate_leave(&store->gate);
        return err == ERR_OK ? ERR_ABSENT : err;
    }
    out_pin->store = store;
    out_pin->family = family;
    out_pin->slice = slice;
    out_pin->value.data = (const uint8_t *)rocksdb_pinnableslice_value(slice, &out_pin->value.size);
    if (wait == STORE_CACHED_ONLY && out_pin->value.size == 0) {
        /* No row is empty. RocksDB says "found" with an empty value when it may not open the table
         * that would tell (its KeyMayExist): that means "ask again". */
        return store_unpin(out_pin, ERR_AGAIN);
    }
    return ERR_OK;
}

enum err store_unpin(struct pin *pin, enum err err)
{
    rocksdb_pinnableslice_destroy(pin->slice);
    gate_leave(&pin->store->gate);
    return store_note(pin->store, pin->family, err);
}

enum err scan_open_prefix(struct scan *scan, struct store *store, enum store_wait wait,
                          enum family family)
{
    scan->end.size = scan->begin.size;
    memcpy(scan->end.data, scan->begin.data, scan->begin.size);
    key_pass_prefix(&scan->end);
    return scan_open(scan, store, wait, family);
}

enum err scan_open(struct scan *scan, struct store *store, enum store_wait wait, enum family family)
{
    if (!gate_enter(&store->gate)) {
        return store_note(store, family, ERR_IO);
    }
    scan->store = store;
    scan->family = family;
    scan->options = engine_read_options(wait);
    rocksdb_readoptions_set_iterate_lower_bound(scan->options, (const char *)scan->begin.data,
                                                scan->begin.size);
    rocksdb_readoptions_set_iterate_upper_bound(scan->options, (const char *)scan->end.data,
                                                scan->end.size);
    scan->rows =
        rocksdb_create_iterator_cf(store->engine.db, scan->options, store->engine.families[family]);
    return ERR_OK;
}

enum err scan_close(struct scan *scan, enum err err)
{
    struct store *store = scan->store;
    if (err == ERR_OK) {
        char *error = NULL;
        rocksdb_iter_get_error(scan->rows, &error);
        err = store_note_error(store, error);
    } else {
        store_note(store, scan->family, err);
    }
    rocksdb_iter_destroy(scan->rows);
    rocksdb_readoptions_destroy(scan->options);
    gate_leave(&store->gate);
    return err;
}

uint64_t store_own_key(struct log_ref log, uint64_t sender_hash)
{
    /* The hash is a secret's, so that any one-to-one mixing of the log will do. */
    const uint64_t key = sender_hash ^ log_end_key(log);
    return key == 0 ? 1 : key;
}

uint64_t store_memtables_bytes(struct store *store)
{
    if (!gate_enter(&store->gate)) {
        return 0;
    }
    const uint64_t bytes = engine_property_sum(&store->engine, "rocksdb.size-all-mem-tables");
    gate_leave(&store->gate);
    return bytes;
}

void store_memory(struct store *store, struct store_memory *out_memory)
{
    *out_memory = (struct store_memory){
        .memtables_bytes_max = store->options.memtables_bytes,
        .cache_bytes_max = store->options.cache_bytes,
        .owns_bytes = memory_table_resident(store->owns.sets, seq_cache_bytes(&store->owns)),
        .owns_bytes_max = seq_cache_bytes(&store->owns),
        .lasts_bytes = memory_table_resident(store->lasts.sets, seq_cache_bytes(&store->lasts)),
        .lasts_bytes_max = seq_cache_bytes(&store->lasts),
        .filters_bytes = send_filters_resident(&store->filters),
        .filters_bytes_max = send_filters_bytes(&store->filters),
    };
    if (!gate_enter(&store->gate)) {
        return;
    }
    const struct engine *engine = &store->engine;
    out_memory->memtables_bytes = engine_property_sum(engine, "rocksdb.size-all-mem-tables");
    out_memory->cache_bytes = engine_cache_usage(engine);
    out_memory->cache_pinned_bytes = engine_cache_pinned(engine);
    out_memory->table_readers_bytes =
        engine_property_sum(engine, "rocksdb.estimate-table-readers-mem");
    gate_leave(&store->gate);
}

uint64_t store_log_ahead_bytes(const struct store *store)
{
    return engine_log_ahead_bytes(&store->options);
}

void store_counts(const struct store *store, struct store_counts *out_counts)
{
    *out_counts = (struct store_counts){
        .lasts_hits = atomic_load_explicit(&store->lasts_hits, memory_order_relaxed),
        .lasts_misses = atomic_load_explicit(&store->lasts_misses, memory_order_relaxed),
    };
}

static uint64_t files_count(const struct engine *engine)
{
    static const char *const levels[] = {
        "rocksdb.num-files-at-level0", "rocksdb.num-files-at-level1", "rocksdb.num-files-at-level2",
        "rocksdb.num-files-at-level3", "rocksdb.num-files-at-level4", "rocksdb.num-files-at-level5",
        "rocksdb.num-files-at-level6",
    };
    uint64_t count = 0;
    for (size_t family = 0; family < FAMILIES_COUNT; family++) {
        for (size_t level = 0; level < COUNT_OF(levels); level++) {
            size_t size = 0;
            uint64_t number = 0;
            char *text =
                rocksdb_property_value_cf(engine->db, engine->families[family], levels[level]);
            for (; text != NULL && text[size] >= '0' && text[size] <= '9'; size++) {
                number = number * 10 + (uint64_t)(text[size] - '0');
            }
            count += number;
            rocksdb_free(text);
        }
    }
    return count;
}

void store_statistics(struct store *store, struct store_statistics *out_statistics)
{
    *out_statistics = (struct store_statistics){0};
    if (!gate_enter(&store->gate)) {
        return;
    }
    const struct engine *engine = &store->engine;
    out_statistics->files_count = files_count(engine);
    out_statistics->files_bytes = engine_property_sum(engine, "rocksdb.total-sst-files-size");
    out_statistics->compaction_pending_bytes =
        engine_property_sum(engine, "rocksdb.estimate-pending-compaction-bytes");
    out_statistics->compactions_running =
        engine_property(engine, FAMILY_MESSAGES, "rocksdb.num-running-compactions");
    out_statistics->flushes_running =
        engine_property(engine, FAMILY_MESSAGES, "rocksdb.num-running-flushes");
    out_statistics->write_rate_bytes =
        engine_property(engine, FAMILY_MESSAGES, "rocksdb.actual-delayed-write-rate");
    out_statistics->is_write_stopped =
        engine_property(engine, FAMILY_MESSAGES, "rocksdb.is-write-stopped") != 0;
    out_statistics->background_errors =
        engine_property(engine, FAMILY_MESSAGES, "rocksdb.background-errors");
    gate_leave(&store->gate);
}

enum err store_flush(struct store *store)
{
    if (!gate_enter(&store->gate)) {
        return store_note(store, FAMILY_DEFAULT, ERR_IO);
    }
    enum err err = ERR_OK;
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
    for (size_t i = 0; i < FAMILIES_COUNT && err == ERR_OK; i++) {
        char *error = NULL;
        rocksdb_flush_cf(store->engine.db, options, store->engine.families[i], &error);
        err = store_note_error(store, error);
    }
    rocksdb_flushoptions_destroy(options);
    gate_leave(&store->gate);
    return err;
}

void store_cancel(struct store *store)
{
    engine_cancel(&store->engine);
}

bool store_has_room(struct store *store)
{
    struct file_disk disk = {0};
    return file_disk(store->options.path, &disk) == ERR_OK &&
           disk.free_bytes >= store_memtables_bytes(store) + STORE_DISK_FREE_MIN;
}

enum err store_compact(struct store *store)
{
    const enum err err = store_flush(store);
    if (err != ERR_OK) {
        return err;
    }
    if (!gate_enter(&store->gate)) {
        return store_note(store, FAMILY_DEFAULT, ERR_IO);
    }
    for (size_t i = 0; i < FAMILIES_COUNT; i++) {
        rocksdb_compact_range_cf(store->engine.db, store->engine.families[i], NULL, 0, NULL, 0);
    }
    gate_leave(&store->gate);
    return ERR_OK;
}
