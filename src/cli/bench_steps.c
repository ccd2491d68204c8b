#include "cli/bench_steps.h"

#include "base/assert.h"
#include "cli/bench_report.h"
#include "cli/bench_traffic.h"

#define NS_PER_MS 1000000ULL
#define RATE_MAX  10000000u

static uint64_t missing_count(const struct bench_traffic *traffic)
{
    uint64_t count = traffic->open_count + traffic->measured.counts[BENCH_TALLY_REFUSED];
    for (uint32_t i = 0; i < traffic->senders_count; i++) {
        count += traffic->senders[i].due_count - traffic->senders[i].sends.count;
    }
    return count;
}

/* What a rate beyond the limit could not do is no fault of a run that looks for the limit. */
static void forgive(struct bench_traffic *traffic)
{
    traffic->measured.counts[BENCH_TALLY_REFUSED] = 0;
    memset(traffic->measured.reasons, 0, sizeof(traffic->measured.reasons));
}

static enum err try_rate(struct bench_steps *steps, struct bench_traffic *traffic, uint32_t rate,
                         bool *out_is_good)
{
    ASSERT(steps->count < BENCH_STEPS_MAX);
    const enum err err = bench_traffic_pass(traffic, rate);
    if (err != ERR_OK) {
        return err;
    }
    const struct histogram *times = &traffic->deliveries;
    struct bench_step *step = &steps->steps[steps->count++];
    *step = (struct bench_step){
        .rate = rate,
        .p50_us = histogram_percentile_ns(times, 500000) / 1000,
        .p99_us = histogram_percentile_ns(times, 990000) / 1000,
        .p999_us = histogram_percentile_ns(times, 999000) / 1000,
        .missing_count = missing_count(traffic),
        .is_ours = bench_watch_was_limit(traffic->watch, &traffic->lags, times),
    };
    step->is_good = step->missing_count == 0 && histogram_count(times) > 0 &&
                    step->p99_us <= traffic->engine->options->p99_ms * 1000u;
    if (!step->is_good) {
        forgive(traffic);
    }
    *out_is_good = step->is_good;
    return ERR_OK;
}

static enum err try_twice(struct bench_steps *steps, struct bench_traffic *traffic, uint32_t rate,
                          bool *out_is_good)
{
    enum err err = try_rate(steps, traffic, rate, out_is_good);
    if (err == ERR_OK && !*out_is_good && steps->count < BENCH_STEPS_MAX) {
        err = try_rate(steps, traffic, rate, out_is_good);
    }
    return err;
}

/* The next rate to try; 0: it is known well enough. `bad` 0: none was bad yet. */
static uint32_t next_rate(uint32_t good, uint32_t bad)
{
    if (bad == 0) {
        const uint64_t next = (uint64_t)good * (100 + BENCH_STEP_PERCENT) / 100 + 1;
        return next < RATE_MAX ? (uint32_t)next : 0;
    }
    const bool is_close = (uint64_t)(bad - good) * 100 <= (uint64_t)bad * BENCH_STEP_CLOSE_PERCENT;
    return is_close ? 0 : good + (bad - good) / 2;
}

enum err bench_steps_run(struct bench_steps *steps, struct bench_traffic *traffic)
{
    uint32_t bad = 0;
    uint32_t rate = traffic->rate;
    while (rate > 0 && steps->count < BENCH_STEPS_MAX) {
        bool is_good = false;
        const enum err err = try_twice(steps, traffic, rate, &is_good);
        if (err != ERR_OK) {
            return err;
        }
        if (is_good) {
            steps->rate_best = rate;
        } else {
            bad = rate;
        }
        rate = steps->rate_best > 0 ? next_rate(steps->rate_best, bad) : 0;
    }
    traffic->rate = steps->rate_best > 0 ? steps->rate_best : traffic->rate;
    return ERR_OK;
}

void bench_steps_report(const struct bench_steps *steps, uint32_t p99_ms,
                        struct bench_report *report)
{
    bench_report_begin(report, "steps", "steps of the rate");
    bench_report_count(report, "p99_bound_us", "p99 of the deliveries at most, microseconds",
                       p99_ms * 1000u);
    bench_report_count(report, "rate_best", "highest rate that kept it, a second",
                       steps->rate_best);
    bench_report_steps(report, steps);
    bench_report_end(report);
    if (steps->rate_best == 0) {
        bench_report_fault(report, "not even the first rate kept p99 within %u ms", p99_ms);
    }
}
