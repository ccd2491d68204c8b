#include "cli/commands.h"

#include "base/assert.h"
#include "cli/bench_report.h"
#include "cli/soak_options.h"
#include "cli/soak_page.h"
#include "cli/soak_part.h"
#include "cli/soak_server.h"
#include "cli/soak_verdict.h"
#include "system/clock.h"
#include "system/crypto.h"
#include "system/machine.h"
#include "system/thread.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_S      1000000000ULL
#define EXIT_FAULTS   1
#define EXIT_UNPLAYED 2
#define PARTS_MAX     (SOAK_SCENARIOS_MAX + 2)
#define SPARKS_COUNT  40u
#define SPARK_MS      1000u
#define HONEST        "honest"
#define HONEST_WORDS  "the honest by themselves"

/* Everything, in one place: there is one run a process. */
struct soak {
    struct soak_options options;
    struct budget budget;
    struct soak_server server;
    struct soak_watch watch;
    struct soak_stage stage;
    struct bench_report report;
    struct soak_part parts[PARTS_MAX];
    uint32_t parts_count;
    enum soak_server_kind home; /* of our own server, where most is played */
    bool is_ours;               /* the server */
    bool is_honest_only;
    bool has_line; /* on the terminal */
    uint32_t spark_ms;
};

/* ---- The curve on the terminal. ---- */

static void draw_line(struct soak_stage *stage)
{
    static const char *const sparks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    struct soak *soak = CONTAINER_OF(stage, struct soak, stage);
    const uint32_t now_ms = soak_watch_now_ms(stage->watch);
    if (soak->options.is_quiet || isatty(STDERR_FILENO) != 1 ||
        now_ms < soak->spark_ms + SPARK_MS) {
        return;
    }
    soak->spark_ms = now_ms;
    soak->has_line = true;
    const struct bench_series *samples = &stage->watch->samples;
    const uint64_t per_spark = SPARK_MS / SOAK_SAMPLE_MS;
    uint64_t kib_max = (uint64_t)soak->options.budget_mib * 1024 + 1;
    kib_max = kib_max > 1 ? kib_max : stage->watch->rss_bytes_peak / 1024 + 1;
    fprintf(stderr, "\r\033[K%4u s  %-10s  ", now_ms / 1000, stage->playing);
    for (uint32_t i = SPARKS_COUNT; i > 0; i--) {
        if (samples->count >= i * per_spark) {
            const struct soak_sample *sample =
                bench_series_at(samples, samples->count - i * per_spark);
            const uint64_t level = sample->rss_kib * COUNT_OF(sparks) / kib_max;
            fputs(sparks[level < COUNT_OF(sparks) ? level : COUNT_OF(sparks) - 1], stderr);
        }
    }
    fprintf(stderr, "  %.1f MiB", (double)soak_watch_rss_bytes(stage->watch) / 1048576.0);
}

static void end_line(struct soak *soak)
{
    if (soak->has_line) {
        fputs("\r\033[K", stderr);
    }
    soak->has_line = false;
}

/* ---- What is played. ---- */

/* What the server that was given has not, and the scenario is about; or NULL. */
static const char *missing(const struct soak *soak, enum soak_server_kind kind)
{
    switch (kind) {
    case SOAK_SERVER_PLAIN:
        return NULL;
    case SOAK_SERVER_HOOK:
        return soak->options.hook != NULL ? NULL : "no --hook";
    case SOAK_SERVER_SMALL_DISK:
        return soak->options.own_disk != NULL ? NULL : "no --disk";
    case SOAK_SERVER_STALLING_DISK:
        return "only on a server that is started here";
    }
    UNREACHABLE();
}

/* Why a scenario cannot be played, or NULL. */
static const char *obstacle(const struct soak *soak, const struct soak_scenario *scenario)
{
    if ((scenario->needs & SOAK_NEEDS_WS) != 0 && soak->options.ws == NULL) {
        return "no --ws";
    }
    if ((scenario->needs & SOAK_NEEDS_HTTP) != 0 && soak->options.http == NULL) {
        return "no --http";
    }
    if (!soak->is_ours) {
        return missing(soak, scenario->server);
    }
    if (scenario->server != SOAK_SERVER_PLAIN && scenario->server != SOAK_SERVER_HOOK &&
        geteuid() != 0) {
        return "only root can make such a disk";
    }
    return NULL;
}

