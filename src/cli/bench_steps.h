/*
 * bench_steps.h -- the highest rate at which a latency bound still holds.
 *
 * The rate grows by BENCH_STEP_PERCENT from --rate until p99 of the deliveries is above --p99 ms,
 * or not all that was sent arrives; then the rates between the last good one and the first bad one
 * are halved until they lie BENCH_STEP_CLOSE_PERCENT apart. A step that breaks the bound is tried a
 * second time, because one hiccup of the machine is no limit of the server. The run ends with a
 * pass at the highest good rate, whose figures are the report's.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define BENCH_STEPS_MAX          40u
#define BENCH_STEP_PERCENT       50u
#define BENCH_STEP_CLOSE_PERCENT 10u

struct bench_report;
struct bench_traffic;

struct bench_step {
    uint32_t rate;
    uint64_t p50_us;
    uint64_t p99_us;
    uint64_t p999_us;
    uint64_t missing_count; /* sent or due, and not answered and delivered everywhere */
    bool is_good;
    bool is_ours; /* the generator or the machine was late, not only the server */
};

struct bench_steps {
    struct bench_step steps[BENCH_STEPS_MAX]; /* in the order of trying */
    uint32_t count;
    uint32_t rate_best; /* 0: not even the first was good */
};

/* Leaves the best rate in the traffic. ERR_BUDGET: memory gave out. */
MUST_USE enum err bench_steps_run(struct bench_steps *steps, struct bench_traffic *traffic);
void bench_steps_report(const struct bench_steps *steps, uint32_t p99_ms,
                        struct bench_report *report);
