/*
 * bench_engine.h -- the clients of a run, and the one loop that drives them.
 *
 * One thread, one epoll, sockets edge-triggered. A scenario sets a handler, logs its clients in and
 * then calls bench_engine_turn until it is done. A turn sleeps until something is ready or until
 * the time it was given, to the microsecond (a timer descriptor: epoll alone counts in
 * milliseconds), handles what is ready and writes what came of it.
 *
 * The engine watches itself, because a generator that is late looks like a server that is slow: how
 * long it was busy, how long its turns took. Every BENCH_TICK_MS it tells the handler, which takes
 * samples there.
 */
#pragma once

#include "cli/bench_client.h"
#include "cli/bench_message.h"
#include "cli/bench_options.h"
#include "system/loop.h"
#include "telemetry/histogram.h"

#define BENCH_TICK_MS    100u
#define BENCH_READ_BYTES ((size_t)256 * 1024)
#define BENCH_NO_TIME    UINT64_MAX

/* What a scenario does with what its clients meet. All may be NULL. */
struct bench_handler {
    void (*on_online)(struct bench_engine *engine, struct bench_client *client);
    void (*on_sendack)(struct bench_engine *engine, struct bench_client *client,
                       const struct packet_sendack *sendack);
    void (*on_recv)(struct bench_engine *engine, struct bench_client *client,
                    const struct packet_recv *recv);
    void (*on_end)(struct bench_engine *engine, struct bench_client *client, enum bench_end end);
    void (*on_tick)(struct bench_engine *engine);
};

/* Private to bench_engine.c and bench_client.c, but for what is marked. */
struct bench_engine {
    const struct bench_options *options; /* readable; borrowed */
    const struct bench_handler *handler; /* the scenario's; borrowed */
    void *scenario;                      /* the scenario's own, for its handler */
    struct budget budget;                /* readable: what everything here is charged to */
    struct loop loop;
    int timer_fd;
    uint64_t timer_ns; /* when it is set to ring */
    uint64_t now_ns;   /* readable: when the bytes now handled were read */
    uint64_t tick_ns;
    uint64_t woken_ns;
    struct list dirty;
    struct bench_client *clients; /* readable */
    uint32_t clients_count;       /* readable */
    uint32_t connecting_count;    /* readable: clients that are not yet online */
    uint32_t online_count;        /* readable */
    uint32_t run;                 /* readable: a number that no other run has, most likely */
    uint8_t *read_area;
    uint8_t
        *scratch; /* of bench_seal_scratch_bytes(BENCH_FRAME_BYTES_MAX); the handler may use it */
    uint8_t *filler;

    /* Readable. */
    uint64_t busy_ns; /* outside of the kernel's sleep */
    uint64_t logins_count;
    uint64_t login_retries_count;
    uint64_t pongs_count;
    uint64_t ends[BENCH_ENDS_COUNT];
    uint8_t refused_reason; /* of the last CONNACK that said no */
    struct histogram turns;
    struct histogram logins; /* from the first SYN to the CONNACK */
};

/* Makes room for `clients_count` clients with the uids "bench-RUN-INDEX". ERR_LIMIT: the process
 * may not have so many descriptors; ERR_BUDGET, ERR_IO as ever. */
MUST_USE enum err bench_engine_open(struct bench_engine *engine,
                                    const struct bench_options *options, uint32_t clients_count);
void bench_engine_close(struct bench_engine *engine);

/* Logs in the `count` clients from `first` on, a few at a time, each tried three times. ERR_CLOSED:
 * one of them could not; the engine's counts say why. */
MUST_USE enum err bench_engine_login(struct bench_engine *engine, uint32_t first, uint32_t count);

/* One turn; sleeps at most until `until_ns` (BENCH_NO_TIME: until something happens). */
void bench_engine_turn(struct bench_engine *engine, uint64_t until_ns);

/* Turns until then. */
void bench_engine_run_until(struct bench_engine *engine, uint64_t until_ns);

/* Writes what has been queued since the last time. */
void bench_engine_flush(struct bench_engine *engine);

/* Begins to measure the engine anew. */
void bench_engine_reset_figures(struct bench_engine *engine);

/* Private to bench_client.c: the client has something to write. */
void bench_engine_mark_dirty(struct bench_engine *engine, struct bench_client *client);
