#include "cli/bench_group.h"
#include "cli/bench_scenario.h"
#include "cli/bench_traffic.h"
#include "system/clock.h"

#define NS_PER_S 1000000000ULL

/*
 * What a server does all day, at once: pairs chat, groups chat, others are connected and silent but
 * for their PINGs, and some of the silent ones go and come again all the time. Clients: the pairs,
 * then the groups, then the silent.
 */
struct mixed {
    struct bench_run *run;
    struct bench_traffic traffic;
    uint32_t first_silent;
    uint32_t next_ping; /* of the silent */
    uint32_t next_gone; /* of the silent */
    uint64_t ticks_count;
    uint64_t pings_count;
    uint64_t comings_count; /* silent clients that went and came again */
    uint64_t failed_count;
};

uint32_t bench_mixed_clients_count(const struct bench_options *options)
{
    return 2 * options->pairs_count + options->groups_count * bench_group_online_count(options) +
           options->clients_count;
}

/* Between two messages of groups there are as many of pairs as there are pairs to a group. */
static void add_senders(struct mixed *mixed)
{
    struct bench_run *run = mixed->run;
    struct bench_traffic *traffic = &mixed->traffic;
    const uint32_t pairs = run->options.pairs_count;
    const uint32_t in_groups = run->options.groups_count * run->options.senders_count;
    const struct bench_group_place first = {.group = pairs, .client = 2 * pairs};
    uint32_t added = 0;
    for (uint32_t pair = 0; pair < pairs; pair++) {
        bench_traffic_add_sender(traffic, pair, 2 * pair, run->engine.clients[2 * pair + 1].uid);
        const uint32_t due = (uint32_t)((uint64_t)in_groups * (pair + 1) / pairs);
        for (; added < due; added++) {
            const struct bench_group_place place = {
                .group = added % run->options.groups_count,
                .client = added / run->options.groups_count,
            };
            bench_group_add_sender(run, traffic, &first, place);
        }
    }
}

static void set_up(struct mixed *mixed)
{
    struct bench_traffic *traffic = &mixed->traffic;
    for (uint32_t pair = 0; pair < mixed->run->options.pairs_count; pair++) {
        const uint32_t channel = bench_traffic_add_channel(traffic, PACKET_CHANNEL_PERSON);
        bench_traffic_join(traffic, channel, 2 * pair);
        bench_traffic_join(traffic, channel, 2 * pair + 1);
    }
    bench_group_join(mixed->run, traffic, 2 * mixed->run->options.pairs_count);
    add_senders(mixed);
}

/* ---- The silent. ---- */

/* So many of `per_s` a second as fall into this tick. */
static uint64_t due_in_tick(const struct mixed *mixed, uint64_t per_s)
{
    const uint64_t ticks = mixed->ticks_count;
    return (ticks + 1) * per_s * BENCH_TICK_MS / 1000 - ticks * per_s * BENCH_TICK_MS / 1000;
}

static struct bench_client *silent(const struct mixed *mixed, uint32_t n)
{
    struct bench_engine *engine = &mixed->run->engine;
    return &engine->clients[mixed->first_silent + n % mixed->run->options.clients_count];
}

static void ping(struct mixed *mixed)
{
    struct bench_client *client = silent(mixed, mixed->next_ping++);
    if (client->state == BENCH_CLIENT_ONLINE &&
        bench_client_ping(&mixed->run->engine, client) == ERR_OK) {
        mixed->pings_count++;
    }
}

static void come_again(struct mixed *mixed)
{
    struct bench_engine *engine = &mixed->run->engine;
    struct bench_client *client = silent(mixed, mixed->next_gone++);
    if (client->state != BENCH_CLIENT_ONLINE && client->state != BENCH_CLIENT_FREE) {
        return; /* it is still coming from the last time */
    }
    bench_client_close(engine, client);
    mixed->comings_count++;
    if (bench_client_open(engine, client) != ERR_OK) {
        mixed->failed_count++;
    }
}