static uint32_t add_part(struct soak *soak, const struct soak_part *part)
{
    soak->parts[soak->parts_count] = *part;
    return soak->parts_count++;
}

/* Or else it needs a server of its own kind. */
static bool is_at_home(const struct soak *soak, const struct soak_part *part)
{
    return part->server == SOAK_SERVER_PLAIN || part->server == soak->home;
}

static void add_scenario(struct soak *soak, uint32_t index, uint32_t *inout_all)
{
    const struct soak_scenario *scenario = &soak_scenarios[index];
    const struct soak_part part = {
        .name = scenario->name,
        .words = scenario->words,
        .scenarios = 1u << index,
        .may_refuse = scenario->may_refuse,
        .is_lagging = scenario->may_refuse,
        .server = soak->is_ours ? scenario->server : SOAK_SERVER_PLAIN,
    };
    const char *why_not = obstacle(soak, scenario);
    if (why_not != NULL) {
        printf("left out: %s: %s\n", scenario->name, why_not);
        return;
    }
    if (is_at_home(soak, &part)) {
        *inout_all |= part.scenarios;
    }
    if (!soak->options.is_together || !is_at_home(soak, &part)) {
        add_part(soak, &part);
    }
}

/* ERR_ABSENT: there is nothing to play; it was printed why. */
static enum err plan(struct soak *soak)
{
    uint32_t all = 0;
    uint32_t first = 0;
    uint32_t end = soak_scenarios_count;
    soak->is_honest_only =
        soak->options.scenario != NULL && strcmp(soak->options.scenario, HONEST) == 0;
    if (soak->is_honest_only) {
        end = 0;
    } else if (soak->options.scenario != NULL) {
        first = soak_scenario_find(soak->options.scenario);
        end = first + 1;
    }
    add_part(soak, &(struct soak_part){.name = HONEST, .words = HONEST_WORDS});
    for (uint32_t i = first; i < end; i++) {
        add_scenario(soak, i, &all);
    }
    const bool is_one = (all & (all - 1)) == 0;
    if ((soak->options.is_together && all != 0) ||
        (!is_one && (soak->options.is_quick || soak->options.hours > 0))) {
        add_part(soak,
                 &(struct soak_part){.name = "together", .words = "all at once", .scenarios = all});
    }
    for (uint32_t i = 0; i < soak->parts_count; i++) {
        const enum err err = soak_part_open(&soak->parts[i]);
        if (err != ERR_OK) {
            return err;
        }
    }
    return soak->parts_count > 1 || soak->is_honest_only ? ERR_OK : ERR_ABSENT;
}

/* ---- Playing. ---- */

static bool is_over(const struct soak *soak)
{
    return soak->stage.is_gone;
}

static enum err play(struct soak *soak, struct soak_part *part, uint32_t cycles)
{
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < cycles && err == ERR_OK && !is_over(soak); i++) {
        err = soak_part_play(part, &soak->stage);
    }
    return err;
}

static void conclude_part(struct soak *soak, struct soak_part *part)
{
    end_line(soak);
    if (part->cycles_count > 0) {
        soak_verdict_part(&soak->report, &soak->options, part, &soak->budget);
    }
}

/* One part after the other, each judged as it ends. */
static enum err play_in_order(struct soak *soak)
{
    struct soak_part *last = NULL;
    enum err err = ERR_OK;
    for (uint32_t i = 1; i < soak->parts_count && err == ERR_OK && !is_over(soak); i++) {
        if (!is_at_home(soak, &soak->parts[i])) {
            continue;
        }
        if (last != NULL) {
            conclude_part(soak, last);
        }
        last = &soak->parts[i];
        err = play(soak, last, soak->options.cycles);
        if (!soak->options.is_quick && err == ERR_OK) {
            soak_part_wait_until_back(last, &soak->stage, last->rss_bytes_before);
        }
    }
    if (last != NULL && soak->options.is_quick && err == ERR_OK) {
        soak_part_wait_until_back(last, &soak->stage, soak->parts[0].rss_bytes_after);
    }
    if (last != NULL) {
        conclude_part(soak, last);
    }
    return err;
}

