/*
 * soak_honest.h -- two pairs of people who write to each other beside an attack, and what they saw.
 *
 * The traffic and its books are the load generator's (bench_traffic.h): every message is accounted
 * for, and latency counts from the moment it was meant to be sent.
 */
#pragma once

#include "cli/bench_traffic.h"
#include "cli/soak_options.h"

#define SOAK_HONEST_PAIRS 2u
#define SOAK_HONEST_RATE  100u /* messages a second of all together */

/* What they saw, in all cycles together. */
struct soak_seen {
    uint64_t counts[BENCH_TALLIES_COUNT];
    uint64_t ends_count;         /* connections that the server ended */
    uint64_t login_failed_count; /* cycles in which they could not even log in */
    struct histogram deliveries;
    struct histogram lags; /* how late we were ourselves */
};

/* What the traffic calls while it goes on, about every BENCH_TICK_MS. */
struct soak_meanwhile {
    /* When sending ends is known and nothing was sent yet. */
    void (*on_begin)(void *context, uint64_t end_ns);
    void (*on_tick)(void *context);
    void *context;
};

/* Lets them write for `seconds`, and adds to `seen`. Errors are ours, not the server's. */
MUST_USE enum err soak_honest_run(const struct soak_options *options, uint32_t run,
                                  uint32_t seconds, const struct soak_meanwhile *meanwhile,
                                  struct soak_seen *seen);
