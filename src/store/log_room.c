#include "store/log_room.h"

#include "base/err.h"
#include "store/home.h"
#include "system/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the log adds to a commit: seven bytes for each block of 32 KiB that it touches, and what it
 * leaves free at the end of one. */
#define BLOCK_BYTES  32768u
#define BLOCK_EXTRA  14u
#define COMMIT_EXTRA 64u

void log_room_open(struct log_room *room, const char *path)
{
    *room = (struct log_room){.path = path, .directory_fd = -1, .fd = -1};
    ERR_IGNORE(file_directory_open(path, &room->directory_fd), "the log then grows as it did");
}

void log_room_close(struct log_room *room)
{
    file_close(room->fd);
    file_close(room->directory_fd);
    *room = (struct log_room){.directory_fd = -1, .fd = -1};
}

static bool find_newest(void *context, const char *name)
{
    uint64_t *newest = context;
    char *end = NULL;
    const uint64_t number = strtoull(name, &end, 10);
    if (end != name && strcmp(end, ".log") == 0 && number > *newest) {
        *newest = number;
    }
    return true;
}

/* The directory has changed: is there a newer log file? */
static void look(struct log_room *room)
{
    uint64_t newest = 0;
    (void)home_visit(room->path, find_newest, &newest);
    if (newest == room->number) {
        return;
    }
    file_close(room->fd);
    room->number = newest;
    room->left_bytes = 0;
    char name[32];
    char path[HOME_PATH_BYTES_MAX];
    snprintf(name, sizeof(name), "%06" PRIu64 ".log", newest);
    home_path(path, room->path, name);
    ERR_IGNORE(file_open_to_extend(path, &room->fd), "a new one comes");
}

void log_room_make(struct log_room *room, uint64_t bytes)
{
    const uint64_t changed = file_changed_ns(room->directory_fd);
    if (changed != room->directory_time) {
        room->directory_time = changed;
        look(room);
    }
    const uint64_t needed = bytes + bytes / BLOCK_BYTES * BLOCK_EXTRA + COMMIT_EXTRA;
    if (room->left_bytes < needed) {
        /* The file ends with a whole block: less than a header behind the last is damage. */
        const uint64_t wanted = needed > LOG_ROOM_BYTES ? needed : LOG_ROOM_BYTES;
        room->left_bytes = file_extend(room->fd, wanted, BLOCK_BYTES);
    }
    room->left_bytes -= room->left_bytes < needed ? room->left_bytes : needed;
}
