#include "chat/unacked.h"

#include "support/test.h"

static struct unacked_entry entry_of(uint64_t message_id)
{
    return (struct unacked_entry){.message_id = message_id, .seq = message_id, .sends = 1};
}

TEST(an_acknowledged_message_is_forgotten_wherever_it_stands)
{
    struct budget budget;
    struct unacked unacked = {.entries = NULL};
    struct unacked_entry removed;
    budget_init(&budget, "test", NULL, 1 << 20);
    for (uint64_t id = 1; id <= 5; id++) {
        CHECK_EQ(unacked_add(&unacked, &budget, entry_of(id)), 0);
    }
    CHECK(unacked_remove(&unacked, 3, &removed));
    CHECK_EQ(removed.seq, 3);
    CHECK(!unacked_remove(&unacked, 3, &removed));
    CHECK(unacked_remove(&unacked, 1, &removed));
    CHECK_EQ(unacked_oldest(&unacked)->message_id, 2);
    CHECK(unacked_remove(&unacked, 2, &removed));
    CHECK_EQ(unacked_oldest(&unacked)->message_id, 4); /* 3 was passed over */
    unacked_deinit(&unacked, &budget);
    CHECK_EQ(budget_used(&budget), 0);
}

TEST(behind_the_oldest_that_is_taken_out_comes_one_that_waits)
{
    struct budget budget;
    struct unacked unacked = {.entries = NULL};
    struct unacked_entry removed;
    budget_init(&budget, "test", NULL, 1 << 20);
    for (uint64_t id = 1; id <= 4; id++) {
        CHECK_EQ(unacked_add(&unacked, &budget, entry_of(id)), 0);
    }
    CHECK(unacked_remove(&unacked, 2, &removed));
    unacked_pop(&unacked);
    CHECK_EQ(unacked_oldest(&unacked)->message_id, 3); /* 2 was acknowledged */
    CHECK(unacked_remove(&unacked, 4, &removed));
    unacked_pop(&unacked);
    CHECK(unacked_oldest(&unacked) == NULL);
    unacked_deinit(&unacked, &budget);
}

TEST(a_full_window_pushes_the_oldest_out_and_says_so)
{
    struct budget budget;
    struct unacked unacked = {.entries = NULL};
    budget_init(&budget, "test", NULL, 1 << 20);
    uint32_t pushed_out = 0;
    for (uint64_t id = 1; id <= UNACKED_MAX + 10; id++) {
        pushed_out += unacked_add(&unacked, &budget, entry_of(id));
    }
    CHECK_EQ(pushed_out, 10);
    CHECK_EQ(unacked_oldest(&unacked)->message_id, 11);
    unacked_deinit(&unacked, &budget);
}

TEST(a_window_without_memory_forgets_and_does_not_fail)
{
    struct budget budget;
    struct unacked unacked = {.entries = NULL};
    budget_init(&budget, "test", NULL, 0);
    CHECK_EQ(unacked_add(&unacked, &budget, entry_of(1)), 1);
    CHECK(unacked_oldest(&unacked) == NULL);
    unacked_deinit(&unacked, &budget);
}

/* Whatever is added and acknowledged, in whatever order, the window is what a plain array says. */
TEST(the_window_agrees_with_a_plain_array)
{
    struct budget budget;
    struct unacked unacked = {.entries = NULL};
    struct unacked_entry removed;
    uint64_t model[UNACKED_MAX * 4];
    size_t first = 0;
    size_t last = 0;
    budget_init(&budget, "test", NULL, 1 << 20);
    for (uint64_t id = 1; id <= UNACKED_MAX * 3; id++) {
        CHECK_EQ(unacked_add(&unacked, &budget, entry_of(id)), 0);
        model[last++] = id;
        while (last - first > 200 || (last > first && prng_below(prng, 3) == 0)) {
            const size_t place = first + prng_below(prng, last - first);
            CHECK(unacked_remove(&unacked, model[place], &removed));
            memmove(&model[first + 1], &model[first], (place - first) * sizeof(model[0]));
            first++;
        }
        const struct unacked_entry *oldest = unacked_oldest(&unacked);
        CHECK_EQ(oldest == NULL ? 0 : oldest->message_id, first == last ? 0 : model[first]);
    }
    unacked_deinit(&unacked, &budget);
    CHECK_EQ(budget_used(&budget), 0);
}
