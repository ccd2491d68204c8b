#include "server/ledger.h"

#include "base/assert.h"
#include "memory/heap.h"
#include "system/file.h"

#define STACK_BYTES 65536u /* what a thread touches of its stack, about; docs/memory.md */
#define KIB         1024u

static const struct {
    uint32_t seconds_per_point;
    uint32_t points_max;
} spans[LEDGER_SPANS_COUNT] = {
    [LEDGER_HOUR] = {10, 360},
    [LEDGER_DAY] = {300, 288},
    [LEDGER_WEEK] = {1800, 336},
};

void ledger_init(struct ledger *ledger, struct store *store, const struct rest *rest,
                 uint64_t budget_bytes)
{
    *ledger = (struct ledger){.store = store, .rest = rest, .budget_bytes = budget_bytes};
    for (uint32_t i = 0; i < LEDGER_SPANS_COUNT; i++) {
        ledger->histories[i].seconds_per_point = spans[i].seconds_per_point;
        ledger->histories[i].points_max = spans[i].points_max;
        ASSERT(spans[i].points_max <= LEDGER_POINTS_MAX);
    }
    monitor_init(&ledger->monitor);
}

void ledger_deinit(struct ledger *ledger)
{
    monitor_deinit(&ledger->monitor);
}

void ledger_add_root(struct ledger *ledger, const struct budget *root, uint32_t index)
{
    ASSERT(ledger->roots_count < LEDGER_ROOTS_MAX);
    ledger->roots[ledger->roots_count] = root;
    ledger->root_indexes[ledger->roots_count] = index;
    ledger->roots_count++;
}

/* ---- The lines. ---- */

/* What is charged to a budget and to none below it. */
static uint64_t own_bytes(const struct budget *budget)
{
    uint64_t below = 0;
    for (const struct budget *child = budget->first_child; child != NULL;
         child = child->next_sibling) {
        below += budget_used(child);
    }
    const uint64_t used = budget_used(budget);
    return used > below ? used - below : 0; /* the figures are not all of one moment */
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tree of budgets, which is ours: three */
static void visit_budget(const struct budget *budget, struct ledger_line *line,
                         ledger_visit_fn *visit, void *context)
{
    line->holder = budget->parent == NULL ? "rest" : budget->name;
    line->used_bytes = own_bytes(budget);
    line->peak_bytes = budget_peak(budget);
    line->limit_bytes = budget->limit_bytes;
    line->refused_count = budget_refused(budget);
    line->given_back_bytes = budget_given_back(budget);
    visit(context, line);
    for (const struct budget *child = budget->first_child; child != NULL;
         child = child->next_sibling) {
        visit_budget(child, line, visit, context);
    }
}

static void visit_measured(const struct ledger *ledger, const struct ledger_totals *totals,
                           ledger_visit_fn *visit, void *context)
{
    const struct store_memory *store = &totals->store;
    const struct rest *rest = ledger->rest;
    const uint64_t none = BUDGET_UNLIMITED;
    const struct ledger_line lines[] = {
        {.part = "store",
         .holder = "memtables",
         .used_bytes = store->memtables_bytes,
         .limit_bytes = store->memtables_bytes_max,
         .given_back_bytes = rest_given_back(rest, REST_MEMTABLES)},
        {.part = "store",
         .holder = "block_cache",
         .used_bytes = store->cache_bytes,
         .limit_bytes = store->cache_bytes_max,
         .given_back_bytes = rest_given_back(rest, REST_CACHE)},
        {.part = "store",
         .holder = "table_readers",
         .used_bytes = store->table_readers_bytes,
         .limit_bytes = none},
        {.part = "store",
         .holder = "filters",
         .used_bytes = store->filters_bytes,
         .limit_bytes = store->filters_bytes_max,
         .given_back_bytes = rest_given_back(rest, REST_FILTERS)},
        {.part = "store",
         .holder = "owns",
         .used_bytes = store->owns_bytes,
         .limit_bytes = store->owns_bytes_max,
         .given_back_bytes = rest_given_back(rest, REST_OWNS)},
        {.part = "store",
         .holder = "lasts",
         .used_bytes = store->lasts_bytes,
         .limit_bytes = store->lasts_bytes_max,
         .given_back_bytes = rest_given_back(rest, REST_LASTS)},
        {.part = "process",
         .holder = "code",
         .used_bytes = totals->code_bytes,
         .limit_bytes = none,
         .given_back_bytes = rest_given_back(rest, REST_CODE)},
        {.part = "process",
         .holder = "stacks",
         .used_bytes = totals->stacks_bytes,
         .limit_bytes = none},
        {.part = "process",
         .holder = "heap_metadata",
         .used_bytes = totals->heap_metadata_bytes,
         .limit_bytes = none},
        {.part = "process",
         .holder = "heap_idle",
         .used_bytes = totals->heap_idle_bytes,
         .limit_bytes = none,
         .given_back_bytes = rest_given_back(rest, REST_HEAP)},
        {.part = "process",
         .holder = "libraries",
         .used_bytes = totals->libraries_bytes,
         .limit_bytes = none},
    };
    for (uint32_t i = 0; i < COUNT_OF(lines); i++) {
        visit(context, &lines[i]);
    }
}

void ledger_visit(const struct ledger *ledger, const struct ledger_totals *totals,
                  ledger_visit_fn *visit, void *context)
{
    for (uint32_t i = 0; i < ledger->roots_count; i++) {
        struct ledger_line line = {.part = ledger->roots[i]->name,
                                   .index = ledger->root_indexes[i]};
        visit_budget(ledger->roots[i], &line, visit, context);
    }
    visit_measured(ledger, totals, visit, context);
}

/* ---- The totals. ---- */

/* What budgets have charged. Charged and allocated are the same for what goes through the
 * allocator's door; what is set aside for libraries or lies in tables is charged as well, so that
 * `libraries` below is rather too small than too large, and the sum is not affected by it. */
static uint64_t charged_bytes(const struct ledger *ledger)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < ledger->roots_count; i++) {
        sum += budget_used(ledger->roots[i]);
    }
    return sum;
}

