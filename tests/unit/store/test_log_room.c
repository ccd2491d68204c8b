#include "store/home.h"
#include "store/log_room.h"
#include "system/file.h"

#include "unit/store/fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES 32768u
#define MANY        80u /* messages of one commit, more than LOG_ROOM_BYTES */
#define MANY_BYTES  7000u

static const struct log_ref chat = {.channel = {.slot = 5, .number = 1}, .kind = LOG_CHAT};

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

static void log_stat(const struct fixture *fixture, struct stat *out_status)
{
    uint64_t newest = 0;
    CHECK(home_visit(fixture->path, find_newest, &newest));
    char path[192];
    snprintf(path, sizeof(path), "%s/%06llu.log", fixture->path, (unsigned long long)newest);
    CHECK_EQ(stat(path, out_status), 0);
}

/* The size of the newest log file, room included. */
static uint64_t log_bytes(const struct fixture *fixture)
{
    struct stat status;
    log_stat(fixture, &status);
    return (uint64_t)status.st_size;
}

TEST(commits_are_written_over_room_and_the_log_grows_in_large_steps)
{
    static struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    uint64_t before = 0;
    uint32_t steps = 0;
    for (uint32_t i = 0; i < 1500; i++) {
        fixture_append(&fixture, chat, 1, 100 + i % 500);
        const uint64_t now = log_bytes(&fixture);
        CHECK(now >= before); /* the memtables are far from full */
        steps += now > before ? 1 : 0;
        CHECK_EQ(now % BLOCK_BYTES, 0);
        before = now;
    }
    CHECK(steps >= 2);
    CHECK(steps <= 2 + before / LOG_ROOM_BYTES);
    fixture_close(&fixture);
    fixture_deinit(&fixture);
}

TEST(a_new_file_of_the_log_takes_no_more_of_the_disk_than_the_reserve_counts_with)
{
    static struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, chat, 100, 1000);
    CHECK_OK(store_flush(fixture.store)); /* the log goes on in a new file */
    fixture_append(&fixture, chat, 1, 100);
    struct stat status;
    log_stat(&fixture, &status);
    CHECK((uint64_t)status.st_blocks * 512 <=
          store_log_ahead_bytes(fixture.store) + LOG_ROOM_BYTES + BLOCK_BYTES);
    fixture_close(&fixture);
    fixture_deinit(&fixture);
}

TEST(a_commit_that_is_larger_than_the_room_has_room_too)
{
    static struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, chat, 1, 100);
    fixture_append(&fixture, chat, 1, 100);
    const uint64_t before = log_bytes(&fixture);
    static struct fixture_message messages[MANY]; /* borrowed until the commit */
    for (uint64_t seq = 3; seq < 3 + MANY; seq++) {
        struct fixture_message *message = &messages[seq - 3];
        fixture_message(message, seq, MANY_BYTES);
        const struct store_message added = {
            .log = chat, .seq = seq, .row = message->bytes, .sender = BYTES_OF("sender")};
        CHECK_OK(store_batch_add_message(fixture.batch, &added));
    }
    fixture_commit(&fixture);
    const uint64_t after = log_bytes(&fixture);
    CHECK_EQ(after % BLOCK_BYTES, 0);
    CHECK(after > before + (uint64_t)MANY * MANY_BYTES - LOG_ROOM_BYTES);
    fixture_append(&fixture, chat, 1, 100);
    CHECK_EQ(log_bytes(&fixture) % BLOCK_BYTES, 0);
    fixture_close(&fixture);
    fixture_deinit(&fixture);
}

TEST(room_is_added_behind_the_end_wherever_that_is_by_now)
{
    char path[] = "/tmp/jingu-room-XXXXXX";
    const int writer = mkstemp(path);
    CHECK(writer >= 0);
    int extender = -1;
    CHECK_OK(file_open_to_extend(path, &extender));
    uint8_t expected[8 * BLOCK_BYTES] = {0};
    uint8_t found[8 * BLOCK_BYTES];
    uint64_t at = 0;
    for (uint32_t i = 0; i < 20; i++) {
        uint8_t record[5000];
        const size_t size = 1 + prng_below(prng, sizeof(record));
        memset(record, (int)(i + 1), size);
        memcpy(expected + at, record, size);
        CHECK_EQ(write(writer, record, size), (ssize_t)size); /* at its own place */
        at += size;
        if (i % 4 == 0) {
            const uint64_t added = file_extend(extender, 1 + prng_below(prng, 9000), BLOCK_BYTES);
            struct stat status;
            CHECK(added > 0);
            CHECK_EQ(fstat(writer, &status), 0);
            CHECK_EQ(status.st_size % BLOCK_BYTES, 0);
            CHECK((uint64_t)status.st_size >= at);
        }
    }
    const ssize_t size = pread(writer, found, sizeof(found), 0);
    CHECK(size >= (ssize_t)at);
    CHECK_EQ(memcmp(found, expected, (size_t)size), 0);
    file_close(extender);
    close(writer);
    CHECK_EQ(unlink(path), 0);
}

TEST(without_a_directory_there_is_no_room_and_nothing_breaks)
{
    struct log_room room;
    log_room_open(&room, "/nowhere/at/all");
    log_room_make(&room, 100);
    log_room_close(&room);
}
