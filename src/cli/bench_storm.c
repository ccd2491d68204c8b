#include "cli/bench_scenario.h"
#include "cli/bench_traffic.h"
#include "system/clock.h"

#include <stdio.h>

#define NS_PER_S      1000000000ULL
#define NS_PER_MS     1000000ULL
#define RETRY_MS      500u   /* a client that was refused or cut off tries again after that */
#define REVIEW_MS     10u    /* how often those who should try again are looked for */
#define LOGIN_MS_MAX  20000u /* an attempt that takes longer is given up */
#define STORM_S_MAX   120u   /* who is not back by then has failed */
#define RESTART_S_MAX 300u   /* so long we wait for the server to go, and then to come */

/*
 * Pairs chat; then all connections are gone at the same moment, and all come back at the same
 * moment; then they chat again. With --restart the server is ended by whoever runs it, and started
 * again; otherwise the clients let go.
 */
struct storm {
    struct bench_run *run;
    struct bench_traffic traffic;
    uint64_t *retry_ns; /* by client: when it may try again */
    uint64_t begin_ns;  /* when the first of all may try */
    uint64_t all_ns;    /* how long until the last was back; 0: it never was */
    uint64_t attempts_count;
    uint64_t server_cpu_us;
    bool is_storming;
    struct histogram backs; /* from the beginning to the CONNACK of each */
    struct histogram calm_deliveries;
};

uint32_t bench_storm_clients_count(const struct bench_options *options)
{
    return options->pairs_count * 2;
}

static void set_up(struct storm *storm)
{
    const struct bench_engine *engine = &storm->run->engine;
    for (uint32_t pair = 0; pair < storm->run->options.pairs_count; pair++) {
        const uint32_t first = 2 * pair;
        const uint32_t channel = bench_traffic_add_channel(&storm->traffic, PACKET_CHANNEL_PERSON);
        bench_traffic_join(&storm->traffic, channel, first);
        bench_traffic_join(&storm->traffic, channel, first + 1);
        bench_traffic_add_sender(&storm->traffic, channel, first, engine->clients[first + 1].uid);
    }
}

/* ---- The handler. ---- */

static void on_online(struct bench_engine *engine, struct bench_client *client)
{
    (void)client;
    struct storm *storm = engine->scenario;
    if (storm->is_storming) {
        histogram_add(&storm->backs, engine->now_ns - storm->begin_ns);
    }
}

static void on_sendack(struct bench_engine *engine, struct bench_client *client,
                       const struct packet_sendack *sendack)
{
    struct storm *storm = engine->scenario;
    (void)bench_traffic_on_sendack(&storm->traffic, client, sendack);
}

static void on_recv(struct bench_engine *engine, struct bench_client *client,
                    const struct packet_recv *recv)
{
    struct storm *storm = engine->scenario;
    bench_traffic_on_recv(&storm->traffic, client, recv);
}

static void on_end(struct bench_engine *engine, struct bench_client *client, enum bench_end end)
{
    (void)end; /* the engine counts them */
    struct storm *storm = engine->scenario;
    storm->retry_ns[client->index] = clock_now_ns() + RETRY_MS * NS_PER_MS;
}

static void on_tick(struct bench_engine *engine)
{
    struct storm *storm = engine->scenario;
    bench_traffic_on_tick(&storm->traffic);
}

static const struct bench_handler handler = {
    .on_online = on_online,
    .on_sendack = on_sendack,
    .on_recv = on_recv,
    .on_end = on_end,
    .on_tick = on_tick,
};

/* ---- The storm. ---- */

/* Until the server has ended all connections. ERR_AGAIN: it does not. */
static enum err wait_for_end(struct bench_engine *engine)
{
    const uint64_t end_ns = clock_now_ns() + RESTART_S_MAX * NS_PER_S;
    fprintf(stderr, "jingu bench: restart the server now\n");
    fflush(stderr);
    while (engine->online_count > 0) {
        const uint64_t now_ns = clock_now_ns();
        if (now_ns >= end_ns) {
            return ERR_AGAIN;
        }
        bench_engine_turn(engine, now_ns + REVIEW_MS * NS_PER_MS);
    }
    return ERR_OK;
}

/* Until the first client is let in; it is the only one that tries. */
static enum err wait_for_server(struct storm *storm)
{
    struct bench_engine *engine = &storm->run->engine;
    struct bench_client *scout = &engine->clients[0];
    const uint64_t end_ns = clock_now_ns() + RESTART_S_MAX * NS_PER_S;
    while (scout->state != BENCH_CLIENT_LOGGING_IN && scout->state != BENCH_CLIENT_ONLINE) {
        const uint64_t now_ns = clock_now_ns();
        if (now_ns >= end_ns) {
            return ERR_AGAIN;
        }
        if (scout->state == BENCH_CLIENT_FREE) {
            ERR_IGNORE(bench_client_open(engine, scout), "it is tried again");
        }
        bench_engine_turn(engine, now_ns + REVIEW_MS * NS_PER_MS);
    }
    return ERR_OK;
}

static void let_go(struct bench_engine *engine)
{
    for (uint32_t i = 0; i < engine->clients_count; i++) {
        bench_client_close(engine, &engine->clients[i]);
    }
}

