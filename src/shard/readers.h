/*
 * readers.h -- a small pool of threads that wait for the disk, so that shards do not.
 *
 * A reading is a letter with work in it: `run` is called on a pool thread and
 * may block; then the letter goes to `home`, where its `receive` is called. The
 * queue holds what its askers' budgets allow; each asker counts its own.
 */
#pragma once

#include "shard/mailbox.h"
#include "system/thread.h"

#define READERS_MAX 16

struct reading;
typedef void reading_fn(struct reading *reading);

/* Embed this in what is to be read. `letter.receive`, `run` and `home` are set by the asker. */
struct reading {
    struct letter letter;
    reading_fn *run;
    struct mailbox *home;
};

/* Private to readers.c. */
struct readers {
    struct monitor monitor;
    struct letter *first; /* oldest first */
    struct letter *last;
    bool is_stopping;
    _Atomic uint32_t waiting_count; /* changed with the monitor only */
    _Atomic uint64_t asked_count;   /* since the start */
    uint32_t threads_count;
    struct thread threads[READERS_MAX];
};

MUST_USE enum err readers_start(struct readers *readers, uint32_t threads_count);

/* Runs what is queued, then ends the threads. */
void readers_stop(struct readers *readers);

/* From any thread. */
void readers_ask(struct readers *readers, struct reading *reading);

/* Readings that no thread has begun. Any thread. */
uint32_t readers_waiting(const struct readers *readers);

/* Readings asked for since the start. Any thread. */
uint64_t readers_asked(const struct readers *readers);
