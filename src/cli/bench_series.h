/*
 * bench_series.h -- a list that only grows, and whose elements never move.
 *
 * A message of a run is remembered until the end of the run, and a pause to copy what was there
 * before would show up as latency of the server: so elements live in chunks of one size.
 */
#pragma once

#include "memory/allocator.h"

/* Private to bench_series.c, but for `count`. Zeroed memory with `element_bytes` set is empty. */
struct bench_series {
    void **chunks;
    uint64_t count;
    uint32_t chunks_count;
    uint32_t chunks_capacity;
    uint32_t element_bytes;
};

#define BENCH_SERIES_OF(type) ((struct bench_series){.element_bytes = sizeof(type)})

void bench_series_release(struct bench_series *series, struct budget *budget);

/* A new element behind the others, all zero; NULL: no memory. */
MUST_USE void *bench_series_add(struct bench_series *series, struct budget *budget);

/* The element of that index, which is below `count`. It stays where it is. */
void *bench_series_at(const struct bench_series *series, uint64_t index);
