/*
 * bench_options.h -- what the command line of `jingu bench` asks for.
 *
 *   jingu bench SCENARIO [--name VALUE | --name=VALUE | --flag]…
 *
 * Every option is a line of one table with its bounds, its default, its help and the scenarios that
 * know it; an option that a scenario does not know is refused, so that nobody believes to have
 * measured what was not. Addresses other than loopback are refused without --allow-remote.
 */
#pragma once

#include "base/err.h"
#include "system/socket.h"

#include <stdio.h>

#define BENCH_CLIENTS_MAX       200000u
#define BENCH_PAYLOAD_BYTES_MIN 96u /* room for what every payload carries, see bench_message.h */
#define BENCH_PAYLOAD_BYTES_MAX 32767u /* what shipped clients can send (wire-protocol 3.4) */

enum bench_scenario {
    BENCH_SCENARIO_PERSON = 0,
    BENCH_SCENARIO_GROUP,
    BENCH_SCENARIO_IDLE,
    BENCH_SCENARIO_CHURN,
    BENCH_SCENARIO_SYNC,
    BENCH_SCENARIO_STORM,
    BENCH_SCENARIO_MIXED,
    BENCH_SCENARIOS_COUNT,
};

struct bench_options {
    enum bench_scenario scenario;

    /* Whom to measure. */
    const char *tcp;
    const char *http;
    const char *api_token;
    struct address tcp_address;
    struct address http_address;
    uint32_t pid;
    bool is_remote_allowed;

    uint32_t run; /* names users and channels. 0: a random one */

    /* What kind of clients. */
    uint32_t protocol;
    uint32_t connecting_max;
    bool is_plain;

    /* How many there are. */
    uint32_t pairs_count;
    uint32_t groups_count;
    uint32_t members_count;
    uint32_t online_percent;
    uint32_t senders_count; /* in each group */
    uint32_t clients_count;
    uint32_t users_count;
    uint32_t channels_count;
    uint32_t conversations_count; /* of each user */
    bool is_both_ways;
    bool is_restarting; /* somebody restarts the server for us */

    /* What they do. */
    uint32_t payload_bytes;
    uint32_t depth; /* messages that are written to each channel, before */
    uint32_t talk;  /* of them, so many one after the other before the next channel has its turn */
    uint32_t limit; /* messages of a page */
    uint32_t requests_max;
    uint32_t rate;
    uint32_t p99_ms;       /* 0: the rate is fixed */
    uint32_t comings_rate; /* of silent clients, a second */
    uint32_t bursts_hz;
    uint32_t window; /* 0: open loop */
    uint32_t warmup_s;
    uint32_t measure_s;
    uint32_t drain_s;
    uint32_t cool_s;
    uint32_t ping_s;
    bool is_verifying;

    /* What is said about it. */
    const char *json_file;
    const char *html_file;
    bool is_tolerating;
    bool is_quiet;
};

/* Reads `argv`, which begins behind the word "bench". ERR_PROTOCOL: there is a fault, which was
 * printed. ERR_ABSENT: nothing but help was asked for, and given. */
MUST_USE enum err bench_options_parse(int argc, char **argv, struct bench_options *out_options);

/* "127.0.0.1:5100" or "[::1]:5100". ERR_PROTOCOL: it is none, or not on this machine and that was
 * not allowed; it was printed. */
MUST_USE enum err bench_address_parse(const char *text, bool is_remote_allowed,
                                      struct address *out_address);

/* "person" and so on. */
const char *bench_scenario_name(enum bench_scenario scenario);
