#include "store/seq_cache.h"

#include "support/test.h"

TEST(the_cache_of_owns_never_gives_an_old_value)
{
    struct budget budget;
    struct seq_cache cache;
    static uint64_t newest[2000];
    uint32_t found_count = 0;
    budget_init(&budget, "test", NULL, BUDGET_UNLIMITED);
    CHECK_OK(seq_cache_open(&cache, &budget, 512));
    for (uint64_t step = 1; step <= 50000; step++) {
        const uint64_t index = prng_below(prng, COUNT_OF(newest));
        const uint64_t key = (index + 1) * 0x9e3779b97f4a7c15ull;
        uint64_t seq = 0;
        if (seq_cache_find(&cache, key, &seq)) {
            CHECK(seq == newest[index]);
            found_count++;
        }
        if (prng_below(prng, 2) == 0) {
            newest[index] = step;
            seq_cache_begin(&cache);
            seq_cache_add(&cache, key, step);
            seq_cache_end(&cache);
            CHECK(seq_cache_find(&cache, key, &seq));
            CHECK(seq == step);
        }
    }
    CHECK(found_count > 5000); /* a quarter fits */
    seq_cache_clear(&cache);
    uint64_t seq = 0;
    CHECK(!seq_cache_find(&cache, 0x9e3779b97f4a7c15ull, &seq));
    seq_cache_close(&cache);
    CHECK_EQ(budget_used(&budget), 0);
}
