/*
 * bell.h -- how many threads tell one that something has come, without a letter for each.
 *
 * Whoever has committed events for the back end rings with the oldest of their ids
 * and their bytes. The listener takes the least id since it last looked, so it knows
 * from where on to read, and sleeps on the wakeup only while it says that it waits:
 * under load most rings are two atomic operations.
 */
#pragma once

#include "base/err.h"
#include "system/wakeup.h"

#include <stdbool.h>
#include <stdint.h>

#define BELL_NOTHING UINT64_MAX

/* Private to bell.c, but for `wakeup`, which the listener sleeps on and clears. */
struct bell {
    _Atomic uint64_t id_least;
    _Atomic uint64_t bytes; /* in all, ever */
    _Atomic bool is_awaited;
    struct wakeup wakeup;
};

MUST_USE enum err bell_open(struct bell *bell);
void bell_close(struct bell *bell);

/* Any thread. */
void bell_ring(struct bell *bell, uint64_t id_least, uint64_t bytes);

/* The listener: the least id since the last call, or BELL_NOTHING; and the bytes of all time. */
uint64_t bell_hear(struct bell *bell, uint64_t *out_bytes);

/* The listener is about to sleep. False: it has been rung; do not sleep. */
bool bell_await(struct bell *bell);
