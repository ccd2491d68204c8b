#include "cli/soak_honest.h"

#include "cli/bench_receipt.h"

#include <stdio.h>

#define WARMUP_S       1u
#define CONNECTING_MAX 4u
#define PROTOCOL       5u
#define CLIENTS_COUNT  (2 * SOAK_HONEST_PAIRS)

struct honest {
    struct bench_options options;
    struct bench_engine engine;
    struct bench_watch watch;
    struct bench_traffic traffic;
    struct bench_handler handler;
    const struct soak_meanwhile *meanwhile;
    bool has_begun;
};

static void on_tick(struct bench_engine *engine)
{
    struct bench_traffic *traffic = engine->scenario;
    struct honest *honest = CONTAINER_OF(traffic, struct honest, traffic);
    if (!honest->has_begun && traffic->end_ns > 0) {
        honest->has_begun = true;
        honest->meanwhile->on_begin(honest->meanwhile->context, traffic->end_ns);
    }
    honest->meanwhile->on_tick(honest->meanwhile->context);
}

/* Client 2n and client 2n + 1 write to each other. */
static void set_up(struct honest *honest)
{
    struct bench_traffic *traffic = &honest->traffic;
    const struct bench_client *clients = honest->engine.clients;
    for (uint32_t first = 0; first < CLIENTS_COUNT; first += 2) {
        const uint32_t channel = bench_traffic_add_channel(traffic, PACKET_CHANNEL_PERSON);
        bench_traffic_join(traffic, channel, first);
        bench_traffic_join(traffic, channel, first + 1);
        bench_traffic_add_sender(traffic, channel, first, clients[first + 1].uid);
        bench_traffic_add_sender(traffic, channel, first + 1, clients[first].uid);
    }
}

static void add_up(const struct honest *honest, struct soak_seen *seen)
{
    for (uint32_t i = 0; i < BENCH_TALLIES_COUNT; i++) {
        seen->counts[i] += bench_traffic_total(&honest->traffic, (enum bench_tally_id)i);
    }
    for (uint32_t i = 0; i < BENCH_ENDS_COUNT; i++) {
        seen->ends_count += honest->engine.ends[i];
    }
    histogram_merge(&seen->deliveries, &honest->traffic.deliveries);
    histogram_merge(&seen->lags, &honest->traffic.lags);
}

static enum err talk(struct honest *honest, struct soak_seen *seen)
{
    const struct bench_traffic_size size = {
        .channels_count = SOAK_HONEST_PAIRS,
        .inboxes_count = CLIENTS_COUNT,
        .senders_count = CLIENTS_COUNT,
    };
    enum err err = bench_traffic_open(&honest->traffic, &honest->engine, &honest->watch, &size);
    if (err != ERR_OK) {
        return err;
    }
    honest->handler = bench_traffic_handler;
    honest->handler.on_tick = on_tick;
    honest->engine.handler = &honest->handler;
    honest->engine.scenario = &honest->traffic;
    set_up(honest);
    if (bench_engine_login(&honest->engine, 0, CLIENTS_COUNT) != ERR_OK) {
        seen->login_failed_count++;
    } else {
        memset(honest->engine.ends, 0, sizeof(honest->engine.ends)); /* from now on nobody goes */
        err = bench_traffic_run(&honest->traffic);
        add_up(honest, seen);
    }
    bench_traffic_close(&honest->traffic);
    return err;
}

enum err soak_honest_run(const struct soak_options *options, uint32_t run, uint32_t seconds,
                         const struct soak_meanwhile *meanwhile, struct soak_seen *seen)
{
    static struct honest honest; /* large, and there is one at a time */
    honest = (struct honest){
        .options = {.tcp_address = options->tcp_address,
                    .protocol = PROTOCOL,
                    .connecting_max = CONNECTING_MAX,
                    .payload_bytes = SOAK_PAYLOAD_BYTES / 4,
                    .rate = SOAK_HONEST_RATE,
                    .warmup_s = WARMUP_S,
                    .measure_s = seconds,
                    .drain_s = options->drain_s,
                    .is_verifying = true,
                    .is_quiet = true,
                    .run = run},
        .meanwhile = meanwhile,
    };
    enum err err = bench_engine_open(&honest.engine, &honest.options, CLIENTS_COUNT);
    if (err != ERR_OK) {
        return err;
    }
    err = bench_watch_open(&honest.watch, &honest.engine);
    if (err == ERR_OK) {
        err = talk(&honest, seen);
        bench_watch_close(&honest.watch);
    }
    bench_engine_close(&honest.engine);
    return err;
}
