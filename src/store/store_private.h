/*
 * store_private.h -- the open store, and how the files of this layer read from it.
 *
 * Reading enters the gate and leaves it when the row or the scan is given back, so that
 * store_reopen can take RocksDB away when nobody holds any of it.
 *
 * Private to the store layer; any thread.
 */
#pragma once

#include "store/engine.h"
#include "store/gate.h"
#include "store/key.h"
#include "store/leaving.h"
#include "store/log_room.h"
#include "store/row_codec.h"
#include "store/send_filters.h"
#include "store/seq_cache.h"

#include <stdatomic.h>

struct store {
    struct store_options options;
    struct engine engine;
    struct gate gate;
    struct identity_row identity;
    struct seq_cache owns;    /* the newest rows of the family owns */
    struct seq_cache lasts;   /* where logs end; see log_end.h */
    _Atomic uint64_t commits; /* that `lasts` knows of, and reopenings */
    _Atomic uint64_t lasts_hits;
    _Atomic uint64_t lasts_misses;
    struct monitor writing;      /* see store_write */
    struct send_filters filters; /* what is known of sends */
    uint64_t dropped_bytes;
    struct leaving leaving;
    struct log_room log_room;     /* the committing thread's */
    struct monitor fault_monitor; /* guards last_fault */
    struct store_fault last_fault;
};

/* The key of the cache for a row of `owns`. */
uint64_t store_own_key(struct log_ref log, uint64_t sender_hash);

/* Writes a batch, while nobody else does: RocksDB would join the batches of those who come at the
 * same moment in a buffer of its own, which stays as large as the largest of them was. Inside the
 * gate; the batch is not cleared. */
MUST_USE enum err store_write(struct store *store, rocksdb_writebatch_t *rows, bool is_synced,
                              struct store_fault *out_fault);

/* Remembers the words for an error that a reader meets. Gives `err` back. */
enum err store_note(struct store *store, enum family family, enum err err);

/* The same for an error as RocksDB tells it, which is freed; NULL: there was none. */
enum err store_note_error(struct store *store, char *error);

/* A row that RocksDB keeps in place for us. */
struct pin {
    struct store *store;
    enum family family;
    rocksdb_pinnableslice_t *slice;
    struct bytes value; /* until it is released */
};

/* ERR_ABSENT: no such row. On success the pin is to be released. */
MUST_USE enum err store_pin(struct store *store, enum store_wait wait, enum family family,
                            struct bytes key, struct pin *out_pin);

/* Gives the row back. `err` is what came of reading it, and the result. */
enum err store_unpin(struct pin *pin, enum err err);

/* A walk over the rows of one family between two keys. */
struct scan {
    struct store *store;
    enum family family;
    rocksdb_readoptions_t *options;
    rocksdb_iterator_t *rows;
    struct key begin;
    struct key end;
};

/* Over all keys that begin with scan->begin, which the caller has set. */
MUST_USE enum err scan_open_prefix(struct scan *scan, struct store *store, enum store_wait wait,
                                   enum family family);

/* Between scan->begin and, exclusive, scan->end, which the caller has set. */
MUST_USE enum err scan_open(struct scan *scan, struct store *store, enum store_wait wait,
                            enum family family);

/* Ends the walk. `err` is what the caller found; if that is ERR_OK, what RocksDB found wrong. */
MUST_USE enum err scan_close(struct scan *scan, enum err err);

/* inline definitions */

static inline void scan_seek(struct scan *scan, const struct key *key)
{
    rocksdb_iter_seek(scan->rows, (const char *)key->data, key->size);
}

static inline void scan_seek_back(struct scan *scan, const struct key *key)
{
    rocksdb_iter_seek_for_prev(scan->rows, (const char *)key->data, key->size);
}

static inline bool scan_has_row(const struct scan *scan)
{
    return rocksdb_iter_valid(scan->rows) != 0;
}

/* Both until the walk moves. */
static inline struct bytes scan_key(const struct scan *scan)
{
    struct bytes key;
    key.data = (const uint8_t *)rocksdb_iter_key(scan->rows, &key.size);
    return key;
}

static inline struct bytes scan_value(const struct scan *scan)
{
    struct bytes value;
    value.data = (const uint8_t *)rocksdb_iter_value(scan->rows, &value.size);
    return value;
}
