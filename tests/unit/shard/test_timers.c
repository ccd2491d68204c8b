#include "shard/timers.h"

#include "support/test.h"

struct alarm {
    struct timer timer;
    uint64_t due_ms;
    uint64_t fired_ms; /* 0: not yet */
};

struct watch {
    struct timers timers;
    uint64_t now_ms;
};

static void alarm_fire(struct timer *timer, void *context)
{
    const struct watch *watch = context;
    CONTAINER_OF(timer, struct alarm, timer)->fired_ms = watch->now_ms;
}

TEST(a_timer_fires_once_never_early_and_hardly_late)
{
    static struct watch watch;
    static struct alarm alarms[200];
    watch.now_ms = 1000000;
    timers_init(&watch.timers, watch.now_ms, &watch);
    for (uint32_t i = 0; i < COUNT_OF(alarms); i++) {
        alarms[i].due_ms = watch.now_ms + prng_below(prng, 60000);
        timers_set(&watch.timers, &alarms[i].timer, alarms[i].due_ms, alarm_fire);
    }
    const uint64_t end_ms = watch.now_ms + 61000;
    while (watch.now_ms < end_ms) {
        const uint64_t step_ms = 1 + prng_below(prng, 30);
        watch.now_ms += step_ms;
        timers_run(&watch.timers, watch.now_ms);
        for (uint32_t i = 0; i < COUNT_OF(alarms); i++) {
            if (alarms[i].fired_ms == watch.now_ms) {
                CHECK(alarms[i].due_ms <= watch.now_ms);
                CHECK(watch.now_ms <= alarms[i].due_ms + TIMERS_STEP_MS + step_ms);
            }
        }
    }
    for (uint32_t i = 0; i < COUNT_OF(alarms); i++) {
        CHECK(alarms[i].fired_ms != 0);
    }
    CHECK_EQ(timers_wait_ms(&watch.timers, watch.now_ms), -1);
}

TEST(a_cancelled_timer_stays_silent_and_a_moved_one_fires_at_its_new_time)
{
    static struct watch watch;
    struct alarm cancelled = {.fired_ms = 0};
    struct alarm moved = {.fired_ms = 0};
    timers_init(&watch.timers, 0, &watch);
    timers_set(&watch.timers, &cancelled.timer, 100, alarm_fire);
    timers_set(&watch.timers, &moved.timer, 100, alarm_fire);
    timers_cancel(&watch.timers, &cancelled.timer);
    timers_set(&watch.timers, &moved.timer, 500, alarm_fire);
    for (watch.now_ms = 0; watch.now_ms < 1000; watch.now_ms += 10) {
        timers_run(&watch.timers, watch.now_ms);
    }
    CHECK_EQ(cancelled.fired_ms, 0);
    CHECK(moved.fired_ms >= 500);
    CHECK(moved.fired_ms <= 500 + TIMERS_STEP_MS + 10);
}

TEST(a_shard_may_sleep_until_the_next_timer)
{
    static struct watch watch;
    struct alarm alarm = {.fired_ms = 0};
    timers_init(&watch.timers, 0, &watch);
    CHECK_EQ(timers_wait_ms(&watch.timers, 0), -1);
    timers_set(&watch.timers, &alarm.timer, 100, alarm_fire);
    const int wait_ms = timers_wait_ms(&watch.timers, 0);
    CHECK(wait_ms >= 100);
    CHECK(wait_ms <= 100 + TIMERS_STEP_MS);
}
