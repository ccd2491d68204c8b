#include "cli/soak_trend.h"

#include <stdlib.h>
#include <string.h>

static int compare_signed(const void *left, const void *right)
{
    int64_t a = 0;
    int64_t b = 0;
    memcpy(&a, left, sizeof(a));
    memcpy(&b, right, sizeof(b));
    return (a > b) - (a < b);
}

static int compare_unsigned(const void *left, const void *right)
{
    uint64_t a = 0;
    uint64_t b = 0;
    memcpy(&a, left, sizeof(a));
    memcpy(&b, right, sizeof(b));
    return (a > b) - (a < b);
}

uint64_t soak_median(uint64_t *values, uint32_t count)
{
    if (count == 0) {
        return 0;
    }
    qsort(values, count, sizeof(*values), compare_unsigned);
    return values[count / 2];
}

static int64_t tolerated_percent(const struct soak_trend *trend, const struct soak_cycles *cycles)
{
    if (cycles->rest_s < SOAK_TREND_REST_S) {
        return SOAK_RISE_PERCENT_RESTLESS;
    }
    return trend->cycles_count < SOAK_TREND_CYCLES_FEW ? 2 * SOAK_RISE_PERCENT : SOAK_RISE_PERCENT;
}

static void judge(struct soak_trend *trend, const struct soak_cycles *cycles, int64_t median)
{
    const int64_t percent = tolerated_percent(trend, cycles);
    trend->rise = trend->slope * (int64_t)(trend->cycles_count - 1);
    trend->is_growing = trend->rise > median / 100 * percent && trend->tau_per_mille > 500;
}

/* How many of the last values are looked at. */
static uint32_t settled_count(const struct soak_cycles *cycles)
{
    const uint32_t third = (cycles->count + 2) / 3;
    const uint32_t left_out = cycles->unsettled_count > third ? cycles->unsettled_count : third;
    return cycles->count > left_out ? cycles->count - left_out : 0;
}

enum err soak_trend(const struct soak_cycles *cycles, struct budget *budget,
                    struct soak_trend *out_trend)
{
    const uint32_t settled = settled_count(cycles);
    if (settled < SOAK_TREND_CYCLES_MIN) {
        return ERR_ABSENT;
    }
    const uint32_t used = settled < SOAK_TREND_CYCLES_MAX ? settled : SOAK_TREND_CYCLES_MAX;
    const uint64_t *values = cycles->values + cycles->count - used;
    const uint32_t pairs_count = used * (used - 1) / 2;
    int64_t *slopes = memory_acquire(budget, MEMORY_RANK_READ, pairs_count * sizeof(*slopes));
    if (slopes == NULL) {
        return ERR_BUDGET;
    }
    uint32_t pair = 0;
    int32_t balance = 0;
    for (uint32_t i = 0; i < used; i++) {
        for (uint32_t k = i + 1; k < used; k++) {
            const int64_t rise = (int64_t)values[k] - (int64_t)values[i];
            balance += (rise > 0) - (rise < 0);
            slopes[pair++] = rise / (int64_t)(k - i);
        }
    }
    qsort(slopes, pairs_count, sizeof(*slopes), compare_signed);
    uint64_t sorted[SOAK_TREND_CYCLES_MAX];
    memcpy(sorted, values, used * sizeof(*values));
    *out_trend = (struct soak_trend){
        .slope = slopes[pairs_count / 2],
        .tau_per_mille = (int32_t)((int64_t)balance * 1000 / pairs_count),
        .cycles_count = used,
    };
    judge(out_trend, cycles, (int64_t)soak_median(sorted, used));
    memory_release(budget, slopes, pairs_count * sizeof(*slopes));
    return ERR_OK;
}
