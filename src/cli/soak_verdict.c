#include "cli/soak_verdict.h"

#define MIB               (1024.0 * 1024.0)
#define THREADS_TOLERATED 4u   /* pools that start when they are first needed */
#define CURVE_POINTS_MAX  600u /* of the JSON: each the highest of what it stands for */
#define P99_PER_MILLION   990000u
#define REFUSED_PART_MIN  1000u /* one of so many of the honest's messages may be refused */
#define LAG_MS_MAX        10u   /* later than that at p99, we cannot judge latency */

static double mib_of(uint64_t bytes)
{
    return (double)bytes / MIB;
}

/* ---- The honest. ---- */

static const char *tally_words(enum bench_tally_id id, bool *out_is_fault)
{
    static const struct {
        const char *words;
        bool is_fault;
    } tallies[BENCH_TALLIES_COUNT] = {
#define TALLY(id, key, words, is_fault) [BENCH_TALLY_##id] = {words, is_fault},
        BENCH_TALLY_LIST(TALLY)
#undef TALLY
    };
    *out_is_fault = tallies[id].is_fault;
    return tallies[id].words;
}

static const char *tally_key(enum bench_tally_id id)
{
    static const char *const keys[BENCH_TALLIES_COUNT] = {
#define TALLY(id, key, words, is_fault) [BENCH_TALLY_##id] = (key),
        BENCH_TALLY_LIST(TALLY)
#undef TALLY
    };
    return keys[id];
}

/* A full disk says no to everybody. When everything comes at once, a server whose memory is full
 * may say so to the honest, too, but not often. */
static bool is_refusal_forgiven(const struct soak_part *part)
{
    const bool is_everything = (part->scenarios & (part->scenarios - 1)) != 0;
    const uint64_t *counts = part->seen.counts;
    return part->may_refuse || (is_everything && counts[BENCH_TALLY_REFUSED] * REFUSED_PART_MIN <=
                                                     counts[BENCH_TALLY_SENT]);
}

static void judge_honest(struct bench_report *report, const struct soak_part *part)
{
    for (uint32_t i = 0; i < BENCH_TALLIES_COUNT; i++) {
        bool is_fault = false;
        const char *words = tally_words((enum bench_tally_id)i, &is_fault);
        const uint64_t count = part->seen.counts[i];
        const bool is_forgiven = i == BENCH_TALLY_REFUSED && is_refusal_forgiven(part);
        if (count == 0 || (!is_fault && i > BENCH_TALLY_DELIVERED)) {
            continue;
        }
        bench_report_count(report, tally_key((enum bench_tally_id)i), words, count);
        if (is_fault && !is_forgiven) {
            bench_report_fault(report, "%s: the honest: %llu %s", part->name,
                               (unsigned long long)count, words);
        }
    }
    if (part->seen.ends_count > 0) {
        bench_report_fault(report, "%s: the honest: %llu connections ended", part->name,
                           (unsigned long long)part->seen.ends_count);
    }
    if (part->seen.login_failed_count > 0) {
        bench_report_fault(report, "%s: the honest could not log in", part->name);
    }
}

static void judge_latency(struct bench_report *report, const struct soak_options *options,
                          const struct soak_part *part)
{
    const uint64_t p99_ns = histogram_percentile_ns(&part->seen.deliveries, P99_PER_MILLION);
    const uint64_t lag_ns = histogram_percentile_ns(&part->seen.lags, P99_PER_MILLION);
    bench_report_latency_columns(report, "");
    bench_report_latency(report, "deliveries", "the honest, from intended to received",
                         &part->seen.deliveries);
    bench_report_latency(report, "lags", "of that, ours: from intended to sent", &part->seen.lags);
    if (part->is_lagging || p99_ns <= options->p99_ms * 1000000ULL) {
        return;
    }
    if (lag_ns > LAG_MS_MAX * 1000000ULL) {
        bench_report_remark(report, "latency is not judged: we had no core to send in time");
        return;
    }
    bench_report_fault(report, "%s: the honest: p99 %.1f ms", part->name, (double)p99_ns / 1e6);
}

/* ---- Memory. ---- */

static void judge_trend(struct bench_report *report, const struct soak_options *options,
                        struct soak_part *part, struct budget *budget)
{
    const struct soak_cycles cycles = {
        .values = part->rss_bytes,
        .count = part->cycles_count,
        .unsettled_count = part->unsettled_count,
        .rest_s = options->rest_s,
    };
    part->has_trend = soak_trend(&cycles, budget, &part->trend) == ERR_OK;
    if (!part->has_trend) {
        return;
    }
    const struct soak_trend *trend = &part->trend;
    bench_report_remark(report, "over %u equal cycles: %+.2f MiB a cycle, tau %+.2f",
                        trend->cycles_count, (double)trend->slope / MIB,
                        trend->tau_per_mille / 1000.0);
    if (trend->is_growing) {
        bench_report_fault(report, "%s: RSS grows: %+.2f MiB a cycle over %u cycles", part->name,
                           (double)trend->slope / MIB, trend->cycles_count);
    }
}

static void judge_back(struct bench_report *report, const struct soak_options *options,
                       const struct soak_part *part)
{
    if (!part->is_back_judged) {
        return;
    }
    if (part->back_ms != SOAK_NEVER) {
        bench_report_time(report, "back_us", "until RSS was back", part->back_ms * 1000ULL);
        return;
    }
    bench_report_fault(report, "%s: RSS is %.1f MiB after %u s, not within %u %% of %.1f MiB",
                       part->name, mib_of(part->rss_bytes_after), options->back_s,
                       options->back_percent, mib_of(part->rss_bytes_back));
}

