#include "model/trouble.h"

#include "base/assert.h"
#include "shard/readers.h"
#include "store/batch.h"
#include "store/message_log.h"
#include "store/read.h"
#include "system/clock.h"
#include "system/file.h"

#include <dirent.h>
#include <rocksdb/c.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LATE_MAX 256u

/* A reading that is kept back: its way home is remembered, and its letter comes to us. */
struct late {
    struct reading *reading;
    letter_fn *receive;
    struct mailbox *home;
    bool is_done;
};

/* The one state of the process; see the header. What other threads look at is atomic or guarded. */
static struct {
    struct prng prng;
    uint32_t misses_percent;
    uint32_t late_percent;
    struct mailbox late_box;
    struct late late[LATE_MAX];
    uint32_t late_count;

    _Atomic uint32_t commits_to_fail;
    _Atomic bool is_failed_after;
    _Atomic uint32_t commits_failed;
    _Atomic uint32_t opens_to_fail;
    _Atomic uint32_t reads_fail_percent;
    _Atomic uint64_t reads_dice;
    _Atomic bool is_disk_short;
    _Atomic uint64_t clock_ahead_ns; /* so that what the journal knows of the disk is old */

    struct monitor monitor; /* guards what follows */
    enum trouble_hold hold;
    bool is_held;
    const char *path;
    struct trouble_tail tail;
} trouble;

/* Is this thread inside of store_batch_commit, and not a reader that writes pages? */
static _Thread_local bool is_committing;

void trouble_begin(uint64_t seed)
{
    prng_init(&trouble.prng, seed);
    monitor_init(&trouble.monitor);
    const enum err err = mailbox_open(&trouble.late_box, NULL);
    ASSERT(err == ERR_OK);
}

void trouble_end(void)
{
    ASSERT(trouble.late_count == 0);
    mailbox_close(&trouble.late_box);
    monitor_deinit(&trouble.monitor);
}

void trouble_slow_reads(uint32_t misses_percent, uint32_t late_percent)
{
    trouble.misses_percent = misses_percent;
    trouble.late_percent = late_percent;
}

void trouble_fail_commits(uint32_t count, bool is_written)
{
    atomic_store(&trouble.is_failed_after, is_written);
    atomic_store(&trouble.commits_to_fail, count);
}

void trouble_fail_opens(uint32_t count)
{
    atomic_store(&trouble.opens_to_fail, count);
}

void trouble_fail_reads(uint32_t percent)
{
    atomic_store(&trouble.reads_dice, prng_next(&trouble.prng));
    atomic_store(&trouble.reads_fail_percent, percent);
}

void trouble_short_disk(bool is_short)
{
    atomic_fetch_add(&trouble.clock_ahead_ns, 1000000000u);
    atomic_store(&trouble.is_disk_short, is_short);
}

void trouble_rest(void)
{
    trouble_slow_reads(0, 0);
    trouble_fail_commits(0, false);
    trouble_fail_opens(0);
    trouble_fail_reads(0);
    if (atomic_load(&trouble.is_disk_short)) {
        trouble_short_disk(false);
    }
}

uint32_t trouble_commits_failed(void)
{
    return atomic_load(&trouble.commits_failed);
}

/* Takes one of a count that is left. */
static bool take_one(_Atomic uint32_t *count)
{
    uint32_t left = atomic_load(count);
    while (left > 0) {
        if (atomic_compare_exchange_weak(count, &left, left - 1)) {
            return true;
        }
    }
    return false;
}

/* What RocksDB reports is released with its own function, which is the heap's. */
static char *failure(const char *text)
{
    char *copy = NULL;
    ASSERT(asprintf(&copy, "%s", text) > 0);
    return copy;
}

/* ---- Commits that fail, or are held. ---- */

void trouble_hold_commit(enum trouble_hold hold, const char *path)
{
    monitor_enter(&trouble.monitor);
    trouble.hold = hold;
    trouble.path = path;
    trouble.tail = (struct trouble_tail){.begin = 0};
    monitor_leave(&trouble.monitor);
}

bool trouble_is_held(void)
{
    monitor_enter(&trouble.monitor);
    const bool is_held = trouble.is_held;
    monitor_leave(&trouble.monitor);
    return is_held;
}

struct trouble_tail trouble_tail(void)
{
    monitor_enter(&trouble.monitor);
    const struct trouble_tail tail = trouble.tail;
    monitor_leave(&trouble.monitor);
    return tail;
}

void trouble_release(void)
{
    monitor_enter(&trouble.monitor);
    trouble.hold = TROUBLE_HOLD_NONE;
    monitor_signal_all(&trouble.monitor);
    monitor_leave(&trouble.monitor);
}

static void hold_here(enum trouble_hold where)
{
    monitor_enter(&trouble.monitor);
    while (trouble.hold == where) {
        trouble.is_held = true;
        monitor_wait(&trouble.monitor);
    }
    trouble.is_held = false;
    monitor_leave(&trouble.monitor);
}

