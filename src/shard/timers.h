/*
 * timers.h -- wakes objects at a time, cheaply, for as many as there are connections.
 *
 * A wheel of slots, each a list; a timer lies in the slot of its deadline and is
 * looked at when the wheel comes by. A deadline further away than one turn of
 * the wheel is looked at once a turn and put back. Setting and cancelling are
 * O(1) and allocate nothing: the timer is embedded in its object.
 *
 * Promises:
 *   (1) a timer never fires before its deadline, and at most TIMERS_STEP_MS
 *       plus one turn of the shard after it;
 *   (2) it fires once; setting it again moves it.
 */
#pragma once

#include "base/list.h"

#include <stdint.h>

#define TIMERS_STEP_MS 16
#define TIMERS_SLOTS   1024 /* one turn of the wheel: 16 s */

struct timer;
typedef void timer_fn(struct timer *timer, void *context);

/* Embed this, zeroed. Private to timers.c. */
struct timer {
    struct list link;
    uint64_t deadline_ms;
    timer_fn *fire;
};

/* Private to timers.c. */
struct timers {
    struct list slots[TIMERS_SLOTS];
    uint64_t step;  /* the last one that was run */
    uint32_t count; /* set now */
    void *context;  /* handed to each timer that fires */
};

void timers_init(struct timers *timers, uint64_t now_ms, void *context);

void timers_set(struct timers *timers, struct timer *timer, uint64_t deadline_ms, timer_fn *fire);

/* Nothing happens for a timer that is not set. */
void timers_cancel(struct timers *timers, struct timer *timer);

static inline bool timer_is_set(const struct timer *timer)
{
    return list_is_linked(&timer->link);
}

/* Fires what is due. */
void timers_run(struct timers *timers, uint64_t now_ms);

/* How long a shard may sleep, in milliseconds; -1 when no timer is set. */
int timers_wait_ms(const struct timers *timers, uint64_t now_ms);
