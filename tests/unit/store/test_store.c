#include "unit/store/fixture.h"

#include "memory/allocator.h"
#include "store/backup.h"
#include "system/thread.h"

#include <errno.h>
#include <signal.h>

static const struct log_ref chat = {.channel = {.slot = 5, .number = 1}, .kind = LOG_CHAT};

static void write_file(const struct fixture *fixture, const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", fixture->path, name);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    fputs(text, file);
    fclose(file);
}

static bool has_file(const struct fixture *fixture, const char *name)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", fixture->path, name);
    return access(path, F_OK) == 0;
}

TEST(a_new_database_is_made_only_where_that_is_allowed)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.options.is_new_allowed = false;
    CHECK_EQ(fixture_try_open(&fixture), ERR_DENIED);
    CHECK(strstr(fixture.fault.text, "no database") != NULL);
    CHECK(access(fixture.path, F_OK) != 0);

    fixture.options.is_new_allowed = true;
    fixture_open(&fixture);
    CHECK(has_file(&fixture, "JINGU"));
    CHECK(!has_file(&fixture, "JINGU.making"));
    uint8_t uuid[STORE_UUID_BYTES];
    uint8_t again[STORE_UUID_BYTES];
    store_uuid(fixture.store, uuid);

    fixture.options.is_new_allowed = false;
    fixture_restart(&fixture);
    store_uuid(fixture.store, again);
    CHECK_EQ(memcmp(uuid, again, sizeof(uuid)), 0);
    fixture_deinit(&fixture);
}

/* Ends without closing, with a message in the batch. */
static void write_and_vanish(void *context)
{
    struct fixture *fixture = context; /* ours: a copy in this process */
    fixture_open(fixture);
    fixture_append(fixture, chat, 3, 100);
    struct fixture_message message;
    fixture_message(&message, 4, 100);
    const struct store_message added = {.log = chat, .seq = 4, .row = message.bytes};
    CHECK_OK(store_batch_add_message(fixture->batch, &added));
    _exit(0);
}

TEST(what_was_committed_is_there_after_a_crash_and_what_was_not_is_not)
{
    struct fixture fixture;
    fixture_init(&fixture);
    in_child(write_and_vanish, &fixture);
    fixture_open(&fixture);
    uint64_t last = 0;
    CHECK_OK(store_last_seq(fixture.store, STORE_MAY_BLOCK, chat, &last));
    CHECK_EQ(last, 3);
    CHECK_EQ(store_dropped_bytes(fixture.store), 0);
    fixture_deinit(&fixture);
}

TEST(a_directory_of_somebody_else_is_refused_and_left_alone)
{
    struct fixture fixture;
    fixture_init(&fixture);
    CHECK_EQ(mkdir(fixture.path, 0700), 0);
    write_file(&fixture, "thesis.tex", "important");
    CHECK_EQ(fixture_try_open(&fixture), ERR_DENIED);
    CHECK(strstr(fixture.fault.text, "not our directory") != NULL);
    CHECK(!has_file(&fixture, "JINGU.making"));
    CHECK(!has_file(&fixture, "CURRENT"));
    CHECK(has_file(&fixture, "thesis.tex"));
    fixture_deinit(&fixture);
}

TEST(a_database_of_a_newer_format_is_refused)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    fixture_close(&fixture);
    write_file(&fixture, "JINGU", "jingu store\nformat 2\n");
    CHECK_EQ(fixture_try_open(&fixture), ERR_DENIED);
    CHECK(strstr(fixture.fault.text, "format 2 by a newer version") != NULL);
    write_file(&fixture, "JINGU", "something else\n");
    CHECK_EQ(fixture_try_open(&fixture), ERR_DENIED);
    write_file(&fixture, "JINGU", "jingu store\nformat 1\n");
    fixture_open(&fixture);
    fixture_deinit(&fixture);
}

TEST(a_marker_that_cannot_be_read_is_told_and_not_taken_for_none)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    fixture_close(&fixture);
    char marker[160];
    snprintf(marker, sizeof(marker), "%s/JINGU", fixture.path);
    CHECK_EQ(unlink(marker), 0);
    CHECK_EQ(mkdir(marker, 0700), 0);
    CHECK_EQ(fixture_try_open(&fixture), ERR_DENIED);
    CHECK(strstr(fixture.fault.text, strerror(EISDIR)) != NULL);
    CHECK_EQ(rmdir(marker), 0);
    write_file(&fixture, "JINGU", "jingu store\nformat 1\n");
    fixture_open(&fixture);
    fixture_deinit(&fixture);
}

