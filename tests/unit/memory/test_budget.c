#include "memory/allocator.h"
#include "memory/budget.h"

#include "support/test.h"

TEST(a_charge_climbs_to_the_root_and_a_refund_comes_down)
{
    struct budget root;
    struct budget leaf;
    budget_init(&root, "root", NULL, 6400);
    budget_init(&leaf, "leaf", &root, BUDGET_UNLIMITED);
    CHECK_OK(budget_charge(&leaf, MEMORY_RANK_DRAIN, 100));
    CHECK_EQ(budget_used(&root), 100);
    budget_refund(&leaf, 40);
    CHECK_EQ(budget_used(&leaf), 60);
    CHECK_EQ(budget_used(&root), 60);
    CHECK_EQ(budget_peak(&root), 100);
}

TEST(a_refusal_changes_nothing_but_its_counter)
{
    struct budget root;
    struct budget leaf;
    budget_init(&root, "root", NULL, 64);
    budget_init(&leaf, "leaf", &root, 1000);
    CHECK_EQ(budget_charge(&leaf, MEMORY_RANK_DRAIN, 65), ERR_BUDGET);
    CHECK_EQ(budget_used(&leaf), 0);
    CHECK_EQ(budget_used(&root), 0);
    CHECK_EQ(budget_refused(&root), 1);
    CHECK_EQ(budget_refused(&leaf), 0);
}

TEST(whoever_drains_is_served_when_nobody_else_is)
{
    struct budget root;
    budget_init(&root, "root", NULL, 6400);
    CHECK_OK(budget_charge(&root, MEMORY_RANK_ADMIT, 5600));
    CHECK_EQ(budget_charge(&root, MEMORY_RANK_ADMIT, 1), ERR_BUDGET);
    CHECK_OK(budget_charge(&root, MEMORY_RANK_READ, 400));
    CHECK_EQ(budget_charge(&root, MEMORY_RANK_READ, 1), ERR_BUDGET);
    CHECK_OK(budget_charge(&root, MEMORY_RANK_DRAIN, 400));
    CHECK_EQ(budget_available(&root, MEMORY_RANK_DRAIN), 0);
}

TEST(memory_is_charged_at_what_the_heap_uses_for_it)
{
    struct budget root;
    budget_init(&root, "root", NULL, 1 << 20);
    for (size_t size = 1; size < 10000; size += 1 + prng_below(prng, 100)) {
        void *memory = memory_acquire(&root, MEMORY_RANK_DRAIN, size);
        CHECK(memory != NULL);
        CHECK_EQ(budget_used(&root), memory_cost(size));
        memory_release(&root, memory, size);
    }
    CHECK_EQ(budget_used(&root), 0);
}

TEST(a_refusal_sweep_refuses_the_nth_and_leaves_nothing_charged)
{
    struct budget root;
    budget_init(&root, "root", NULL, 1 << 20);
    memory_refuse(2, false);
    void *first = memory_acquire(&root, MEMORY_RANK_DRAIN, 10);
    void *second = memory_acquire(&root, MEMORY_RANK_DRAIN, 10);
    void *third = memory_acquire(&root, MEMORY_RANK_DRAIN, 10);
    memory_refuse(0, false);
    CHECK(first != NULL);
    CHECK(second == NULL);
    CHECK(third != NULL);
    memory_release(&root, first, 10);
    memory_release(&root, third, 10);
    CHECK_EQ(budget_used(&root), 0);
}
