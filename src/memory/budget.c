#include "memory/budget.h"

#include "base/assert.h"

#include <stdatomic.h>

/* The part of a root that each rank may fill, in 64ths. The last two are the reserve that lets
 * promised work drain. */
static const uint64_t rank_share[] = {
    [MEMORY_RANK_ADMIT] = 56,   [MEMORY_RANK_CACHE] = 58, [MEMORY_RANK_READ] = 60,
    [MEMORY_RANK_DELIVER] = 62, [MEMORY_RANK_DRAIN] = 64,
};

static uint64_t budget_ceiling(const struct budget *budget, enum memory_rank rank)
{
    if (budget->parent != NULL || budget->limit_bytes == BUDGET_UNLIMITED) {
        return budget->limit_bytes;
    }
    return budget->limit_bytes / 64 * rank_share[rank];
}

#ifdef JINGU_FAULTS
/* A library that stands before the program may refuse a charge (tests/e2e/harness/faults.c). What
 * is shipped has no such door. */
extern bool faults_refuse_charge(void) __attribute__((weak));

static bool budget_is_faulty(void)
{
    return faults_refuse_charge != NULL && faults_refuse_charge();
}
#else
static bool budget_is_faulty(void)
{
    return false;
}
#endif

/* Only the owning thread writes, so that a load and a store are enough. */
static void budget_set_used(struct budget *budget, uint64_t used_bytes)
{
    atomic_store_explicit(&budget->used_bytes, used_bytes, memory_order_relaxed);
    if (used_bytes > budget_peak(budget)) {
        atomic_store_explicit(&budget->peak_bytes, used_bytes, memory_order_relaxed);
    }
}

void budget_init(struct budget *budget, const char *name, struct budget *parent,
                 uint64_t limit_bytes)
{
    ASSERT(name != NULL);
    budget->name = name;
    budget->parent = parent;
    budget->first_child = NULL;
    budget->next_sibling = parent != NULL ? parent->first_child : NULL;
    if (parent != NULL) {
        parent->first_child = budget;
    }
    budget->limit_bytes = limit_bytes;
    atomic_init(&budget->used_bytes, 0);
    atomic_init(&budget->peak_bytes, 0);
    atomic_init(&budget->refused_count, 0);
    atomic_init(&budget->given_back_bytes, 0);
}

enum err budget_charge(struct budget *budget, enum memory_rank rank, uint64_t size_bytes)
{
    for (struct budget *node = budget; node != NULL; node = node->parent) {
        const uint64_t used = budget_used(node);
        const uint64_t ceiling = budget_ceiling(node, rank);
        if (used > ceiling || size_bytes > ceiling - used || budget_is_faulty()) {
            atomic_store_explicit(&node->refused_count, budget_refused(node) + 1,
                                  memory_order_relaxed);
            return ERR_BUDGET;
        }
    }
    for (struct budget *node = budget; node != NULL; node = node->parent) {
        budget_set_used(node, budget_used(node) + size_bytes);
    }
    return ERR_OK;
}

void budget_refund(struct budget *budget, uint64_t size_bytes)
{
    for (struct budget *node = budget; node != NULL; node = node->parent) {
        const uint64_t used = budget_used(node);
        ASSERT(used >= size_bytes);
        budget_set_used(node, used - size_bytes);
    }
}

void budget_rested(struct budget *budget, uint64_t before_bytes)
{
    const uint64_t used = budget_used(budget);
    if (before_bytes > used) {
        atomic_store_explicit(&budget->given_back_bytes,
                              budget_given_back(budget) + before_bytes - used,
                              memory_order_relaxed);
    }
}

uint64_t budget_given_back(const struct budget *budget)
{
    return atomic_load_explicit(&budget->given_back_bytes, memory_order_relaxed);
}

uint64_t budget_available(const struct budget *budget, enum memory_rank rank)
{
    uint64_t available = UINT64_MAX;
    for (const struct budget *node = budget; node != NULL; node = node->parent) {
        const uint64_t used = budget_used(node);
        const uint64_t ceiling = budget_ceiling(node, rank);
        const uint64_t left = ceiling > used ? ceiling - used : 0;
        available = left < available ? left : available;
    }
    return available;
}

uint64_t budget_used(const struct budget *budget)
{
    return atomic_load_explicit(&budget->used_bytes, memory_order_relaxed);
}

uint64_t budget_peak(const struct budget *budget)
{
    return atomic_load_explicit(&budget->peak_bytes, memory_order_relaxed);
}

uint64_t budget_refused(const struct budget *budget)
{
    return atomic_load_explicit(&budget->refused_count, memory_order_relaxed);
}
