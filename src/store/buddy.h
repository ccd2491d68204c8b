/*
 * buddy.h -- blocks of 2^n units from one region, for objects that grow by doubling.
 *
 * A block of order n is 2^n units and begins at a multiple of its size; released, it joins
 * its other half if that is free too, so that a region that is empty is whole. Waste is
 * at most half of a block, and a region is full when no block of the order is free, which
 * the caller remedies by giving something up.
 *
 * The region is touched as it is used. Not thread-safe. Private to the store layer.
 */
#pragma once

#include "memory/budget.h"

#include <stdint.h>

#define BUDDY_UNIT_BYTES 128u
#define BUDDY_ORDERS_MAX 24u
#define BUDDY_NONE       UINT32_MAX

/* Private to buddy.c. A place is a number of units from the beginning of the region. */
struct buddy {
    struct budget *budget;
    uint8_t *region;
    uint8_t *orders;                 /* of each unit: what the block that begins here is */
    uint32_t orders_count;           /* the whole region is of order orders_count - 1 */
    uint32_t free[BUDDY_ORDERS_MAX]; /* the first free block of each order */
};

/* A region of at most `bytes`, and at least half of that. ERR_BUDGET: it does not fit. */
MUST_USE enum err buddy_open(struct buddy *buddy, struct budget *budget, uint64_t bytes);
void buddy_close(struct buddy *buddy);

/* What it takes from its budget. */
uint64_t buddy_bytes(const struct buddy *buddy);

/* Gives the pages of free blocks back to the system; they are touched again as they are used. */
void buddy_forget(struct buddy *buddy);

/* The smallest order that holds so much; BUDDY_ORDERS_MAX or above: more than any region. */
uint32_t buddy_order(uint64_t bytes);

/* BUDDY_NONE: no block of the order is free. */
uint32_t buddy_acquire(struct buddy *buddy, uint32_t order);
void buddy_release(struct buddy *buddy, uint32_t place);

/* inline definitions */

static inline void *buddy_at(const struct buddy *buddy, uint32_t place)
{
    return buddy->region + (uint64_t)place * BUDDY_UNIT_BYTES;
}
