/*
 * bench_process.h -- what a process costs: its CPU time and its memory, from /proc.
 *
 * CPU time is the kernel's, in ticks of 10 ms on most machines: measure seconds, not moments. The
 * resident set is sampled by whoever calls; its peak is the highest sample.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Private to bench_process.c. */
struct bench_process {
    int stat_fd;
    int statm_fd;
    int schedstat_fd; /* of the first thread */
    uint32_t pid;
    uint64_t rss_bytes_peak;
};

/* `pid` 0 is this process. ERR_ABSENT: there is none, or it is not ours to look at. */
MUST_USE enum err bench_process_open(struct bench_process *process, uint32_t pid);
void bench_process_close(struct bench_process *process);

/* User and kernel time of all its threads, also of those that ended; 0 once it has gone. */
uint64_t bench_process_cpu_us(const struct bench_process *process);

/* How long its first thread was ready to run and had no core; 0 if the kernel does not say. */
uint64_t bench_process_waited_us(const struct bench_process *process);

/* The resident set now; remembered if it is the highest so far. 0 once it has gone. */
uint64_t bench_process_rss_bytes(struct bench_process *process);
uint64_t bench_process_rss_bytes_peak(const struct bench_process *process);

/* How long the cores of this machine have worked for anybody, all together. */
uint64_t bench_process_machine_us(void);
