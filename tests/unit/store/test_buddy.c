#include "store/buddy.h"
#include "store/seq_cache.h"

#include "support/test.h"

struct block {
    uint32_t place;
    uint32_t order;
};

/* Random blocks, each filled with its own number: no two overlap, and in the end all is one. */
TEST(blocks_never_overlap_and_an_empty_region_is_whole)
{
    struct budget budget;
    struct buddy buddy;
    budget_init(&budget, "test", NULL, BUDGET_UNLIMITED);
    CHECK_OK(buddy_open(&buddy, &budget, 100000)); /* 64 KiB of it */
    CHECK_EQ(budget_used(&budget), buddy_bytes(&buddy));
    struct block blocks[600];
    size_t count = 0;
    for (uint32_t step = 0; step < 20000; step++) {
        if (prng_below(prng, 100) < 55 && count < COUNT_OF(blocks)) {
            const uint32_t order = (uint32_t)(prng_below(prng, 4) * prng_below(prng, 3));
            const uint32_t place = buddy_acquire(&buddy, order);
            if (place == BUDDY_NONE) {
                continue;
            }
            CHECK_EQ(place % (1u << order), 0);
            memset(buddy_at(&buddy, place), (int)(place % 251), BUDDY_UNIT_BYTES << order);
            blocks[count++] = (struct block){.place = place, .order = order};
        } else if (count > 0) {
            const size_t index = prng_below(prng, count);
            const uint8_t *bytes = buddy_at(&buddy, blocks[index].place);
            for (uint32_t i = 0; i < BUDDY_UNIT_BYTES << blocks[index].order; i++) {
                CHECK_EQ(bytes[i], blocks[index].place % 251);
            }
            buddy_release(&buddy, blocks[index].place);
            blocks[index] = blocks[--count];
        }
    }
    while (count > 0) {
        buddy_release(&buddy, blocks[--count].place);
    }
    CHECK_EQ(buddy_acquire(&buddy, 9), 0);
    CHECK_EQ(buddy_acquire(&buddy, 0), BUDDY_NONE);
    buddy_release(&buddy, 0);
    buddy_close(&buddy);
    CHECK_EQ(budget_used(&budget), 0);
}

TEST(an_order_holds_what_it_was_asked_for)
{
    for (uint32_t i = 0; i < 1000; i++) {
        const uint64_t bytes = 1 + prng_below(prng, 1u << 24);
        const uint32_t order = buddy_order(bytes);
        CHECK((uint64_t)BUDDY_UNIT_BYTES << order >= bytes);
        CHECK(order == 0 || (uint64_t)BUDDY_UNIT_BYTES << (order - 1) < bytes);
    }
}

static void release_twice(void *argument)
{
    struct buddy *buddy = argument;
    const uint32_t place = buddy_acquire(buddy, 1);
    buddy_release(buddy, place);
    buddy_release(buddy, place);
}

TEST(releasing_twice_is_a_bug)
{
    struct budget budget;
    struct buddy buddy;
    budget_init(&budget, "test", NULL, BUDGET_UNLIMITED);
    CHECK_OK(buddy_open(&buddy, &budget, 4096));
    CHECK_ABORTS(release_twice, &buddy);
    buddy_close(&buddy);
}

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
