#include "cli/soak_part.h"

#include "base/assert.h"
#include "system/clock.h"

#include <poll.h>
#include <sys/mman.h>

#define NS_PER_MS       1000000ULL
#define NS_PER_S        1000000000ULL
#define SCORES_BYTES    (SOAK_SCENARIOS_MAX * sizeof(struct soak_score))
#define RUNS_PER_ATTACK 16u /* names for hands */

enum err soak_part_open(struct soak_part *part)
{
    void *scores =
        mmap(NULL, SCORES_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (scores == MAP_FAILED) {
        return ERR_BUDGET;
    }
    part->scores = scores;
    return ERR_OK;
}

void soak_part_close(struct soak_part *part)
{
    if (part->scores != NULL) {
        (void)munmap(part->scores, SCORES_BYTES);
    }
    part->scores = NULL;
}

/* ---- Watching. ---- */

static void sample(struct soak_stage *stage)
{
    if (!soak_watch_sample(stage->watch)) {
        stage->is_gone = true;
    }
    stage->on_sample(stage);
}

void soak_stage_rest(struct soak_stage *stage, uint32_t ms)
{
    const uint64_t end_ns = clock_now_ns() + ms * NS_PER_MS;
    while (clock_now_ns() < end_ns && !stage->is_gone) {
        sample(stage);
        poll(NULL, 0, SOAK_SAMPLE_MS / 2);
    }
}

/* ---- The attack. ---- */

static void stop_attackers(struct soak_stage *stage)
{
    for (uint32_t i = 0; i < SOAK_SCENARIOS_MAX; i++) {
        if (stage->attackers[i] > 0) {
            soak_attack_stop(stage->attackers[i]);
        }
        stage->attackers[i] = 0;
    }
    if (stage->options->own_disk != NULL) {
        soak_server_thaw(stage->options->own_disk); /* whoever had frozen it cannot any more */
    }
}

/* The honest are about to begin: so does the attack. */
static void on_begin(void *context, uint64_t end_ns)
{
    struct soak_stage *stage = context;
    stage->attack_end_ns = end_ns;
    for (uint32_t i = 0; i < soak_scenarios_count; i++) {
        if ((stage->scenarios >> i & 1) == 0) {
            continue;
        }
        struct soak_attack attack = {
            .options = stage->options,
            .score = &stage->scores[i],
            .run = stage->run,
            .end_ns = end_ns + NS_PER_S, /* it is stopped before */
        };
        stage->run += RUNS_PER_ATTACK;
        prng_init(&attack.prng, prng_next(&stage->prng));
        if (soak_attack_start(&attack, soak_scenarios[i].run, &stage->attackers[i]) != ERR_OK) {
            atomic_store(&stage->scores[i].failure, (uint32_t)ERR_IO);
        }
    }
}

static void on_tick(void *context)
{
    struct soak_stage *stage = context;
    sample(stage);
    if (stage->attack_end_ns > 0 && clock_now_ns() >= stage->attack_end_ns) {
        stage->attack_end_ns = 0;
        stop_attackers(stage);
    }
}

/* The server's sockets, once it has noticed that the others are gone. */
static void take_holdings(struct soak_part *part, struct soak_stage *stage)
{
    const uint64_t end_ns = clock_now_ns() + stage->options->drain_s * NS_PER_S;
    soak_watch_holdings(stage->watch, &part->after);
    while (part->after.sockets_count > part->before.sockets_count && clock_now_ns() < end_ns &&
           !stage->is_gone) {
        soak_stage_rest(stage, SOAK_SAMPLE_MS);
        soak_watch_holdings(stage->watch, &part->after);
    }
}

static void begin(struct soak_part *part, struct soak_stage *stage)
{
    stage->playing = part->name;
    stage->seen = &part->seen;
    stage->scenarios = part->scenarios;
    stage->scores = part->scores;
    soak_watch_reset_peak(stage->watch);
    if (part->cycles_count == 0) {
        part->begin_ms = soak_watch_now_ms(stage->watch);
        part->rss_bytes_before = soak_watch_rss_bytes(stage->watch);
        soak_watch_holdings(stage->watch, &part->before);
    }
}

enum err soak_part_play(struct soak_part *part, struct soak_stage *stage)
{
    ASSERT(part->cycles_count < SOAK_CYCLES_MAX);
    const struct soak_meanwhile meanwhile = {
        .on_begin = on_begin,
        .on_tick = on_tick,
        .context = stage,
    };
    begin(part, stage);
    const uint32_t run = stage->run;
    stage->run += RUNS_PER_ATTACK;
    const enum err err =
        soak_honest_run(stage->options, run, stage->options->attack_s, &meanwhile, &part->seen);
    stop_attackers(stage);
    soak_stage_rest(stage, stage->options->rest_s * 1000);
    if (stage->watch->rss_bytes_peak > part->rss_bytes_peak) {
        part->rss_bytes_peak = stage->watch->rss_bytes_peak;
    }
    part->rss_bytes_after = soak_watch_rss_bytes(stage->watch);
    part->rss_bytes[part->cycles_count++] = part->rss_bytes_after;
    take_holdings(part, stage);
    part->end_ms = soak_watch_now_ms(stage->watch);
    if (part->end_ms - part->begin_ms < stage->options->settle_s * 1000) {
        part->unsettled_count = part->cycles_count;
    }
    return err;
}

void soak_part_wait_until_back(struct soak_part *part, struct soak_stage *stage, uint64_t rss_bytes)
{
    const uint64_t bound_bytes = rss_bytes + rss_bytes / 100 * stage->options->back_percent;
    const uint64_t began_ns = clock_now_ns();
    const uint64_t end_ns = began_ns + stage->options->back_s * NS_PER_S;
    part->rss_bytes_back = rss_bytes;
    part->is_back_judged = stage->watch->pid > 0;
    part->back_ms = SOAK_NEVER;
    while (part->is_back_judged && part->back_ms == SOAK_NEVER && !stage->is_gone) {
        soak_stage_rest(stage, SOAK_SAMPLE_MS);
        const uint64_t now_ns = clock_now_ns();
        if (soak_watch_rss_bytes(stage->watch) <= bound_bytes) {
            part->back_ms = (uint32_t)((now_ns - began_ns) / NS_PER_MS);
        } else if (now_ns >= end_ns) {
            break;
        }
    }
    part->rss_bytes_after = soak_watch_rss_bytes(stage->watch);
    part->end_ms = soak_watch_now_ms(stage->watch);
}
