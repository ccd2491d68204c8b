/*
 * loop.h -- waits for what the kernel has to tell one thread.
 *
 * A thin door to epoll, chosen over an event library for three reasons (ADR 2):
 * a descriptor can move to another loop without being duplicated, an idle
 * connection costs no watcher, and polling only marks what is ready: the turn
 * does the work, in its own order. Sockets are watched edge-triggered, once, for
 * everything; whoever reads or writes goes on until the kernel says "again".
 *
 * A cookie, not a pointer, comes back with each event: an index with a
 * generation recognises the event of a closed connection.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define LOOP_EVENTS_MAX                                                                            \
    256 /* at most so many are taken in one poll; the rest comes in the next                       \
         */

struct loop_event {
    uint64_t cookie;
    bool is_readable;
    bool is_writable;
    bool is_hung_up; /* the peer will send nothing more */
    bool is_broken;  /* nor can it be written to */
};

/* Private to loop.c, but for `events` and `events_count` after loop_poll. */
struct loop {
    int epoll_fd;
    uint32_t events_count;
    struct loop_event events[LOOP_EVENTS_MAX];
};

MUST_USE enum err loop_open(struct loop *loop);
void loop_close(struct loop *loop);

/* Watches a connected socket, edge-triggered, for reading, writing and hang-up. */
MUST_USE enum err loop_watch_socket(struct loop *loop, int fd, uint64_t cookie);

/* Watches a descriptor for reading, level-triggered. With `is_shared` several loops watch it and
 * the kernel wakes one of them. */
MUST_USE enum err loop_watch_readable(struct loop *loop, int fd, uint64_t cookie, bool is_shared);

/* Watches a wakeup (wakeup.h), edge-triggered: nobody needs to clear it. */
MUST_USE enum err loop_watch_wakeup(struct loop *loop, int fd, uint64_t cookie);

/* Watches only for the peer's end, edge-triggered, beside whoever else watches the descriptor. */
MUST_USE enum err loop_watch_hangup(struct loop *loop, int fd, uint64_t cookie);

void loop_forget(struct loop *loop, int fd);

/* Sleeps until something is ready or `timeout_ms` has passed (negative: for ever; 0: does not
 * sleep). The only place where a shard sleeps. */
void loop_poll(struct loop *loop, int timeout_ms);
