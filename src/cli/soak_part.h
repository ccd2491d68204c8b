/*
 * soak_part.h -- one part of a run: what is played, for how many cycles, and what came of it.
 *
 * A part is one scenario, or several at once, or none at all: the honest by themselves. A cycle is
 * attack, then rest; RSS is taken after the rest, so that equal cycles can be compared.
 */
#pragma once

#include "cli/soak_honest.h"
#include "cli/soak_scenarios.h"
#include "cli/soak_trend.h"
#include "cli/soak_watch.h"

#define SOAK_CYCLES_MAX 4096u
#define SOAK_NEVER      UINT32_MAX

struct soak_part {
    const char *name;
    const char *words;
    uint32_t scenarios;           /* a bit each */
    enum soak_server_kind server; /* where it is played */
    bool may_refuse;              /* the honest may be told no */
    bool is_lagging;              /* latency is not judged */

    /* What came of it. */
    uint32_t begin_ms; /* on the watch's clock, of the first cycle and of the last one's end */
    uint32_t end_ms;
    uint32_t cycles_count;
    uint32_t unsettled_count; /* of them: ended before it had settled */
    uint64_t rss_bytes_before;
    uint64_t rss_bytes_peak;
    uint64_t rss_bytes_after; /* after the last rest, or when it was back */
    uint32_t back_ms;         /* until it was back; or SOAK_NEVER */
    uint64_t rss_bytes_back;  /* what it had to come back to */
    bool is_back_judged;      /* it was waited for */
    struct soak_holdings before;
    struct soak_holdings after;
    struct soak_seen seen;
    struct soak_trend trend;
    bool has_trend;
    uint64_t rss_bytes[SOAK_CYCLES_MAX]; /* after each cycle */
    struct soak_score *scores;           /* by scenario; shared with the attacks */
};

/* What a part is played with. */
struct soak_stage {
    struct soak_options *options;
    struct soak_watch *watch;
    struct budget *budget;
    struct prng prng;
    const char *playing;                 /* readable: the part's name, for the curve */
    const struct soak_seen *seen;        /* readable: of the part */
    pid_t attackers[SOAK_SCENARIOS_MAX]; /* 0: none */
    uint64_t attack_end_ns;
    uint32_t scenarios;
    uint32_t run;
    struct soak_score *scores;
    bool is_gone; /* readable: the server's process ended */
    void (*on_sample)(struct soak_stage *stage);
};

/* ERR_BUDGET: no memory for the scores. */
MUST_USE enum err soak_part_open(struct soak_part *part);
void soak_part_close(struct soak_part *part);

/* Plays one cycle. Errors are ours, not the server's. */
MUST_USE enum err soak_part_play(struct soak_part *part, struct soak_stage *stage);

/* Waits until RSS is within the percentage of `rss_bytes`, at most as long as the options say. */
void soak_part_wait_until_back(struct soak_part *part, struct soak_stage *stage,
                               uint64_t rss_bytes);

/* Lets time pass, watching. */
void soak_stage_rest(struct soak_stage *stage, uint32_t ms);
