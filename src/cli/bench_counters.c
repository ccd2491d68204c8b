#include "cli/bench_counters.h"

#include <dirent.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct event {
    uint32_t type;
    uint64_t number;
    const char *key;
    const char *words;
};

static const struct event events[BENCH_COUNTERS_COUNT] = {
#define EVENT(id, type, number, key, words)                                                        \
    [BENCH_COUNTER_##id] = {PERF_TYPE_##type, PERF_COUNT_##number, key, words},
    BENCH_COUNTER_LIST(EVENT)
#undef EVENT
};

static int open_event(const struct event *event, uint32_t thread)
{
    struct perf_event_attr attributes = {
        .type = event->type,
        .size = sizeof(attributes),
        .config = event->number,
        .inherit = 1,
    };
    return (int)syscall(SYS_perf_event_open, &attributes, (pid_t)thread, -1, -1,
                        PERF_FLAG_FD_CLOEXEC);
}

/* False: the kernel does not allow it. */
static bool open_thread(struct bench_counters *counters, uint32_t thread)
{
    for (uint32_t i = 0; i < BENCH_COUNTERS_COUNT; i++) {
        const int fd = counters->is_counted[i] ? open_event(&events[i], thread) : -1;
        counters->fds[i][counters->threads_count] = fd;
        counters->is_counted[i] = fd >= 0;
    }
    counters->threads_count++;
    return counters->threads_count < BENCH_COUNTERS_THREADS_MAX;
}

void bench_counters_open(struct bench_counters *counters, uint32_t pid)
{
    *counters = (struct bench_counters){.threads_count = 0};
    for (uint32_t i = 0; i < BENCH_COUNTERS_COUNT; i++) {
        counters->is_counted[i] = true;
    }
    char path[64];
    snprintf(path, sizeof(path), "/proc/%u/task", pid);
    DIR *directory = opendir(path);
    const struct dirent *entry = NULL;
    bool has_room = directory != NULL;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the directory is ours alone. */
    while (has_room && (entry = readdir(directory)) != NULL) {
        const uint32_t thread = (uint32_t)strtoul(entry->d_name, NULL, 10);
        has_room = thread == 0 || open_thread(counters, thread);
    }
    if (directory != NULL) {
        closedir(directory);
    }
}

void bench_counters_close(struct bench_counters *counters)
{
    for (uint32_t i = 0; i < BENCH_COUNTERS_COUNT; i++) {
        for (uint32_t k = 0; k < counters->threads_count; k++) {
            if (counters->fds[i][k] >= 0) {
                close(counters->fds[i][k]);
            }
        }
    }
    counters->threads_count = 0;
}

void bench_counters_read(struct bench_counters *counters)
{
    for (uint32_t i = 0; i < BENCH_COUNTERS_COUNT; i++) {
        counters->values[i] = 0;
        counters->is_counted[i] = counters->is_counted[i] && counters->threads_count > 0;
        for (uint32_t k = 0; k < counters->threads_count && counters->is_counted[i]; k++) {
            uint64_t value = 0;
            counters->is_counted[i] =
                read(counters->fds[i][k], &value, sizeof(value)) == (ssize_t)sizeof(value);
            counters->values[i] += value;
        }
    }
    bench_counters_close(counters);
}

void bench_counters_report(const struct bench_counters *counters, struct bench_report *report,
                           uint64_t count)
{
    bool is_complete = true;
    for (uint32_t i = 0; i < BENCH_COUNTERS_COUNT; i++) {
        is_complete = is_complete && counters->is_counted[i];
        if (counters->is_counted[i]) {
            char words[BENCH_REPORT_TEXT_MAX];
            const double each = count > 0 ? (double)counters->values[i] / (double)count : 0;
            snprintf(words, sizeof(words), "%s (%.2f each)", events[i].words, each);
            bench_report_count(report, events[i].key, words, counters->values[i]);
        }
    }
    if (!is_complete) {
        bench_report_remark(report, "This kernel does not count the rest (instructions, cycles, "
                                    "cache misses) for us.");
    }
}