static void on_tick(struct bench_engine *engine)
{
    struct mixed *mixed = engine->scenario;
    const struct bench_options *options = engine->options;
    if (options->clients_count > 0) {
        const uint64_t pings = due_in_tick(mixed, options->clients_count / options->ping_s);
        for (uint64_t i = 0; i < pings; i++) {
            ping(mixed);
        }
        const bool is_over = clock_now_ns() >= mixed->traffic.end_ns;
        const uint64_t comings = due_in_tick(mixed, options->comings_rate);
        for (uint64_t i = 0; i < comings && !is_over; i++) {
            come_again(mixed);
        }
        mixed->ticks_count++;
        bench_engine_flush(engine);
    }
    bench_traffic_on_tick(&mixed->traffic);
}

static void on_sendack(struct bench_engine *engine, struct bench_client *client,
                       const struct packet_sendack *sendack)
{
    struct mixed *mixed = engine->scenario;
    (void)bench_traffic_on_sendack(&mixed->traffic, client, sendack);
}

static void on_recv(struct bench_engine *engine, struct bench_client *client,
                    const struct packet_recv *recv)
{
    struct mixed *mixed = engine->scenario;
    bench_traffic_on_recv(&mixed->traffic, client, recv);
}

static const struct bench_handler handler = {
    .on_sendack = on_sendack,
    .on_recv = on_recv,
    .on_tick = on_tick,
};

/* ---- The run. ---- */

static void report(struct mixed *mixed)
{
    struct bench_report *out = &mixed->run->report;
    const struct bench_engine *engine = &mixed->run->engine;
    bench_report_begin(out, "silent", "the others");
    bench_report_count(out, "online", "online at the end, all in all", engine->online_count);
    bench_report_count(out, "pings", "PINGs", mixed->pings_count);
    bench_report_count(out, "pongs", "PONGs", engine->pongs_count);
    bench_report_count(out, "comings", "went and came again", mixed->comings_count);
    bench_report_latency_columns(out, "");
    bench_report_latency(out, "login", "SYN to CONNACK, since the start", &engine->logins);
    bench_report_end(out);
    if (mixed->failed_count > 0 || engine->online_count < engine->clients_count) {
        bench_report_fault(out, "%u of %u clients are online at the end", engine->online_count,
                           engine->clients_count);
    }
}

/* Who went last is still on the way when the sending ends. */
static void wait_until_all_are_back(struct bench_engine *engine)
{
    const uint64_t end_ns = clock_now_ns() + engine->options->drain_s * NS_PER_S;
    while (engine->online_count < engine->clients_count && clock_now_ns() < end_ns) {
        bench_engine_turn(engine, end_ns);
    }
}

static enum err run(struct mixed *mixed)
{
    struct bench_run *bench = mixed->run;
    const uint32_t pairs = bench->options.pairs_count;
    set_up(mixed);
    bench->engine.scenario = mixed;
    bench->engine.handler = &handler;
    const struct bench_group_place first = {.group = pairs, .client = 2 * pairs};
    enum err err = bench_group_make(bench, &mixed->traffic, first);
    if (err == ERR_OK) {
        err = bench_run_login(bench, 0, bench->engine.clients_count);
    }
    if (err == ERR_OK) {
        err = bench_traffic_run(&mixed->traffic);
    }
    if (err == ERR_OK) {
        wait_until_all_are_back(&bench->engine);
        report(mixed);
        bench_traffic_report(&mixed->traffic, &bench->report);
    }
    return err;
}

enum err bench_mixed_run(struct bench_run *bench)
{
    const struct bench_options *options = &bench->options;
    const uint32_t in_groups = options->groups_count * bench_group_online_count(options);
    const struct bench_traffic_size size = {
        .channels_count = options->pairs_count + options->groups_count,
        .inboxes_count = 2 * options->pairs_count + in_groups,
        .senders_count = options->pairs_count + options->groups_count * options->senders_count,
    };
    struct mixed mixed = {.run = bench, .first_silent = 2 * options->pairs_count + in_groups};
    enum err err = bench_traffic_open(&mixed.traffic, &bench->engine, &bench->watch, &size);
    if (err == ERR_OK) {
        err = run(&mixed);
        bench_traffic_close(&mixed.traffic);
    }
    return err;
}
