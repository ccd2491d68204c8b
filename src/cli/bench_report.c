#include "cli/bench_report.h"

#include "base/assert.h"
#include "memory/allocator.h"

#include <stdarg.h>

#define AREA_BYTES  65536u
#define TEXT_BYTES  65536u /* what does not fit is not on the page */
#define LINE_CHARS  256u
#define WORDS_CHARS 44

const uint32_t bench_curve_percentiles[BENCH_CURVE_POINTS] = {
    100000, 250000, 500000, 750000, 900000, 950000, 990000, 995000, 999000, 999900, 1000000,
};

/* Prints, and keeps it for the page. */
static void say(struct bench_report *report, const char *form, ...) PRINTF_LIKE(2, 3);

PRINTF_LIKE(2, 0)
static void say_list(struct bench_report *report, const char *form, va_list values)
{
    char line[LINE_CHARS];
    vsnprintf(line, sizeof(line), form, values);
    fputs(line, report->out);
    writer_bytes_add(&report->text, bytes_of_string(line));
}

static void say(struct bench_report *report, const char *form, ...)
{
    va_list values;
    va_start(values, form);
    say_list(report, form, values);
    va_end(values);
}

enum err bench_report_open(struct bench_report *report, struct budget *budget, FILE *out)
{
    *report = (struct bench_report){.out = out, .budget = budget};
    report->area = memory_acquire(budget, MEMORY_RANK_READ, AREA_BYTES);
    report->text_area = memory_acquire(budget, MEMORY_RANK_READ, TEXT_BYTES);
    if (report->area == NULL || report->text_area == NULL) {
        bench_report_close(report);
        return ERR_BUDGET;
    }
    report->text = writer_of(report->text_area, TEXT_BYTES);
    report->writer = writer_of(report->area, AREA_BYTES);
    report->json = json_text_of(&report->writer);
    json_text_object_begin(&report->json);
    return ERR_OK;
}

void bench_report_close(struct bench_report *report)
{
    memory_release(report->budget, report->area, AREA_BYTES);
    memory_release(report->budget, report->text_area, TEXT_BYTES);
    report->area = NULL;
    report->text_area = NULL;
}

void bench_report_begin(struct bench_report *report, const char *key, const char *words)
{
    if (*words != '\0') {
        say(report, "\n%s\n", words);
    }
    json_text_key(&report->json, key);
    json_text_object_begin(&report->json);
}

void bench_report_end(struct bench_report *report)
{
    json_text_object_end(&report->json);
}

static void put_number(struct bench_report *report, const char *key, uint64_t value)
{
    json_text_key(&report->json, key);
    json_text_unsigned(&report->json, value);
}

void bench_report_count(struct bench_report *report, const char *key, const char *words,
                        uint64_t value)
{
    say(report, "  %-*s %11llu\n", WORDS_CHARS, words, (unsigned long long)value);
    put_number(report, key, value);
}

void bench_report_string(struct bench_report *report, const char *key, const char *words,
                         const char *value)
{
    say(report, "  %-*s %s\n", WORDS_CHARS, words, value);
    json_text_key(&report->json, key);
    json_text_string(&report->json, bytes_of_string(value));
}

void bench_report_time(struct bench_report *report, const char *key, const char *words,
                       uint64_t value_us)
{
    say(report, "  %-*s %11.3f s\n", WORDS_CHARS, words, (double)value_us / 1e6);
    put_number(report, key, value_us);
}

void bench_report_bytes(struct bench_report *report, const char *key, const char *words,
                        uint64_t value_bytes)
{
    say(report, "  %-*s %11.1f MiB\n", WORDS_CHARS, words, (double)value_bytes / (1024.0 * 1024.0));
    put_number(report, key, value_bytes);
}

struct percentile {
    const char *key;
    uint32_t per_million;
};

static const struct percentile percentiles[] = {
    {"p50_us", 500000},
    {"p90_us", 900000},
    {"p99_us", 990000},
    {"p999_us", 999000},
};

void bench_report_latency_columns(struct bench_report *report, const char *words)
{
    say(report, "  %-*s %9s %9s %9s %9s %9s\n", WORDS_CHARS, words, "p50", "p90", "p99", "p99.9",
        "max");
}

void bench_report_latency(struct bench_report *report, const char *key, const char *words,
                          const struct histogram *histogram)
{
    const uint64_t count = histogram_count(histogram);
    json_text_key(&report->json, key);
    json_text_object_begin(&report->json);
    put_number(report, "count", count);
    put_number(report, "mean_us", count > 0 ? histogram_sum_ns(histogram) / count / 1000 : 0);
    say(report, "  %-*s", WORDS_CHARS, words);
    for (size_t i = 0; i < COUNT_OF(percentiles); i++) {
        const uint64_t value_ns = histogram_percentile_ns(histogram, percentiles[i].per_million);
        say(report, " %9.3f", (double)value_ns / 1e6);
        put_number(report, percentiles[i].key, value_ns / 1000);
    }
    say(report, " %9.3f ms\n", (double)histogram_max_ns(histogram) / 1e6);
    put_number(report, "max_us", histogram_max_ns(histogram) / 1000);
    json_text_object_end(&report->json);
}

