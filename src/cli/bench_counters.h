/*
 * bench_counters.h -- what the kernel counts about the server's threads, where it allows it.
 *
 * As `perf stat -p` does: one counter for each event and thread, from mark to mark. Hardware
 * counters are often missing in virtual machines, and all are where perf_event_paranoid forbids
 * them; what cannot be counted is left out of the report, and the report says so. Threads that
 * begin later are counted with the thread that made them.
 */
#pragma once

#include "cli/bench_report.h"

#define BENCH_COUNTERS_THREADS_MAX 64u

/* EVENT(id, kernel's type, kernel's number, JSON key, words). */
#define BENCH_COUNTER_LIST(EVENT)                                                                  \
    EVENT(INSTRUCTIONS, HARDWARE, HW_INSTRUCTIONS, "instructions", "instructions")                 \
    EVENT(CYCLES, HARDWARE, HW_CPU_CYCLES, "cycles", "cycles")                                     \
    EVENT(CACHE_MISSES, HARDWARE, HW_CACHE_MISSES, "cache_misses", "cache misses")                 \
    EVENT(SWITCHES, SOFTWARE, SW_CONTEXT_SWITCHES, "context_switches", "context switches")         \
    EVENT(MIGRATIONS, SOFTWARE, SW_CPU_MIGRATIONS, "migrations", "moves to another core")          \
    EVENT(FAULTS, SOFTWARE, SW_PAGE_FAULTS, "page_faults", "page faults")

enum bench_counter {
#define EVENT(id, type, number, key, words) BENCH_COUNTER_##id,
    BENCH_COUNTER_LIST(EVENT)
#undef EVENT
        BENCH_COUNTERS_COUNT
};

/* Zeroed memory is closed. Private to bench_counters.c. */
struct bench_counters {
    int fds[BENCH_COUNTERS_COUNT][BENCH_COUNTERS_THREADS_MAX];
    uint32_t threads_count;
    uint64_t values[BENCH_COUNTERS_COUNT];
    bool is_counted[BENCH_COUNTERS_COUNT]; /* for all threads */
};

/* Begins to count. What cannot be counted is no error. */
void bench_counters_open(struct bench_counters *counters, uint32_t pid);
void bench_counters_close(struct bench_counters *counters);

/* Takes the values, which stay until the next opening. */
void bench_counters_read(struct bench_counters *counters);

/* "context switches   0.41 a message"; `count` is how many there were. */
void bench_counters_report(const struct bench_counters *counters, struct bench_report *report,
                           uint64_t count);
