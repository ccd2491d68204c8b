/*
 * backup.h -- copies of a database that is in use.
 *
 * A backup is a directory `backups/NAME` beside the files of the database, and a database
 * itself: a server starts from it, or from a copy of it. Its tables are second names of
 * the database's own, so it is made in the time that it takes to write what is in memory,
 * and takes space on the disk only as the database replaces tables by others.
 *
 * Promises: what was committed before store_backup was called is in it; of what is
 * committed meanwhile there is a beginning, without a gap. Half a backup is none: it has
 * no marker, and a server refuses it.
 *
 * Any thread that may block; one backup at a time.
 */
#pragma once

#include "base/bytes.h"
#include "store/home.h"

#define BACKUP_NAME_BYTES_MAX 64u

/* Letters, digits, '-', '_' and '.', not first. */
bool backup_name_is_good(struct bytes name);

/* Writes the path of a backup, be it there or not. */
void backup_path(const struct store *store, struct bytes name, char path[HOME_PATH_BYTES_MAX]);

/* Is there something at the path? */
bool backup_is_there(const char *path);

/* Makes it. ERR_DENIED: it is there. Others, among them the disk's: nothing is left of it, or a
 * directory that is no database. */
MUST_USE enum err store_backup(struct store *store, struct bytes name);
