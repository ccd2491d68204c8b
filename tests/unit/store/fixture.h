/*
 * fixture.h -- a store in a directory of its own, which is gone after the test.
 *
 * `budget` must be empty at the end: fixture_deinit checks that everything was released.
 */
#pragma once

#include "memory/budget.h"
#include "store/batch.h"
#include "store/message_log.h"
#include "store/message_row.h"
#include "store/store.h"

#include "support/test.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIXTURE_MESSAGES_MAX 1024u
#define FIXTURE_BATCH_BYTES  (4u * 1024u * 1024u)

struct fixture {
    struct budget budget;
    char parent[64]; /* a new directory */
    char path[96];   /* the store's, inside of it */
    struct store_options options;
    struct store *store;
    struct store_batch *batch;
    struct store_fault fault;
};

static inline void fixture_init(struct fixture *fixture)
{
    memset(fixture, 0, sizeof(*fixture));
    budget_init(&fixture->budget, "test", NULL, BUDGET_UNLIMITED);
    /* In memory if we can: what a crash leaves behind is the same, and syncs cost nothing. */
    const char *disk = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(fixture->parent, sizeof(fixture->parent), "%s/jingu-store-XXXXXX", disk);
    CHECK(mkdtemp(fixture->parent) != NULL);
    snprintf(fixture->path, sizeof(fixture->path), "%s/data", fixture->parent);
    fixture->options = (struct store_options){
        .budget = &fixture->budget,
        .path = fixture->path,
        .cache_bytes = 4 * 1024 * 1024,
        .memtables_bytes = 4 * 1024 * 1024,
        .filters_bytes = 256 * 1024,
        .files_open_max = 64,
        .threads_count = 2,
        .is_new_allowed = true,
    };
}

/* The same directory and options, for another process. */
static inline void fixture_copy(struct fixture *copy, const struct fixture *fixture)
{
    *copy = *fixture;
    budget_init(&copy->budget, "test", NULL, BUDGET_UNLIMITED);
    copy->options.budget = &copy->budget;
    copy->options.path = copy->path;
}

static inline enum err fixture_try_open(struct fixture *fixture)
{
    fixture->fault.text[0] = '\0';
    return store_open(&fixture->options, &fixture->store, &fixture->fault);
}

static inline void fixture_open(struct fixture *fixture)
{
    if (fixture_try_open(fixture) != ERR_OK) {
        print_error("%s\n", fixture->fault.text);
        fail();
    }
    const struct store_batch_options options = {
        .messages_max = FIXTURE_MESSAGES_MAX,
        .bytes_max = FIXTURE_BATCH_BYTES,
        .budget = &fixture->budget,
    };
    CHECK_OK(store_batch_open(fixture->store, &options, &fixture->batch));
}

static inline void fixture_close(struct fixture *fixture)
{
    store_batch_close(fixture->batch);
    store_close(fixture->store);
    fixture->batch = NULL;
    fixture->store = NULL;
}

static inline void fixture_restart(struct fixture *fixture)
{
    fixture_close(fixture);
    fixture_open(fixture);
}

static inline void fixture_commit(struct fixture *fixture)
{
    CHECK_OK(store_batch_commit(fixture->batch, true, &fixture->fault));
}

static inline int fixture_remove_one(const char *path, const struct stat *status, int type,
                                     struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void fixture_deinit(struct fixture *fixture)
{
    fixture_close(fixture);
    CHECK_EQ(budget_used(&fixture->budget), 0);
    CHECK_EQ(nftw(fixture->parent, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Runs in another process, which must end well. RocksDB's threads do not live on in a child: a
 * process that has had a store open must not have children that open one. */
static inline void in_child(void (*run)(void *), void *context)
{
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        alarm(240); /* for what hangs; a loaded machine may take a minute */
        run(context);
        _exit(0);
    }
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

/* A message with a text of `size` bytes that depends on its seq. */
struct fixture_message {
    struct message_view view;
    uint8_t row[8192];
    struct bytes bytes;
};

static inline void fixture_message(struct fixture_message *message, uint64_t seq, size_t size)
{
    static uint8_t payload[8000];
    memset(payload, (int)(seq & 0xff), sizeof(payload));
    CHECK(size <= sizeof(payload));
    message->view = (struct message_view){
        .message_id = 1000 + seq * 3,
        .seq = seq,
        .timestamp_s = 17,
        .channel_type = 2,
        .channel_id = BYTES_OF("group"),
        .from_uid = BYTES_OF("sender"),
        .payload = {.data = payload, .size = size},
    };
    message->bytes.data = message->row;
    message->bytes.size = message_row_size(&message->view);
    CHECK(message->bytes.size <= sizeof(message->row));
    message_row_encode(&message->view, message->row);
}

/* Commits messages of some sizes, in batches of one, behind the last of the log. */
static inline void fixture_append(struct fixture *fixture, struct log_ref log, uint64_t count,
                                  size_t size)
{
    uint64_t last = 0;
    CHECK_OK(store_last_seq(fixture->store, STORE_MAY_BLOCK, log, &last));
    for (uint64_t i = 0; i < count; i++) {
        struct fixture_message message;
        fixture_message(&message, last + 1 + i, size);
        const struct store_message added = {
            .log = log, .seq = last + 1 + i, .row = message.bytes, .sender = BYTES_OF("sender")};
        CHECK_OK(store_batch_add_message(fixture->batch, &added));
        fixture_commit(fixture);
    }
}
