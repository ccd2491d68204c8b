#include "cli/bench_schedule.h"

#define NS_PER_S 1000000000ULL

/* `index` steps of 1/`rate` s, without overflow: whole seconds apart from the rest. */
static uint64_t steps_ns(uint64_t index, uint32_t rate)
{
    return index / rate * NS_PER_S + index % rate * NS_PER_S / rate;
}

uint64_t bench_schedule_time_ns(const struct bench_schedule *schedule, uint64_t index)
{
    if (schedule->bursts_hz == 0) {
        return schedule->start_ns + steps_ns(index, schedule->rate);
    }
    /* Whole seconds hold `rate` messages in `bursts_hz` bursts. */
    const uint64_t second = index / schedule->rate;
    const uint64_t burst = index % schedule->rate * schedule->bursts_hz / schedule->rate;
    return schedule->start_ns + steps_ns(second * schedule->bursts_hz + burst, schedule->bursts_hz);
}
