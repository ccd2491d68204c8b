/*
 * soak_crowd.h -- clients that speak the protocol well enough to log in, and then have a vice.
 *
 * The clients are those of the load generator (bench_client.h), in an engine of the attack's own.
 * Whoever was thrown out comes back after SOAK_RETURN_MS; nothing is checked, only counted.
 */
#pragma once

#include "cli/bench_engine.h"
#include "cli/soak_attack.h"

#define SOAK_RETURN_MS 200u
#define SOAK_PING_MS   1000u

struct soak_crowd;

/* What one of the crowd does besides. */
struct soak_person {
    uint64_t back_ns; /* it comes back then, if it is gone */
    uint64_t sent_count;
    uint32_t open_count; /* of its messages: not answered yet */
    bool is_absent;      /* the scenario's: it stays away */
};

/* Private to soak_crowd.c, but for what is marked. */
struct soak_crowd {
    struct soak_attack *attack; /* readable */
    struct bench_options options;
    struct bench_engine
        engine; /* readable: its clients, whose `uid` and `vice` the scenario sets */
    struct soak_person *persons; /* readable */
    uint64_t ping_ns;
    uint64_t return_ns;

    /* The scenario's: what it does with a RECV or a SENDACK besides counting; may be NULL. */
    void (*on_sendack)(struct soak_crowd *crowd, struct bench_client *client);
    void *scenario;
};

/* Room for `count` clients, "bench-RUN-INDEX", none of which is connected. */
MUST_USE enum err soak_crowd_open(struct soak_crowd *crowd, struct soak_attack *attack,
                                  uint32_t count, uint32_t payload_bytes);

/* One turn: brings back who is gone, pings, handles what comes; sleeps up to `ms`. */
void soak_crowd_turn(struct soak_crowd *crowd, uint32_t ms);

/* Turns until all that are not absent are online, at most `ms`. */
void soak_crowd_gather(struct soak_crowd *crowd, uint32_t ms);

/* Sends one message, if the client can take it. */
struct soak_target {
    uint8_t channel_type;
    const char *channel_id;
};
bool soak_crowd_send(struct soak_crowd *crowd, uint32_t client, const struct soak_target *target);

/* Sends as many as make `window` unanswered ones. */
void soak_crowd_keep_busy(struct soak_crowd *crowd, uint32_t index,
                          const struct soak_target *target, uint32_t window);
