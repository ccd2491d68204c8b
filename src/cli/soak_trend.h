/*
 * soak_trend.h -- does it grow? A test over equal cycles that one odd value does not sway.
 *
 * The slope is that of Theil and Sen: the median of the slopes of all pairs. Whether the order of
 * the values means anything at all is Kendall's tau: of all pairs, those that rise less those that
 * fall. Growth is both: a rise by the slope over all cycles of more than SOAK_RISE_PERCENT of the
 * median value (twice that while fewer than SOAK_TREND_CYCLES_FEW are looked at: few values tremble
 * into a row by chance), and a tau above one half. The first third of the cycles is left out: it
 * fills caches that are empty at the start, up to their limits, which is a rise and not a leak.
 */
#pragma once

#include "memory/allocator.h"

#include <stdint.h>

#define SOAK_TREND_CYCLES_MIN 4u /* looked at; fewer say nothing */
#define SOAK_TREND_CYCLES_FEW 10u
#define SOAK_TREND_CYCLES_MAX 256u /* the last so many are looked at */
#define SOAK_RISE_PERCENT     5

struct soak_trend {
    int64_t slope;         /* per cycle, in the unit of the values */
    int64_t rise;          /* the slope over all cycles */
    int32_t tau_per_mille; /* 1000: each value is above the one before */
    uint32_t cycles_count; /* looked at */
    bool is_growing;
};

/* ERR_ABSENT: too few values. ERR_BUDGET: no memory. */
MUST_USE enum err soak_trend(const uint64_t *values, uint32_t count, struct budget *budget,
                             struct soak_trend *out_trend);

/* Sorts `values` and returns the one in the middle; 0 when there are none. */
uint64_t soak_median(uint64_t *values, uint32_t count);
