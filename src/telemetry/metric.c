#include "telemetry/metric.h"

#include "base/assert.h"
#include "memory/allocator.h"
#include "telemetry/exposition.h"

#include <string.h>

enum metric_type {
    COUNTER,
    GAUGE,
};

struct metric_name {
    const char *family;
    const char *label;
    const char *value;
    const char *help;
    enum metric_type type;
};

static const struct metric_name names[METRICS_COUNT] = {
#define METRIC(id_, type_, family_, label_, value_, help_)                                         \
    [METRIC_##id_] = {.family = (family_),                                                         \
                      .label = (label_),                                                           \
                      .value = (value_),                                                           \
                      .help = (help_),                                                             \
                      .type = (type_)},
    METRIC_LIST(METRIC)
#undef METRIC
};

struct latency_name {
    const char *family;
    const char *help;
};

static const struct latency_name latency_names[LATENCIES_COUNT] = {
#define LATENCY(id_, family_, help_) [LATENCY_##id_] = {.family = (family_), .help = (help_)},
    LATENCY_LIST(LATENCY)
#undef LATENCY
};

struct metric_alias {
    const char *family;
    enum metric_type type;
    enum metric first;
    enum metric last;
};

static const struct metric_alias aliases[] = {
#define ALIAS(family_, type_, first_, last_)                                                       \
    {.family = (family_), .type = (type_), .first = METRIC_##first_, .last = METRIC_##last_},
    METRIC_ALIAS_LIST(ALIAS)
#undef ALIAS
};

/* Bounds of the Prometheus buckets, 1-2-5, from 10 us to 100 s. */
static const uint64_t bucket_bounds_ns[] = {
    10000,       20000,       50000,       100000,      200000,     500000,
    1000000,     2000000,     5000000,     10000000,    20000000,   50000000,
    100000000,   200000000,   500000000,   1000000000,  2000000000, 5000000000,
    10000000000, 20000000000, 50000000000, 100000000000};

uint64_t metrics_bytes(uint32_t slots_count)
{
    return (uint64_t)slots_count * sizeof(struct metrics_slot);
}

enum err metrics_open(struct metrics *metrics, struct budget *budget, uint32_t slots_count)
{
    ASSERT(slots_count > 0);
    ASSERT(slots_count <= METRICS_SLOTS_MAX);
    *metrics = (struct metrics){.slots_count = slots_count, .budget = budget};
    const enum err err = budget_charge(budget, MEMORY_RANK_ADMIT, metrics_bytes(slots_count));
    if (err != ERR_OK) {
        return err;
    }
    metrics->slots = memory_table_acquire(metrics_bytes(slots_count));
    if (metrics->slots == NULL) {
        budget_refund(budget, metrics_bytes(slots_count));
        return ERR_BUDGET;
    }
    return ERR_OK;
}

void metrics_close(struct metrics *metrics)
{
    if (metrics->slots != NULL) {
        memory_table_release(metrics->slots, metrics_bytes(metrics->slots_count));
        budget_refund(metrics->budget, metrics_bytes(metrics->slots_count));
        metrics->slots = NULL;
    }
}

struct metrics_slot *metrics_slot(struct metrics *metrics, uint32_t index)
{
    ASSERT(index < metrics->slots_count);
    return &metrics->slots[index];
}

uint64_t metrics_sum(const struct metrics *metrics, enum metric metric)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < metrics->slots_count; i++) {
        sum += atomic_load_explicit(&metrics->slots[i].values[metric], memory_order_relaxed);
    }
    return sum;
}

void metrics_latency(const struct metrics *metrics, enum latency latency,
                     struct histogram *out_histogram)
{
    for (uint32_t i = 0; i < metrics->slots_count; i++) {
        histogram_merge(out_histogram, &metrics->slots[i].latencies[latency]);
    }
}

/* A gauge whose parts are read at different moments may come out below zero; a reader would take
 * the wrapped number for the truth. */
