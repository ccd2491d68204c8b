/*
 * engine.h -- RocksDB with our settings, families and errors.
 *
 * The families and what each is tuned for; the options, with the reason for each; the
 * translation of RocksDB's words into `enum err`. Everything above this file knows
 * RocksDB as "put, delete, get, seek".
 *
 * Private to the store layer. Any thread uses an open engine; opening and closing
 * exclude everything else.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "store/read.h"
#include "store/store.h"

#include <rocksdb/c.h>

enum family {
    FAMILY_DEFAULT = 0, /* RocksDB wants one of this name; it stays empty */
    FAMILY_CHANNELS,
    FAMILY_NUMBERS,
    FAMILY_MESSAGES,
    FAMILY_SENDS,
    FAMILY_OWNS,
    FAMILY_MEMBERS,
    FAMILY_DIRECTORY,
    FAMILY_USERS,
    FAMILY_META,
    FAMILY_OUTBOX, /* see outbox.h */
    FAMILY_EVENTS, /* event streams: lanes, and the pieces of their contents */
};
#define FAMILIES_COUNT 12

/* Private to engine.c, but for `db` and `families` while it is open. */
struct engine {
    rocksdb_t *db; /* NULL while closed */
    rocksdb_cache_t *cache;
    rocksdb_column_family_handle_t *families[FAMILIES_COUNT];
    rocksdb_options_t *options[FAMILIES_COUNT];
    rocksdb_readoptions_t *reads[STORE_WAITS_COUNT]; /* by enum store_wait */
    rocksdb_writeoptions_t *writes[2];               /* by is_synced */
};

/* Prepares the options. ERR_DENIED: RocksDB does not take them. */
MUST_USE enum err engine_init(struct engine *engine, const struct store_options *options,
                              struct store_fault *out_fault);
void engine_deinit(struct engine *engine);

MUST_USE enum err engine_open(struct engine *engine, const char *path, bool is_new,
                              struct store_fault *out_fault);
void engine_close(struct engine *engine);

/* Tells RocksDB that it is about to be closed: whoever waits in it for room on the disk or for a
 * merge comes back with an error, at once. Nothing while it is closed. */
void engine_cancel(const struct engine *engine);

const char *engine_family_name(enum family family);

/* How much of the disk the next file of the log takes at once, before anything is in it. */
uint64_t engine_log_ahead_bytes(const struct store_options *options);

/* How many rows of `owns` fit in its memtable at most. */
uint64_t engine_recent_owns_max(const struct store_options *options);

/* What an error text of RocksDB means; NULL is ERR_OK. Copies the words into `out_fault` and frees
 * the text. */
MUST_USE enum err engine_error(char *error, struct store_fault *out_fault);

/* Bytes in the block cache, and those of them that are in use. */
uint64_t engine_cache_usage(const struct engine *engine);
uint64_t engine_cache_pinned(const struct engine *engine);

enum cache_rest {
    CACHE_KEEPS_NOTHING, /* nobody reads or writes meanwhile: a block might be refused */
    CACHE_KEEPS_ROOM,    /* for the blocks that somebody may need just now */
};

/* Gives up what is not in use of the cache, whose limit `cache_bytes` is. */
void engine_cache_trim(const struct engine *engine, uint64_t cache_bytes, enum cache_rest kept);

/* New read options for an iterator; the caller destroys them. */
rocksdb_readoptions_t *engine_read_options(enum store_wait wait);

/* A number that RocksDB tells of a family; 0 if it does not. */
uint64_t engine_property(const struct engine *engine, enum family family, const char *name);

/* The same, summed over all families. */
uint64_t engine_property_sum(const struct engine *engine, const char *name);

void fault_set(struct store_fault *fault, const char *format, ...) PRINTF_LIKE(2, 3);
