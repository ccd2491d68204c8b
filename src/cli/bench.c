#include "cli/bench_page.h"
#include "cli/bench_scenario.h"
#include "cli/commands.h"
#include "system/clock.h"
#include "system/machine.h"

#include <stdio.h>

#define NS_PER_S        1000000000ULL
#define EXIT_FAULTS     1
#define EXIT_UNMEASURED 2
#define COOL_S_IDLE     5u /* what idle connections leave behind is part of that scenario */

struct scenario {
    uint32_t (*clients_count)(const struct bench_options *options);
    enum err (*run)(struct bench_run *run);
};

static const struct scenario scenarios[BENCH_SCENARIOS_COUNT] = {
    [BENCH_SCENARIO_PERSON] = {bench_person_clients_count, bench_person_run},
    [BENCH_SCENARIO_GROUP] = {bench_group_clients_count, bench_group_run},
    [BENCH_SCENARIO_IDLE] = {bench_idle_clients_count, bench_idle_run},
    [BENCH_SCENARIO_CHURN] = {bench_churn_clients_count, bench_churn_run},
    [BENCH_SCENARIO_SYNC] = {bench_sync_clients_count, bench_sync_run},
    [BENCH_SCENARIO_STORM] = {bench_storm_clients_count, bench_storm_run},
    [BENCH_SCENARIO_MIXED] = {bench_mixed_clients_count, bench_mixed_run},
};

/* ---- Logging in. ---- */

static void say_login_failed(const struct bench_run *run, enum err err)
{
    const struct bench_engine *engine = &run->engine;
    fprintf(stderr, "jingu bench: not all clients could log in at %s: ", run->options.tcp);
    if (err != ERR_CLOSED) {
        fprintf(stderr, "%s\n", err_name(err));
        return;
    }
    for (uint32_t i = 0; i < BENCH_ENDS_COUNT; i++) {
        if (engine->ends[i] > 0) {
            fprintf(stderr, "%llu %s; ", (unsigned long long)engine->ends[i],
                    bench_end_name((enum bench_end)i));
        }
    }
    if (engine->ends[BENCH_END_REFUSED] > 0) {
        fprintf(stderr, "the reason is %u, %s; ", engine->refused_reason,
                packet_reason_name(engine->refused_reason));
    }
    fprintf(stderr, "%u are online\n", engine->online_count);
}

enum err bench_run_login(struct bench_run *run, uint32_t first, uint32_t count)
{
    struct bench_engine *engine = &run->engine;
    const enum err err = bench_engine_login(engine, first, count);
    bench_watch_progress_end(&run->watch);
    if (err != ERR_OK) {
        say_login_failed(run, err);
        return ERR_CLOSED;
    }
    const struct bench_client *client = &engine->clients[first];
    if (client->is_encrypted == run->options.is_plain) {
        fprintf(stderr, "jingu bench: the server %s\n",
                client->is_encrypted ? "encrypts; leave --plain out"
                                     : "does not encrypt; --plain if that is what you want");
        return ERR_CLOSED;
    }
    bench_report_begin(&run->report, "login", "login");
    bench_report_count(&run->report, "version", "protocol version, negotiated", client->version);
    bench_report_string(&run->report, "encryption", "encryption",
                        client->is_encrypted ? "on" : "off");
    bench_report_count(&run->report, "login_retries", "logins that had to be tried again",
                       engine->login_retries_count);
    bench_report_end(&run->report);
    memset(engine->ends, 0, sizeof(engine->ends)); /* from now on nobody should go */
    return ERR_OK;
}

/* ---- The report around the scenario's. ---- */

static void report_load(struct bench_report *report, const struct bench_options *options)
{
    if (options->scenario == BENCH_SCENARIO_IDLE) {
        return;
    }
    bench_report_count(report, "payload_bytes", "bytes of payload", options->payload_bytes);
    if (options->scenario == BENCH_SCENARIO_SYNC) {
        return;
    }
    if (options->window > 0) {
        bench_report_count(report, "window", "closed loop: open messages per sender",
                           options->window);
    } else {
        bench_report_count(report, "rate", "open loop: per second", options->rate);
    }
    if (options->bursts_hz > 0) {
        bench_report_count(report, "bursts_hz", "in so many bursts a second", options->bursts_hz);
    }
    bench_report_count(report, "warmup_s", "seconds of warm-up", options->warmup_s);
    bench_report_string(report, "verify", "contents verified",
                        options->is_verifying ? "yes" : "no");
}

static void report_groups(struct bench_report *report, const struct bench_options *options)
{
    bench_report_count(report, "groups", "groups", options->groups_count);
    bench_report_count(report, "members", "members of each", options->members_count);
    bench_report_count(report, "online_percent", "of them online, %", options->online_percent);
    bench_report_count(report, "senders", "senders in each", options->senders_count);
}

static void report_channels(struct bench_report *report, const struct bench_options *options)
{
    bench_report_count(report, "channels", "channels", options->channels_count);
    bench_report_count(report, "conversations", "of one user", options->conversations_count);
    bench_report_count(report, "depth", "messages written to each, before", options->depth);
    bench_report_count(report, "talk", "so many before the next has its turn", options->talk);
    bench_report_count(report, "limit", "messages of a page", options->limit);
    bench_report_count(report, "rate", "requests a second; 0: one after the other", options->rate);
}

