#include "cli/bench_scenario.h"
#include "cli/bench_traffic.h"

uint32_t bench_person_clients_count(const struct bench_options *options)
{
    return options->pairs_count * 2;
}

/* Client 2n writes to client 2n + 1, which answers if it is told to. */
static void set_up(struct bench_run *run, struct bench_traffic *traffic)
{
    for (uint32_t pair = 0; pair < run->options.pairs_count; pair++) {
        const uint32_t first = 2 * pair;
        const uint32_t channel = bench_traffic_add_channel(traffic, PACKET_CHANNEL_PERSON);
        bench_traffic_join(traffic, channel, first);
        bench_traffic_join(traffic, channel, first + 1);
        bench_traffic_add_sender(traffic, channel, first, run->engine.clients[first + 1].uid);
        if (run->options.is_both_ways) {
            bench_traffic_add_sender(traffic, channel, first + 1, run->engine.clients[first].uid);
        }
    }
}

enum err bench_person_run(struct bench_run *run)
{
    const uint32_t pairs_count = run->options.pairs_count;
    const struct bench_traffic_size size = {
        .channels_count = pairs_count,
        .inboxes_count = 2 * pairs_count,
        .senders_count = run->options.is_both_ways ? 2 * pairs_count : pairs_count,
    };
    struct bench_traffic traffic;
    enum err err = bench_traffic_open(&traffic, &run->engine, &run->watch, &size);
    if (err != ERR_OK) {
        return err;
    }
    set_up(run, &traffic);
    run->engine.scenario = &traffic;
    run->engine.handler = &bench_traffic_handler;
    err = bench_run_login(run, 0, run->engine.clients_count);
    if (err == ERR_OK) {
        err = bench_traffic_run(&traffic);
    }
    if (err == ERR_OK) {
        bench_traffic_report(&traffic, &run->report);
    }
    bench_traffic_close(&traffic);
    return err;
}
