#include "cli/soak_trend.h"

#include "base/prng.h"
#include "support/test.h"

#define MIB 1048576ull

static struct soak_trend trend_of_cycles(const struct soak_cycles *cycles)
{
    struct budget budget;
    struct soak_trend trend;
    budget_init(&budget, "test", NULL, BUDGET_UNLIMITED);
    CHECK_OK(soak_trend(cycles, &budget, &trend));
    CHECK_EQ(budget_used(&budget), 0);
    return trend;
}

static struct soak_trend trend_of(const uint64_t *values, uint32_t count)
{
    const struct soak_cycles cycles = {.values = values, .count = count, .rest_s = 5};
    return trend_of_cycles(&cycles);
}

TEST(a_steady_rise_is_growth)
{
    const uint64_t values[] = {60 * MIB, 61 * MIB, 63 * MIB, 66 * MIB, 69 * MIB, 73 * MIB};
    CHECK(trend_of(values, COUNT_OF(values)).is_growing);
}

TEST(few_cycles_may_tremble_into_a_row)
{
    const uint64_t values[] = {50 * MIB, 60 * MIB, 63 * MIB, 64 * MIB, 65 * MIB, 66 * MIB};
    CHECK(!trend_of(values, COUNT_OF(values)).is_growing);
}

TEST(a_plateau_is_not_however_it_trembles)
{
    struct prng source;
    prng_init(&source, 1);
    for (uint32_t round = 0; round < 100; round++) {
        uint64_t values[40];
        for (uint32_t i = 0; i < COUNT_OF(values); i++) {
            values[i] = 60 * MIB + prng_below(&source, 6 * MIB);
        }
        CHECK(!trend_of(values, COUNT_OF(values)).is_growing);
    }
}

TEST(one_odd_value_sways_nothing)
{
    uint64_t values[12];
    for (uint32_t i = 0; i < COUNT_OF(values); i++) {
        values[i] = 60 * MIB;
    }
    values[11] = 500 * MIB;
    CHECK(!trend_of(values, COUNT_OF(values)).is_growing);
}

TEST(a_leak_is_seen_through_the_tremble)
{
    struct prng source;
    prng_init(&source, 2);
    uint64_t values[40];
    for (uint32_t i = 0; i < COUNT_OF(values); i++) {
        values[i] = 60 * MIB + prng_below(&source, 4 * MIB) + i * MIB / 4;
    }
    CHECK(trend_of(values, COUNT_OF(values)).is_growing);
}

TEST(the_first_third_fills_caches_and_is_left_out)
{
    const uint64_t values[] = {40 * MIB, 48 * MIB, 53 * MIB, 57 * MIB, 57 * MIB,
                               56 * MIB, 55 * MIB, 57 * MIB, 57 * MIB};
    const struct soak_trend trend = trend_of(values, COUNT_OF(values));
    CHECK_EQ(trend.cycles_count, 6);
    CHECK(!trend.is_growing);
}

TEST(too_few_cycles_say_nothing)
{
    const uint64_t values[] = {1, 2, 3, 4, 5};
    struct budget budget;
    struct soak_trend trend;
    budget_init(&budget, "test", NULL, BUDGET_UNLIMITED);
    struct soak_cycles cycles = {.values = values, .count = COUNT_OF(values), .rest_s = 5};
    CHECK_EQ(soak_trend(&cycles, &budget, &trend), ERR_ABSENT);
    cycles.unsettled_count = COUNT_OF(values);
    CHECK_EQ(soak_trend(&cycles, &budget, &trend), ERR_ABSENT);
}

TEST(what_fills_up_before_the_server_has_settled_is_left_out)
{
    uint64_t values[24];
    for (uint32_t i = 0; i < COUNT_OF(values); i++) {
        values[i] = (40 + (i < 14 ? i : 14)) * MIB;
    }
    struct soak_cycles cycles = {.values = values, .count = COUNT_OF(values), .rest_s = 5};
    CHECK(trend_of_cycles(&cycles).is_growing);
    cycles.unsettled_count = 14;
    const struct soak_trend trend = trend_of_cycles(&cycles);
    CHECK_EQ(trend.cycles_count, 10);
    CHECK(!trend.is_growing);
}

TEST(after_short_rests_only_a_large_rise_is_growth)
{
    uint64_t values[24];
    for (uint32_t i = 0; i < COUNT_OF(values); i++) {
        values[i] = 60 * MIB + i * 3 * MIB / 4;
    }
    struct soak_cycles cycles = {.values = values, .count = COUNT_OF(values), .rest_s = 1};
    CHECK(!trend_of_cycles(&cycles).is_growing);
    cycles.rest_s = 5;
    CHECK(trend_of_cycles(&cycles).is_growing);
    for (uint32_t i = 0; i < COUNT_OF(values); i++) {
        values[i] = 60 * MIB + i * 2 * MIB;
    }
    cycles.rest_s = 1;
    CHECK(trend_of_cycles(&cycles).is_growing);
}
