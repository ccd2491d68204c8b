/*
 * bench_fill.h -- channels with a past: what `jingu bench sync` asks about.
 *
 * Channel k is a person channel between user k modulo the number of users and a peer who is never
 * online, so that each user has as many conversations as the others. The users write, closed loop,
 * some messages into one of their channels, then into the next, in turn: the logs grow side by
 * side, as they do in life.
 *
 * All names follow from the number of the run. A later run of the same number finds what an earlier
 * one has written and may add to it.
 */
#pragma once

#include "cli/bench_engine.h"
#include "cli/bench_watch.h"

#define BENCH_FILL_WINDOW 64u /* open messages of each user */

/* Private to bench_fill.c, but for what is marked. */
struct bench_fill {
    struct bench_engine *engine; /* borrowed */
    struct bench_watch *watch;   /* borrowed */
    uint32_t channels_count;     /* readable */
    uint32_t users_count;        /* readable; clients from 0 */
    uint32_t writers_count;      /* readable; the clients behind them */
    uint64_t number_base;        /* of the messages' numbers: no two runs send the same */
    uint64_t *seqs;              /* by channel: the highest message_seq that was acknowledged */
    uint64_t *user_sent;         /* by user */
    uint64_t acked_count;        /* readable */
    uint64_t refused_count;      /* readable */
    uint64_t took_ns;            /* readable */
    uint32_t open_count;
    uint64_t pinged_ns; /* when all were last heard of */
    enum err failure;
};

/* The clients' number follows from the options; names the writers. ERR_BUDGET: no memory. */
MUST_USE enum err bench_fill_open(struct bench_fill *fill, struct bench_engine *engine,
                                  struct bench_watch *watch);
void bench_fill_close(struct bench_fill *fill);

uint32_t bench_fill_users_count(const struct bench_options *options);

/* The engine's scenario is the fill meanwhile. */
extern const struct bench_handler bench_fill_handler;

/* Writes `--depth` messages to each channel. ERR_CLOSED: a user lost its connection. */
MUST_USE enum err bench_fill_run(struct bench_fill *fill);

/* The writers, who are peers of user 0, each write it a message; returns when all are
 * acknowledged. */
MUST_USE enum err bench_fill_change(struct bench_fill *fill);

/* The channel's peer. */
void bench_fill_peer_name(const struct bench_fill *fill, uint32_t channel,
                          char out_name[BENCH_UID_CHARS_MAX]);

/* The channel of that peer. False: it is none of this run. */
bool bench_fill_channel_of(const struct bench_fill *fill, struct bytes peer, uint32_t *out_channel);

/* How many channels a user has. */
uint32_t bench_fill_user_channels(const struct bench_fill *fill, uint32_t user);
