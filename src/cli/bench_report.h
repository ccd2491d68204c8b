/*
 * bench_report.h -- what a run has to say: text for people as it goes, JSON for programs at the
 * end.
 *
 * Each call writes both, so that they cannot differ. Times are whole microseconds in the JSON and
 * have the unit in their name; bytes too. A fault is a sentence; a report with faults makes the
 * command fail unless it is told to tolerate them.
 */
#pragma once

#include "base/err.h"
#include "cli/bench_steps.h"
#include "memory/budget.h"
#include "telemetry/histogram.h"
#include "wire/json_text.h"

#include <stdio.h>

#define BENCH_REPORT_FAULTS_MAX 32u
#define BENCH_REPORT_TEXT_MAX   160u
#define BENCH_REPORT_CURVES_MAX 4u
#define BENCH_CURVE_POINTS      11u

/* How latency is distributed: at each of bench_curve_percentiles. */
struct bench_curve {
    const char *name; /* borrowed; a literal */
    uint64_t values_ns[BENCH_CURVE_POINTS];
};

/* Private to bench_report.c. */
struct bench_report {
    FILE *out;
    struct budget *budget;
    uint8_t *area;
    uint8_t *text_area;
    struct writer text; /* all that was printed, for the page */
    struct writer writer;
    struct json_text json;
    uint32_t faults_count;
    char faults[BENCH_REPORT_FAULTS_MAX][BENCH_REPORT_TEXT_MAX];
    struct bench_curve curves[BENCH_REPORT_CURVES_MAX]; /* readable by bench_page.c */
    uint32_t curves_count;
    struct bench_steps steps; /* readable by bench_page.c */
};

/* Of a million, which do not exceed the value. */
extern const uint32_t bench_curve_percentiles[BENCH_CURVE_POINTS];

/* The text goes to `out`. ERR_BUDGET: no memory. */
MUST_USE enum err bench_report_open(struct bench_report *report, struct budget *budget, FILE *out);
void bench_report_close(struct bench_report *report);

/* Begins and ends a part: a heading, and an object in the JSON. */
void bench_report_begin(struct bench_report *report, const char *key, const char *words);
void bench_report_end(struct bench_report *report);

/* "  words   123", "key":123. */
void bench_report_count(struct bench_report *report, const char *key, const char *words,
                        uint64_t value);
void bench_report_string(struct bench_report *report, const char *key, const char *words,
                         const char *value);

/* "  words   1.234 s"; the key ends with _us. */
void bench_report_time(struct bench_report *report, const char *key, const char *words,
                       uint64_t value_us);

/* "  words   56.1 MiB"; the key ends with _bytes. */
void bench_report_bytes(struct bench_report *report, const char *key, const char *words,
                        uint64_t value_bytes);

/* A heading of columns for the latencies that follow, and one of them. */
void bench_report_latency_columns(struct bench_report *report, const char *words);
void bench_report_latency(struct bench_report *report, const char *key, const char *words,
                          const struct histogram *histogram);

/* A heading of columns for the tallies that follow, and one of them. */
void bench_report_tally_columns(struct bench_report *report, const char *words);
void bench_report_tally(struct bench_report *report, const char *key, const char *words,
                        const uint64_t measured_and_all[2]);

/* The whole distribution, only for the page. */
void bench_report_curve_of(struct bench_report *report, const char *name,
                           const struct histogram *histogram);

/* A table of steps. */
void bench_report_steps(struct bench_report *report, const struct bench_steps *steps);

/* A remark, only in the text. */
void bench_report_remark(struct bench_report *report, const char *form, ...) PRINTF_LIKE(2, 3);

/* Something was wrong with what was measured. */
void bench_report_fault(struct bench_report *report, const char *form, ...) PRINTF_LIKE(2, 3);

/* Writes the verdict and, unless `json_file` is NULL, the JSON. ERR_DENIED: there were faults.
 * ERR_IO: the file could not be written. */
MUST_USE enum err bench_report_finish(struct bench_report *report, const char *json_file);
