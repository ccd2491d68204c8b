/*
 * bench_timeline.h -- how a run went, second by second: for the curves of the report.
 *
 * A moment is a second: what was delivered in it and how long that took, and the server's resident
 * set at its end. The table has a fixed size; when it is full, two moments become one, and from
 * then on a moment is twice as long. So a run of a day is drawn as well as one of ten seconds.
 */
#pragma once

#include "telemetry/histogram.h"

#include <stdbool.h>

#define BENCH_MOMENTS_MAX 600u

struct bench_moment {
    uint64_t at_ms; /* of its end, since the start of the run */
    uint64_t rss_bytes;
    uint64_t count; /* deliveries */
    uint64_t span_ms;
    uint64_t p50_us;
    uint64_t p99_us;
    bool has_times;
};

/* Private to bench_timeline.c, but for what is marked. */
struct bench_timeline {
    struct bench_moment moments[BENCH_MOMENTS_MAX]; /* readable */
    uint32_t count;                                 /* readable */
    uint32_t span_ms;
    uint64_t began_ns;
    uint64_t next_ns;
    struct histogram earlier; /* what the histogram was when the moment began */
};

void bench_timeline_init(struct bench_timeline *timeline);

/* Ends the moment if it is time; `times` NULL: nothing is delivered now. */
void bench_timeline_sample(struct bench_timeline *timeline, uint64_t rss_bytes,
                           const struct histogram *times);
