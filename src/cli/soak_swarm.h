/*
 * soak_swarm.h -- many sockets that keep to no protocol: each writes what its plan says, when it
 * says, and throws away what it reads.
 *
 * A plan is a function that writes the next piece and a few times. When a socket was closed, by the
 * server or because its life was over, the next one takes its place. Everything ends with the
 * process (soak_attack.h).
 */
#pragma once

#include "cli/bench_buffer.h"
#include "cli/soak_attack.h"
#include "system/loop.h"

#define SOAK_PIECE_BYTES 65536u
#define SOAK_TICK_MS     5u
#define SOAK_LIFE_MS     60000u

struct soak_raw;

struct soak_plan {
    const struct address *address;
    uint32_t count;     /* of sockets at the same time */
    uint32_t life_ms;   /* then we close; 0: SOAK_LIFE_MS */
    uint32_t step_ms;   /* between two pieces; 0: as fast as the socket takes them */
    uint32_t reopen_ms; /* before the next takes its place */
    bool is_reset;      /* we close with RST */
    bool is_deaf;       /* nothing is read */
    uint32_t kind;      /* for `next` */

    /* Writes piece number raw->step of at most SOAK_PIECE_BYTES; 0: nothing this time. */
    size_t (*next)(struct soak_attack *attack, struct soak_raw *raw, uint8_t *area);
};

/* One socket. Private to soak_swarm.c, but for what is marked. */
struct soak_raw {
    const struct soak_plan *plan; /* readable */
    struct bench_buffer out;
    int fd;
    uint32_t generation;
    uint32_t index;   /* readable: of the swarm */
    uint32_t step;    /* readable */
    uint32_t opening; /* readable: how often it was opened */
    bool is_connected;
    uint64_t opened_ns;
    uint64_t next_ns;
};

/* Plays the plans until the attack is over. */
MUST_USE enum err soak_swarm_run(struct soak_attack *attack, const struct soak_plan *plans,
                                 uint32_t plans_count);