TEST(a_database_without_its_first_file_is_damaged_not_new)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, chat, 1, 10);
    fixture_close(&fixture);
    char current[160];
    snprintf(current, sizeof(current), "%s/CURRENT", fixture.path);
    CHECK_EQ(unlink(current), 0);
    CHECK_EQ(fixture_try_open(&fixture), ERR_CORRUPT);
    CHECK(strstr(fixture.fault.text, "CURRENT") != NULL);
    CHECK(!has_file(&fixture, "CURRENT"));
    fixture_deinit(&fixture);
}

TEST(making_a_database_goes_on_where_it_was_interrupted)
{
    struct fixture fixture;
    fixture_init(&fixture);
    CHECK_EQ(mkdir(fixture.path, 0700), 0);
    write_file(&fixture, "JINGU.making", "jingu store\nformat 1\n");
    fixture_open(&fixture); /* before RocksDB had begun */
    fixture_append(&fixture, chat, 1, 10);
    fixture_close(&fixture);

    char making[160];
    char marker[160];
    snprintf(making, sizeof(making), "%s/JINGU.making", fixture.path);
    snprintf(marker, sizeof(marker), "%s/JINGU", fixture.path);
    CHECK_EQ(rename(marker, making), 0);
    fixture_open(&fixture); /* after it was complete, but for the marker */
    CHECK(has_file(&fixture, "JINGU"));
    uint64_t last = 0;
    CHECK_OK(store_last_seq(fixture.store, STORE_MAY_BLOCK, chat, &last));
    CHECK_EQ(last, 1);
    fixture_deinit(&fixture);
}

TEST(a_database_that_another_process_has_open_is_refused_with_its_number)
{
    struct fixture fixture;
    fixture_init(&fixture);
    int ready[2];
    CHECK_EQ(pipe(ready), 0);
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        fixture_open(&fixture);
        CHECK_EQ(write(ready[1], "x", 1), 1);
        pause();
    }
    char byte = 0;
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    CHECK_EQ(fixture_try_open(&fixture), ERR_DENIED);
    char expected[64];
    snprintf(expected, sizeof(expected), "in use by process %d", (int)child);
    CHECK(strstr(fixture.fault.text, expected) != NULL);

    CHECK_EQ(kill(child, SIGKILL), 0);
    CHECK_EQ(waitpid(child, NULL, 0), child);
    fixture_open(&fixture);
    close(ready[0]);
    close(ready[1]);
    fixture_deinit(&fixture);
}

TEST(too_little_memory_is_refused_with_what_is_needed)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.options.cache_bytes = 1000;
    CHECK_EQ(fixture_try_open(&fixture), ERR_LIMIT);
    CHECK(strstr(fixture.fault.text, "at least") != NULL);
    fixture_deinit(&fixture);
}

TEST(opening_gives_everything_back_whichever_memory_is_refused)
{
    struct fixture fixture;
    fixture_init(&fixture);
    for (uint64_t nth = 1;; nth++) {
        memory_refuse(nth, false);
        const enum err err = fixture_try_open(&fixture);
        const bool is_done = memory_acquisitions() < nth;
        memory_refuse(0, false);
        if (is_done) {
            CHECK_OK(err);
            break;
        }
        CHECK_EQ(err, ERR_BUDGET);
        CHECK_EQ(budget_used(&fixture.budget), 0);
    }
    store_close(fixture.store);
    fixture.store = NULL;
    budget_init(&fixture.budget, "small", NULL, 64 * 1024);
    CHECK_EQ(fixture_try_open(&fixture), ERR_BUDGET);
    fixture_deinit(&fixture);
}

TEST(a_reopened_store_has_what_it_had)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, chat, 5, 100);
    CHECK_OK(store_reopen(fixture.store, &fixture.fault));
    uint64_t last = 0;
    CHECK_OK(store_last_seq(fixture.store, STORE_MAY_BLOCK, chat, &last));
    CHECK_EQ(last, 5);
    fixture_append(&fixture, chat, 1, 100);
    CHECK_OK(store_own_last_seq(fixture.store, STORE_MAY_BLOCK, chat, BYTES_OF("sender"), &last));
    CHECK_EQ(last, 6);
    fixture_deinit(&fixture);
}