/* The newest file of the write-ahead log, and its size. */
static void look_at_log(const char *path, char *file, size_t file_size, uint64_t *out_bytes)
{
    DIR *directory = opendir(path);
    ASSERT(directory != NULL);
    file[0] = '\0';
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        const size_t size = strlen(entry->d_name);
        if (size > 4 && size < file_size && strcmp(entry->d_name + size - 4, ".log") == 0 &&
            strcmp(entry->d_name, file) > 0) {
            memcpy(file, entry->d_name, size + 1);
        }
    }
    closedir(directory);
    char whole[512];
    snprintf(whole, sizeof(whole), "%s/%s", path, file);
    struct stat status = {.st_size = 0};
    ASSERT(stat(whole, &status) == 0);
    *out_bytes = (uint64_t)status.st_size;
}

enum err __real_store_batch_commit(struct store_batch *batch, bool is_synced,
                                   struct store_fault *out_fault);
enum err __wrap_store_batch_commit(struct store_batch *batch, bool is_synced,
                                   struct store_fault *out_fault);
enum err __wrap_store_batch_commit(struct store_batch *batch, bool is_synced,
                                   struct store_fault *out_fault)
{
    is_committing = true;
    const enum err err = __real_store_batch_commit(batch, is_synced, out_fault);
    is_committing = false;
    return err;
}

void __real_rocksdb_write(rocksdb_t *db, const rocksdb_writeoptions_t *options,
                          rocksdb_writebatch_t *batch, char **errptr);
void __wrap_rocksdb_write(rocksdb_t *db, const rocksdb_writeoptions_t *options,
                          rocksdb_writebatch_t *batch, char **errptr);

static void write_and_hold(rocksdb_t *db, const rocksdb_writeoptions_t *options,
                           rocksdb_writebatch_t *batch, char **errptr)
{
    monitor_enter(&trouble.monitor);
    const bool is_watched = trouble.hold == TROUBLE_HOLD_AFTER;
    struct trouble_tail tail = {.begin = 0};
    if (is_watched) {
        look_at_log(trouble.path, tail.file, sizeof(tail.file), &tail.begin);
    }
    monitor_leave(&trouble.monitor);
    __real_rocksdb_write(db, options, batch, errptr);
    if (is_watched) {
        char file[sizeof(tail.file)];
        look_at_log(trouble.path, file, sizeof(file), &tail.end);
        if (strcmp(file, tail.file) != 0) { /* a new file was begun: it is all of this write */
            tail.begin = 0;
            memcpy(tail.file, file, sizeof(file));
        }
        monitor_enter(&trouble.monitor);
        trouble.tail = tail;
        monitor_leave(&trouble.monitor);
    }
}

void __wrap_rocksdb_write(rocksdb_t *db, const rocksdb_writeoptions_t *options,
                          rocksdb_writebatch_t *batch, char **errptr)
{
    if (!is_committing) {
        __real_rocksdb_write(db, options, batch, errptr);
        return;
    }
    hold_here(TROUBLE_HOLD_BEFORE);
    const bool is_failing = take_one(&trouble.commits_to_fail);
    if (!is_failing || atomic_load(&trouble.is_failed_after)) {
        write_and_hold(db, options, batch, errptr);
    }
    if (is_failing && *errptr == NULL) {
        atomic_fetch_add(&trouble.commits_failed, 1);
        *errptr = failure("IO error: the test wants it so");
    }
    hold_here(TROUBLE_HOLD_AFTER);
}

rocksdb_t *__real_rocksdb_open_column_families(const rocksdb_options_t *options, const char *name,
                                               int count, const char *const *names,
                                               const rocksdb_options_t *const *families_options,
                                               rocksdb_column_family_handle_t **families,
                                               char **errptr);
rocksdb_t *__wrap_rocksdb_open_column_families(const rocksdb_options_t *options, const char *name,
                                               int count, const char *const *names,
                                               const rocksdb_options_t *const *families_options,
                                               rocksdb_column_family_handle_t **families,
                                               char **errptr);
rocksdb_t *__wrap_rocksdb_open_column_families(const rocksdb_options_t *options, const char *name,
                                               int count, const char *const *names,
                                               const rocksdb_options_t *const *families_options,
                                               rocksdb_column_family_handle_t **families,
                                               char **errptr)
{
    if (take_one(&trouble.opens_to_fail)) {
        *errptr = failure("IO error: the test does not want it open");
        return NULL;
    }
    return __real_rocksdb_open_column_families(options, name, count, names, families_options,
                                               families, errptr);
}

/* ---- The disk, and the clock that says how old what is known of it is. ---- */

enum err __real_file_disk(const char *path, struct file_disk *out_disk);
enum err __wrap_file_disk(const char *path, struct file_disk *out_disk);
enum err __wrap_file_disk(const char *path, struct file_disk *out_disk)
{
    const enum err err = __real_file_disk(path, out_disk);
    if (err == ERR_OK) {
        out_disk->free_bytes = atomic_load(&trouble.is_disk_short) ? 0 : UINT64_MAX / 2;
    }
    return err;
}

