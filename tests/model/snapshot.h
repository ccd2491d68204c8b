/*
 * snapshot.h -- a store's directory as the end of its process would leave it.
 *
 * The files are copied while the database is open and nobody commits: that is what is in the
 * kernel's hands at this moment, and what a new process would find.
 */
#pragma once

#include <stdint.h>

#define SNAPSHOT_PATH_MAX 256

/* Makes a new directory for a test, with its name in `path`: in memory where the machine has a
 * place for that. */
void directory_make(char path[SNAPSHOT_PATH_MAX]);

/* The path of number `index` inside of a directory. */
void directory_join(char path[SNAPSHOT_PATH_MAX], const char *directory, uint32_t index);

/* Removes a directory and all in it. */
void directory_remove(const char *path);

/* Copies `source` to `target`, which does not exist. Waits until no file of the source changes any
 * more, since the database may be merging files on its own. */
void snapshot_take(const char *source, const char *target);

/* Cuts a file of the directory to so many bytes. */
void snapshot_cut(const char *path, const char *file, uint64_t bytes);
