#include "telemetry/histogram.h"

#include <stdatomic.h>

#define VALUE_MIN_NS (1ULL << HISTOGRAM_OCTAVE_MIN)
#define VALUE_MAX_NS ((1ULL << (HISTOGRAM_OCTAVE_MAX + 1)) - 1)

/* Step 0 holds what is below the range; step 1 + s * STEPS + i holds the values from
 * (STEPS + i) << (OCTAVE_MIN + s - STEP_BITS) on. */
static uint32_t step_of(uint64_t value_ns)
{
    if (value_ns < VALUE_MIN_NS) {
        return 0;
    }
    value_ns = value_ns > VALUE_MAX_NS ? VALUE_MAX_NS : value_ns;
    const uint32_t octave = 63u - (uint32_t)__builtin_clzll(value_ns);
    const uint32_t step = (uint32_t)(value_ns >> (octave - HISTOGRAM_STEP_BITS)) - HISTOGRAM_STEPS;
    return 1 + (octave - HISTOGRAM_OCTAVE_MIN) * HISTOGRAM_STEPS + step;
}

/* The smallest value that step_of puts into `step`. */
static uint64_t step_begin(uint32_t step)
{
    if (step == 0) {
        return 0;
    }
    const uint32_t octave = (step - 1) / HISTOGRAM_STEPS;
    const uint64_t part = HISTOGRAM_STEPS + (step - 1) % HISTOGRAM_STEPS;
    return part << (HISTOGRAM_OCTAVE_MIN - HISTOGRAM_STEP_BITS + octave);
}

static uint64_t step_middle(uint32_t step)
{
    return step_begin(step) + (step_begin(step + 1) - step_begin(step)) / 2;
}

static uint64_t load(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

/* One thread writes, so that a load and a store are enough. */
static void store(_Atomic uint64_t *value, uint64_t now)
{
    atomic_store_explicit(value, now, memory_order_relaxed);
}

void histogram_add(struct histogram *histogram, uint64_t value_ns)
{
    _Atomic uint64_t *count = &histogram->counts[step_of(value_ns)];
    store(count, load(count) + 1);
    store(&histogram->sum_ns, load(&histogram->sum_ns) + value_ns);
    if (value_ns > load(&histogram->max_ns)) {
        store(&histogram->max_ns, value_ns);
    }
}

void histogram_merge(struct histogram *histogram, const struct histogram *from)
{
    for (uint32_t i = 0; i < HISTOGRAM_STEPS_COUNT; i++) {
        store(&histogram->counts[i], load(&histogram->counts[i]) + load(&from->counts[i]));
    }
    store(&histogram->sum_ns, load(&histogram->sum_ns) + load(&from->sum_ns));
    if (load(&from->max_ns) > load(&histogram->max_ns)) {
        store(&histogram->max_ns, load(&from->max_ns));
    }
}

void histogram_subtract(struct histogram *histogram, const struct histogram *earlier)
{
    for (uint32_t i = 0; i < HISTOGRAM_STEPS_COUNT; i++) {
        store(&histogram->counts[i], load(&histogram->counts[i]) - load(&earlier->counts[i]));
    }
    store(&histogram->sum_ns, load(&histogram->sum_ns) - load(&earlier->sum_ns));
}

uint64_t histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < HISTOGRAM_STEPS_COUNT; i++) {
        count += load(&histogram->counts[i]);
    }
    return count;
}

uint64_t histogram_sum_ns(const struct histogram *histogram)
{
    return load(&histogram->sum_ns);
}

uint64_t histogram_max_ns(const struct histogram *histogram)
{
    return load(&histogram->max_ns);
}

uint64_t histogram_percentile_ns(const struct histogram *histogram, uint32_t per_million)
{
    const uint64_t count = histogram_count(histogram);
    if (count == 0) {
        return 0;
    }
    /* The rank of the value asked for, from 1, rounded up: p99 of a hundred is the 99th. The
     * product is taken apart so that no count overflows it. */
    const uint64_t parts = count / 1000000 * per_million;
    uint64_t rank = parts + (count % 1000000 * per_million + 999999) / 1000000;
    rank = rank == 0 ? 1 : rank;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < HISTOGRAM_STEPS_COUNT; i++) {
        seen += load(&histogram->counts[i]);
        if (seen >= rank) {
            const uint64_t max_ns = histogram_max_ns(histogram);
            const bool is_last = i + 1 == HISTOGRAM_STEPS_COUNT;
            const uint64_t value_ns = is_last ? max_ns : step_middle(i);
            return value_ns < max_ns ? value_ns : max_ns;
        }
    }
    return histogram_max_ns(histogram);
}

uint64_t histogram_count_below(const struct histogram *histogram, uint64_t bound_ns)
{
    const uint32_t end = step_of(bound_ns);
    uint64_t count = 0;
    for (uint32_t i = 0; i < end; i++) {
        count += load(&histogram->counts[i]);
    }
    return count;
}
