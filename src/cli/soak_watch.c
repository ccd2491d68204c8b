#include "cli/soak_watch.h"

#include "cli/soak_trend.h"
#include "system/clock.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_MS  1000000ULL
#define PATH_CHARS 64u

enum err soak_watch_open(struct soak_watch *watch, uint32_t pid, struct budget *budget)
{
    *watch = (struct soak_watch){
        .budget = budget,
        .samples = BENCH_SERIES_OF(struct soak_sample),
        .opened_ns = clock_now_ns(),
        .process = {.stat_fd = -1, .statm_fd = -1, .schedstat_fd = -1},
    };
    return soak_watch_turn_to(watch, pid);
}

void soak_watch_close(struct soak_watch *watch)
{
    bench_process_close(&watch->process);
    bench_series_release(&watch->samples, watch->budget);
}

enum err soak_watch_turn_to(struct soak_watch *watch, uint32_t pid)
{
    bench_process_close(&watch->process);
    watch->pid = pid;
    return pid > 0 ? bench_process_open(&watch->process, pid) : ERR_OK;
}

uint32_t soak_watch_now_ms(const struct soak_watch *watch)
{
    return (uint32_t)((clock_now_ns() - watch->opened_ns) / NS_PER_MS);
}

bool soak_watch_sample(struct soak_watch *watch)
{
    const uint64_t now_ns = clock_now_ns();
    if (watch->pid == 0 || now_ns < watch->sampled_ns + SOAK_SAMPLE_MS * NS_PER_MS) {
        return true;
    }
    watch->sampled_ns = now_ns;
    const uint64_t bytes = bench_process_rss_bytes(&watch->process);
    struct soak_sample *sample = bench_series_add(&watch->samples, watch->budget);
    if (sample != NULL) { /* without memory the curve has a gap */
        sample->at_ms = soak_watch_now_ms(watch);
        sample->rss_kib = (uint32_t)(bytes / 1024);
    }
    watch->rss_bytes_peak = bytes > watch->rss_bytes_peak ? bytes : watch->rss_bytes_peak;
    return bytes > 0;
}

void soak_watch_reset_peak(struct soak_watch *watch)
{
    watch->rss_bytes_peak = 0;
}

uint64_t soak_watch_rss_bytes(const struct soak_watch *watch)
{
    uint64_t lately[SOAK_LATELY];
    uint32_t count = 0;
    while (count < SOAK_LATELY && count < watch->samples.count) {
        const struct soak_sample *sample =
            bench_series_at(&watch->samples, watch->samples.count - 1 - count);
        lately[count++] = (uint64_t)sample->rss_kib * 1024;
    }
    return soak_median(lately, count);
}

/* The number behind `name` in /proc/PID/status; 0 if there is none. */
static uint64_t status_number(const struct soak_watch *watch, const char *name)
{
    char path[PATH_CHARS];
    char line[256];
    uint64_t number = 0;
    snprintf(path, sizeof(path), "/proc/%u/status", watch->pid);
    FILE *file = watch->pid > 0 ? fopen(path, "re") : NULL;
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            number = strtoull(line + strlen(name), NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return number;
}

uint64_t soak_watch_rss_bytes_highest(const struct soak_watch *watch)
{
    return status_number(watch, "VmHWM:") * 1024;
}

void soak_watch_holdings(const struct soak_watch *watch, struct soak_holdings *out_holdings)
{
    *out_holdings = (struct soak_holdings){
        .threads_count = (uint32_t)status_number(watch, "Threads:"),
    };
    char path[PATH_CHARS];
    snprintf(path, sizeof(path), "/proc/%u/fd", watch->pid);
    DIR *directory = watch->pid > 0 ? opendir(path) : NULL;
    if (directory == NULL) {
        return;
    }
    const struct dirent *entry = NULL;
    while ((entry = readdir(directory)) != NULL) {
        char target[16] = "";
        if (readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1) > 0) {
            out_holdings->descriptors_count++;
            out_holdings->sockets_count += strncmp(target, "socket:", 7) == 0 ? 1 : 0;
        }
    }
    closedir(directory);
}
