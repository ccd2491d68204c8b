/*
 * metric.h -- what the server counts about itself.
 *
 * Every counter, gauge and latency is a line of metric_names.h and nothing else
 * is counted. Each thread has a slot of its own and adds to it without asking
 * anybody; whoever wants a figure pays for the sum (design 8 and style II.9). A
 * gauge is set per thread too, and its value is the sum: "connections" is the
 * connections of all shards.
 *
 * One thread writes a slot; any thread may read all of them at any time and sees
 * what was true a moment ago.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "memory/budget.h"
#include "telemetry/histogram.h"
#include "telemetry/metric_names.h"

#include <stdatomic.h>
#include <stdint.h>

#define METRICS_SLOTS_MAX  96     /* shards, committer, readers, HTTP threads, main */
#define METRICS_TEXT_BYTES 65536u /* enough for metrics_render */

enum metric {
#define METRIC(id, type, family, label, value, help) METRIC_##id,
    METRIC_LIST(METRIC)
#undef METRIC
        METRICS_COUNT
};

enum latency {
#define LATENCY(id, family, help) LATENCY_##id,
    LATENCY_LIST(LATENCY)
#undef LATENCY
        LATENCIES_COUNT
};

/* One thread's figures; zeroed memory is a valid one. Private to metric.h and metric.c. */
struct metrics_slot {
    CACHE_ALIGNED _Atomic uint64_t values[METRICS_COUNT];
    struct histogram latencies[LATENCIES_COUNT];
};

/* All slots of the process. */
struct metrics {
    struct metrics_slot *slots;
    uint32_t slots_count;
    struct budget *budget; /* borrowed; the slots are charged to it */
};

/* `slots_count` is at most METRICS_SLOTS_MAX. ERR_BUDGET: the budget or the system refused. */
MUST_USE enum err metrics_open(struct metrics *metrics, struct budget *budget,
                               uint32_t slots_count);
void metrics_close(struct metrics *metrics);

/* The slot for one thread; `index` is below slots_count. */
struct metrics_slot *metrics_slot(struct metrics *metrics, uint32_t index);

/* Bytes that `slots_count` slots take: for the memory table. */
uint64_t metrics_bytes(uint32_t slots_count);

/* The sum over all threads. */
uint64_t metrics_sum(const struct metrics *metrics, enum metric metric);

/* Adds every thread's latencies to `out_histogram`. */
void metrics_latency(const struct metrics *metrics, enum latency latency,
                     struct histogram *out_histogram);

/* All of it as Prometheus text, with WuKongIM's names (http-api 14.6) beside ours. */
void metrics_render(const struct metrics *metrics, struct writer *writer);

/* inline definitions */

/* Counts `n` more. Only the slot's own thread. */
static inline void metric_add(struct metrics_slot *slot, enum metric metric, uint64_t n)
{
    _Atomic uint64_t *value = &slot->values[metric];
    atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* Takes `n` off a gauge. Only the slot's own thread. */
static inline void metric_subtract(struct metrics_slot *slot, enum metric metric, uint64_t n)
{
    metric_add(slot, metric, 0 - n);
}

/* Sets this thread's part of a gauge. Only the slot's own thread. */
static inline void metric_set(struct metrics_slot *slot, enum metric metric, uint64_t value)
{
    atomic_store_explicit(&slot->values[metric], value, memory_order_relaxed);
}

/* Records how long something took. Only the slot's own thread. */
static inline void metric_took(struct metrics_slot *slot, enum latency latency, uint64_t value_ns)
{
    histogram_add(&slot->latencies[latency], value_ns);
}
