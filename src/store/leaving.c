#include "store/leaving.h"

#include "store/home.h"
#include "system/cut.h"
#include "system/file.h"

#include <string.h>

#define DIRECTORY      "leaving"
#define FREE_DISK_PART 8u

static bool has_ending(const char *name, const char *ending)
{
    const size_t size = strlen(name);
    const size_t ending_size = strlen(ending);
    return size > ending_size && strcmp(name + size - ending_size, ending) == 0;
}

static void directory_of(const struct leaving *leaving, char path[HOME_PATH_BYTES_MAX])
{
    home_path(path, leaving->path, DIRECTORY);
}

/* ---- Second names. ---- */

static bool keep_visit(void *context, const char *name)
{
    const struct leaving *leaving = context;
    if (has_ending(name, ".sst") || has_ending(name, ".log")) {
        char directory[HOME_PATH_BYTES_MAX];
        char path[HOME_PATH_BYTES_MAX];
        char kept[HOME_PATH_BYTES_MAX];
        directory_of(leaving, directory);
        home_path(path, leaving->path, name);
        home_path(kept, directory, name);
        ERR_IGNORE(cut_keep(path, kept), "without a second name the file goes at once");
    }
    return true;
}

/* ---- Cutting. ---- */

/* Waits; false: it is time to stop. */
static bool leaving_rest(struct leaving *leaving, uint32_t rest_ms)
{
    monitor_enter(&leaving->monitor);
    if (!leaving->is_stopping) {
        monitor_wait_ms(&leaving->monitor, rest_ms);
    }
    const bool goes_on = !leaving->is_stopping;
    monitor_leave(&leaving->monitor);
    return goes_on;
}

/* Cuts one file until it is gone, still wanted, or the server stops. */
static bool cut_visit(void *context, const char *name)
{
    struct leaving *leaving = context;
    if (name[0] == '.') {
        return true;
    }
    char directory[HOME_PATH_BYTES_MAX];
    char kept[HOME_PATH_BYTES_MAX];
    directory_of(leaving, directory);
    home_path(kept, directory, name);
    uint64_t left = 1;
    while (left > 0) {
        const uint64_t piece = leaving->is_hurried ? UINT64_MAX : LEAVING_PIECE_BYTES;
        if (cut_piece(kept, piece, &left) != ERR_OK) {
            return true;
        }
        if (!leaving->is_hurried && !leaving_rest(leaving, LEAVING_PAUSE_MS)) {
            return false;
        }
    }
    return true;
}

static bool count_visit(void *context, const char *name)
{
    struct leaving *leaving = context;
    char directory[HOME_PATH_BYTES_MAX];
    char kept[HOME_PATH_BYTES_MAX];
    directory_of(leaving, directory);
    home_path(kept, directory, name);
    leaving->waiting_bytes += name[0] == '.' ? 0 : cut_waiting_bytes(kept);
    return true;
}

/* By promise (2). */
static bool must_hurry(struct leaving *leaving, const char *directory)
{
    struct file_disk disk = {.free_bytes = 0};
    leaving->waiting_bytes = 0;
    (void)home_visit(directory, count_visit, leaving);
    if (file_disk(leaving->path, &disk) != ERR_OK) {
        return true;
    }
    return leaving->waiting_bytes > LEAVING_BYTES_MAX ||
           leaving->waiting_bytes > disk.free_bytes / FREE_DISK_PART;
}

static void leaving_run(void *context)
{
    struct leaving *leaving = context;
    char directory[HOME_PATH_BYTES_MAX];
    directory_of(leaving, directory);
    do {
        (void)home_visit(leaving->path, keep_visit, leaving);
        leaving->is_hurried = must_hurry(leaving, directory);
        if (leaving->waiting_bytes > 0) {
            (void)home_visit(directory, cut_visit, leaving);
        }
    } while (leaving_rest(leaving, LEAVING_LOOK_MS));
}

enum err leaving_start(struct leaving *leaving, const char *path)
{
    *leaving = (struct leaving){.path = path};
    char directory[HOME_PATH_BYTES_MAX];
    directory_of(leaving, directory);
    enum err err = file_make_directory(directory);
    if (err != ERR_OK) {
        return err;
    }
    monitor_init(&leaving->monitor);
    err = thread_start(&leaving->thread, "leaving", leaving_run, leaving);
    if (err != ERR_OK) {
        monitor_deinit(&leaving->monitor);
        return err;
    }
    leaving->is_started = true;
    return ERR_OK;
}

void leaving_stop(struct leaving *leaving)
{
    if (!leaving->is_started) {
        return;
    }
    monitor_enter(&leaving->monitor);
    leaving->is_stopping = true;
    monitor_signal_all(&leaving->monitor);
    monitor_leave(&leaving->monitor);
    thread_join(&leaving->thread);
    monitor_deinit(&leaving->monitor);
    leaving->is_started = false;
}
