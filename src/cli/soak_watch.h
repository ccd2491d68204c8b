/*
 * soak_watch.h -- the curve of a server's memory, and what it holds besides: sockets, descriptors,
 * threads.
 *
 * RSS is sampled every SOAK_SAMPLE_MS as long as the run goes on; the kernel's own peak (VmHWM) is
 * asked for at the end, because a sample misses what is short. Without a process every figure is 0.
 */
#pragma once

#include "cli/bench_process.h"
#include "cli/bench_series.h"

#define SOAK_SAMPLE_MS 100u
#define SOAK_LATELY    10u /* samples that "now" is the median of */

struct soak_sample {
    uint32_t at_ms; /* since the watch was opened */
    uint32_t rss_kib;
};

struct soak_holdings {
    uint32_t descriptors_count;
    uint32_t sockets_count; /* of the descriptors */
    uint32_t threads_count;
};

/* Private to soak_watch.c, but for what is marked. */
struct soak_watch {
    struct budget *budget; /* borrowed */
    struct bench_process process;
    struct bench_series samples; /* readable: struct soak_sample */
    uint64_t opened_ns;
    uint64_t sampled_ns;
    uint64_t rss_bytes_peak; /* readable: the highest sample since soak_watch_reset_peak */
    uint32_t pid;            /* readable; 0: no process is watched */
};

/* ERR_ABSENT: there is no such process, or it is not ours to look at. `pid` 0: none. */
MUST_USE enum err soak_watch_open(struct soak_watch *watch, uint32_t pid, struct budget *budget);
void soak_watch_close(struct soak_watch *watch);

/* Watches another process from now on, on the same curve. */
MUST_USE enum err soak_watch_turn_to(struct soak_watch *watch, uint32_t pid);

/* Takes a sample if it is time to. False: the process has gone. */
bool soak_watch_sample(struct soak_watch *watch);
void soak_watch_reset_peak(struct soak_watch *watch);

/* The median of the last SOAK_LATELY samples. */
uint64_t soak_watch_rss_bytes(const struct soak_watch *watch);
/* The kernel's peak of the whole life of the process. */
uint64_t soak_watch_rss_bytes_highest(const struct soak_watch *watch);
void soak_watch_holdings(const struct soak_watch *watch, struct soak_holdings *out_holdings);
uint32_t soak_watch_now_ms(const struct soak_watch *watch);
