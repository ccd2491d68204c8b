/*
 * home.h -- the directory of a database: whose it is, and who has it open.
 *
 * Our directories hold a small text file JINGU that names the format. It is looked at
 * before RocksDB is let near, so that a directory of somebody else's, or of a later
 * version, is left as it is. While a database is being made the file is called
 * JINGU.making; it becomes JINGU when the first row is on the disk, so that a kill in
 * between leaves a directory that the next opening completes.
 *
 * Private to the store layer; for the thread that opens.
 */
#pragma once

#include "base/err.h"
#include "store/store.h"

enum home_state {
    HOME_ABSENT = 0, /* no directory, or an empty one */
    HOME_MAKING,     /* being made when the process ended; RocksDB may have begun or not */
    HOME_OURS,       /* complete, and of a format that we read */
};

/* ERR_DENIED: somebody else's, a newer format, or no directory at all; ERR_CORRUPT: ours, and
 * RocksDB's first file is missing. */
MUST_USE enum err home_inspect(const char *path, enum home_state *out_state,
                               struct store_fault *out_fault);

/* Is there a RocksDB in the directory? */
bool home_has_database(const char *path);

/* ERR_DENIED: another process has the database open. */
MUST_USE enum err home_probe_lock(const char *path, struct store_fault *out_fault);

/* Makes the directory and JINGU.making. */
MUST_USE enum err home_begin(const char *path, struct store_fault *out_fault);

/* JINGU.making becomes JINGU. */
MUST_USE enum err home_finish(const char *path, struct store_fault *out_fault);

/* Calls `visit` for each name in the directory until it gives false. False: there is no such
 * directory, or it cannot be read. */
typedef bool home_name_fn(void *context, const char *name);
bool home_visit(const char *path, home_name_fn *visit, void *context);

/* A path inside the directory; cut to nothing if it is too long, which then does not exist. */
#define HOME_PATH_BYTES_MAX 4096
void home_path(char path[HOME_PATH_BYTES_MAX], const char *directory, const char *name);
