/*
 * store.h -- RocksDB behind one door: the materialised state of a node.
 *
 * The store layer keeps what must survive: messages, channels, members,
 * conversations, users, and the few numbers that describe the database itself. It
 * knows rows and ranges, not rules: permission, order and idempotence are decided
 * above it. It is written through batches (batch.h), read through read.h and
 * message_log.h, and nobody else includes RocksDB.
 *
 * Promises:
 *   (1) a batch is applied whole or not at all, also across a crash;
 *   (2) what a synced commit has answered ERR_OK to is there after any crash, or
 *       opening refuses and says which file is damaged;
 *   (3) a directory that is not ours, that another process has open, or that a newer
 *       format has written is refused with a reason, and left as it is;
 *   (4) what is read was checked; damage is ERR_CORRUPT, never a wrong answer;
 *   (5) the block cache and the memtables stay within the bytes given.
 *
 * Any thread may call any function at any time, except that store_close comes after
 * everything else has returned. store_reopen waits for those inside.
 */
#pragma once

#include "base/err.h"
#include "memory/budget.h"

#include <stdbool.h>
#include <stdint.h>

/* Counts what rows look like; a database with a larger one is refused. */
#define STORE_FORMAT_VERSION 1u

struct store; /* opaque: the database and its settings */

/* What went wrong, in words for an operator. */
struct store_fault {
    char text[256];
};

struct store_options {
    struct budget *budget;    /* of the thread that opens and closes; outlives the store */
    const char *path;         /* borrowed for the life of the store */
    uint64_t cache_bytes;     /* strict limit of the block cache, indexes and filters included */
    uint64_t memtables_bytes; /* cap on all memtables together */
    uint64_t filters_bytes;   /* filters of sends: about two bytes for each message of the logs in
                                 use, 32 for a log at least; those not used lately make room */
    uint32_t files_open_max;  /* tables kept open; the write-ahead log comes on top */
    uint32_t threads_count;   /* background flushes and compactions at once; at least 2 */
    bool is_new_allowed;      /* an absent or empty directory becomes a database */
    bool is_tail_unsynced;    /* commits are not synced (durability: written): records behind
                                 damage in the log prove no loss of what was promised */
    bool is_loss_accepted;    /* the operator wants to go on without what follows a damaged record
                                 of the write-ahead log; not for store_reopen */
};

/* Opens, or makes, the database. On failure `out_fault` says why:
 * ERR_DENIED: not ours, a newer format, in use, or absent and not allowed to be made;
 * ERR_CORRUPT: damaged; ERR_IO: the system refused. */
MUST_USE enum err store_open(const struct store_options *options, struct store **out_store,
                             struct store_fault *out_fault);

/* NULL is allowed. */
void store_close(struct store *store);

/* What opening had to drop behind the last intact record of the write-ahead log: 0 after a clean
 * stop or a kill. A torn tail was never acknowledged when commits are synced. */
uint64_t store_dropped_bytes(const struct store *store);

/* After a failed commit nobody knows what is on the disk, and all calls give ERR_IO. Waits until
 * every reader has left, closes the database and opens it again, so that the disk is the truth.
 * What was read before and has not been committed is to be asked again: a SEND that was new may be
 * known now. May be repeated until it succeeds. Belongs to the thread that commits. */
MUST_USE enum err store_reopen(struct store *store, struct store_fault *out_fault);

/* The words for the last ERR_IO or ERR_CORRUPT that any thread met; empty when there was none. */
void store_last_fault(struct store *store, struct store_fault *out_fault);

/* Bytes that RocksDB holds now, for the ledger. */
struct store_memory {
    uint64_t memtables_bytes;
    uint64_t memtables_bytes_max;
    uint64_t cache_bytes;
    uint64_t cache_bytes_max;
    uint64_t cache_pinned_bytes;  /* in use by readers; part of cache_bytes */
    uint64_t table_readers_bytes; /* not in the cache */
    uint64_t owns_bytes;          /* our own tables, as far as they are in memory */
    uint64_t owns_bytes_max;      /* in the budget of the options */
    uint64_t lasts_bytes;
    uint64_t lasts_bytes_max;
    uint64_t filters_bytes;
    uint64_t filters_bytes_max;
};

void store_memory(struct store *store, struct store_memory *out_memory);

/* Of that only memtables_bytes, which takes microseconds. */
uint64_t store_memtables_bytes(struct store *store);

/* How much of the disk the log takes at once when it goes on in a new file. */
uint64_t store_log_ahead_bytes(const struct store *store);

/* How often our own tables were asked since the start, and knew or did not. */
struct store_counts {
    uint64_t lasts_hits; /* ends of logs: a miss is a search */
    uint64_t lasts_misses;
};

void store_counts(const struct store *store, struct store_counts *out_counts);

struct store_statistics {
    uint64_t files_count;
    uint64_t files_bytes;
    uint64_t compaction_pending_bytes;
    uint64_t compactions_running;
    uint64_t flushes_running;
    uint64_t write_rate_bytes; /* per second, that a stall allows; 0: no stall */
    bool is_write_stopped;
    uint64_t background_errors;
};

void store_statistics(struct store *store, struct store_statistics *out_statistics);

/* What store_rest has given back. */
struct store_rest {
    uint64_t memtables_bytes;
    uint64_t cache_bytes;
    uint64_t filters_bytes;
    uint64_t owns_bytes;
    uint64_t lasts_bytes;
};

/* Gives back what a burst has left in memory, for quiet times: memtables go to files, the block
 * cache keeps what is in use, the filters of logs that nobody uses go. The limits stay as they are.
 * Blocks for a flush; readers wait for a millisecond at most. Belongs to one thread. */
void store_rest(struct store *store, struct store_rest *out_rest);

/* Writes all memtables to files. Blocks, on a disk that is full or stalls for as long as that
 * lasts, or until store_cancel. */
MUST_USE enum err store_flush(struct store *store);

/* Is there room on the disk for what is in the memtables? A flush that finds none does harm. */
bool store_has_room(struct store *store);

/* Before store_close: whoever is in store_flush or store_compact comes back with an error. Nothing
 * is written any more. */
void store_cancel(struct store *store);

/* Merges all files, so that the disk gets back what was deleted. Blocks for long. */
MUST_USE enum err store_compact(struct store *store);
