#include "cli/soak_page.h"

#include <stdio.h>

#define WIDTH      1200u /* of the picture, in its own units */
#define HEIGHT     360u
#define MARGIN     60u
#define POINTS_MAX 2000u
#define GRID_LINES 4u

static const char head[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>jingu soak</title>\n"
    "<style>\n"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1240px;margin:2em auto;padding:0 1em;"
    "color:#1d2433;background:#fff}\n"
    "table{border-collapse:collapse;width:100%}td,th{padding:.3em .6em;text-align:right;"
    "border-bottom:1px solid #e3e6ec;font-variant-numeric:tabular-nums}\n"
    "td:first-child,th:first-child{text-align:left}svg{width:100%;height:auto}\n"
    ".axis{stroke:#c9ced8;stroke-width:1}.rss{fill:none;stroke:#2857c5;stroke-width:1.5}\n"
    ".budget{stroke:#c0392b;stroke-width:1.5;stroke-dasharray:6 4}\n"
    ".part:nth-of-type(odd){fill:#f3f5f9}.part{fill:#fafbfd}text{font-size:11px;fill:#5b6475}\n"
    ".bad{color:#a32015}.good{color:#1b7a3d}\n"
    "@media(prefers-color-scheme:dark){body{color:#dfe4ee;background:#14171d}"
    "td,th{border-color:#2b313c}.axis{stroke:#3a4250}.rss{stroke:#7aa2ff}.part{fill:#1b1f27}"
    ".part:nth-of-type(odd){fill:#20252f}text{fill:#9aa4b5}.bad{color:#ff8f80}"
    ".good{color:#6fd394}}\n"
    "</style>\n<h1>jingu soak</h1>\n";

/* How a moment and an amount become a place in the picture. */
struct scale {
    uint32_t ms_max;
    uint64_t kib_max;
};

static double x_of(const struct scale *scale, uint32_t ms)
{
    return MARGIN + (double)ms / scale->ms_max * (WIDTH - MARGIN);
}

static double y_of(const struct scale *scale, uint64_t kib)
{
    return HEIGHT - (double)kib / (double)scale->kib_max * HEIGHT;
}

static struct scale scale_of(const struct soak_page *page)
{
    struct scale scale = {.ms_max = 1, .kib_max = (uint64_t)page->options->budget_mib * 1024};
    for (uint64_t i = 0; i < page->watch->samples.count; i++) {
        const struct soak_sample *sample = bench_series_at(&page->watch->samples, i);
        scale.ms_max = sample->at_ms > scale.ms_max ? sample->at_ms : scale.ms_max;
        scale.kib_max = sample->rss_kib > scale.kib_max ? sample->rss_kib : scale.kib_max;
    }
    scale.kib_max = scale.kib_max * 11 / 10 + 1;
    return scale;
}

static void draw_parts(FILE *file, const struct soak_page *page, const struct scale *scale)
{
    for (uint32_t i = 0; i < page->parts_count; i++) {
        const struct soak_part *part = &page->parts[i];
        const double x = x_of(scale, part->begin_ms);
        if (part->cycles_count == 0) {
            continue;
        }
        fprintf(file, "<rect class=\"part\" x=\"%.1f\" y=\"0\" width=\"%.1f\" height=\"%u\"/>\n", x,
                x_of(scale, part->end_ms) - x, HEIGHT);
    }
    for (uint32_t i = 0; i < page->parts_count; i++) {
        const struct soak_part *part = &page->parts[i];
        if (part->cycles_count > 0) {
            fprintf(file, "<text transform=\"translate(%.1f,14) rotate(90)\">%s</text>\n",
                    x_of(scale, part->begin_ms) + 4, part->name);
        }
    }
}

static void draw_axes(FILE *file, const struct soak_page *page, const struct scale *scale)
{
    for (uint32_t i = 0; i <= GRID_LINES; i++) {
        const uint64_t kib = scale->kib_max * i / GRID_LINES;
        const double y = y_of(scale, kib);
        fprintf(file,
                "<line class=\"axis\" x1=\"%u\" x2=\"%u\" y1=\"%.1f\" y2=\"%.1f\"/>"
                "<text x=\"0\" y=\"%.1f\">%.0f MiB</text>\n",
                MARGIN, WIDTH, y, y, y + 4, (double)kib / 1024.0);
        fprintf(file, "<text x=\"%.1f\" y=\"%u\" text-anchor=\"middle\">%.0f s</text>\n",
                x_of(scale, scale->ms_max / GRID_LINES * i), HEIGHT + 16,
                (double)scale->ms_max / GRID_LINES * i / 1000.0);
    }
    if (page->options->budget_mib > 0) {
        const double y = y_of(scale, (uint64_t)page->options->budget_mib * 1024);
        fprintf(file,
                "<line class=\"budget\" x1=\"%u\" x2=\"%u\" y1=\"%.1f\" y2=\"%.1f\"/>"
                "<text x=\"%u\" y=\"%.1f\" text-anchor=\"end\">budget</text>\n",
                MARGIN, WIDTH, y, y, WIDTH, y - 4);
    }
}

/* Each point is the highest of the samples that it stands for: no peak is left out. */
static void draw_curve(FILE *file, const struct soak_page *page, const struct scale *scale)
{
    const uint64_t count = page->watch->samples.count;
    const uint64_t step = count / POINTS_MAX + 1;
    fputs("<polyline class=\"rss\" points=\"", file);
    for (uint64_t i = 0; i < count; i += step) {
        struct soak_sample highest = {.rss_kib = 0};
        for (uint64_t k = i; k < i + step && k < count; k++) {
            const struct soak_sample *sample = bench_series_at(&page->watch->samples, k);
            highest = sample->rss_kib >= highest.rss_kib ? *sample : highest;
        }
        fprintf(file, "%.1f,%.1f ", x_of(scale, highest.at_ms), y_of(scale, highest.rss_kib));
    }
    fputs("\"/>\n", file);
}

static void write_table(FILE *file, const struct soak_page *page)
{
    fputs("<table><tr><th>scenario<th>RSS before, MiB<th>highest<th>afterwards<th>back after, s"
          "<th>honest p50, ms<th>p99<th>lost, doubled, out of order\n",
          file);
    for (uint32_t i = 0; i < page->parts_count; i++) {
        const struct soak_part *part = &page->parts[i];
        if (part->cycles_count == 0) {
            continue;
        }
        const uint64_t *counts = part->seen.counts;
        const uint64_t wrong = counts[BENCH_TALLY_LOST] + counts[BENCH_TALLY_DOUBLED] +
                               counts[BENCH_TALLY_OUT_OF_ORDER];
        char back[16] = "";
        if (part->is_back_judged) {
            snprintf(back, sizeof(back), "%.1f", part->back_ms / 1000.0);
        }
        fprintf(file,
                "<tr><td title=\"%s\">%s<td>%.1f<td>%.1f<td>%.1f<td>%s<td>%.1f<td>%.1f"
                "<td>%llu\n",
                part->words, part->name, (double)part->rss_bytes_before / 1048576.0,
                (double)part->rss_bytes_peak / 1048576.0, (double)part->rss_bytes_after / 1048576.0,
                part->is_back_judged && part->back_ms == SOAK_NEVER ? "never" : back,
                (double)histogram_percentile_ns(&part->seen.deliveries, 500000) / 1e6,
                (double)histogram_percentile_ns(&part->seen.deliveries, 990000) / 1e6,
                (unsigned long long)wrong);
    }
    fputs("</table>\n", file);
}

enum err soak_page_write(const struct soak_page *page, const char *file_name)
{
    FILE *file = fopen(file_name, "we");
    if (file == NULL) {
        return ERR_IO;
    }
    const struct scale scale = scale_of(page);
    fputs(head, file);
    fprintf(file, "<p>seed %llu; %s\n<p>Resident memory, sampled every %u ms.\n",
            (unsigned long long)page->options->seed,
            page->report->faults_count == 0 ? "<b class=\"good\">all is well</b>"
                                            : "<b class=\"bad\">faults</b>",
            SOAK_SAMPLE_MS);
    fprintf(file, "<svg viewBox=\"0 0 %u %u\" role=\"img\" aria-label=\"RSS over time\">\n", WIDTH,
            HEIGHT + 24);
    draw_parts(file, page, &scale);
    draw_axes(file, page, &scale);
    draw_curve(file, page, &scale);
    fputs("</svg>\n<ul class=\"bad\">\n", file);
    for (uint32_t i = 0; i < page->report->faults_count; i++) {
        fprintf(file, "<li>%s\n", page->report->faults[i]);
    }
    fputs("</ul>\n", file);
    write_table(file, page);
    fputs("</html>\n", file);
    return fclose(file) == 0 ? ERR_OK : ERR_IO;
}