/* Lets all try whose time has come, and gives up what takes too long. */
static void review(struct storm *storm)
{
    struct bench_engine *engine = &storm->run->engine;
    for (uint32_t i = 0; i < engine->clients_count; i++) {
        struct bench_client *client = &engine->clients[i];
        const uint64_t now_ns = clock_now_ns();
        if (client->state != BENCH_CLIENT_FREE && client->state != BENCH_CLIENT_ONLINE &&
            now_ns - client->began_ns > LOGIN_MS_MAX * NS_PER_MS) {
            bench_client_close(engine, client);
        }
        if (client->state == BENCH_CLIENT_FREE && storm->retry_ns[i] <= now_ns) {
            storm->attempts_count++;
            storm->retry_ns[i] = now_ns + RETRY_MS * NS_PER_MS;
            ERR_IGNORE(bench_client_open(engine, client), "it is tried again");
        }
    }
}

static void come_back(struct storm *storm)
{
    struct bench_engine *engine = &storm->run->engine;
    const uint64_t end_ns = storm->begin_ns + STORM_S_MAX * NS_PER_S;
    while (engine->online_count < engine->clients_count && clock_now_ns() < end_ns) {
        review(storm);
        bench_engine_turn(engine, clock_now_ns() + REVIEW_MS * NS_PER_MS);
    }
    if (engine->online_count == engine->clients_count) {
        storm->all_ns = clock_now_ns() - storm->begin_ns;
    }
}

static enum err break_loose(struct storm *storm)
{
    struct bench_engine *engine = &storm->run->engine;
    uint64_t calm_ends[BENCH_ENDS_COUNT]; /* before the storm nobody should go */
    memcpy(calm_ends, engine->ends, sizeof(calm_ends));
    enum err err = ERR_OK;
    if (storm->run->options.is_restarting) {
        err = wait_for_end(engine);
        if (err == ERR_OK) {
            err = wait_for_server(storm);
        }
    } else {
        let_go(engine);
    }
    if (err != ERR_OK) {
        return err;
    }
    storm->begin_ns = clock_now_ns();
    storm->is_storming = true;
    memset(storm->retry_ns, 0, engine->clients_count * sizeof(*storm->retry_ns));
    const uint64_t cpu_us = bench_watch_server_cpu_us(&storm->run->watch);
    come_back(storm);
    storm->server_cpu_us = bench_watch_server_cpu_us(&storm->run->watch) - cpu_us;
    storm->is_storming = false;
    memcpy(engine->ends, calm_ends, sizeof(engine->ends)); /* the others are part of the storm */
    return ERR_OK;
}

/* ---- The run. ---- */

/* The server has ended all connections before it was to: there are none left to let go. */
static bool is_server_gone(const struct storm *storm)
{
    return storm->run->engine.online_count == 0 && !storm->run->options.is_restarting;
}

/* The storm, and the traffic after it. */
static enum err go_on(struct storm *storm)
{
    enum err err = break_loose(storm);
    if (err == ERR_OK) {
        err = bench_traffic_pass(&storm->traffic, storm->traffic.rate);
    }
    return err;
}

static void report(struct storm *storm)
{
    struct bench_report *out = &storm->run->report;
    const uint32_t clients_count = storm->run->engine.clients_count;
    bench_report_begin(out, "storm", "all come back at once");
    bench_report_count(out, "clients", "clients", clients_count);
    bench_report_count(out, "attempts", "attempts", storm->attempts_count);
    bench_report_time(out, "all_us", "until the last was back", storm->all_ns / 1000);
    if (storm->run->watch.has_server && !storm->run->options.is_restarting) {
        bench_report_count(out, "cpu_us_per_login", "CPU of the server for each, microseconds",
                           storm->server_cpu_us / clients_count);
    }
    bench_report_latency_columns(out, "");
    bench_report_latency(out, "back", "from the beginning to CONNACK", &storm->backs);
    bench_report_latency(out, "recv_before", "SEND to RECV, before", &storm->calm_deliveries);
    bench_report_end(out);
    if (storm->all_ns == 0) {
        bench_report_fault(out, "%u of %u clients are back", storm->run->engine.online_count,
                           clients_count);
    }
    bench_traffic_report(&storm->traffic, out);
}

static enum err run(struct storm *storm)
{
    struct bench_run *bench = storm->run;
    struct bench_traffic *traffic = &storm->traffic;
    set_up(storm);
    bench->engine.scenario = storm;
    bench->engine.handler = &handler;
    bench->watch.deliveries = &traffic->deliveries;
    enum err err = bench_run_login(bench, 0, bench->engine.clients_count);
    if (err == ERR_OK) {
        err = bench_traffic_pass(traffic, traffic->rate);
    }
    if (err == ERR_OK) {
        storm->calm_deliveries = traffic->deliveries;
        err = is_server_gone(storm) ? ERR_OK : go_on(storm);
    }
    bench_watch_progress_end(&bench->watch);
    bench->watch.deliveries = NULL;
    if (err == ERR_OK) {
        bench_traffic_finish(traffic);
        report(storm);
    }
    return err;
}

enum err bench_storm_run(struct bench_run *bench)
{
    struct budget *budget = &bench->engine.budget;
    const uint32_t pairs_count = bench->options.pairs_count;
    const size_t retry_bytes = bench->engine.clients_count * sizeof(uint64_t);
    const struct bench_traffic_size size = {
        .channels_count = pairs_count,
        .inboxes_count = 2 * pairs_count,
        .senders_count = pairs_count,
    };
    struct storm storm = {
        .run = bench,
        .retry_ns = memory_acquire_zeroed(budget, MEMORY_RANK_READ, retry_bytes),
    };
    enum err err = storm.retry_ns != NULL ? ERR_OK : ERR_BUDGET;
    if (err == ERR_OK) {
        err = bench_traffic_open(&storm.traffic, &bench->engine, &bench->watch, &size);
    }
    if (err == ERR_OK) {
        err = run(&storm);
        bench_traffic_close(&storm.traffic);
    }
    memory_release(budget, storm.retry_ns, retry_bytes);
    return err;
}
