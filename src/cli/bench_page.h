/*
 * bench_page.h -- the report of a run as one HTML file: curves, and the text beneath.
 *
 * The curves are SVG in the page, which asks the network for nothing. They are: latency by
 * percentile; with --p99, latency by rate; and second by second, deliveries, latency and the
 * server's resident set.
 */
#pragma once

#include "cli/bench_report.h"
#include "cli/bench_timeline.h"

/* ERR_IO: it could not be written. */
MUST_USE enum err bench_page_write(const struct bench_report *report,
                                   const struct bench_timeline *timeline, const char *file_name);
