#include "shard/timers.h"

void timers_init(struct timers *timers, uint64_t now_ms, void *context)
{
    for (uint32_t i = 0; i < TIMERS_SLOTS; i++) {
        list_init(&timers->slots[i]);
    }
    timers->step = now_ms / TIMERS_STEP_MS;
    timers->count = 0;
    timers->context = context;
}

/* The first step at which `deadline_ms` has passed: rounded up, and never one already run. */
static uint64_t timers_step_of(const struct timers *timers, uint64_t deadline_ms)
{
    const uint64_t step = (deadline_ms + TIMERS_STEP_MS - 1) / TIMERS_STEP_MS;
    return step > timers->step ? step : timers->step + 1;
}

static void timers_place(struct timers *timers, struct timer *timer)
{
    const uint64_t step = timers_step_of(timers, timer->deadline_ms);
    list_push_back(&timers->slots[step % TIMERS_SLOTS], &timer->link);
}

void timers_set(struct timers *timers, struct timer *timer, uint64_t deadline_ms, timer_fn *fire)
{
    if (timer_is_set(timer)) {
        list_remove(&timer->link);
    } else {
        timers->count++;
    }
    timer->deadline_ms = deadline_ms;
    timer->fire = fire;
    timers_place(timers, timer);
}

void timers_cancel(struct timers *timers, struct timer *timer)
{
    if (timer_is_set(timer)) {
        list_remove(&timer->link);
        timers->count--;
    }
}

static void timers_run_slot(struct timers *timers, struct list *slot, uint64_t now_ms)
{
    /* What fires may set timers, also into this slot: work on what was there before. */
    struct list due;
    list_init(&due);
    list_move_all(&due, slot);
    while (!list_is_empty(&due)) {
        struct timer *timer = CONTAINER_OF(list_pop_front(&due), struct timer, link);
        if (timer->deadline_ms > now_ms) {
            timers_place(timers, timer);
            continue;
        }
        timers->count--;
        timer->fire(timer, timers->context);
    }
}

void timers_run(struct timers *timers, uint64_t now_ms)
{
    const uint64_t last = now_ms / TIMERS_STEP_MS;
    if (last > timers->step + TIMERS_SLOTS) {
        timers->step = last - TIMERS_SLOTS; /* after a long stop, one look at each slot is enough */
    }
    while (timers->step < last) {
        timers->step++;
        timers_run_slot(timers, &timers->slots[timers->step % TIMERS_SLOTS], now_ms);
    }
}

int timers_wait_ms(const struct timers *timers, uint64_t now_ms)
{
    if (timers->count == 0) {
        return -1;
    }
    /* Look ahead a little; a longer sleep is cut, which costs an idle shard one turn a second. */
    const uint32_t ahead_max = 1000 / TIMERS_STEP_MS;
    for (uint32_t ahead = 1; ahead < ahead_max; ahead++) {
        const uint64_t step = timers->step + ahead;
        if (!list_is_empty(&timers->slots[step % TIMERS_SLOTS])) {
            const uint64_t at_ms = step * TIMERS_STEP_MS;
            return at_ms > now_ms ? (int)(at_ms - now_ms) : 0;
        }
    }
    return 1000;
}