void bench_report_curve_of(struct bench_report *report, const char *name,
                           const struct histogram *histogram)
{
    ASSERT(report->curves_count < BENCH_REPORT_CURVES_MAX);
    struct bench_curve *curve = &report->curves[report->curves_count++];
    curve->name = name;
    for (uint32_t i = 0; i < BENCH_CURVE_POINTS; i++) {
        curve->values_ns[i] = histogram_percentile_ns(histogram, bench_curve_percentiles[i]);
    }
}

void bench_report_steps(struct bench_report *report, const struct bench_steps *steps)
{
    report->steps = *steps;
    say(report, "  %12s %9s %9s %9s ms %11s\n", "a second", "p50", "p99", "p99.9", "missing");
    json_text_key(&report->json, "steps");
    json_text_array_begin(&report->json);
    for (uint32_t i = 0; i < steps->count; i++) {
        const struct bench_step *step = &steps->steps[i];
        say(report, "  %12u %9.3f %9.3f %9.3f    %11llu  %s%s\n", step->rate,
            (double)step->p50_us / 1e3, (double)step->p99_us / 1e3, (double)step->p999_us / 1e3,
            (unsigned long long)step->missing_count, step->is_good ? "kept" : "broken",
            step->is_ours ? "; the generator or the machine was late" : "");
        json_text_object_begin(&report->json);
        put_number(report, "rate", step->rate);
        put_number(report, "p50_us", step->p50_us);
        put_number(report, "p99_us", step->p99_us);
        put_number(report, "p999_us", step->p999_us);
        put_number(report, "missing", step->missing_count);
        json_text_key(&report->json, "is_good");
        json_text_bool(&report->json, step->is_good);
        json_text_key(&report->json, "is_ours");
        json_text_bool(&report->json, step->is_ours);
        json_text_object_end(&report->json);
    }
    json_text_array_end(&report->json);
}

void bench_report_tally_columns(struct bench_report *report, const char *words)
{
    say(report, "  %-*s %11s %13s\n", WORDS_CHARS, words, "measured", "with warm-up");
}

void bench_report_tally(struct bench_report *report, const char *key, const char *words,
                        const uint64_t measured_and_all[2])
{
    say(report, "  %-*s %11llu %13llu\n", WORDS_CHARS, words,
        (unsigned long long)measured_and_all[0], (unsigned long long)measured_and_all[1]);
    json_text_key(&report->json, key);
    json_text_object_begin(&report->json);
    put_number(report, "measured", measured_and_all[0]);
    put_number(report, "all", measured_and_all[1]);
    json_text_object_end(&report->json);
}

void bench_report_remark(struct bench_report *report, const char *form, ...)
{
    va_list values;
    va_start(values, form);
    fputs("  ", report->out);
    say_list(report, form, values);
    fputc('\n', report->out);
    va_end(values);
}

void bench_report_fault(struct bench_report *report, const char *form, ...)
{
    if (report->faults_count == BENCH_REPORT_FAULTS_MAX) {
        return; /* there are fewer kinds than that */
    }
    va_list values;
    va_start(values, form);
    vsnprintf(report->faults[report->faults_count++], BENCH_REPORT_TEXT_MAX, form, values);
    va_end(values);
}

static enum err save(const struct bench_report *report, const char *json_file)
{
    ASSERT(!report->writer.is_full);
    FILE *file = fopen(json_file, "we");
    if (file == NULL) {
        return ERR_IO;
    }
    const struct bytes text = writer_bytes(&report->writer);
    const bool is_written =
        fwrite(text.data, 1, text.size, file) == text.size && fputc('\n', file) != EOF;
    return fclose(file) == 0 && is_written ? ERR_OK : ERR_IO;
}

enum err bench_report_finish(struct bench_report *report, const char *json_file)
{
    const bool is_well = report->faults_count == 0;
    say(report, "\nverdict: %s\n", is_well ? "all is well" : "FAULTS");
    json_text_key(&report->json, "is_well");
    json_text_bool(&report->json, is_well);
    json_text_key(&report->json, "faults");
    json_text_array_begin(&report->json);
    for (uint32_t i = 0; i < report->faults_count; i++) {
        say(report, "  %s\n", report->faults[i]);
        json_text_string(&report->json, bytes_of_string(report->faults[i]));
    }
    json_text_array_end(&report->json);
    json_text_object_end(&report->json);
    fflush(report->out);
    if (json_file != NULL) {
        const enum err err = save(report, json_file);
        if (err != ERR_OK) {
            return err;
        }
    }
    return is_well ? ERR_OK : ERR_DENIED;
}