uint64_t __real_clock_now_ns(void);
uint64_t __wrap_clock_now_ns(void);
uint64_t __wrap_clock_now_ns(void)
{
    return __real_clock_now_ns() + atomic_load(&trouble.clock_ahead_ns);
}

/* ---- What is said not to be in memory, and readings that fail. ---- */

static bool is_missed(enum store_wait wait)
{
    return wait == STORE_CACHED_ONLY && prng_below(&trouble.prng, 100) < trouble.misses_percent;
}

/* Asked by several readers at once: which of them is refused is chance, how many is not. */
static bool is_failed(enum store_wait wait)
{
    const uint32_t percent = atomic_load(&trouble.reads_fail_percent);
    if (wait != STORE_MAY_BLOCK || percent == 0) {
        return false;
    }
    struct prng prng;
    prng_init(&prng, atomic_fetch_add(&trouble.reads_dice, 1));
    return prng_below(&prng, 100) < percent;
}

#define WRAP(name, arguments, names)                                                               \
    enum err __real_##name arguments;                                                              \
    enum err __wrap_##name arguments;                                                              \
    enum err __wrap_##name arguments                                                               \
    {                                                                                              \
        if (is_missed(wait)) {                                                                     \
            return ERR_AGAIN;                                                                      \
        }                                                                                          \
        return is_failed(wait) ? ERR_IO : __real_##name names;                                     \
    }

WRAP(store_load_channel,
     (struct store * store, enum store_wait wait, struct channel_name name,
      struct channel_state *out_state),
     (store, wait, name, out_state))
WRAP(store_find_channel_row,
     (struct store * store, enum store_wait wait, struct channel_name name,
      struct channel_row *out_row),
     (store, wait, name, out_row))
WRAP(store_last_number,
     (struct store * store, enum store_wait wait, uint16_t slot, uint32_t *out_number),
     (store, wait, slot, out_number))
WRAP(store_find_send,
     (struct store * store, enum store_wait wait, const struct store_send *send,
      struct store_sent *out_sent),
     (store, wait, send, out_sent))
WRAP(store_find_member,
     (struct store * store, enum store_wait wait, struct list_ref list, struct bytes uid,
      struct member_row *out_row),
     (store, wait, list, uid, out_row))
WRAP(store_list_is_empty,
     (struct store * store, enum store_wait wait, struct list_ref list, bool *out_is_empty),
     (store, wait, list, out_is_empty))
WRAP(store_find_directory,
     (struct store * store, enum store_wait wait, const struct directory_key *key,
      struct directory_row *out_row),
     (store, wait, key, out_row))
WRAP(store_find_user,
     (struct store * store, enum store_wait wait, struct bytes uid, struct user_row *out_row),
     (store, wait, uid, out_row))
WRAP(store_find_device,
     (struct store * store, enum store_wait wait, struct device_key key,
      struct device_row *out_row),
     (store, wait, key, out_row))
WRAP(store_read_messages,
     (struct store * store, enum store_wait wait, const struct message_range *range),
     (store, wait, range))
WRAP(store_read_members,
     (struct store * store, enum store_wait wait, const struct member_page *page),
     (store, wait, page))

/* ---- Readings that come home late. ---- */

static void late_arrives(struct letter *letter, void *receiver)
{
    (void)receiver;
    for (uint32_t i = 0; i < trouble.late_count; i++) {
        if (&trouble.late[i].reading->letter == letter) {
            trouble.late[i].is_done = true;
            return;
        }
    }
    UNREACHABLE();
}

void __real_readers_ask(struct readers *readers, struct reading *reading);
void __wrap_readers_ask(struct readers *readers, struct reading *reading);
void __wrap_readers_ask(struct readers *readers, struct reading *reading)
{
    if (trouble.late_count < LATE_MAX && prng_below(&trouble.prng, 100) < trouble.late_percent) {
        trouble.late[trouble.late_count++] = (struct late){
            .reading = reading,
            .receive = reading->letter.receive,
            .home = reading->home,
        };
        reading->letter.receive = late_arrives;
        reading->home = &trouble.late_box;
    }
    __real_readers_ask(readers, reading);
}

uint32_t trouble_late_count(void)
{
    return trouble.late_count;
}

struct mailbox *trouble_late_mailbox(void)
{
    return &trouble.late_box;
}

uint32_t trouble_send_late(struct prng *prng, bool is_all)
{
    mailbox_drain(&trouble.late_box);
    uint32_t sent = 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < trouble.late_count; i++) {
        const struct late late = trouble.late[i];
        if (late.is_done && (is_all || prng_below(prng, 3) == 0)) {
            late.reading->letter.receive = late.receive;
            late.reading->home = late.home;
            mailbox_post(late.home, &late.reading->letter);
            sent++;
        } else {
            trouble.late[kept++] = late;
        }
    }
    trouble.late_count = kept;
    return sent;
}
