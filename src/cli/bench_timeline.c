#include "cli/bench_timeline.h"

#include "system/clock.h"

#define NS_PER_MS   1000000ULL
#define SPAN_MS_MIN 1000u

void bench_timeline_init(struct bench_timeline *timeline)
{
    *timeline = (struct bench_timeline){.span_ms = SPAN_MS_MIN, .began_ns = clock_now_ns()};
    timeline->next_ns = timeline->began_ns + timeline->span_ms * NS_PER_MS;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Two neighbours become one: no peak is lost. */
static void halve(struct bench_timeline *timeline)
{
    for (uint32_t i = 0; i < BENCH_MOMENTS_MAX / 2; i++) {
        const struct bench_moment *first = &timeline->moments[2 * i];
        const struct bench_moment *second = first + 1;
        timeline->moments[i] = (struct bench_moment){
            .at_ms = second->at_ms,
            .rss_bytes = larger(first->rss_bytes, second->rss_bytes),
            .count = first->count + second->count,
            .span_ms = first->span_ms + second->span_ms,
            .p50_us = larger(first->p50_us, second->p50_us),
            .p99_us = larger(first->p99_us, second->p99_us),
            .has_times = first->has_times || second->has_times,
        };
    }
    timeline->count = BENCH_MOMENTS_MAX / 2;
    timeline->span_ms *= 2;
}

/* What came since the moment began. A histogram that has less than before began anew. */
static void take_times(struct bench_timeline *timeline, struct bench_moment *moment,
                       const struct histogram *times)
{
    struct histogram since = *times;
    if (histogram_count(times) >= histogram_count(&timeline->earlier)) {
        histogram_subtract(&since, &timeline->earlier);
    }
    timeline->earlier = *times;
    moment->count = histogram_count(&since);
    moment->has_times = moment->count > 0;
    moment->p50_us = histogram_percentile_ns(&since, 500000) / 1000;
    moment->p99_us = histogram_percentile_ns(&since, 990000) / 1000;
}

void bench_timeline_sample(struct bench_timeline *timeline, uint64_t rss_bytes,
                           const struct histogram *times)
{
    const uint64_t now_ns = clock_now_ns();
    if (now_ns < timeline->next_ns) {
        return;
    }
    if (timeline->count == BENCH_MOMENTS_MAX) {
        halve(timeline);
    }
    const uint64_t since_ns = timeline->next_ns - timeline->span_ms * NS_PER_MS;
    struct bench_moment *moment = &timeline->moments[timeline->count++];
    *moment = (struct bench_moment){
        .at_ms = (now_ns - timeline->began_ns) / NS_PER_MS,
        .rss_bytes = rss_bytes,
        .span_ms = (now_ns - since_ns) / NS_PER_MS,
    };
    if (times != NULL) {
        take_times(timeline, moment, times);
    }
    timeline->next_ns = now_ns + timeline->span_ms * NS_PER_MS;
}