TEST(a_store_that_cannot_be_reopened_answers_nothing_until_it_can)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, chat, 2, 100);
    char away[160];
    snprintf(away, sizeof(away), "%s/away", fixture.parent);
    CHECK_EQ(rename(fixture.path, away), 0);
    CHECK_NE(store_reopen(fixture.store, &fixture.fault), ERR_OK);
    CHECK(fixture.fault.text[0] != '\0');

    uint64_t last = 0;
    CHECK_EQ(store_last_seq(fixture.store, STORE_MAY_BLOCK, chat, &last), ERR_IO);
    CHECK_EQ(store_own_last_seq(fixture.store, STORE_MAY_BLOCK, chat, BYTES_OF("sender"), &last),
             ERR_IO);
    const struct member_row row = {.joined_seq = 1};
    const struct list_ref list = {.channel = chat.channel, .kind = LIST_SUBSCRIBER};
    CHECK_EQ(store_batch_put_member(fixture.batch, list, BYTES_OF("a"), &row), ERR_IO);

    struct stat status;
    if (stat(fixture.path, &status) == 0) { /* RocksDB may have left its log where we looked */
        CHECK_EQ(nftw(fixture.path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    }
    CHECK_EQ(rename(away, fixture.path), 0);
    CHECK_OK(store_reopen(fixture.store, &fixture.fault));
    CHECK_OK(store_last_seq(fixture.store, STORE_MAY_BLOCK, chat, &last));
    CHECK_EQ(last, 2);
    fixture_deinit(&fixture);
}

TEST(another_database_in_its_place_is_not_opened_again)
{
    struct fixture fixture;
    struct fixture other;
    fixture_init(&fixture);
    fixture_init(&other);
    fixture_open(&fixture);
    fixture_open(&other);
    fixture_close(&other);
    char away[160];
    snprintf(away, sizeof(away), "%s/away", fixture.parent);
    CHECK_EQ(rename(fixture.path, away), 0);
    CHECK_EQ(rename(other.path, fixture.path), 0);
    CHECK_EQ(store_reopen(fixture.store, &fixture.fault), ERR_DENIED);
    CHECK(strstr(fixture.fault.text, "another database") != NULL);

    CHECK_EQ(rename(fixture.path, other.path), 0);
    CHECK_EQ(rename(away, fixture.path), 0);
    CHECK_OK(store_reopen(fixture.store, &fixture.fault));
    fixture_deinit(&other);
    fixture_deinit(&fixture);
}

struct blocked {
    struct fixture *fixture;
    int entered; /* write end: the reader is inside */
    int go;      /* read end: the reader may leave */
    _Atomic bool has_left;
};

static bool block_in_visit(void *context, const struct message_view *view, struct bytes row)
{
    struct blocked *blocked = context;
    (void)view;
    (void)row;
    char byte = 'x';
    CHECK_EQ(write(blocked->entered, &byte, 1), 1);
    CHECK_EQ(read(blocked->go, &byte, 1), 1);
    blocked->has_left = true;
    return true;
}

static void read_and_block(void *context)
{
    struct blocked *blocked = context;
    const struct message_range range = {
        .log = chat,
        .seq_max = UINT64_MAX,
        .count_max = 1,
        .bytes_max = 1000,
        .visit = block_in_visit,
        .context = blocked,
    };
    CHECK_OK(store_read_messages(blocked->fixture->store, STORE_MAY_BLOCK, &range));
}

static void let_go(void *context)
{
    const int *fds = context;
    CHECK_EQ(write(fds[1], "x", 1), 1);
}

TEST(reopening_waits_for_whoever_is_reading)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, chat, 1, 100);
    int entered[2];
    int go[2];
    CHECK_EQ(pipe(entered), 0);
    CHECK_EQ(pipe(go), 0);
    struct blocked blocked = {.fixture = &fixture, .entered = entered[1], .go = go[0]};
    struct thread reader = {0};
    struct thread waker = {0};
    CHECK_OK(thread_start(&reader, "reader", read_and_block, &blocked));
    char byte = 0;
    CHECK_EQ(read(entered[0], &byte, 1), 1);
    CHECK_OK(thread_start(&waker, "waker", let_go, go));
    CHECK_OK(store_reopen(fixture.store, &fixture.fault));
    CHECK(blocked.has_left);
    thread_join(&reader);
    thread_join(&waker);
    fixture_deinit(&fixture);
}

