/*
 * wakeup.h -- ends another thread's sleep. Any thread may raise; one thread owns and clears.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct wakeup {
    int fd; /* becomes readable when raised */
};

MUST_USE enum err wakeup_open(struct wakeup *wakeup);
void wakeup_close(struct wakeup *wakeup);

void wakeup_raise(struct wakeup *wakeup);

/* Forgets that it was raised. */
void wakeup_clear(struct wakeup *wakeup);

/* Sleeps until it is raised, or for `timeout_ms` (negative: for ever), and clears it. */
void wakeup_wait(struct wakeup *wakeup, int timeout_ms);
