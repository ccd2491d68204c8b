#include "cli/bench_chart.h"

#include "base/assert.h"

#include <math.h>

#define WIDTH      1000.0 /* of the picture, in its own units */
#define HEIGHT     260.0
#define LEFT       70.0
#define RIGHT      20.0
#define BOTTOM     40.0
#define TOP        30.0
#define GRID_LINES 4u

const char bench_chart_style[] =
    "svg{width:100%;height:auto;margin:.6em 0}text{font-size:12px;fill:#5b6475}\n"
    ".grid{stroke:#d5d9e2;stroke-width:1}.line{fill:none;stroke-width:1.8}\n"
    ".c0{stroke:#2857c5;fill:#2857c5}.c1{stroke:#c0392b;fill:#c0392b}\n"
    ".c2{stroke:#1b7a3d;fill:#1b7a3d}.c3{stroke:#8a5a00;fill:#8a5a00}\n"
    "@media(prefers-color-scheme:dark){text{fill:#9aa4b5}.grid{stroke:#3a4250}"
    ".c0{stroke:#7aa2ff;fill:#7aa2ff}.c1{stroke:#ff8f80;fill:#ff8f80}"
    ".c2{stroke:#6fd394;fill:#6fd394}.c3{stroke:#e0b060;fill:#e0b060}}\n";

struct bench_chart_line *bench_chart_add(struct bench_chart *chart, const char *name)
{
    ASSERT(chart->lines_count < BENCH_CHART_LINES_MAX);
    struct bench_chart_line *line = &chart->lines[chart->lines_count++];
    line->name = name;
    line->count = 0;
    return line;
}

void bench_chart_point(struct bench_chart_line *line, double x, double y)
{
    if (line->count < BENCH_CHART_POINTS_MAX) {
        line->x[line->count] = x;
        line->y[line->count++] = y;
    }
}

/* What the axes span. */
struct span {
    double x_min;
    double x_max;
    double y_min;
    double y_max;
};

static double power_of_ten_below(double value)
{
    double power = 1e-6;
    while (power * 10 <= value) {
        power *= 10;
    }
    return power;
}

/* The next of 1, 2, 5, 10, 20 … that is not below `value`. */
static double round_up(double value)
{
    const double power = value > 0 ? power_of_ten_below(value) : 1;
    static const double steps[] = {1, 2, 5, 10};
    for (uint32_t i = 0; i < 4; i++) {
        if (power * steps[i] >= value) {
            return power * steps[i];
        }
    }
    return power * 10;
}

static bool is_drawn(const struct bench_chart *chart, double y)
{
    return !chart->is_log || y > 0;
}

static double x_at(const struct bench_chart *chart, const struct bench_chart_line *line, uint32_t i)
{
    return chart->is_even ? i : line->x[i];
}

static double lesser(double a, double b)
{
    return a < b ? a : b;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static void widen(struct span *span, const struct bench_chart *chart,
                  const struct bench_chart_line *line)
{
    for (uint32_t i = 0; i < line->count; i++) {
        if (is_drawn(chart, line->y[i])) {
            const double x = x_at(chart, line, i);
            span->x_min = lesser(span->x_min, x);
            span->x_max = larger(span->x_max, x);
            span->y_min = lesser(span->y_min, line->y[i]);
            span->y_max = larger(span->y_max, line->y[i]);
        }
    }
}

/* False: there is nothing to draw. */
static bool find_span(const struct bench_chart *chart, struct span *out_span)
{
    struct span span = {
        .x_min = chart->x_names != NULL ? 0 : 1e300, .x_max = -1e300, .y_min = 1e300, .y_max = 0};
    for (uint32_t l = 0; l < chart->lines_count; l++) {
        widen(&span, chart, &chart->lines[l]);
    }
    if (span.x_max < span.x_min || span.y_max <= 0) {
        return false;
    }
    span.x_max = larger(span.x_max, span.x_min + 1e-3);
    span.y_min = chart->is_log ? power_of_ten_below(span.y_min) : 0;
    span.y_max = chart->is_log ? power_of_ten_below(span.y_max) * 10 : round_up(span.y_max);
    *out_span = span;
    return true;
}

static double place_x(const struct span *span, double x)
{
    return LEFT + (x - span->x_min) / (span->x_max - span->x_min) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const struct bench_chart *chart, const struct span *span, double y)
{
    const double share = chart->is_log ? log10(y / span->y_min) / log10(span->y_max / span->y_min)
                                       : (y - span->y_min) / (span->y_max - span->y_min);
    return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP);
}

static void draw_y_grid(FILE *file, const struct bench_chart *chart, const struct span *span)
{
    const double decades = log10(span->y_max / (chart->is_log ? span->y_min : 1));
    const uint32_t lines = chart->is_log ? (uint32_t)lround(decades) : GRID_LINES;
    for (uint32_t i = 0; i <= lines; i++) {
        const double value = chart->is_log
                                 ? span->y_min * pow(10, i)
                                 : span->y_min + (span->y_max - span->y_min) * i / GRID_LINES;
        const double y = place_y(chart, span, value);
        fprintf(file,
                "<line class=\"grid\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%.6g</text>\n",
                LEFT, WIDTH - RIGHT, y, y, LEFT - 6, y + 4, value);
    }
}

static void draw_x_names(FILE *file, const struct bench_chart *chart, const struct span *span)
{
    const uint32_t count = chart->x_names != NULL ? (uint32_t)span->x_max : GRID_LINES;
    for (uint32_t i = 0; i <= count; i++) {
        const double x =
            chart->x_names != NULL ? i : span->x_min + (span->x_max - span->x_min) * i / GRID_LINES;
        fprintf(file, "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">", place_x(span, x),
                HEIGHT - BOTTOM + 16);
        if (chart->x_names != NULL) {
            fprintf(file, "%s</text>\n", chart->x_names[i]);
        } else {
            fprintf(file, "%.6g</text>\n", x);
        }
    }
}

static void draw_lines(FILE *file, const struct bench_chart *chart, const struct span *span)
{
    for (uint32_t l = 0; l < chart->lines_count; l++) {
        const struct bench_chart_line *line = &chart->lines[l];
        fprintf(file, "<polyline class=\"line c%u\" style=\"fill:none\" points=\"", l);
        for (uint32_t i = 0; i < line->count; i++) {
            if (is_drawn(chart, line->y[i])) {
                fprintf(file, "%.1f,%.1f ", place_x(span, x_at(chart, line, i)),
                        place_y(chart, span, line->y[i]));
            }
        }
        fprintf(file,
                "\"/><rect class=\"c%u\" x=\"%.0f\" y=\"8\" width=\"12\" height=\"4\"/>"
                "<text x=\"%.0f\" y=\"14\">%s</text>\n",
                l, LEFT + 420 + 130.0 * l, LEFT + 438 + 130.0 * l, line->name);
    }
}

void bench_chart_draw(FILE *file, const struct bench_chart *chart)
{
    struct span span;
    if (!find_span(chart, &span)) {
        return;
    }
    fprintf(file,
            "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n"
            "<text x=\"%.0f\" y=\"14\">%s, %s</text>\n"
            "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">%s</text>\n",
            WIDTH, HEIGHT, chart->title, LEFT, chart->title, chart->y_words, WIDTH - RIGHT,
            HEIGHT - 6, chart->x_words);
    draw_y_grid(file, chart, &span);
    draw_x_names(file, chart, &span);
    draw_lines(file, chart, &span);
    fputs("</svg>\n", file);
}
