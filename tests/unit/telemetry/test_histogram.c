#include "telemetry/histogram.h"

#include "support/test.h"

#define SECOND_NS 1000000000u

TEST(an_empty_histogram_has_no_percentiles)
{
    static struct histogram histogram;
    CHECK_EQ(histogram_count(&histogram), 0);
    CHECK_EQ(histogram_percentile_ns(&histogram, 500000), 0);
    CHECK_EQ(histogram_max_ns(&histogram), 0);
}

TEST(a_value_is_known_to_within_one_in_sixty_four)
{
    for (uint32_t i = 0; i < 20000; i++) {
        const uint64_t value = 1024 + prng_next(prng) % (100ull * SECOND_NS) / (1 + (i % 1000));
        struct histogram histogram = {0};
        histogram_add(&histogram, value);
        histogram_add(&histogram, 200ull * SECOND_NS); /* so that the largest does not cap it */
        const uint64_t found = histogram_percentile_ns(&histogram, 500000);
        const uint64_t error = found > value ? found - value : value - found;
        CHECK(error <= value / 64 + 1);
    }
}

TEST(the_percentiles_of_one_to_a_thousand_microseconds_are_what_they_must_be)
{
    static struct histogram histogram;
    for (uint64_t i = 1; i <= 1000; i++) {
        histogram_add(&histogram, i * 1000);
    }
    static const struct {
        uint32_t per_million;
        uint64_t expected_ns;
    } rows[] = {{500000, 500000}, {900000, 900000}, {990000, 990000}, {999000, 999000}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const uint64_t found = histogram_percentile_ns(&histogram, rows[i].per_million);
        CHECK(found >= rows[i].expected_ns - rows[i].expected_ns / 60);
        CHECK(found <= rows[i].expected_ns + rows[i].expected_ns / 60);
    }
    CHECK_EQ(histogram_count(&histogram), 1000);
    CHECK_EQ(histogram_sum_ns(&histogram), 500500000);
    CHECK_EQ(histogram_percentile_ns(&histogram, 1000000), 1000000);
}

TEST(what_is_out_of_range_counts_as_the_first_or_the_last)
{
    static struct histogram histogram;
    histogram_add(&histogram, 0);
    histogram_add(&histogram, UINT64_MAX / 2);
    CHECK_EQ(histogram_count(&histogram), 2);
    CHECK(histogram_percentile_ns(&histogram, 1) <= 1024);
    CHECK(histogram_percentile_ns(&histogram, 1000000) == UINT64_MAX / 2);
    CHECK_EQ(histogram_count_below(&histogram, 1024), 1);
}

TEST(merging_two_is_the_same_as_adding_to_one)
{
    static struct histogram parts[2];
    static struct histogram whole;
    for (uint32_t i = 0; i < 10000; i++) {
        const uint64_t value = prng_below(prng, 1u << (10 + prng_below(prng, 20)));
        histogram_add(&parts[i % 2], value);
        histogram_add(&whole, value);
    }
    histogram_merge(&parts[0], &parts[1]);
    CHECK_EQ(histogram_count(&parts[0]), histogram_count(&whole));
    CHECK_EQ(histogram_sum_ns(&parts[0]), histogram_sum_ns(&whole));
    CHECK_EQ(histogram_max_ns(&parts[0]), histogram_max_ns(&whole));
    for (uint32_t per_million = 0; per_million <= 1000000; per_million += 10000) {
        CHECK_EQ(histogram_percentile_ns(&parts[0], per_million),
                 histogram_percentile_ns(&whole, per_million));
    }
}

TEST(the_difference_of_two_moments_is_what_came_between)
{
    static struct histogram now;
    static struct histogram earlier;
    histogram_add(&now, 5000);
    histogram_merge(&earlier, &now);
    histogram_add(&now, 7000000);
    histogram_subtract(&now, &earlier);
    CHECK_EQ(histogram_count(&now), 1);
    CHECK_EQ(histogram_sum_ns(&now), 7000000);
    CHECK(histogram_percentile_ns(&now, 500000) > 6800000);
}

TEST(the_count_below_grows_with_the_bound_and_ends_at_all)
{
    static struct histogram histogram;
    for (uint32_t i = 0; i < 1000; i++) {
        histogram_add(&histogram, prng_below(prng, 10ull * SECOND_NS));
    }
    uint64_t before = 0;
    for (uint64_t bound = 1000; bound < 200ull * SECOND_NS; bound *= 2) {
        const uint64_t count = histogram_count_below(&histogram, bound);
        CHECK(count >= before);
        before = count;
    }
    CHECK_EQ(before, 1000);
}
