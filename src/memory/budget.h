/*
 * budget.h -- how many bytes a holder may have, and how many it has.
 *
 * The memory layer knows who owns which bytes. Budgets form a tree: a leaf is a
 * named holder ("connections", "messages"), a root is one thread's part of the
 * process. A charge climbs to the root; a refusal anywhere leaves nothing
 * charged and is counted at the node that refused.
 *
 * Promises:
 *   (1) used never exceeds limit, at any node, at any time;
 *   (2) a refused charge changes nothing but the counter `refused`.
 *
 * Each tree belongs to one thread, so that no charge crosses a core. Other
 * threads may read the figures at any time; what they see is a moment old.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_UNLIMITED UINT64_MAX

/* Why somebody wants memory. When it is short, the first is refused first (design 8.2): a rank may
 * fill its root only up to its share, so that a full server can still drain. */
enum memory_rank {
    MEMORY_RANK_ADMIT = 0, /* somebody new wants to come in */
    MEMORY_RANK_CACHE,     /* what could be read again */
    MEMORY_RANK_READ,      /* bytes that a peer is sending */
    MEMORY_RANK_DELIVER,   /* what is on its way to a reader */
    MEMORY_RANK_DRAIN,     /* finishing what was promised */
};

/* Private to budget.c, but for reading the figures. */
struct budget {
    const char *name; /* a literal */
    struct budget *parent;
    struct budget *first_child; /* with next_sibling: the tree downwards, for the ledger */
    struct budget *next_sibling;
    uint64_t limit_bytes;
    _Atomic uint64_t used_bytes;
    _Atomic uint64_t peak_bytes;
    _Atomic uint64_t refused_count;
    _Atomic uint64_t given_back_bytes; /* in quiet times */
};

/* `parent` is NULL for a root; it is borrowed. A tree is made before other threads look at it, and
 * all of it goes at once. */
void budget_init(struct budget *budget, const char *name, struct budget *parent,
                 uint64_t limit_bytes);

/* Grants all of `size_bytes`, or refuses with ERR_BUDGET and changes nothing. */
MUST_USE enum err budget_charge(struct budget *budget, enum memory_rank rank, uint64_t size_bytes);

/* Gives back what was charged. */
void budget_refund(struct budget *budget, uint64_t size_bytes);

/* Counts as given back what has been refunded since the budget had `before_bytes`. */
void budget_rested(struct budget *budget, uint64_t before_bytes);
uint64_t budget_given_back(const struct budget *budget);

/* What could still be charged at `rank`. */
uint64_t budget_available(const struct budget *budget, enum memory_rank rank);

uint64_t budget_used(const struct budget *budget);
uint64_t budget_peak(const struct budget *budget);
uint64_t budget_refused(const struct budget *budget);