static void judge_memory(struct bench_report *report, const struct soak_options *options,
                         struct soak_part *part, struct budget *budget)
{
    bench_report_bytes(report, "rss_before_bytes", "RSS before", part->rss_bytes_before);
    bench_report_bytes(report, "rss_peak_bytes", "RSS at its highest", part->rss_bytes_peak);
    bench_report_bytes(report, "rss_after_bytes", "RSS afterwards", part->rss_bytes_after);
    if (options->budget_mib > 0 && part->rss_bytes_peak > (uint64_t)options->budget_mib << 20) {
        bench_report_fault(report, "%s: RSS %.1f MiB is above the budget of %u MiB", part->name,
                           mib_of(part->rss_bytes_peak), options->budget_mib);
    }
    judge_back(report, options, part);
    judge_trend(report, options, part, budget);
}

static void judge_holdings(struct bench_report *report, const struct soak_part *part)
{
    bench_report_count(report, "sockets_before", "sockets before", part->before.sockets_count);
    bench_report_count(report, "sockets_after", "sockets afterwards", part->after.sockets_count);
    bench_report_count(report, "descriptors_after", "descriptors afterwards",
                       part->after.descriptors_count);
    bench_report_count(report, "threads_after", "threads afterwards", part->after.threads_count);
    if (part->after.sockets_count > part->before.sockets_count) {
        bench_report_fault(report, "%s: %u sockets are left over", part->name,
                           part->after.sockets_count - part->before.sockets_count);
    }
    if (part->after.threads_count > part->before.threads_count + THREADS_TOLERATED) {
        bench_report_fault(report, "%s: %u threads, before %u", part->name,
                           part->after.threads_count, part->before.threads_count);
    }
}

/* ---- The attack. ---- */

static void report_scores(struct bench_report *report, const struct soak_part *part)
{
    static const struct {
        const char *key;
        const char *words;
    } counts[SOAK_COUNTS_COUNT] = {
#define COUNT(id, key, words) {key, words},
        SOAK_COUNT_LIST(COUNT)
#undef COUNT
    };
    for (uint32_t i = 0; i < SOAK_COUNTS_COUNT; i++) {
        uint64_t sum = 0;
        for (uint32_t k = 0; k < soak_scenarios_count; k++) {
            sum += atomic_load(&part->scores[k].counts[i]);
        }
        if (sum > 0) {
            bench_report_count(report, counts[i].key, counts[i].words, sum);
        }
    }
    for (uint32_t k = 0; k < soak_scenarios_count; k++) {
        const uint32_t failure = atomic_load(&part->scores[k].failure);
        if (failure != ERR_OK) {
            bench_report_fault(report, "%s: could not be played: %s", soak_scenarios[k].name,
                               err_name((enum err)failure));
        }
    }
}

void soak_verdict_part(struct bench_report *report, const struct soak_options *options,
                       struct soak_part *part, struct budget *budget)
{
    char heading[BENCH_REPORT_TEXT_MAX];
    snprintf(heading, sizeof(heading), "%s: %s", part->name, part->words);
    bench_report_begin(report, part->name, heading);
    bench_report_count(report, "cycles", "cycles", part->cycles_count);
    bench_report_begin(report, "attack", "");
    report_scores(report, part);
    bench_report_end(report);
    bench_report_begin(report, "honest", "");
    judge_honest(report, part);
    judge_latency(report, options, part);
    bench_report_end(report);
    if (options->pid > 0) {
        judge_memory(report, options, part, budget);
        judge_holdings(report, part);
    }
    bench_report_end(report);
}

/* ---- The run. ---- */

static void report_curve(struct bench_report *report, const struct soak_watch *watch)
{
    const uint64_t count = watch->samples.count;
    const uint64_t step = count / CURVE_POINTS_MAX + 1;
    json_text_key(&report->json, "curve_ms_kib");
    json_text_array_begin(&report->json);
    for (uint64_t i = 0; i < count; i += step) {
        struct soak_sample highest = {.rss_kib = 0};
        for (uint64_t k = i; k < i + step && k < count; k++) {
            const struct soak_sample *sample = bench_series_at(&watch->samples, k);
            highest = sample->rss_kib >= highest.rss_kib ? *sample : highest;
        }
        json_text_array_begin(&report->json);
        json_text_unsigned(&report->json, highest.at_ms);
        json_text_unsigned(&report->json, highest.rss_kib);
        json_text_array_end(&report->json);
    }
    json_text_array_end(&report->json);
}

void soak_verdict_run(struct bench_report *report, const struct soak_options *options,
                      const struct soak_stage *stage)
{
    bench_report_begin(report, "run", "all of it");
    if (options->pid > 0 && !stage->is_gone) {
        const uint64_t bytes = soak_watch_rss_bytes_highest(stage->watch);
        bench_report_bytes(report, "rss_highest_bytes", "RSS at its highest, by the kernel", bytes);
        if (options->budget_mib > 0 && bytes > (uint64_t)options->budget_mib << 20) {
            bench_report_fault(report, "the kernel saw RSS at %.1f MiB, above the budget of %u MiB",
                               mib_of(bytes), options->budget_mib);
        }
    }
    if (stage->is_gone) {
        bench_report_fault(report, "%s: the server's process ended", stage->playing);
    }
    report_curve(report, stage->watch);
    bench_report_end(report);
}
