/*
 * rest.h -- gives memory back when the server is quiet.
 *
 * A burst fills caches, memtables and the heap up to their limits, which is what they
 * are for; when it is over, keeping that helps nobody. Once a second the main thread
 * says how the time goes; after REST_TICKS quiet ones every holder is asked to give
 * back what it can make again, and again every REST_TICKS while it stays quiet.
 *
 * Quiet is not idle: a server with a message now and then is quiet too. What rests
 * costs the next one who needs it a read of the disk.
 *
 * Some of what a burst brings about stays: tables of the heap, slabs with a last object
 * in them, what RocksDB knows of new files, and code that was not used before. So that
 * the process is as large as it was all the same, from the second rest on as much code
 * goes as is needed for that: its pages are pages of files, and what is used comes back with short
 * faults.
 *
 * Giving back waits for the disk, and whoever listens to signals must not: so it has a
 * thread of its own. At the end that thread writes what is in memory to files, so that
 * the next start is fast; when the disk does not take it within REST_STOP_MS, the
 * write-ahead log has it all.
 *
 * Main thread, but for what the thread does; the counts may be read by any.
 */
#pragma once

#include "shard/readers.h"
#include "store/store.h"
#include "system/thread.h"
#include "telemetry/metric.h"

#define REST_TICKS           10u  /* quiet seconds before, and between */
#define REST_WORK_PER_SECOND 100u /* records and readings; below, a second is quiet */
#define REST_CALM_PART       64u  /* of what was resident; so much more is no matter */
#define REST_STOP_MS         3000 /* that the last flush may take */

enum rest_holder {
    REST_MEMTABLES = 0,
    REST_CACHE,
    REST_FILTERS,
    REST_OWNS,
    REST_LASTS,
    REST_HEAP,
    REST_CODE,
    REST_HOLDERS_COUNT,
};

/* Private to rest.c. */
struct rest {
    struct store *store;           /* borrowed */
    const struct readers *readers; /* borrowed */
    const struct metrics *metrics; /* borrowed */
    uint64_t work_seen;
    uint32_t quiet_ticks;
    uint64_t begun_bytes;                                  /* resident at the first tick */
    bool has_rested;                                       /* and every second was quiet since */
    _Atomic uint64_t given_back_bytes[REST_HOLDERS_COUNT]; /* since the start */

    struct thread thread;
    struct monitor monitor; /* guards what follows */
    bool is_asked;
    bool is_calm; /* that was asked is not the first rest after work */
    bool is_stopping;
    bool is_at_end; /* the last flush has been tried */

    uint64_t calm_bytes; /* the thread's: resident in quiet times */
    uint32_t code_piece; /* the thread's: where code is to be given back next */
};

void rest_init(struct rest *rest, struct store *store, const struct readers *readers,
               const struct metrics *metrics);

/* Starts the thread. */
MUST_USE enum err rest_start(struct rest *rest);

/* Flushes and ends the thread, if there is one. Nobody writes to the store any more. */
void rest_stop(struct rest *rest);

/* Once a second. True: everything was asked to rest just now. */
bool rest_tick(struct rest *rest);

/* What a holder has given back since the start. Any thread. */
uint64_t rest_given_back(const struct rest *rest, enum rest_holder holder);
