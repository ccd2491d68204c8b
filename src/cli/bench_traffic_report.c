#include "cli/bench_traffic.h"

#include "wire/packet.h"

#define US_PER_S 1000000ULL

static void report_latencies(const struct bench_traffic *traffic, struct bench_report *report)
{
    const bool is_open_loop = traffic->engine->options->window == 0;
    bench_report_begin(report, "latency",
                       is_open_loop ? "latency, from the intended time"
                                    : "latency, from the time the window opened");
    bench_report_latency_columns(report, "");
    bench_report_latency(report, "sendack", "SEND to SENDACK", &traffic->acks);
    bench_report_latency(report, "recv", "SEND to RECV, all deliveries", &traffic->deliveries);
    bench_report_end(report);
    bench_report_curve_of(report, "SENDACK", &traffic->acks);
    bench_report_curve_of(report, "RECV", &traffic->deliveries);
}

static void report_reasons(const struct bench_traffic *traffic, struct bench_report *report)
{
    bench_report_begin(report, "refusals", "");
    for (uint32_t i = 0; i < BENCH_REASONS_COUNT; i++) {
        const uint64_t measured_and_all[2] = {
            traffic->measured.reasons[i],
            traffic->measured.reasons[i] + traffic->warmup.reasons[i],
        };
        if (measured_and_all[1] > 0 && i != PACKET_REASON_SUCCESS) {
            const char *name = packet_reason_name((uint8_t)i);
            char words[BENCH_REPORT_TEXT_MAX];
            snprintf(words, sizeof(words), "refused with %u, %s", i, name);
            bench_report_tally(report, name, words, measured_and_all);
        }
    }
    bench_report_end(report);
}

static void report_tallies(const struct bench_traffic *traffic, struct bench_report *report)
{
    struct row {
        const char *key;
        const char *words;
        bool is_fault;
    };
    static const struct row rows[BENCH_TALLIES_COUNT] = {
#define TALLY(id, key, words, is_fault) [BENCH_TALLY_##id] = {key, words, is_fault},
        BENCH_TALLY_LIST(TALLY)
#undef TALLY
    };
    bench_report_begin(report, "messages", "messages");
    bench_report_tally_columns(report, "");
    for (uint32_t i = 0; i < BENCH_TALLIES_COUNT; i++) {
        const enum bench_tally_id id = (enum bench_tally_id)i;
        const uint64_t measured_and_all[2] = {traffic->measured.counts[i],
                                              bench_traffic_total(traffic, id)};
        bench_report_tally(report, rows[i].key, rows[i].words, measured_and_all);
        if (rows[i].is_fault && measured_and_all[1] > 0) {
            bench_report_fault(report, "%llu %s", (unsigned long long)measured_and_all[1],
                               rows[i].words);
        }
    }
    bench_report_end(report);
    if (bench_traffic_total(traffic, BENCH_TALLY_REFUSED) > 0) {
        report_reasons(traffic, report);
    }
    if (traffic->measured.counts[BENCH_TALLY_ACKED] == 0) {
        bench_report_fault(report, "nothing was acknowledged: nothing was measured");
    }
}

static uint64_t per_second(uint64_t count, uint64_t begin_ns, uint64_t end_ns)
{
    const uint64_t span_us = end_ns > begin_ns ? (end_ns - begin_ns) / 1000 : 0;
    return span_us > 0 ? count * US_PER_S / span_us : 0;
}

static void report_rates(const struct bench_traffic *traffic, struct bench_report *report)
{
    const uint64_t *counts = traffic->measured.counts;
    bench_report_begin(report, "rate", "rate");
    bench_report_count(report, "acked_per_s", "acknowledged, per second of sending",
                       per_second(counts[BENCH_TALLY_ACKED], traffic->measure_ns, traffic->end_ns));
    const uint64_t end_ns =
        traffic->last_delivery_ns > traffic->end_ns ? traffic->last_delivery_ns : traffic->end_ns;
    bench_report_count(report, "delivered_per_s", "delivered, per second until the last",
                       per_second(counts[BENCH_TALLY_DELIVERED], traffic->measure_ns, end_ns));
    bench_report_end(report);
}

void bench_traffic_report(const struct bench_traffic *traffic, struct bench_report *report)
{
    const uint64_t *counts = traffic->measured.counts;
    const struct bench_work works[] = {
        {.count = counts[BENCH_TALLY_SENT], .words = "messages sent", .key = "sends"},
        {.count = counts[BENCH_TALLY_DELIVERED], .words = "deliveries", .key = "deliveries"},
    };
    if (traffic->steps.count > 0) {
        bench_steps_report(&traffic->steps, traffic->engine->options->p99_ms, report);
    }
    report_latencies(traffic, report);
    report_rates(traffic, report);
    report_tallies(traffic, report);
    bench_watch_report_server(traffic->watch, report, works, COUNT_OF(works));
    bench_watch_report_generator(traffic->watch, report, &works[0], &traffic->lags,
                                 &traffic->deliveries);
}
