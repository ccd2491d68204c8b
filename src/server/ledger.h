/*
 * ledger.h -- who has the memory: every holder, what the process takes, and how it went.
 *
 * A holder is a budget (found by walking the trees, so that a new one is in the ledger
 * by itself) or something measured: RocksDB by its gauges, our tables by what is in
 * memory of them, the heap by jemalloc's figures, code by the pages of files. Once a
 * second the main thread adds it all up. The sum and the resident size are two
 * different ways to count the same thing; their difference has a line of its own,
 * `unaccounted`, and is watched (alarms.h). It may be below zero: what is charged is
 * not always touched.
 *
 * History is kept in three rings of fixed size: the last hour, day and week.
 *
 * The main thread ticks; any thread reads.
 */
#pragma once

#include "memory/budget.h"
#include "server/rest.h"
#include "shard/routing.h"
#include "store/store.h"
#include "system/thread.h"

#define LEDGER_ROOTS_MAX (SHARDS_MAX + 4)

/* What the whole process takes, as of the last tick. */
struct ledger_totals {
    uint64_t resident_bytes;
    uint64_t resident_bytes_max; /* ever */
    uint64_t budget_bytes;       /* `memory` of the configuration */
    uint64_t ledger_bytes;       /* the sum of all lines */
    uint64_t code_bytes;
    uint64_t stacks_bytes;
    uint64_t heap_metadata_bytes;
    uint64_t heap_idle_bytes; /* in pages of the heap and not allocated */
    uint64_t libraries_bytes; /* allocated, and nobody's of ours: RocksDB, OpenSSL, microhttpd, C */
    struct store_memory store;
};

/* One holder. A limit of BUDGET_UNLIMITED: there is none. */
struct ledger_line {
    const char *part; /* the root: "shard", "http", "node", "store", "process" */
    uint32_t index;   /* of the shard; else 0 */
    const char *holder;
    uint64_t used_bytes;
    uint64_t peak_bytes; /* 0: not known */
    uint64_t limit_bytes;
    uint64_t refused_count;
    uint64_t given_back_bytes;
};

enum ledger_span {
    LEDGER_HOUR = 0,
    LEDGER_DAY,
    LEDGER_WEEK,
    LEDGER_SPANS_COUNT,
};

#define LEDGER_POINTS_MAX 360u

/* The largest of its time, in KiB. */
struct ledger_point {
    uint32_t resident_kib;
    uint32_t ledger_kib;
};

struct ledger_history {
    uint32_t seconds_per_point;
    uint32_t points_max;
    uint32_t points_count;
    uint32_t next; /* where the next point goes */
    uint32_t ticks;
    struct ledger_point current; /* the point that is being made */
    struct ledger_point points[LEDGER_POINTS_MAX];
};

/* Private to ledger.c. */
struct ledger {
    const struct budget *roots[LEDGER_ROOTS_MAX]; /* borrowed, as is all else */
    uint32_t root_indexes[LEDGER_ROOTS_MAX];
    uint32_t roots_count;
    struct store *store;
    const struct rest *rest;
    uint64_t budget_bytes;
    struct monitor monitor; /* guards the two below */
    struct ledger_totals totals;
    struct ledger_history histories[LEDGER_SPANS_COUNT];
};

void ledger_init(struct ledger *ledger, struct store *store, const struct rest *rest,
                 uint64_t budget_bytes);
void ledger_deinit(struct ledger *ledger);

/* A tree of budgets; `index` tells roots of the same name apart. Before anybody reads. */
void ledger_add_root(struct ledger *ledger, const struct budget *root, uint32_t index);

/* Once a second. */
void ledger_tick(struct ledger *ledger);

void ledger_totals(struct ledger *ledger, struct ledger_totals *out_totals);

/* Oldest first; gives how many. */
uint32_t ledger_points(struct ledger *ledger, enum ledger_span span,
                       struct ledger_point out_points[LEDGER_POINTS_MAX],
                       uint32_t *out_seconds_per_point);

/* Calls `visit` with every holder. */
typedef void ledger_visit_fn(void *context, const struct ledger_line *line);
void ledger_visit(const struct ledger *ledger, const struct ledger_totals *totals,
                  ledger_visit_fn *visit, void *context);
