/*
 * file.h -- what the server asks of the file system besides its store.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct file_disk {
    uint64_t free_bytes;  /* that an ordinary user may still write */
    uint64_t total_bytes; /* of the file system */
};

/* The disk where `path` is. ERR_IO: cannot tell. */
MUST_USE enum err file_disk(const char *path, struct file_disk *out_disk);

/* The file ends at `bytes` from now on, also when the machine dies. One that is not there, or that
 * is no longer than that, stays as it is. */
MUST_USE enum err file_cut(const char *path, uint64_t bytes);

/* For the functions below. ERR_IO: there is none, or it may not be written; -1 then. */
MUST_USE enum err file_directory_open(const char *path, int *out_fd);
MUST_USE enum err file_open_to_extend(const char *path, int *out_fd);
void file_close(int fd); /* or -1 */

/* When the file, or what is in the directory, was changed last; 0 when unknown. Two changes within
 * a tick of the kernel's clock may have the same time. */
uint64_t file_changed_ns(int fd);

/* Adds zeros behind the end of the file, wherever that is when they are added: `bytes` and up to
 * `block_bytes` more, so that the file ends with a whole block. Others may write to it meanwhile.
 * Returns how many were added. */
uint64_t file_extend(int fd, uint64_t bytes, uint32_t block_bytes);

/* Makes the directory and those above it. */
MUST_USE enum err file_make_directory(const char *path);

/* Resident memory of this process, in bytes, now and at its highest; 0 when unknown. */
uint64_t file_resident_bytes(void);
uint64_t file_resident_peak_bytes(void);

/* The part of file_resident_bytes that is pages of files: the program and its libraries. */
uint64_t file_resident_code_bytes(void);

/* Does a debugger hold this process? */
bool file_is_traced(void);

/* Threads of this process; 0 when unknown. */
uint64_t file_threads_count(void);

/* A file without a name, in memory, gone when it is closed. Others may open it by the path that
 * file_memory_path gives. */
MUST_USE enum err file_memory_open(const char *name, int *out_fd);
#define FILE_MEMORY_PATH_MAX 32
void file_memory_path(int fd, char out_path[FILE_MEMORY_PATH_MAX]);
void file_memory_close(int fd);

/* How many descriptors this process may have. */
uint64_t file_descriptors_max(void);