static void render_value(struct writer *writer, const char *family, enum metric_type type,
                         const struct exposition_label *label, uint64_t value)
{
    const size_t labels_count = label->value.size > 0 ? 1 : 0;
    if (type == GAUGE) {
        exposition_sample_i64(writer, family, label, labels_count, (int64_t)value);
    } else {
        exposition_sample_u64(writer, family, label, labels_count, value);
    }
}

static void render_metric(const struct metrics *metrics, struct writer *writer, enum metric metric)
{
    const struct metric_name *name = &names[metric];
    const bool is_first = metric == 0 || strcmp(names[metric - 1].family, name->family) != 0;
    if (is_first) {
        exposition_family(writer, name->family, name->type == GAUGE ? "gauge" : "counter",
                          name->help);
    }
    const struct exposition_label label = {.name = name->label,
                                           .value = bytes_of_string(name->value)};
    render_value(writer, name->family, name->type, &label, metrics_sum(metrics, metric));
}

static void render_alias(const struct metrics *metrics, struct writer *writer,
                         const struct metric_alias *alias)
{
    uint64_t sum = 0;
    for (enum metric metric = alias->first; metric <= alias->last; metric++) {
        sum += metrics_sum(metrics, metric);
    }
    exposition_family(writer, alias->family, alias->type == GAUGE ? "gauge" : "counter",
                      "The same figure under WuKongIM's name.");
    const struct exposition_label none = {.value = BYTES_EMPTY};
    render_value(writer, alias->family, alias->type, &none, sum);
}

static void render_bucket(struct writer *writer, const char *family, struct bytes bound,
                          uint64_t count)
{
    uint8_t area[96];
    struct writer name = writer_of(area, sizeof(area) - 1);
    writer_bytes_add(&name, bytes_of_string(family));
    writer_bytes_add(&name, BYTES_OF("_bucket"));
    *name.at = 0;
    const struct exposition_label label = {.name = "le", .value = bound};
    exposition_sample_u64(writer, (const char *)area, &label, 1, count);
}

static void render_latency(const struct metrics *metrics, struct writer *writer,
                           enum latency latency)
{
    const char *family = latency_names[latency].family;
    struct histogram sum = {0};
    metrics_latency(metrics, latency, &sum);
    exposition_family(writer, family, "histogram", latency_names[latency].help);
    for (size_t i = 0; i < COUNT_OF(bucket_bounds_ns); i++) {
        uint8_t area[32];
        struct writer bound = writer_of(area, sizeof(area));
        exposition_seconds(&bound, bucket_bounds_ns[i]);
        render_bucket(writer, family, writer_bytes(&bound),
                      histogram_count_below(&sum, bucket_bounds_ns[i]));
    }
    render_bucket(writer, family, BYTES_OF("+Inf"), histogram_count(&sum));

    uint8_t area[96];
    struct writer name = writer_of(area, sizeof(area) - 1);
    writer_bytes_add(&name, bytes_of_string(family));
    uint8_t *suffix = name.at;
    writer_bytes_add(&name, BYTES_OF("_sum"));
    *name.at = 0;
    exposition_sample_seconds(writer, (const char *)area, NULL, 0, histogram_sum_ns(&sum));
    name.at = suffix;
    writer_bytes_add(&name, BYTES_OF("_count"));
    *name.at = 0;
    exposition_sample_u64(writer, (const char *)area, NULL, 0, histogram_count(&sum));
}

void metrics_render(const struct metrics *metrics, struct writer *writer)
{
    for (enum metric metric = 0; metric < METRICS_COUNT; metric++) {
        render_metric(metrics, writer, metric);
    }
    for (enum latency latency = 0; latency < LATENCIES_COUNT; latency++) {
        render_latency(metrics, writer, latency);
    }
    for (size_t i = 0; i < COUNT_OF(aliases); i++) {
        render_alias(metrics, writer, &aliases[i]);
    }
}
