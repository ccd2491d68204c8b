/*
 * soak_scenarios.h -- the table of what `jingu soak` can play: a line and a function each.
 *
 * The functions are in the soak_play_*.c files, by what they are played with. Each runs in a
 * process of its own (soak_attack.h).
 */
#pragma once

#include "cli/soak_attack.h"
#include "cli/soak_server.h"

#define SOAK_SCENARIOS_MAX 32u

/* What a scenario cannot do without. */
enum soak_need {
    SOAK_NEEDS_WS = 1,
    SOAK_NEEDS_HTTP = 2,
    SOAK_NEEDS_HOOK = 4, /* a server that we started, which sends webhooks to us */
};

struct soak_scenario {
    const char *name;
    const char *words;
    soak_run_fn run;
    uint32_t needs;  /* enum soak_need */
    bool may_refuse; /* the honest are told no, truthfully: a full disk */
    enum soak_server_kind
        server; /* it is played on a server of its own, if not SOAK_SERVER_PLAIN */
};

extern const struct soak_scenario soak_scenarios[];
extern const uint32_t soak_scenarios_count;

/* The index, or soak_scenarios_count: there is none of that name. */
uint32_t soak_scenario_find(const char *name);

/* soak_play_readers.c */
MUST_USE enum err soak_play_deaf(struct soak_attack *attack);
MUST_USE enum err soak_play_mute(struct soak_attack *attack);
/* soak_play_sockets.c */
MUST_USE enum err soak_play_handshakes(struct soak_attack *attack);
MUST_USE enum err soak_play_silent(struct soak_attack *attack);
MUST_USE enum err soak_play_probes(struct soak_attack *attack);
MUST_USE enum err soak_play_garbage(struct soak_attack *attack);
MUST_USE enum err soak_play_http(struct soak_attack *attack);
/* soak_play_churn.c */
MUST_USE enum err soak_play_churn(struct soak_attack *attack);
/* soak_play_senders.c */
MUST_USE enum err soak_play_push(struct soak_attack *attack);
MUST_USE enum err soak_play_channels(struct soak_attack *attack);
MUST_USE enum err soak_play_groups(struct soak_attack *attack);
MUST_USE enum err soak_play_lists(struct soak_attack *attack);
/* soak_play_disk.c */
MUST_USE enum err soak_play_disk(struct soak_attack *attack);
MUST_USE enum err soak_play_stall(struct soak_attack *attack);
/* soak_play_api.c */
MUST_USE enum err soak_play_streams(struct soak_attack *attack);
MUST_USE enum err soak_play_api(struct soak_attack *attack);
/* The target of the request with this index among those of soak_play_api, for their test; NULL
 * behind the last. */
const char *soak_api_request(uint32_t index, const char **out_method);
/* soak_play_webhooks.c */
MUST_USE enum err soak_play_webhooks(struct soak_attack *attack);
