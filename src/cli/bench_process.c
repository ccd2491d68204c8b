#include "cli/bench_process.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_BYTES 1024u
#define US_PER_S   1000000ULL

/* In /proc/PID/stat, counted from behind the name: fields 14 and 15. */
#define USER_COLUMN   11u
#define KERNEL_COLUMN 12u

static int open_file(uint32_t pid, const char *name)
{
    char path[64];
    if (pid == 0) {
        snprintf(path, sizeof(path), "/proc/self/%s", name);
    } else {
        snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
    }
    return open(path, O_RDONLY | O_CLOEXEC);
}

static void close_file(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

enum err bench_process_open(struct bench_process *process, uint32_t pid)
{
    *process = (struct bench_process){
        .stat_fd = open_file(pid, "stat"),
        .statm_fd = open_file(pid, "statm"),
        .schedstat_fd = open_file(pid, "schedstat"),
        .pid = pid,
    };
    if (process->stat_fd < 0 || process->statm_fd < 0) {
        bench_process_close(process);
        return ERR_ABSENT;
    }
    return ERR_OK;
}

void bench_process_close(struct bench_process *process)
{
    close_file(&process->stat_fd);
    close_file(&process->statm_fd);
    close_file(&process->schedstat_fd);
}

/* The file from its beginning; "" if it cannot be read. */
static void read_file(int fd, char out_text[TEXT_BYTES])
{
    const ssize_t size = fd >= 0 ? pread(fd, out_text, TEXT_BYTES - 1, 0) : 0;
    out_text[size > 0 ? size : 0] = '\0';
}

/* The number in column `index`, from 0, of a line of words; 0 if there is none. */
static uint64_t column(const char *text, uint32_t index)
{
    for (;;) {
        text += strspn(text, " ");
        if (index-- == 0) {
            return strtoull(text, NULL, 10);
        }
        text += strcspn(text, " ");
    }
}

uint64_t bench_process_cpu_us(const struct bench_process *process)
{
    char text[TEXT_BYTES];
    read_file(process->stat_fd, text);
    /* The second field is the name in parentheses, which may hold anything, also parentheses. */
    const char *behind_name = strrchr(text, ')');
    if (behind_name == NULL) {
        return 0;
    }
    const uint64_t ticks =
        column(behind_name + 1, USER_COLUMN) + column(behind_name + 1, KERNEL_COLUMN);
    return ticks * US_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
}

uint64_t bench_process_waited_us(const struct bench_process *process)
{
    char text[TEXT_BYTES];
    read_file(process->schedstat_fd, text);
    return column(text, 1) / 1000;
}

uint64_t bench_process_rss_bytes(struct bench_process *process)
{
    char text[TEXT_BYTES];
    read_file(process->statm_fd, text);
    const uint64_t bytes = column(text, 1) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (bytes > process->rss_bytes_peak) {
        process->rss_bytes_peak = bytes;
    }
    return bytes;
}

uint64_t bench_process_rss_bytes_peak(const struct bench_process *process)
{
    return process->rss_bytes_peak;
}

uint64_t bench_process_machine_us(void)
{
    /* cpu user nice system idle iowait irq softirq steal … */
    static const uint32_t busy_columns[] = {1, 2, 3, 6, 7, 8};
    char text[TEXT_BYTES];
    int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    read_file(fd, text);
    close_file(&fd);
    uint64_t ticks = 0;
    for (size_t i = 0; i < COUNT_OF(busy_columns); i++) {
        ticks += column(text, busy_columns[i]);
    }
    return ticks * US_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
}