/* Everything again and again, until the hours are over; judged at the end. */
static enum err play_for_hours(struct soak *soak)
{
    const uint64_t end_ns = clock_now_ns() + soak->options.hours * 3600 * NS_PER_S;
    struct soak_part *last = &soak->parts[0];
    enum err err = ERR_OK;
    while (clock_now_ns() < end_ns && err == ERR_OK && !is_over(soak) &&
           last->cycles_count < SOAK_CYCLES_MAX) {
        for (uint32_t i = 1; i < soak->parts_count && err == ERR_OK; i++) {
            if (is_at_home(soak, &soak->parts[i])) {
                last = &soak->parts[i];
                err = play(soak, last, 1);
            }
        }
    }
    if (err == ERR_OK) {
        soak_part_wait_until_back(last, &soak->stage, soak->parts[0].rss_bytes_after);
    }
    for (uint32_t i = 1; i < soak->parts_count; i++) {
        if (is_at_home(soak, &soak->parts[i])) {
            conclude_part(soak, &soak->parts[i]);
        }
    }
    return err;
}

/* ---- Our own server. ---- */

static void judge_end(struct soak *soak)
{
    int status = 0;
    if (soak_server_stop(&soak->server, &status) != ERR_OK) {
        bench_report_fault(&soak->report, "the server did not end well: status %#x", status);
    }
}

/* On a server of its own: one that sends webhooks, or whose disk is small or stalls. */
static enum err play_elsewhere(struct soak *soak, struct soak_part *part)
{
    const enum err started = soak_server_start(&soak->server, &soak->options, part->server);
    if (started == ERR_DENIED) {
        printf("left out: %s: such a disk cannot be mounted here\n", part->name);
        return ERR_OK;
    }
    enum err err = started;
    if (err == ERR_OK) {
        err = soak_watch_turn_to(&soak->watch, soak->options.pid);
    }
    if (err == ERR_OK) {
        soak_stage_rest(&soak->stage, SPARK_MS);
        err = play(soak, part, soak->options.is_together ? 1 : soak->options.cycles);
        conclude_part(soak, part);
    }
    if (started == ERR_OK) {
        judge_end(soak);
    }
    return err;
}

static enum err play_all_elsewhere(struct soak *soak)
{
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < soak->parts_count && err == ERR_OK && !is_over(soak); i++) {
        if (!is_at_home(soak, &soak->parts[i])) {
            err = play_elsewhere(soak, &soak->parts[i]);
        }
    }
    return err;
}

/* ---- The run. ---- */

static void report_setup(struct soak *soak)
{
    struct bench_report *report = &soak->report;
    const struct soak_options *options = &soak->options;
    struct machine_facts facts;
    machine_facts(&facts);
    bench_report_begin(report, "setup", "soak");
    bench_report_string(report, "version", "this is", "jingu " JINGU_VERSION);
    bench_report_string(report, "target", "server", soak->is_ours ? "our own" : options->tcp);
    bench_report_count(report, "seed", "seed", options->seed);
    bench_report_count(report, "cores", "cores of this machine", facts.cores_count);
    bench_report_count(report, "budget_mib", "budget, MiB", options->budget_mib);
    bench_report_count(report, "attack_s", "seconds of attack a cycle", options->attack_s);
    bench_report_count(report, "cycles", "cycles", options->cycles);
    bench_report_end(report);
}

static enum err play_all(struct soak *soak)
{
    enum err err = play(soak, &soak->parts[0], soak->is_honest_only ? soak->options.cycles : 1);
    if (soak->is_honest_only && err == ERR_OK) {
        soak_part_wait_until_back(&soak->parts[0], &soak->stage, soak->parts[0].rss_bytes_before);
    }
    conclude_part(soak, &soak->parts[0]);
    if (err == ERR_OK) {
        err = soak->options.hours > 0 ? play_for_hours(soak) : play_in_order(soak);
    }
    end_line(soak);
    soak_verdict_run(&soak->report, &soak->options, &soak->stage);
    if (soak->is_ours) {
        judge_end(soak);
    }
    if (err == ERR_OK) {
        err = play_all_elsewhere(soak);
    }
    return err;
}

