/*
 * bench_chart.h -- a chart of lines as SVG.
 *
 * Points are in the chart's own units; the axes begin at zero, or with `is_log` at the power of ten
 * below the least value. At most BENCH_CHART_LINES_MAX lines, in ascending x.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define BENCH_CHART_LINES_MAX  4u
#define BENCH_CHART_POINTS_MAX 600u

struct bench_chart_line {
    const char *name;
    uint32_t count;
    double x[BENCH_CHART_POINTS_MAX];
    double y[BENCH_CHART_POINTS_MAX];
};

struct bench_chart {
    const char *title;
    const char *x_words;
    const char *y_words;
    bool is_log;                /* the y axis; values of 0 are left out */
    bool is_even;               /* points stand evenly, whatever their x; x_names names them */
    const char *const *x_names; /* NULL: numbers */
    uint32_t lines_count;
    struct bench_chart_line lines[BENCH_CHART_LINES_MAX];
};

/* The style that the charts need, once a page. */
extern const char bench_chart_style[];

/* A new empty line. */
struct bench_chart_line *bench_chart_add(struct bench_chart *chart, const char *name);
/* What does not fit is left out. */
void bench_chart_point(struct bench_chart_line *line, double x, double y);

/* Writes it; a chart without points is left out. */
void bench_chart_draw(FILE *file, const struct bench_chart *chart);
