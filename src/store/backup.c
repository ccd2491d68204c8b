#include "store/backup.h"

#include "store/store_private.h"
#include "system/file.h"

#include <stdio.h>

#define DIRECTORY "backups"

static bool is_plain(uint8_t letter)
{
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter == '-' || letter == '_' || letter == '.';
}

bool backup_name_is_good(struct bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        if (!is_plain(name.data[i])) {
            return false;
        }
    }
    return name.size > 0 && name.size <= BACKUP_NAME_BYTES_MAX && name.data[0] != '.';
}

void backup_path(const struct store *store, struct bytes name, char path[HOME_PATH_BYTES_MAX])
{
    char below[sizeof(DIRECTORY) + 1 + BACKUP_NAME_BYTES_MAX];
    snprintf(below, sizeof(below), DIRECTORY "/%.*s", (int)name.size, (const char *)name.data);
    home_path(path, store->options.path, below);
}

static bool visit_nothing(void *context, const char *name)
{
    (void)context;
    (void)name;
    return false;
}

bool backup_is_there(const char *path)
{
    return home_visit(path, visit_nothing, NULL);
}

/* RocksDB makes the directory when all is in it. */
static enum err make_checkpoint(struct store *store, const char *path)
{
    char *error = NULL;
    rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(store->engine.db, &error);
    const enum err err = store_note_error(store, error);
    if (err != ERR_OK) {
        return err;
    }
    error = NULL;
    rocksdb_checkpoint_create(checkpoint, path, 0, &error);
    rocksdb_checkpoint_object_destroy(checkpoint);
    return store_note_error(store, error);
}

/* The copy's marker, in the two steps of a new database. */
static enum err mark(const char *path)
{
    struct store_fault fault;
    const enum err err = home_begin(path, &fault);
    return err == ERR_OK ? home_finish(path, &fault) : err;
}

enum err store_backup(struct store *store, struct bytes name)
{
    char directory[HOME_PATH_BYTES_MAX];
    char path[HOME_PATH_BYTES_MAX];
    home_path(directory, store->options.path, DIRECTORY);
    backup_path(store, name, path);
    if (backup_is_there(path)) {
        return ERR_DENIED;
    }
    enum err err = file_make_directory(directory);
    if (err != ERR_OK) {
        return err;
    }
    if (!gate_enter(&store->gate)) {
        return store_note(store, FAMILY_DEFAULT, ERR_IO);
    }
    err = make_checkpoint(store, path);
    gate_leave(&store->gate);
    return err == ERR_OK ? mark(path) : err;
}
