#include "system/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum err file_disk(const char *path, struct file_disk *out_disk)
{
    struct statvfs disk;
    if (statvfs(path, &disk) != 0) {
        return ERR_IO;
    }
    out_disk->free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    out_disk->total_bytes = (uint64_t)disk.f_blocks * disk.f_frsize;
    return ERR_OK;
}

enum err file_cut(const char *path, uint64_t bytes)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? ERR_OK : ERR_IO;
    }
    struct stat status;
    const bool is_known = fstat(fd, &status) == 0;
    const bool is_cut =
        is_known && ((uint64_t)status.st_size <= bytes || ftruncate(fd, (off_t)bytes) == 0);
    const bool is_synced = is_cut && fsync(fd) == 0;
    close(fd);
    return is_synced ? ERR_OK : ERR_IO;
}

enum err file_directory_open(const char *path, int *out_fd)
{
    *out_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *out_fd >= 0 ? ERR_OK : ERR_IO;
}

enum err file_open_to_extend(const char *path, int *out_fd)
{
    *out_fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    return *out_fd >= 0 ? ERR_OK : ERR_IO;
}

void file_close(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

uint64_t file_changed_ns(int fd)
{
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        return 0;
    }
    return (uint64_t)status.st_mtim.tv_sec * 1000000000u + (uint64_t)status.st_mtim.tv_nsec;
}

uint64_t file_extend(int fd, uint64_t bytes, uint32_t block_bytes)
{
    static const uint8_t zeros[65536];
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        return 0;
    }
    const uint64_t size = (uint64_t)status.st_size;
    const uint64_t end = (size + bytes + block_bytes - 1) / block_bytes * block_bytes;
    uint64_t added = 0;
    while (size + added < end) {
        const uint64_t left = end - size - added;
        const ssize_t count = write(fd, zeros, left < sizeof(zeros) ? left : sizeof(zeros));
        if (count <= 0) {
            break;
        }
        added += (uint64_t)count;
    }
    return added;
}

enum err file_make_directory(const char *path)
{
    char part[4096];
    const size_t size = strlen(path);
    if (size == 0 || size >= sizeof(part)) {
        return ERR_LIMIT;
    }
    for (size_t i = 1; i <= size; i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            return ERR_IO;
        }
    }
    return ERR_OK;
}

/* A number of /proc/self/status, without its unit. */
static uint64_t status_number(const char *name)
{
    FILE *file = fopen("/proc/self/status", "re");
    if (file == NULL) {
        return 0;
    }
    char line[256];
    uint64_t number = 0;
    const size_t size = strlen(name);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, name, size) == 0 && line[size] == ':') {
            number = strtoull(line + size + 1, NULL, 10);
            break;
        }
    }
    fclose(file);
    return number;
}

uint64_t file_resident_bytes(void)
{
    return status_number("VmRSS") * 1024;
}

uint64_t file_resident_peak_bytes(void)
{
    return status_number("VmHWM") * 1024;
}

uint64_t file_threads_count(void)
{
    return status_number("Threads");
}

uint64_t file_resident_code_bytes(void)
{
    return status_number("RssFile") * 1024;
}

bool file_is_traced(void)
{
    return status_number("TracerPid") != 0;
}

enum err file_memory_open(const char *name, int *out_fd)
{
    *out_fd = memfd_create(name, MFD_CLOEXEC);
    return *out_fd >= 0 ? ERR_OK : ERR_IO;
}

void file_memory_path(int fd, char out_path[FILE_MEMORY_PATH_MAX])
{
    snprintf(out_path, FILE_MEMORY_PATH_MAX, "/proc/self/fd/%d", fd);
}

void file_memory_close(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

uint64_t file_descriptors_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            getrlimit(RLIMIT_NOFILE, &limit);
        }
    }
    return limit.rlim_cur;
}
