/*
 * journal.h -- append(records) → committed or refused, in order: the local engine.
 *
 * Shards append entries; one committer thread takes whatever has arrived since
 * its last sync, writes it as one batch with one sync, and sends the entries
 * home. While it syncs, the next batch gathers: there is no timer, and the cost
 * of a sync is shared by all who wait for it (design 4).
 *
 * Promises:
 *   (1) an entry that comes home with ERR_OK is on the disk (with durability
 *       `synced`), all of it;
 *   (2) the entries of a shard are committed in the order they were appended;
 *   (3) after a refusal no later entry of the same epoch of that shard is
 *       committed: the owner forgets what it had decided on top of it, raises
 *       its epoch and reads again what is true;
 *   (4) an entry that comes home refused is on the disk whole or not at all, and
 *       what the store then reads is the truth for good.
 *
 * A refusal is ERR_IO (the disk failed; the store was closed and opened again,
 * so that (4) holds), or ERR_FULL (less free disk than the reserve; nothing was
 * written).
 *
 * Bounds: entries exist within their shards' budgets; a batch takes at most
 * JOURNAL_BATCH_BYTES of rows.
 */
#pragma once

#include "journal/entry.h"
#include "shard/routing.h"
#include "store/store.h"
#include "system/thread.h"
#include "telemetry/metric.h"

struct store_batch;

#define JOURNAL_BATCH_BYTES    16777216u
#define JOURNAL_BATCH_MESSAGES 16384u

/* Whoever appends has a number, and epochs of its own: the shards theirs, and the thread of the
 * webhooks the one behind them. */
#define JOURNAL_WRITER_WEBHOOK SHARDS_MAX
#define JOURNAL_WRITERS_MAX    (SHARDS_MAX + 1)

struct journal_options {
    struct store *store;    /* borrowed; outlives the journal */
    const char *path;       /* where the disk is watched; borrowed */
    bool is_synced;         /* durability: synced, or written */
    uint64_t reserve_bytes; /* free disk below which nothing is written */
    uint32_t batch_bytes;   /* of rows in one commit; room for the largest entry */
    uint32_t batch_messages;
    struct budget *budget; /* the committer's; borrowed */
    struct metrics_slot *metrics;
};

/* Private to journal.c. */
struct journal {
    struct journal_options options;
    struct mailbox mailbox;
    struct thread thread;
    struct store_batch *batch;
    uint64_t clock_ms;    /* see apply.h */
    struct list gathered; /* entries that wait for their batch, oldest first */
    uint32_t refused_epoch[JOURNAL_WRITERS_MAX]; /* entries up to this epoch are refused */
    bool is_store_closed; /* a reopen has failed; the next batch tries again */
    uint64_t disk_checked_ns;
    bool is_disk_short;
    struct letter stop; /* the last one */
    bool is_stopping;
    _Atomic bool is_failing; /* for health: the last batch was refused */
};

/* What the committer takes of its budget. */
uint64_t journal_memory(uint32_t batch_bytes, uint32_t batch_messages);

MUST_USE enum err journal_start(struct journal *journal, const struct journal_options *options);

/* Commits what has been appended, then ends the committer. No shard appends any more. */
void journal_stop(struct journal *journal);

/* Takes an entry that is not empty. It comes home to `entry->home` with its result, where
 * `entry->letter.receive` is called. `mailer` is the appending thread's. */
void journal_append(struct journal *journal, struct mailer *mailer, struct entry *entry);

/* Was the last batch refused? Any thread. */
bool journal_is_failing(const struct journal *journal);
