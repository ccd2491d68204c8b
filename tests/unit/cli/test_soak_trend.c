#include "cli/soak_trend.h"

#include "base/prng.h"
#include "support/test.h"

#define MIB 1048576ull

static struct soak_trend trend_of(const uint64_t *values, uint32_t count)
{
    struct budget budget;
    struct soak_trend trend;
    budget_init(&budget, "test", NULL, BUDGET_UNLIMITED);
    CHECK_OK(soak_trend(values, count, &budget, &trend));
    CHECK_EQ(budget_used(&budget), 0);
    return trend;
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
    CHECK_EQ(soak_trend(values, COUNT_OF(values), &budget, &trend), ERR_ABSENT);
}