static uint64_t above(uint64_t all, uint64_t part)
{
    return all > part ? all - part : 0;
}

static void measure(const struct ledger *ledger, struct ledger_totals *totals)
{
    struct heap_figures heap;
    heap_figures(&heap);
    store_memory(ledger->store, &totals->store);
    const struct store_memory *store = &totals->store;
    const uint64_t rocksdb =
        store->memtables_bytes + store->cache_bytes + store->table_readers_bytes;
    const uint64_t charged = charged_bytes(ledger);
    totals->resident_bytes = file_resident_bytes();
    totals->resident_bytes_max = file_resident_peak_bytes();
    totals->budget_bytes = ledger->budget_bytes;
    totals->code_bytes = file_resident_code_bytes();
    totals->stacks_bytes = file_threads_count() * STACK_BYTES;
    totals->heap_metadata_bytes = heap.metadata_bytes;
    totals->heap_idle_bytes =
        above(heap.resident_bytes, heap.metadata_bytes + heap.allocated_bytes);
    totals->libraries_bytes = above(heap.allocated_bytes, charged + rocksdb);
    totals->ledger_bytes = charged + rocksdb + store->filters_bytes + store->owns_bytes +
                           store->lasts_bytes + totals->code_bytes + totals->stacks_bytes +
                           totals->heap_metadata_bytes + totals->heap_idle_bytes +
                           totals->libraries_bytes;
}

/* ---- History. ---- */

static uint32_t larger(uint32_t a, uint64_t bytes)
{
    const uint64_t kib = bytes / KIB;
    return kib > a ? (uint32_t)(kib < UINT32_MAX ? kib : UINT32_MAX) : a;
}

static void history_add(struct ledger_history *history, const struct ledger_totals *totals)
{
    struct ledger_point *current = &history->current;
    current->resident_kib = larger(current->resident_kib, totals->resident_bytes);
    current->ledger_kib = larger(current->ledger_kib, totals->ledger_bytes);
    if (++history->ticks < history->seconds_per_point) {
        return;
    }
    history->points[history->next] = *current;
    history->next = (history->next + 1) % history->points_max;
    if (history->points_count < history->points_max) {
        history->points_count++;
    }
    history->ticks = 0;
    *current = (struct ledger_point){0};
}

void ledger_tick(struct ledger *ledger)
{
    struct ledger_totals totals;
    measure(ledger, &totals);
    monitor_enter(&ledger->monitor);
    ledger->totals = totals;
    for (uint32_t i = 0; i < LEDGER_SPANS_COUNT; i++) {
        history_add(&ledger->histories[i], &totals);
    }
    monitor_leave(&ledger->monitor);
}

void ledger_totals(struct ledger *ledger, struct ledger_totals *out_totals)
{
    monitor_enter(&ledger->monitor);
    *out_totals = ledger->totals;
    monitor_leave(&ledger->monitor);
}

uint32_t ledger_points(struct ledger *ledger, enum ledger_span span,
                       struct ledger_point out_points[LEDGER_POINTS_MAX],
                       uint32_t *out_seconds_per_point)
{
    monitor_enter(&ledger->monitor);
    const struct ledger_history *history = &ledger->histories[span];
    const uint32_t count = history->points_count;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t place = history->next + history->points_max - count + i;
        out_points[i] = history->points[place % history->points_max];
    }
    *out_seconds_per_point = history->seconds_per_point;
    monitor_leave(&ledger->monitor);
    return count;
}
