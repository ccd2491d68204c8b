/*
 * micro.h -- small benchmarks: what one operation on the path of a message costs.
 *
 * A case does its operation `count` times and says with what it cannot be optimised away. What it
 * needs is set up once, before the clock runs.
 */
#pragma once

#include "memory/budget.h"

#include <stdint.h>

struct micro_state;

struct micro_case {
    const char *name;  /* sorts: module, then operation */
    const char *words; /* what one operation is */
    uint64_t (*run)(struct micro_state *state, uint64_t count);
};

extern const struct micro_case micro_cases[];
extern const uint32_t micro_cases_count;

/* What the cases work on. ERR_BUDGET: no memory. */
MUST_USE enum err micro_state_open(struct micro_state **out_state, struct budget *budget);
void micro_state_close(struct micro_state *state, struct budget *budget);
