#include "model/snapshot.h"

#include "support/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 256u

/* What can be seen of a directory from outside. */
struct listing {
    uint32_t count;
    struct {
        char name[64];
        uint64_t bytes;
        struct timespec changed;
    } files[FILES_MAX];
};

void directory_make(char path[SNAPSHOT_PATH_MAX])
{
    const bool has_memory = access("/dev/shm", W_OK) == 0;
    snprintf(path, SNAPSHOT_PATH_MAX, "%s/jingu-model-XXXXXX", has_memory ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(path) != NULL);
}

void directory_join(char path[SNAPSHOT_PATH_MAX], const char *directory, uint32_t index)
{
    const int size = snprintf(path, SNAPSHOT_PATH_MAX, "%s/%u", directory, index);
    CHECK(size < SNAPSHOT_PATH_MAX);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void directory_remove(const char *path)
{
    CHECK_EQ(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void join(char path[SNAPSHOT_PATH_MAX], const char *directory, const char *file)
{
    CHECK(snprintf(path, SNAPSHOT_PATH_MAX, "%s/%s", directory, file) < SNAPSHOT_PATH_MAX);
}

static void list_files(const char *directory, struct listing *out_listing)
{
    struct dirent **entries = NULL;
    const int count = scandir(directory, &entries, NULL, compare_names);
    CHECK(count >= 0);
    memset(out_listing, 0, sizeof(*out_listing));
    for (int i = 0; i < count; i++) {
        char path[SNAPSHOT_PATH_MAX];
        struct stat status;
        join(path, directory, entries[i]->d_name);
        /* A file may go between the two looks; then the next listing differs. */
        if (stat(path, &status) == 0 && S_ISREG(status.st_mode)) {
            const size_t size = strlen(entries[i]->d_name) + 1;
            CHECK(out_listing->count < FILES_MAX);
            CHECK(size <= sizeof(out_listing->files[0].name));
            memcpy(out_listing->files[out_listing->count].name, entries[i]->d_name, size);
            out_listing->files[out_listing->count].bytes = (uint64_t)status.st_size;
            out_listing->files[out_listing->count].changed = status.st_mtim;
            out_listing->count++;
        }
        (free)(entries[i]); /* what scandir took from the heap */
    }
    (free)(entries);
}

static void copy_file(const char *source, const char *target)
{
    const int from = open(source, O_RDONLY | O_CLOEXEC);
    if (from < 0) {
        return; /* gone meanwhile: the listings differ */
    }
    const int to = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(to >= 0);
    ssize_t copied;
    do {
        copied = sendfile(to, from, NULL, 1u << 20);
    } while (copied > 0);
    CHECK_EQ(copied, 0);
    close(from);
    close(to);
}

void snapshot_take(const char *source, const char *target)
{
    static struct listing before; /* large, and there is one test in a process */
    static struct listing after;  /* likewise */
    for (;;) {
        list_files(source, &before);
        CHECK_EQ(mkdir(target, 0700), 0);
        for (uint32_t i = 0; i < before.count; i++) {
            char from[SNAPSHOT_PATH_MAX];
            char to[SNAPSHOT_PATH_MAX];
            join(from, source, before.files[i].name);
            join(to, target, before.files[i].name);
            copy_file(from, to);
        }
        list_files(source, &after);
        if (memcmp(&before, &after, sizeof(before)) == 0) {
            return;
        }
        directory_remove(target);
    }
}

void snapshot_cut(const char *path, const char *file, uint64_t bytes)
{
    char whole[SNAPSHOT_PATH_MAX];
    join(whole, path, file);
    CHECK_EQ(truncate(whole, (off_t)bytes), 0);
}
