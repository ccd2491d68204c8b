/*
 * bench_scenario.h -- what one scenario of `jingu bench` is: a file, and a line of a table.
 *
 * The command opens the engine with as many clients as the scenario wants, runs it, and finishes
 * the report. A scenario logs its clients in, does its work and writes its part of the report; what
 * went wrong with the server is a fault in the report, what went wrong with us an error.
 */
#pragma once

#include "cli/bench_engine.h"
#include "cli/bench_report.h"
#include "cli/bench_watch.h"

struct bench_run {
    struct bench_options options;
    struct bench_engine engine;
    struct bench_watch watch;
    struct bench_report report;
};

/* Logs the clients in and says so if they cannot; checks that the server encrypts, or does not, as
 * it was told to. ERR_CLOSED: it was printed why. */
MUST_USE enum err bench_run_login(struct bench_run *run, uint32_t first, uint32_t count);

uint32_t bench_person_clients_count(const struct bench_options *options);
MUST_USE enum err bench_person_run(struct bench_run *run);

uint32_t bench_group_clients_count(const struct bench_options *options);
MUST_USE enum err bench_group_run(struct bench_run *run);

uint32_t bench_idle_clients_count(const struct bench_options *options);
MUST_USE enum err bench_idle_run(struct bench_run *run);

uint32_t bench_churn_clients_count(const struct bench_options *options);
MUST_USE enum err bench_churn_run(struct bench_run *run);

uint32_t bench_sync_clients_count(const struct bench_options *options);
MUST_USE enum err bench_sync_run(struct bench_run *run);

uint32_t bench_storm_clients_count(const struct bench_options *options);
MUST_USE enum err bench_storm_run(struct bench_run *run);

uint32_t bench_mixed_clients_count(const struct bench_options *options);
MUST_USE enum err bench_mixed_run(struct bench_run *run);