static void report_clients(struct bench_report *report, const struct bench_options *options)
{
    switch (options->scenario) {
    case BENCH_SCENARIO_PERSON:
    case BENCH_SCENARIO_STORM:
        bench_report_count(report, "pairs", "pairs", options->pairs_count);
        return;
    case BENCH_SCENARIO_GROUP:
        report_groups(report, options);
        return;
    case BENCH_SCENARIO_IDLE:
        bench_report_count(report, "clients", "connections", options->clients_count);
        return;
    case BENCH_SCENARIO_CHURN:
        bench_report_count(report, "users", "users that take turns", options->users_count);
        return;
    case BENCH_SCENARIO_SYNC:
        report_channels(report, options);
        return;
    case BENCH_SCENARIO_MIXED:
        bench_report_count(report, "pairs", "pairs", options->pairs_count);
        report_groups(report, options);
        bench_report_count(report, "clients", "silent connections", options->clients_count);
        bench_report_count(report, "comings", "of them come again, a second",
                           options->comings_rate);
        return;
    case BENCH_SCENARIOS_COUNT:
        return;
    }
}

static void report_setup(struct bench_run *run)
{
    struct bench_report *report = &run->report;
    const struct bench_options *options = &run->options;
    struct machine_facts facts;
    machine_facts(&facts);
    bench_report_begin(report, "setup", bench_scenario_name(options->scenario));
    bench_report_string(report, "scenario", "scenario", bench_scenario_name(options->scenario));
    bench_report_string(report, "generator_version", "generator", "jingu " JINGU_VERSION);
    bench_report_string(report, "tcp", "server", options->tcp);
    bench_report_count(report, "cores", "cores of this machine", facts.cores_count);
    bench_report_count(report, "started_ms", "started, ms since 1970", clock_wall_ms());
    report_clients(report, options);
    report_load(report, options);
    bench_report_count(report, "seconds", "seconds measured", options->measure_s);
    bench_report_end(report);
}

static void report_ends(struct bench_run *run)
{
    bench_report_begin(&run->report, "ends", "");
    for (uint32_t i = 0; i < BENCH_ENDS_COUNT; i++) {
        const char *name = bench_end_name((enum bench_end)i);
        const uint64_t count = run->engine.ends[i];
        if (count > 0) {
            bench_report_count(&run->report, name, name, count);
            bench_report_fault(&run->report, "%llu connections ended: %s",
                               (unsigned long long)count, name);
        }
    }
    bench_report_end(&run->report);
}

/* All clients go; after a rest the server may have given back what they took. */
static void cool_down(struct bench_run *run)
{
    struct bench_engine *engine = &run->engine;
    uint32_t cool_s = run->options.cool_s;
    if (cool_s == 0 && run->options.scenario == BENCH_SCENARIO_IDLE) {
        cool_s = COOL_S_IDLE;
    }
    if (cool_s == 0 || !run->watch.has_server) {
        return;
    }
    for (uint32_t i = 0; i < engine->clients_count; i++) {
        bench_client_close(engine, &engine->clients[i]);
    }
    static const struct bench_handler nothing = {.on_tick = NULL};
    engine->handler = &nothing;
    bench_engine_run_until(engine, clock_now_ns() + cool_s * NS_PER_S);
    char words[BENCH_REPORT_TEXT_MAX];
    snprintf(words, sizeof(words), "RSS, %u s after all have gone", cool_s);
    bench_report_begin(&run->report, "afterwards", "afterwards");
    bench_report_bytes(&run->report, "rss_bytes", words, bench_watch_sample(&run->watch));
    bench_report_end(&run->report);
}

/* ---- The command. ---- */

static int conclude(struct bench_run *run)
{
    const struct bench_options *options = &run->options;
    report_ends(run);
    cool_down(run);
    const enum err err = bench_report_finish(&run->report, options->json_file);
    if (err != ERR_OK && err != ERR_DENIED) { /* denied: there were faults */
        fprintf(stderr, "jingu bench: cannot write %s\n", options->json_file);
        return EXIT_UNMEASURED;
    }
    if (options->html_file != NULL &&
        bench_page_write(&run->report, &run->watch.timeline, options->html_file) != ERR_OK) {
        fprintf(stderr, "jingu bench: cannot write %s\n", options->html_file);
        return EXIT_UNMEASURED;
    }
    return err == ERR_OK || options->is_tolerating ? 0 : EXIT_FAULTS;
}

static int measure(struct bench_run *run)
{
    enum err err = bench_report_open(&run->report, &run->engine.budget, stdout);
    if (err == ERR_OK) {
        report_setup(run);
        err = scenarios[run->options.scenario].run(run);
    }
    if (err != ERR_OK && err != ERR_CLOSED) { /* closed: it was said why */
        fprintf(stderr, "jingu bench: %s\n", err_name(err));
    }
    const int status = err == ERR_OK ? conclude(run) : EXIT_UNMEASURED;
    bench_report_close(&run->report);
    return status;
}

static int watch_and_measure(struct bench_run *run)
{
    if (bench_watch_open(&run->watch, &run->engine) != ERR_OK) {
        fprintf(stderr, "jingu bench: there is no process %u to look at\n", run->options.pid);
        return EXIT_UNMEASURED;
    }
    const int status = measure(run);
    bench_watch_close(&run->watch);
    return status;
}

int command_bench(int argc, char **argv)
{
    static struct bench_run run; /* large, and there is one per process */
    enum err err = bench_options_parse(argc - 1, argv + 1, &run.options);
    if (err != ERR_OK) {
        return err == ERR_ABSENT ? 0 : EXIT_UNMEASURED;
    }
    const uint32_t clients_count = scenarios[run.options.scenario].clients_count(&run.options);
    err = bench_engine_open(&run.engine, &run.options, clients_count);
    if (err != ERR_OK) {
        fprintf(stderr, "jingu bench: cannot have %u clients: %s\n", clients_count,
                err == ERR_LIMIT ? "this process may not have so many descriptors" : err_name(err));
        return EXIT_UNMEASURED;
    }
    const int status = watch_and_measure(&run);
    bench_engine_close(&run.engine);
    return status;
}
