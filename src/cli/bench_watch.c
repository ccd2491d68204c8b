#include "cli/bench_watch.h"

#include "system/clock.h"

#include <stdarg.h>
#include <unistd.h>

#define NS_PER_S 1000000000ULL

/* We were the limit when there was next to no time to sleep, or when the sends were late by a good
 * part of what was measured; the machine was when we were late for want of a core. */
#define BUSY_PERCENT_MAX     85u
#define LAG_NS_MIN           1000000u
#define LAG_PERCENT_MAX      25u
#define WAITED_PERCENT_MIN   10u
#define OTHERS_PERCENT_NOTED 25u

enum err bench_watch_open(struct bench_watch *watch, const struct bench_engine *engine)
{
    const uint32_t pid = engine->options->pid;
    *watch = (struct bench_watch){
        .engine = engine,
        .has_server = pid != 0,
        .is_terminal = isatty(STDERR_FILENO) == 1,
        .began_ns = clock_now_ns(),
        .server = {.stat_fd = -1, .statm_fd = -1, .schedstat_fd = -1},
    };
    watch->progress_ns = watch->began_ns + NS_PER_S;
    bench_timeline_init(&watch->timeline);
    enum err err = bench_process_open(&watch->generator, 0);
    if (err == ERR_OK && watch->has_server) {
        err = bench_process_open(&watch->server, pid);
    }
    if (err != ERR_OK) {
        bench_watch_close(watch);
        return err;
    }
    watch->rss_bytes_begin = bench_watch_sample(watch);
    return ERR_OK;
}

void bench_watch_close(struct bench_watch *watch)
{
    bench_process_close(&watch->server);
    bench_process_close(&watch->generator);
    bench_counters_close(&watch->counters);
}

uint64_t bench_watch_sample(struct bench_watch *watch)
{
    const uint64_t rss_bytes = watch->has_server ? bench_process_rss_bytes(&watch->server) : 0;
    bench_timeline_sample(&watch->timeline, rss_bytes, watch->deliveries);
    return rss_bytes;
}

uint64_t bench_watch_server_cpu_us(const struct bench_watch *watch)
{
    return watch->has_server ? bench_process_cpu_us(&watch->server) : 0;
}

static struct bench_mark mark_now(const struct bench_watch *watch)
{
    return (struct bench_mark){
        .now_ns = clock_now_ns(),
        .server_cpu_us = bench_watch_server_cpu_us(watch),
        .generator_cpu_us = bench_process_cpu_us(&watch->generator),
        .generator_waited_us = bench_process_waited_us(&watch->generator),
        .generator_busy_us = watch->engine->busy_ns / 1000,
        .machine_us = bench_process_machine_us(),
    };
}

void bench_watch_mark_begin(struct bench_watch *watch)
{
    bench_counters_close(&watch->counters);
    if (watch->has_server) {
        bench_counters_open(&watch->counters, watch->engine->options->pid);
    }
    watch->begin = mark_now(watch);
}

void bench_watch_mark_end(struct bench_watch *watch)
{
    watch->end = mark_now(watch);
    bench_counters_read(&watch->counters);
    watch->rss_bytes_end = bench_watch_sample(watch);
}

/* ---- Progress. ---- */

bool bench_watch_wants_progress(struct bench_watch *watch)
{
    const uint64_t now_ns = clock_now_ns();
    if (watch->engine->options->is_quiet || now_ns < watch->progress_ns) {
        return false;
    }
    watch->progress_ns += NS_PER_S;
    return true;
}

void bench_watch_progress(struct bench_watch *watch, const char *form, ...)
{
    va_list values;
    va_start(values, form);
    fprintf(stderr, "%s%4.0f s  ", watch->is_terminal ? "\r\033[K" : "",
            (double)(clock_now_ns() - watch->began_ns) / 1e9);
    vfprintf(stderr, form, values);
    if (watch->has_server) {
        fprintf(stderr, "  server RSS %.0f MiB", (double)bench_watch_sample(watch) / 1048576.0);
    }
    if (!watch->is_terminal) {
        fputc('\n', stderr);
    }
    fflush(stderr);
    watch->has_line = watch->is_terminal;
    va_end(values);
}

void bench_watch_progress_end(struct bench_watch *watch)
{
    if (watch->has_line) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    watch->has_line = false;
}

/* ---- The report. ---- */

/* What the cores did between the marks that was neither the server nor us, in per cent of one. */
static uint64_t others_percent(const struct bench_watch *watch)
{
    const struct bench_mark *begin = &watch->begin;
    const struct bench_mark *end = &watch->end;
    const uint64_t span_us = (end->now_ns - begin->now_ns) / 1000 + 1;
    const uint64_t ours_us =
        end->server_cpu_us - begin->server_cpu_us + end->generator_cpu_us - begin->generator_cpu_us;
    const uint64_t all_us = end->machine_us - begin->machine_us;
    return all_us > ours_us ? (all_us - ours_us) * 100 / span_us : 0;
}

static uint64_t per_million_us(uint64_t cpu_us, uint64_t count)
{
    return count > 0 ? (uint64_t)((double)cpu_us * 1e6 / (double)count) : 0;
}

