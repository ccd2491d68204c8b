/*
 * allocator.h -- the one door to the heap: every byte is charged before it exists.
 *
 * What is charged is what the heap really uses for a size (its size class), so
 * that the sum of the budgets is the memory that the heap has handed out.
 * jemalloc stands behind this door (ADR 3): its size classes bound the waste
 * inside an object, its decay gives idle pages back, its profiler tells who
 * holds what. Memory is released by the thread that acquired it, against the
 * budget it was charged to.
 */
#pragma once

#include "memory/budget.h"

#include <stddef.h>

/* `size` bytes, uninitialised, or NULL when the budget or the heap refuses. `size` is above 0. */
MUST_USE void *memory_acquire(struct budget *budget, enum memory_rank rank, size_t size);

/* The same, filled with zeros. */
MUST_USE void *memory_acquire_zeroed(struct budget *budget, enum memory_rank rank, size_t size);

/* Gives back what memory_acquire gave; `size` is what was asked for. NULL is allowed. */
void memory_release(struct budget *budget, void *memory, size_t size);

/* What the heap uses for an object of `size` bytes: what is charged for it. */
size_t memory_cost(size_t size);

/* Address space for a table that is touched as it fills, charged by its owner as it does: `size`
 * bytes of zeros, or NULL. Never returned to the heap; see memory_table_release. */
MUST_USE void *memory_table_acquire(size_t size);
void memory_table_release(void *table, size_t size);

/* How much of a table, which begins at a page, is in memory now. */
uint64_t memory_table_resident(void *table, size_t size);

/* Tells the system that what is in `size` bytes from `part`, of a table or of the heap, is not
 * needed any more. Only whole pages inside the part are given back, and read as zeros later. */
void memory_table_forget(void *part, size_t size);

/* Makes the Nth acquisition from now on (and, if `is_for_good`, each after it) fail, process-wide;
 * 0 stops. For refusal sweeps. */
void memory_refuse(uint64_t nth, bool is_for_good);

/* Acquisitions since memory_refuse was last called; tells a sweep when it is done. */
uint64_t memory_acquisitions(void);