static enum err finish(struct soak *soak)
{
    const struct soak_page page = {
        .options = &soak->options,
        .watch = &soak->watch,
        .parts = soak->parts,
        .parts_count = soak->parts_count,
        .report = &soak->report,
    };
    enum err err = ERR_OK;
    if (soak->options.html_file != NULL) {
        err = soak_page_write(&page, soak->options.html_file);
    }
    return err == ERR_OK ? bench_report_finish(&soak->report, soak->options.json_file) : err;
}

static enum err run(struct soak *soak)
{
    thread_hurry(); /* what the honest have received is looked at when it has come */
    enum err err = soak_watch_open(&soak->watch, soak->options.pid, &soak->budget);
    if (err != ERR_OK) {
        fprintf(stderr, "jingu soak: there is no process %u to look at\n", soak->options.pid);
        return err;
    }
    soak->stage = (struct soak_stage){
        .options = &soak->options,
        .watch = &soak->watch,
        .budget = &soak->budget,
        .playing = "",
        .on_sample = draw_line,
    };
    prng_init(&soak->stage.prng, soak->options.seed);
    /* Names are not played again with the seed: their messages would be repetitions. */
    crypto_random((uint8_t *)&soak->stage.run, sizeof(soak->stage.run));
    err = bench_report_open(&soak->report, &soak->budget, stdout);
    if (err == ERR_OK) {
        report_setup(soak);
        soak_stage_rest(&soak->stage, SPARK_MS);
        err = play_all(soak);
    }
    if (err == ERR_OK) {
        err = finish(soak);
    }
    bench_report_close(&soak->report);
    soak_watch_close(&soak->watch);
    return err;
}

static void list_scenarios(void)
{
    printf("%-12s %s\n", HONEST, HONEST_WORDS);
    for (uint32_t i = 0; i < soak_scenarios_count; i++) {
        printf("%-12s %s\n", soak_scenarios[i].name, soak_scenarios[i].words);
    }
}

static enum err prepare_and_run(struct soak *soak)
{
    int status = 0;
    enum err err = ERR_OK;
    soak->is_ours = soak->options.tcp == NULL;
    budget_init(&soak->budget, "soak", NULL, BUDGET_UNLIMITED);
    (void)signal(SIGPIPE, SIG_IGN); /* a peer that has gone is an error of write */
    if (soak->is_ours) {
        soak->home = soak->options.is_together ? SOAK_SERVER_HOOK : SOAK_SERVER_PLAIN;
        err = soak_server_start(&soak->server, &soak->options, soak->home);
    }
    if (err == ERR_OK) {
        err = plan(soak);
    }
    if (err == ERR_OK) {
        err = run(soak);
    }
    for (uint32_t i = 0; i < soak->parts_count; i++) {
        soak_part_close(&soak->parts[i]);
    }
    if (soak->server.pid > 0) {
        ERR_IGNORE(soak_server_stop(&soak->server, &status), "there is another error to tell");
    }
    return err;
}

static bool is_known(const char *scenario)
{
    return scenario == NULL || strcmp(scenario, HONEST) == 0 ||
           soak_scenario_find(scenario) < soak_scenarios_count;
}

int command_soak(int argc, char **argv)
{
    static struct soak soak;
    enum err err = soak_options_parse(argc - 1, argv + 1, &soak.options);
    if (err != ERR_OK) {
        return err == ERR_ABSENT ? 0 : EXIT_UNPLAYED;
    }
    if (soak.options.is_listing) {
        list_scenarios();
        return 0;
    }
    if (!is_known(soak.options.scenario)) {
        fprintf(stderr, "jingu soak: no scenario %s; --list names them\n", soak.options.scenario);
        return EXIT_UNPLAYED;
    }
    err = prepare_and_run(&soak);
    if (err == ERR_OK || err == ERR_DENIED) {
        return err == ERR_OK ? 0 : EXIT_FAULTS;
    }
    if (err != ERR_ABSENT) { /* then it was said why */
        fprintf(stderr, "jingu soak: %s\n", err_name(err));
    }
    return EXIT_UNPLAYED;
}
