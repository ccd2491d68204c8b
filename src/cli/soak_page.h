/*
 * soak_page.h -- the curves of a run as one HTML file that needs no network.
 */
#pragma once

#include "cli/bench_report.h"
#include "cli/soak_part.h"

struct soak_page {
    const struct soak_options *options;
    const struct soak_watch *watch;
    const struct soak_part *parts;
    uint32_t parts_count;
    const struct bench_report *report; /* its faults */
};

/* ERR_IO: the file could not be written. */
MUST_USE enum err soak_page_write(const struct soak_page *page, const char *file_name);