TEST(a_backup_is_a_database_of_its_own)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, chat, 3, 100);
    char path[HOME_PATH_BYTES_MAX];
    backup_path(fixture.store, BYTES_OF("monday"), path);
    CHECK(!backup_is_there(path));
    CHECK_OK(store_backup(fixture.store, BYTES_OF("monday")));
    CHECK(backup_is_there(path));
    CHECK_EQ(store_backup(fixture.store, BYTES_OF("monday")), ERR_DENIED);
    CHECK_OK(store_backup(fixture.store, BYTES_OF("tuesday")));
    fixture_append(&fixture, chat, 1, 100);
    CHECK_OK(store_compact(fixture.store));
    fixture_close(&fixture);

    fixture_open(&fixture); /* which has a directory more now */
    fixture_close(&fixture);
    fixture.options.path = path;
    fixture.options.is_new_allowed = false;
    fixture_open(&fixture);
    uint64_t last = 0;
    CHECK_OK(store_last_seq(fixture.store, STORE_MAY_BLOCK, chat, &last));
    CHECK_EQ(last, 3);
    fixture_deinit(&fixture);
}

TEST(the_name_of_a_backup_leads_nowhere_else)
{
    CHECK(backup_name_is_good(BYTES_OF("2026-11-30_12.00")));
    CHECK(!backup_name_is_good(BYTES_EMPTY));
    CHECK(!backup_name_is_good(BYTES_OF("..")));
    CHECK(!backup_name_is_good(BYTES_OF(".hidden")));
    CHECK(!backup_name_is_good(BYTES_OF("a/b")));
    CHECK(!backup_name_is_good(BYTES_OF("a b")));
    uint8_t name[BACKUP_NAME_BYTES_MAX + 1];
    memset(name, 'n', sizeof(name));
    CHECK(backup_name_is_good((struct bytes){.data = name, .size = BACKUP_NAME_BYTES_MAX}));
    CHECK(!backup_name_is_good((struct bytes){.data = name, .size = sizeof(name)}));
}

TEST(the_store_tells_its_memory_and_its_files)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, chat, 20, 4000);
    struct store_memory memory;
    store_memory(fixture.store, &memory);
    CHECK(memory.memtables_bytes >= 20 * 4000);
    CHECK(memory.memtables_bytes <= memory.memtables_bytes_max);
    CHECK(memory.cache_bytes <= memory.cache_bytes_max);
    CHECK(memory.owns_bytes > 0);
    CHECK(memory.filters_bytes > 0);

    struct store_statistics statistics;
    CHECK_OK(store_flush(fixture.store));
    store_statistics(fixture.store, &statistics);
    CHECK(statistics.files_count >= 1);
    CHECK(statistics.files_bytes > 0);
    CHECK(!statistics.is_write_stopped);
    CHECK_EQ(statistics.background_errors, 0);
    CHECK_OK(store_compact(fixture.store));
    uint64_t last = 0;
    CHECK_OK(store_last_seq(fixture.store, STORE_MAY_BLOCK, chat, &last));
    CHECK_EQ(last, 20);
    fixture_deinit(&fixture);
}

TEST(what_is_not_in_memory_is_not_waited_for_by_those_who_must_not)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    const struct list_ref list = {.channel = chat.channel, .kind = LIST_DENY};
    const struct member_row row = {.joined_seq = 4, .created_ms = 5};
    CHECK_OK(store_batch_put_member(fixture.batch, list, BYTES_OF("mallory"), &row));
    fixture_commit(&fixture);
    struct member_row found;
    CHECK_OK(store_find_member(fixture.store, STORE_CACHED_ONLY, list, BYTES_OF("mallory"),
                               &found)); /* in the memtable */
    fixture_append(&fixture, chat, 1, 100);
    fixture_restart(&fixture);
    CHECK_EQ(store_find_member(fixture.store, STORE_CACHED_ONLY, list, BYTES_OF("mallory"), &found),
             ERR_AGAIN);
    uint64_t last = 0;
    CHECK_EQ(store_last_seq(fixture.store, STORE_CACHED_ONLY, chat, &last), ERR_AGAIN);
    bool is_empty = true;
    CHECK_EQ(store_list_is_empty(fixture.store, STORE_CACHED_ONLY, list, &is_empty), ERR_AGAIN);

    CHECK_OK(store_find_member(fixture.store, STORE_MAY_BLOCK, list, BYTES_OF("mallory"), &found));
    CHECK_OK(store_last_seq(fixture.store, STORE_MAY_BLOCK, chat, &last));
    CHECK_OK(
        store_find_member(fixture.store, STORE_CACHED_ONLY, list, BYTES_OF("mallory"), &found));
    CHECK_EQ(found.joined_seq, 4);
    CHECK_OK(store_last_seq(fixture.store, STORE_CACHED_ONLY, chat, &last));
    CHECK_EQ(last, 1);
    CHECK_OK(store_list_is_empty(fixture.store, STORE_CACHED_ONLY, list, &is_empty));
    CHECK(!is_empty);
    fixture_deinit(&fixture);
}
