#include "cli/bench_page.h"

#include "cli/bench_chart.h"

static const char head[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>jingu bench</title>\n"
    "<style>\n"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1040px;margin:2em auto;padding:0 1em;"
    "color:#1d2433;background:#fff}pre{font-size:13px;overflow:auto}\n"
    "@media(prefers-color-scheme:dark){body{color:#dfe4ee;background:#14171d}}\n";

static const char *const percentile_names[BENCH_CURVE_POINTS] = {
    "p10", "p25", "p50", "p75", "p90", "p95", "p99", "p99.5", "p99.9", "p99.99", "max",
};

static void draw_curves(FILE *file, struct bench_chart *chart, const struct bench_report *report)
{
    *chart = (struct bench_chart){
        .title = "Latency by percentile",
        .x_words = "of all, the fastest",
        .y_words = "ms",
        .is_log = true,
        .is_even = true,
        .x_names = percentile_names,
    };
    for (uint32_t i = 0; i < report->curves_count; i++) {
        struct bench_chart_line *line = bench_chart_add(chart, report->curves[i].name);
        for (uint32_t k = 0; k < BENCH_CURVE_POINTS; k++) {
            bench_chart_point(line, k, (double)report->curves[i].values_ns[k] / 1e6);
        }
    }
    bench_chart_draw(file, chart);
}

static uint64_t step_value(const struct bench_step *step, uint32_t which)
{
    return which == 0 ? step->p50_us : (which == 1 ? step->p99_us : step->p999_us);
}

/* The steps in ascending order of their rates; of one that was tried twice the later one. */
static uint32_t sort_steps(const struct bench_steps *steps,
                           const struct bench_step *sorted[BENCH_STEPS_MAX])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < steps->count; i++) {
        uint32_t at = 0;
        while (at < count && sorted[at]->rate < steps->steps[i].rate) {
            at++;
        }
        if (at == count || sorted[at]->rate != steps->steps[i].rate) {
            for (uint32_t k = count++; k > at; k--) {
                sorted[k] = sorted[k - 1];
            }
        }
        sorted[at] = &steps->steps[i];
    }
    return count;
}

static void draw_steps(FILE *file, struct bench_chart *chart, const struct bench_steps *steps)
{
    static const char *const names[] = {"p50", "p99", "p99.9"};
    const struct bench_step *sorted[BENCH_STEPS_MAX];
    const uint32_t count = sort_steps(steps, sorted);
    *chart = (struct bench_chart){.title = "Latency by rate",
                                  .x_words = "messages a second",
                                  .y_words = "ms",
                                  .is_log = true};
    for (uint32_t which = 0; which < 3; which++) {
        struct bench_chart_line *line = bench_chart_add(chart, names[which]);
        for (uint32_t i = 0; i < count; i++) {
            bench_chart_point(line, sorted[i]->rate, (double)step_value(sorted[i], which) / 1e3);
        }
    }
    bench_chart_draw(file, chart);
}

/* ---- Second by second. ---- */

static void draw_rate(FILE *file, struct bench_chart *chart, const struct bench_timeline *timeline)
{
    *chart = (struct bench_chart){
        .title = "Deliveries", .x_words = "seconds of the run", .y_words = "a second"};
    struct bench_chart_line *line = bench_chart_add(chart, "measured");
    for (uint32_t i = 0; i < timeline->count; i++) {
        const struct bench_moment *moment = &timeline->moments[i];
        const double span_ms = moment->span_ms > 0 ? (double)moment->span_ms : 1;
        bench_chart_point(line, (double)moment->at_ms / 1e3, (double)moment->count * 1e3 / span_ms);
    }
    bench_chart_draw(file, chart);
}

static void draw_times(FILE *file, struct bench_chart *chart, const struct bench_timeline *timeline)
{
    *chart = (struct bench_chart){
        .title = "Latency", .x_words = "seconds of the run", .y_words = "ms", .is_log = true};
    struct bench_chart_line *p50 = bench_chart_add(chart, "p50");
    struct bench_chart_line *p99 = bench_chart_add(chart, "p99");
    for (uint32_t i = 0; i < timeline->count; i++) {
        const struct bench_moment *moment = &timeline->moments[i];
        if (moment->has_times) {
            bench_chart_point(p50, (double)moment->at_ms / 1e3, (double)moment->p50_us / 1e3);
            bench_chart_point(p99, (double)moment->at_ms / 1e3, (double)moment->p99_us / 1e3);
        }
    }
    bench_chart_draw(file, chart);
}

static void draw_memory(FILE *file, struct bench_chart *chart,
                        const struct bench_timeline *timeline)
{
    *chart = (struct bench_chart){.title = "Resident memory of the server",
                                  .x_words = "seconds of the run",
                                  .y_words = "MiB"};
    struct bench_chart_line *line = bench_chart_add(chart, "RSS");
    for (uint32_t i = 0; i < timeline->count; i++) {
        bench_chart_point(line, (double)timeline->moments[i].at_ms / 1e3,
                          (double)timeline->moments[i].rss_bytes / 1048576.0);
    }
    bench_chart_draw(file, chart);
}

static void write_text(FILE *file, struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        switch (text.data[i]) {
        case '<':
            fputs("&lt;", file);
            break;
        case '&':
            fputs("&amp;", file);
            break;
        default:
            fputc(text.data[i], file);
        }
    }
}

enum err bench_page_write(const struct bench_report *report, const struct bench_timeline *timeline,
                          const char *file_name)
{
    /* Large, and there is one page per process. */
    static struct bench_chart chart;
    FILE *file = fopen(file_name, "we");
    if (file == NULL) {
        return ERR_IO;
    }
    fprintf(file, "%s%s</style>\n<h1>jingu bench</h1>\n", head, bench_chart_style);
    draw_curves(file, &chart, report);
    if (report->steps.count > 0) {
        draw_steps(file, &chart, &report->steps);
    }
    draw_rate(file, &chart, timeline);
    draw_times(file, &chart, timeline);
    draw_memory(file, &chart, timeline);
    fputs("<pre>\n", file);
    write_text(file, writer_bytes(&report->text));
    fputs("</pre>\n</html>\n", file);
    return fclose(file) == 0 ? ERR_OK : ERR_IO;
}
