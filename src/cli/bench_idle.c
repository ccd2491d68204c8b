#include "cli/bench_scenario.h"
#include "system/clock.h"

#define NS_PER_S  1000000000ULL
#define SETTLE_MS 1000u /* for what a server still does about a login, and for the last PONGs */

struct idle {
    struct bench_run *run;
    uint64_t start_ns; /* when the holding began */
    uint64_t pings_count;
};

uint32_t bench_idle_clients_count(const struct bench_options *options)
{
    return options->clients_count;
}

static void on_tick(struct bench_engine *engine)
{
    const struct idle *idle = engine->scenario;
    (void)bench_watch_sample(&idle->run->watch);
    if (bench_watch_wants_progress(&idle->run->watch)) {
        bench_watch_progress(&idle->run->watch, "online %u of %u  pings %llu", engine->online_count,
                             engine->clients_count, (unsigned long long)idle->pings_count);
    }
}

static const struct bench_handler handler = {.on_tick = on_tick};

/* The PINGs of all are spread over the time between two of one. */
static uint64_t ping_ns(const struct idle *idle, uint64_t index)
{
    const struct bench_options *options = &idle->run->options;
    const uint64_t round = index / options->clients_count;
    const uint64_t place = index % options->clients_count;
    const uint64_t span_ns = options->ping_s * NS_PER_S;
    return idle->start_ns + (round + 1) * span_ns + place * (span_ns / options->clients_count);
}

static enum err hold(struct idle *idle)
{
    struct bench_engine *engine = &idle->run->engine;
    const uint64_t end_ns = idle->start_ns + idle->run->options.measure_s * NS_PER_S;
    uint64_t now_ns = 0;
    while ((now_ns = clock_now_ns()) < end_ns) {
        uint64_t next_ns = ping_ns(idle, idle->pings_count);
        if (next_ns <= now_ns) {
            struct bench_client *client =
                &engine->clients[idle->pings_count++ % engine->clients_count];
            if (client->state == BENCH_CLIENT_ONLINE &&
                bench_client_ping(engine, client) != ERR_OK) {
                return ERR_BUDGET;
            }
            bench_engine_flush(engine);
            next_ns = ping_ns(idle, idle->pings_count);
        }
        bench_engine_turn(engine, next_ns < end_ns ? next_ns : end_ns);
    }
    return ERR_OK;
}

static void report(const struct idle *idle, uint64_t login_ns, uint64_t rss_bytes_online)
{
    struct bench_report *out = &idle->run->report;
    const struct bench_watch *watch = &idle->run->watch;
    const struct bench_engine *engine = &idle->run->engine;
    const uint64_t count = engine->clients_count;
    bench_report_begin(out, "idle", "idle connections");
    bench_report_count(out, "connections", "connections", engine->online_count);
    bench_report_time(out, "login_us", "until all were online", login_ns / 1000);
    bench_report_latency_columns(out, "");
    bench_report_latency(out, "login", "SYN to CONNACK", &engine->logins);
    bench_report_count(out, "pings", "PINGs", idle->pings_count);
    bench_report_count(out, "pongs", "PONGs", engine->pongs_count);
    if (watch->has_server) {
        const uint64_t begin = watch->rss_bytes_begin;
        const uint64_t online = rss_bytes_online > begin ? rss_bytes_online - begin : 0;
        const uint64_t held = watch->rss_bytes_end > begin ? watch->rss_bytes_end - begin : 0;
        bench_report_count(out, "online_bytes_per_connection",
                           "bytes of RSS per connection, after login", online / count);
        bench_report_count(out, "held_bytes_per_connection",
                           "bytes of RSS per connection, after holding", held / count);
    }
    bench_report_end(out);
    if (engine->pongs_count != idle->pings_count) {
        bench_report_fault(out, "%llu PINGs and %llu PONGs", (unsigned long long)idle->pings_count,
                           (unsigned long long)engine->pongs_count);
    }
    const struct bench_work work = {.count = count, .words = "connections held", .key = "held"};
    bench_watch_report_server(watch, out, &work, 1);
}

enum err bench_idle_run(struct bench_run *run)
{
    struct idle idle = {.run = run};
    struct bench_engine *engine = &run->engine;
    engine->scenario = &idle;
    engine->handler = &handler;
    const uint64_t begun_ns = clock_now_ns();
    enum err err = bench_run_login(run, 0, engine->clients_count);
    if (err != ERR_OK) {
        return err;
    }
    const uint64_t login_ns = clock_now_ns() - begun_ns;
    bench_engine_run_until(engine, clock_now_ns() + SETTLE_MS * 1000000ULL);
    const uint64_t rss_bytes_online = bench_watch_sample(&run->watch);
    bench_watch_mark_begin(&run->watch);
    idle.start_ns = clock_now_ns();
    err = hold(&idle);
    bench_watch_mark_end(&run->watch);
    bench_engine_run_until(engine, clock_now_ns() + SETTLE_MS * 1000000ULL);
    bench_watch_progress_end(&run->watch);
    if (err == ERR_OK) {
        report(&idle, login_ns, rss_bytes_online);
    }
    return err;
}
