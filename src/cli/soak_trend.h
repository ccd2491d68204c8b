/*
 * soak_trend.h -- does it grow? A test over equal cycles that one odd value does not sway.
 *
 * The slope is that of Theil and Sen: the median of the slopes of all pairs. Whether the order of
 * the values means anything at all is Kendall's tau: of all pairs, those that rise less those that
 * fall. Growth is both: a rise by the slope over all cycles of more than SOAK_RISE_PERCENT of the
 * median value (twice that while fewer than SOAK_TREND_CYCLES_FEW are looked at: few values tremble
 * into a row by chance), and a tau above one half. What fills up
 * from empty rises, too, and is no leak: so the first third of the cycles is left out, and those
 * before the server has settled (`jingu soak --settle`: a channel that nobody uses is kept for 45
 * s).
 *
 * The pages that a burst has freed stay resident for two seconds, some megabytes more or less of
 * them. After a rest of less than SOAK_TREND_REST_S they are most of what differs: growth is then a
 * rise of more than SOAK_RISE_PERCENT_RESTLESS.
 */
#pragma once

#include "memory/allocator.h"

#include <stdint.h>

#define SOAK_TREND_CYCLES_MIN      4u /* looked at; fewer say nothing */
#define SOAK_TREND_CYCLES_FEW      10u
#define SOAK_TREND_CYCLES_MAX      256u /* the last so many are looked at */
#define SOAK_RISE_PERCENT          5
#define SOAK_TREND_REST_S          3u
#define SOAK_RISE_PERCENT_RESTLESS 25

struct soak_trend {
    int64_t slope;         /* per cycle, in the unit of the values */
    int64_t rise;          /* the slope over all cycles */
    int32_t tau_per_mille; /* 1000: each value is above the one before */
    uint32_t cycles_count; /* looked at */
    bool is_growing;
};

/* What the values are of. */
struct soak_cycles {
    const uint64_t *values;
    uint32_t count;
    uint32_t unsettled_count; /* the first, which are left out in any case */
    uint32_t rest_s;          /* after each */
};

/* ERR_ABSENT: too few values. ERR_BUDGET: no memory. */
MUST_USE enum err soak_trend(const struct soak_cycles *cycles, struct budget *budget,
                             struct soak_trend *out_trend);

/* Sorts `values` and returns the one in the middle; 0 when there are none. */
uint64_t soak_median(uint64_t *values, uint32_t count);
