/*
 * histogram.h -- how long things took, exactly enough, in a fixed few kilobytes.
 *
 * Log-linear: each power of two is divided into HISTOGRAM_STEPS equal steps, so
 * that a recorded value is known to within 1/64 (1.6 %) wherever it lies between
 * one microsecond and a hundred seconds; below and above, it counts as the first
 * or the last. Nothing is sampled and nothing decays: percentiles are of all
 * values since the start, and the difference of two moments is a histogram again.
 *
 * One thread adds; any thread may read or merge from it meanwhile and sees what
 * was true a moment ago. Values are nanoseconds.
 */
#pragma once

#include "base/bytes.h"

#include <stdint.h>

#define HISTOGRAM_STEP_BITS   5u
#define HISTOGRAM_STEPS       (1u << HISTOGRAM_STEP_BITS)
#define HISTOGRAM_OCTAVE_MIN  10u /* 1024 ns */
#define HISTOGRAM_OCTAVE_MAX  36u /* up to 137 s */
#define HISTOGRAM_OCTAVES     (HISTOGRAM_OCTAVE_MAX - HISTOGRAM_OCTAVE_MIN + 1u)
#define HISTOGRAM_STEPS_COUNT (HISTOGRAM_OCTAVES * HISTOGRAM_STEPS + 1u)

/* Zeroed memory is an empty histogram. Private to histogram.c, but for its size. */
struct histogram {
    _Atomic uint64_t counts[HISTOGRAM_STEPS_COUNT];
    _Atomic uint64_t sum_ns;
    _Atomic uint64_t max_ns;
};

/* Only the histogram's own thread. */
void histogram_add(struct histogram *histogram, uint64_t value_ns);

/* Adds all of `from` to `histogram`, which is the caller's own. */
void histogram_merge(struct histogram *histogram, const struct histogram *from);

/* Takes all of `earlier`, an older copy of the same histogram, out of `histogram`. The largest
 * value stays that of the whole time. */
void histogram_subtract(struct histogram *histogram, const struct histogram *earlier);

uint64_t histogram_count(const struct histogram *histogram);
uint64_t histogram_sum_ns(const struct histogram *histogram);
uint64_t histogram_max_ns(const struct histogram *histogram); /* exact */

/* A value that `per_million` of a million of the recorded values do not exceed: 500000 is the
 * median, 999000 is p99.9. Exact to 1.6 %; never above the largest value; 0 when empty. */
uint64_t histogram_percentile_ns(const struct histogram *histogram, uint32_t per_million);

/* How many recorded values are below `bound_ns`, where the bound is taken down by at most 3.2 %. */
uint64_t histogram_count_below(const struct histogram *histogram, uint64_t bound_ns);