static void report_work(struct bench_report *report, uint64_t cpu_us, const struct bench_work *work)
{
    char key[BENCH_REPORT_TEXT_MAX];
    char words[BENCH_REPORT_TEXT_MAX];
    snprintf(key, sizeof(key), "cpu_per_million_%s_us", work->key);
    snprintf(words, sizeof(words), "CPU time per million %s", work->words);
    bench_report_time(report, key, words, per_million_us(cpu_us, work->count));
}

void bench_watch_report_server(const struct bench_watch *watch, struct bench_report *report,
                               const struct bench_work *works, uint32_t works_count)
{
    if (!watch->has_server) {
        return;
    }
    const uint64_t cpu_us = watch->end.server_cpu_us - watch->begin.server_cpu_us;
    bench_report_begin(report, "server", "server");
    bench_report_time(report, "cpu_us", "CPU time", cpu_us);
    for (uint32_t i = 0; i < works_count; i++) {
        report_work(report, cpu_us, &works[i]);
    }
    const uint64_t others = others_percent(watch);
    bench_report_count(report, "others_percent", "cores taken by other processes, % of one",
                       others);
    bench_report_bytes(report, "rss_begin_bytes", "RSS before the first client",
                       watch->rss_bytes_begin);
    bench_report_bytes(report, "rss_peak_bytes", "RSS, highest sample",
                       bench_process_rss_bytes_peak(&watch->server));
    bench_report_bytes(report, "rss_end_bytes", "RSS at the end, clients connected",
                       watch->rss_bytes_end);
    bench_counters_report(&watch->counters, report, works_count > 0 ? works[0].count : 0);
    bench_report_end(report);
    if (others >= OTHERS_PERCENT_NOTED) {
        bench_report_remark(report,
                            "THE MACHINE WAS NOT QUIET: compare these figures with nothing.");
    }
}

enum limit {
    LIMIT_NONE = 0,
    LIMIT_GENERATOR, /* it was busy all the time, or late by itself */
    LIMIT_MACHINE,   /* it was late because others had the cores */
    LIMITS_COUNT,
};

static const char *const limit_names[LIMITS_COUNT] = {
    [LIMIT_NONE] = "none",
    [LIMIT_GENERATOR] = "generator",
    [LIMIT_MACHINE] = "machine",
};

static enum limit judge(uint64_t busy_percent, uint64_t waited_percent, uint64_t lag_ns,
                        uint64_t answer_ns)
{
    const bool is_late = lag_ns >= LAG_NS_MIN && lag_ns * 100 >= answer_ns * LAG_PERCENT_MAX;
    if (is_late && waited_percent >= WAITED_PERCENT_MIN) {
        return LIMIT_MACHINE;
    }
    return is_late || busy_percent >= BUSY_PERCENT_MAX ? LIMIT_GENERATOR : LIMIT_NONE;
}

static enum limit limit_of(const struct bench_watch *watch, const struct histogram *lags,
                           const struct histogram *answers)
{
    const uint64_t span_us = (watch->end.now_ns - watch->begin.now_ns) / 1000 + 1;
    const uint64_t busy_us = watch->end.generator_busy_us - watch->begin.generator_busy_us;
    const uint64_t waited_us = watch->end.generator_waited_us - watch->begin.generator_waited_us;
    return judge(busy_us * 100 / span_us, waited_us * 100 / span_us,
                 histogram_percentile_ns(lags, 990000), histogram_percentile_ns(answers, 990000));
}

bool bench_watch_was_limit(const struct bench_watch *watch, const struct histogram *lags,
                           const struct histogram *answers)
{
    return limit_of(watch, lags, answers) != LIMIT_NONE;
}

void bench_watch_report_generator(const struct bench_watch *watch, struct bench_report *report,
                                  const struct bench_work *work, const struct histogram *lags,
                                  const struct histogram *answers)
{
    const uint64_t span_us = (watch->end.now_ns - watch->begin.now_ns) / 1000 + 1;
    const uint64_t cpu_us = watch->end.generator_cpu_us - watch->begin.generator_cpu_us;
    const uint64_t busy_us = watch->end.generator_busy_us - watch->begin.generator_busy_us;
    const uint64_t waited_us = watch->end.generator_waited_us - watch->begin.generator_waited_us;
    const uint64_t busy_percent = busy_us * 100 / span_us;
    const uint64_t waited_percent = waited_us * 100 / span_us;
    bench_report_begin(report, "generator", "generator");
    bench_report_time(report, "cpu_us", "CPU time", cpu_us);
    report_work(report, cpu_us, work);
    bench_report_count(report, "busy_percent", "awake, % of the time", busy_percent);
    bench_report_count(report, "waited_percent", "ready to run but without a core, % of the time",
                       waited_percent);
    bench_report_latency_columns(report, "");
    bench_report_latency(report, "lag", "sends later than intended, by our doing", lags);
    bench_report_latency(report, "turn", "one turn of the loop", &watch->engine->turns);
    const enum limit limit = limit_of(watch, lags, answers);
    bench_report_string(report, "limit", "what limited the run, on our side", limit_names[limit]);
    bench_report_end(report);
    if (limit == LIMIT_GENERATOR) {
        bench_report_remark(report, "THE GENERATOR WAS THE LIMIT: the server can do better than "
                                    "these figures say.");
    } else if (limit == LIMIT_MACHINE) {
        bench_report_remark(report,
                            "THE MACHINE WAS THE LIMIT: the generator wanted a core and had "
                            "none for %llu %% of the time; its delays are in the figures.",
                            (unsigned long long)waited_percent);
    }
}
