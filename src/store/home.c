#include "store/home.h"

#include "store/engine.h"
#include "system/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARKER        "JINGU"
#define MARKER_MAKING "JINGU.making"
#define MARKER_BEGIN  "jingu store\nformat "
#define MARKER_BYTES  64

void home_path(char path[HOME_PATH_BYTES_MAX], const char *directory, const char *name)
{
    const int size = snprintf(path, HOME_PATH_BYTES_MAX, "%s/%s", directory, name);
    if (size < 0 || size >= HOME_PATH_BYTES_MAX) {
        path[0] = '\0';
    }
}

/* A file that is there and cannot be opened is there: errno says why. */
static bool home_has(const char *directory, const char *name)
{
    char path[HOME_PATH_BYTES_MAX];
    home_path(path, directory, name);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return errno != ENOENT;
    }
    fclose(file);
    return true;
}

bool home_has_database(const char *path)
{
    return home_has(path, "CURRENT");
}

bool home_visit(const char *path, home_name_fn *visit, void *context)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return false;
    }
    for (;;) {
        const struct dirent *entry = readdir(directory);
        if (entry == NULL || !visit(context, entry->d_name)) {
            break;
        }
    }
    closedir(directory);
    return true;
}

/* Stops at the first name that makes a directory not empty. A file system's own does not. */
static bool is_of_no_interest(void *context, const char *name)
{
    bool *is_empty = context;
    *is_empty =
        strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lost+found") == 0;
    return *is_empty;
}

/* The format that the marker names; 0: it names none. False: it cannot be read, errno says why. */
static bool marker_format(const char *directory, uint32_t *out_format)
{
    char path[HOME_PATH_BYTES_MAX];
    home_path(path, directory, MARKER);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    char text[MARKER_BYTES] = "";
    const size_t size = fread(text, 1, sizeof(text) - 1, file);
    const int fault = ferror(file) != 0 ? errno : 0;
    fclose(file);
    errno = fault;
    char *end = text;
    unsigned long format = 0;
    if (size > 0 && strncmp(text, MARKER_BEGIN, strlen(MARKER_BEGIN)) == 0) {
        format = strtoul(text + strlen(MARKER_BEGIN), &end, 10);
    }
    *out_format = *end == '\n' && format <= UINT32_MAX ? (uint32_t)format : 0;
    return fault == 0;
}

static enum err inspect_ours(const char *path, struct store_fault *out_fault)
{
    uint32_t format = 0;
    if (!marker_format(path, &format)) {
        fault_set(out_fault, "%s: the file " MARKER ": %s", path, strerror(errno));
        return ERR_DENIED;
    }
    if (format == 0) {
        fault_set(out_fault, "%s: the file " MARKER " is not as we write it; not opened", path);
        return ERR_DENIED;
    }
    if (format > STORE_FORMAT_VERSION) {
        fault_set(out_fault, "%s: written in format %u by a newer version; this one reads up to %u",
                  path, format, STORE_FORMAT_VERSION);
        return ERR_DENIED;
    }
    if (!home_has_database(path)) {
        fault_set(out_fault, "%s: the file CURRENT is missing: the database is damaged", path);
        return ERR_CORRUPT;
    }
    return ERR_OK;
}

enum err home_inspect(const char *path, enum home_state *out_state, struct store_fault *out_fault)
{
    bool is_empty = true;
    if (!home_visit(path, is_of_no_interest, &is_empty)) {
        if (errno != ENOENT) {
            fault_set(out_fault, "%s: %s", path, strerror(errno));
            return ERR_DENIED;
        }
        is_empty = true;
    }
    if (is_empty) {
        *out_state = HOME_ABSENT;
        return ERR_OK;
    }
    if (home_has(path, MARKER)) {
        *out_state = HOME_OURS;
        return inspect_ours(path, out_fault);
    }
    if (home_has(path, MARKER_MAKING)) {
        *out_state = HOME_MAKING;
        return ERR_OK;
    }
    fault_set(out_fault, "%s: not empty, and without a file " MARKER ": not our directory", path);
    return ERR_DENIED;
}

enum err home_probe_lock(const char *path, struct store_fault *out_fault)
{
    char lock_path[HOME_PATH_BYTES_MAX];
    home_path(lock_path, path, "LOCK");
    FILE *file = fopen(lock_path, "r+e");
    if (file == NULL) {
        return ERR_OK; /* RocksDB has not been here yet */
    }
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    const int result = fcntl(fileno(file), F_GETLK, &lock);
    fclose(file);
    if (result == 0 && lock.l_type != F_UNLCK) {
        fault_set(out_fault, "%s: in use by process %ld", path, (long)lock.l_pid);
        return ERR_DENIED;
    }
    return ERR_OK;
}

enum err home_begin(const char *path, struct store_fault *out_fault)
{
    if (file_make_directory(path) != ERR_OK) {
        fault_set(out_fault, "%s: cannot make the directory: %s", path, strerror(errno));
        return ERR_IO;
    }
    char marker[HOME_PATH_BYTES_MAX];
    home_path(marker, path, MARKER_MAKING);
    /* Synchronous, since an empty marker would lock us out of the directory after a power cut. */
    const int fd = open(marker, O_WRONLY | O_CREAT | O_TRUNC | O_SYNC | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    const bool is_written =
        file != NULL && fprintf(file, MARKER_BEGIN "%u\n", STORE_FORMAT_VERSION) > 0;
    const bool is_closed = file != NULL && fclose(file) == 0;
    if (!is_written || !is_closed) {
        fault_set(out_fault, "%s: %s", marker, strerror(errno));
        return ERR_IO;
    }
    return ERR_OK;
}

enum err home_finish(const char *path, struct store_fault *out_fault)
{
    char making[HOME_PATH_BYTES_MAX];
    char marker[HOME_PATH_BYTES_MAX];
    home_path(making, path, MARKER_MAKING);
    home_path(marker, path, MARKER);
    if (rename(making, marker) != 0) {
        fault_set(out_fault, "%s: %s", marker, strerror(errno));
        return ERR_IO;
    }
    return ERR_OK;
}
