/*
 * bench_watch.h -- looks at the server's process and at our own while a run goes on.
 *
 * Sampled every BENCH_TICK_MS; CPU time is the difference of two marks, which the scenario sets
 * where its measurement begins and ends. It also tells when the generator, not the server, was the
 * limit: then the figures are a lower bound for the server and must not be believed as more.
 */
#pragma once

#include "cli/bench_counters.h"
#include "cli/bench_engine.h"
#include "cli/bench_process.h"
#include "cli/bench_report.h"
#include "cli/bench_timeline.h"

struct bench_mark {
    uint64_t now_ns;
    uint64_t server_cpu_us;
    uint64_t generator_cpu_us;
    uint64_t generator_waited_us;
    uint64_t generator_busy_us;
    uint64_t machine_us; /* of all cores */
};

/* Private to bench_watch.c, but for what is marked. */
struct bench_watch {
    const struct bench_engine *engine; /* borrowed */
    struct bench_process server;
    struct bench_process generator;
    bool has_server; /* readable */
    bool is_terminal;
    bool has_line; /* of progress, on the terminal */
    uint64_t began_ns;
    uint64_t progress_ns;
    uint64_t rss_bytes_begin;           /* readable: before the first client */
    uint64_t rss_bytes_end;             /* readable: at the second mark */
    const struct histogram *deliveries; /* the scenario's, while it has some; NULL: none */
    struct bench_timeline timeline;     /* readable */
    struct bench_counters counters;
    struct bench_mark begin; /* readable */
    struct bench_mark end;   /* readable */
};

/* ERR_ABSENT: --pid names no process that we may look at. */
MUST_USE enum err bench_watch_open(struct bench_watch *watch, const struct bench_engine *engine);
void bench_watch_close(struct bench_watch *watch);

/* The server's resident set now; 0 without --pid. Called every BENCH_TICK_MS, it also keeps the
 * timeline. */
uint64_t bench_watch_sample(struct bench_watch *watch);

/* The CPU time that the server has taken so far; 0 without --pid. */
uint64_t bench_watch_server_cpu_us(const struct bench_watch *watch);

void bench_watch_mark_begin(struct bench_watch *watch);
void bench_watch_mark_end(struct bench_watch *watch);

/* Is it time to say how far the run is? At most once a second. */
bool bench_watch_wants_progress(struct bench_watch *watch);
void bench_watch_progress(struct bench_watch *watch, const char *form, ...) PRINTF_LIKE(2, 3);
/* Ends the line of progress. */
void bench_watch_progress_end(struct bench_watch *watch);

/* What the work between the marks was, for costs per million. */
struct bench_work {
    uint64_t count;
    const char *words; /* "messages", "deliveries", "logins" */
    const char *key;   /* "message" and so on */
};
void bench_watch_report_server(const struct bench_watch *watch, struct bench_report *report,
                               const struct bench_work *works, uint32_t works_count);

/* `lags`: how late we were, from the intended time to the system call; `answers`: what it is
 * compared with, the latencies that are reported. */
void bench_watch_report_generator(const struct bench_watch *watch, struct bench_report *report,
                                  const struct bench_work *work, const struct histogram *lags,
                                  const struct histogram *answers);

/* Were we, or was the machine, what limited the time between the marks? */
bool bench_watch_was_limit(const struct bench_watch *watch, const struct histogram *lags,
                           const struct histogram *answers);
