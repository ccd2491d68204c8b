#include "unit/store/fixture.h"

#include <errno.h>
#include <sys/mount.h>

static const struct log_ref chat = {.channel = {.slot = 5, .number = 1}, .kind = LOG_CHAT};

/* A small disk for the store; false: we may not mount here. */
static bool mount_small(const struct fixture *fixture)
{
    CHECK_EQ(mkdir(fixture->path, 0700), 0);
    if (mount("small", fixture->path, "tmpfs", 0, "size=24m") == 0) {
        return true;
    }
    print_message("cannot mount a small disk here: %s\n", strerror(errno));
    return false;
}

/* Adds one message behind the last; its outcome is the commit's. */
static enum err try_append(struct fixture *fixture, uint64_t seq, size_t size)
{
    struct fixture_message message;
    fixture_message(&message, seq, size);
    const struct store_message added = {
        .log = chat, .seq = seq, .row = message.bytes, .sender = BYTES_OF("sender")};
    const enum err err = store_batch_add_message(fixture->batch, &added);
    return err == ERR_OK ? store_batch_commit(fixture->batch, true, &fixture->fault) : err;
}

static bool check_visit(void *context, const struct message_view *view, struct bytes row)
{
    uint64_t *last = context;
    (void)row;
    CHECK(view->seq == ++*last);
    return true;
}

static uint64_t check_all(struct fixture *fixture)
{
    uint64_t last = 0;
    const struct message_range range = {.log = chat,
                                        .seq_max = UINT64_MAX,
                                        .count_max = UINT32_MAX,
                                        .bytes_max = UINT32_MAX,
                                        .visit = check_visit,
                                        .context = &last};
    CHECK_OK(store_read_messages(fixture->store, STORE_MAY_BLOCK, &range));
    return last;
}

static void fill_disk(const struct fixture *fixture, char path[160])
{
    static char zeros[65536];
    snprintf(path, 160, "%s/ballast", fixture->path);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    setvbuf(file, NULL, _IONBF, 0);
    while (fwrite(zeros, 1, sizeof(zeros), file) == sizeof(zeros)) {
    }
    fclose(file);
}

/* The rounds of a test: fill, fail, make room, reopen, go on. */
static void fail_and_recover(struct fixture *fixture, uint64_t *acknowledged)
{
    char ballast[160];
    fill_disk(fixture, ballast);
    enum err err = ERR_OK;
    while ((err = try_append(fixture, *acknowledged + 1, 4000)) == ERR_OK) {
        ++*acknowledged; /* what was reserved for the log may still take some */
    }
    CHECK_EQ(err, ERR_IO);
    CHECK(fixture->fault.text[0] != '\0');
    uint64_t last = 0;
    CHECK_EQ(store_last_seq(fixture->store, STORE_MAY_BLOCK, chat, &last), ERR_IO);
    store_batch_clear(fixture->batch);
    CHECK_EQ(try_append(fixture, *acknowledged + 2, 10), ERR_IO);

    CHECK_EQ(store_reopen(fixture->store, &fixture->fault), ERR_IO); /* still full */
    CHECK_EQ(store_last_seq(fixture->store, STORE_MAY_BLOCK, chat, &last), ERR_IO);
    CHECK_EQ(unlink(ballast), 0);
    CHECK_OK(store_reopen(fixture->store, &fixture->fault));
    const uint64_t found = check_all(fixture);
    CHECK(found >= *acknowledged); /* the one that failed may have arrived */
    CHECK(found <= *acknowledged + 1);
    *acknowledged = found;
    CHECK_OK(store_own_last_seq(fixture->store, STORE_MAY_BLOCK, chat, BYTES_OF("sender"), &last));
    CHECK_EQ(last, found);
}

TEST(a_full_disk_loses_nothing_that_was_acknowledged)
{
    struct fixture fixture;
    fixture_init(&fixture);
    if (mount_small(&fixture)) {
        fixture_open(&fixture);
        uint64_t acknowledged = 0;
        for (uint32_t round = 0; round < 3; round++) {
            for (uint64_t i = prng_below(prng, 100); i > 0; i--) {
                CHECK_OK(try_append(&fixture, ++acknowledged, prng_below(prng, 4000)));
            }
            fail_and_recover(&fixture, &acknowledged);
        }
        fixture_restart(&fixture);
        CHECK_EQ(check_all(&fixture), acknowledged);
        fixture_close(&fixture);
        CHECK_EQ(umount2(fixture.path, MNT_DETACH), 0);
    }
    fixture_deinit(&fixture);
}

TEST(a_batch_that_failed_may_be_committed_again_after_the_reopening)
{
    struct fixture fixture;
    fixture_init(&fixture);
    if (mount_small(&fixture)) {
        fixture_open(&fixture);
        char ballast[160];
        fill_disk(&fixture, ballast);
        uint64_t seq = 1;
        while (try_append(&fixture, seq, 4000) == ERR_OK) {
            seq++;
        }
        CHECK(!store_batch_is_empty(fixture.batch));
        CHECK_EQ(store_batch_commit(fixture.batch, true, &fixture.fault), ERR_IO);
        CHECK_EQ(unlink(ballast), 0);
        CHECK_OK(store_reopen(fixture.store, &fixture.fault));
        CHECK_OK(store_batch_commit(fixture.batch, true, &fixture.fault));
        CHECK(store_batch_is_empty(fixture.batch));
        CHECK_EQ(check_all(&fixture), seq);
        fixture_close(&fixture);
        CHECK_EQ(umount2(fixture.path, MNT_DETACH), 0);
    }
    fixture_deinit(&fixture);
}
