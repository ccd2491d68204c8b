/*
 * leaving.h -- files that RocksDB has no use for go a piece at a time.
 *
 * Where a file system hands freed blocks back to the device at once (ext4 with
 * `discard`, thin volumes, virtual machines), removing a file of some megabytes holds
 * the device for ten milliseconds and more, and a sync of the log waits behind it. A
 * compaction removes a dozen: that alone was the p99 of a loaded server.
 *
 * So each table and each log file gets a second name, in the directory `leaving`
 * beside it. When RocksDB removes its own, the bytes are still there, and a thread of
 * low urgency cuts them off the end of the file, a piece every few milliseconds.
 *
 * Promises:
 *   (1) RocksDB sees nothing of it; the second name of a file in use costs no space;
 *   (2) what waits is at most LEAVING_BYTES_MAX, or an eighth of the disk's free space if
 *       that is less: beyond that files are removed whole; so a short disk is not
 *       made shorter;
 *   (3) what was waiting when the process ended is removed after the next start.
 *
 * A file that lives for less than LEAVING_LOOK_MS may be missed, and goes at once.
 * Started and stopped by the store's owner.
 */
#pragma once

#include "base/err.h"
#include "system/thread.h"

#include <stdbool.h>
#include <stdint.h>

#define LEAVING_LOOK_MS     250u
#define LEAVING_PIECE_BYTES (256u * 1024u) /* holds the slowest device we measured for 1 ms */
#define LEAVING_PAUSE_MS    4u             /* 64 MiB a second: more than a loaded server frees */
#define LEAVING_BYTES_MAX   (256ull * 1024 * 1024)

/* Private to leaving.c. */
struct leaving {
    const char *path; /* the database's; borrowed */
    struct monitor monitor;
    struct thread thread;
    bool is_stopping; /* under the monitor */
    bool is_started;
    uint64_t waiting_bytes; /* of the last look; the thread's own */
    bool is_hurried;
};

/* ERR_IO: no thread or directory; the database does without. */
MUST_USE enum err leaving_start(struct leaving *leaving, const char *path);

/* Ends within a pause. Zeroed memory is allowed. */
void leaving_stop(struct leaving *leaving);
