#include "store/log_end.h"

#include "unit/store/fixture.h"

static const struct log_ref chat = {.channel = {.slot = 5, .number = 1}, .kind = LOG_CHAT};
static const struct log_ref command = {.channel = {.slot = 5, .number = 1}, .kind = LOG_COMMAND};

static void check_end(struct fixture *fixture, struct log_ref log, uint64_t last_seq,
                      uint32_t chunk_count)
{
    struct log_end end = {.last_seq = 77};
    CHECK_OK(store_log_end(fixture->store, log, &end));
    CHECK_EQ(end.last_seq, last_seq);
    CHECK_EQ(end.chunk_count, chunk_count);
}

/* Commits the next messages of the log at once. */
static void append(struct fixture *fixture, struct log_ref log, uint64_t first, uint32_t count)
{
    static struct fixture_message messages[FIXTURE_MESSAGES_MAX];
    for (uint32_t i = 0; i < count; i++) {
        fixture_message(&messages[i], first + i, 10);
        const struct store_message added = {
            .log = log, .seq = first + i, .row = messages[i].bytes, .sender = BYTES_OF("sender")};
        CHECK_OK(store_batch_add_message(fixture->batch, &added));
    }
    fixture_commit(fixture);
}

TEST(the_end_of_a_log_follows_every_commit)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    check_end(&fixture, chat, 0, 0);
    append(&fixture, chat, 1, 1);
    check_end(&fixture, chat, 1, 1);
    append(&fixture, chat, 2, 5);
    append(&fixture, command, 1, STORE_CHUNK_MESSAGES_MAX);
    check_end(&fixture, chat, 6, 5);
    check_end(&fixture, command, STORE_CHUNK_MESSAGES_MAX, STORE_CHUNK_MESSAGES_MAX);
    append(&fixture, chat, 7, STORE_CHUNK_MESSAGES_MAX + 3);
    check_end(&fixture, chat, 9 + STORE_CHUNK_MESSAGES_MAX, 3);
    for (uint32_t round = 0; round < 2; round++) {
        fixture_restart(&fixture);
        check_end(&fixture, chat, 9 + STORE_CHUNK_MESSAGES_MAX, 3);
        check_end(&fixture, command, STORE_CHUNK_MESSAGES_MAX, STORE_CHUNK_MESSAGES_MAX);
        CHECK_OK(store_flush(fixture.store));
    }
    CHECK_OK(store_reopen(fixture.store, &fixture.fault));
    check_end(&fixture, chat, 9 + STORE_CHUNK_MESSAGES_MAX, 3);
    fixture_deinit(&fixture);
}

TEST(an_end_is_searched_once_and_remembered)
{
    struct fixture fixture;
    struct store_counts counts;
    fixture_init(&fixture);
    fixture_open(&fixture);
    append(&fixture, chat, 1, 3);
    check_end(&fixture, chat, 3, 3); /* known from the commit */
    store_counts(fixture.store, &counts);
    CHECK_EQ(counts.lasts_hits, 1);
    CHECK_EQ(counts.lasts_misses, 0);
    fixture_restart(&fixture);
    for (uint32_t i = 0; i < 4; i++) {
        check_end(&fixture, chat, 3, 3);
        check_end(&fixture, command, 0, 0); /* that there is nothing is remembered too */
    }
    store_counts(fixture.store, &counts);
    CHECK_EQ(counts.lasts_hits, 6);
    CHECK_EQ(counts.lasts_misses, 2);
    fixture_deinit(&fixture);
}

/* Logs that the cache has no room for are as right as the others. */
TEST(more_logs_than_are_remembered_have_their_ends)
{
    struct fixture fixture;
    struct store_counts counts;
    static uint64_t last_seqs[6000];
    fixture_init(&fixture);
    fixture_open(&fixture);
    for (uint32_t step = 0; step < 60; step++) {
        static struct fixture_message messages[200];
        for (uint32_t i = 0; i < COUNT_OF(messages); i++) {
            const uint32_t index = (uint32_t)prng_below(prng, COUNT_OF(last_seqs));
            fixture_message(&messages[i], ++last_seqs[index], 1);
            const struct store_message added = {
                .log = {.channel = {.slot = 1, .number = index + 1}},
                .seq = last_seqs[index],
                .row = messages[i].bytes};
            CHECK_OK(store_batch_add_message(fixture.batch, &added));
        }
        fixture_commit(&fixture);
        for (uint32_t i = 0; i < 300; i++) {
            const uint32_t index = (uint32_t)prng_below(prng, COUNT_OF(last_seqs));
            struct log_end end;
            CHECK_OK(store_log_end(
                fixture.store,
                (struct log_ref){.channel = {.slot = 1, .number = index + 1}, .kind = LOG_CHAT},
                &end));
            CHECK_EQ(end.last_seq, last_seqs[index]);
        }
        if (prng_below(prng, 20) == 0) {
            CHECK_OK(store_reopen(fixture.store, &fixture.fault));
        }
    }
    store_counts(fixture.store, &counts);
    CHECK(counts.lasts_misses > 1000);
    fixture_deinit(&fixture);
}

/* What a reading visits. */
struct visited {
    uint64_t seqs[300];
    uint32_t count;
};

static bool note_visit(void *context, const struct message_view *view, struct bytes row)
{
    (void)row;
    struct visited *visited = context;
    CHECK(visited->count < COUNT_OF(visited->seqs));
    visited->seqs[visited->count++] = view->seq;
    return true;
}

TEST(the_newest_messages_are_the_same_with_and_without_a_search)
{
    struct fixture fixture;
    uint64_t last = 0;
    uint32_t of_end_count = 0;
    fixture_init(&fixture);
    fixture_open(&fixture);
    for (uint32_t step = 0; step < 400; step++) {
        const uint32_t count = 1 + (uint32_t)prng_below(prng, 5);
        append(&fixture, chat, last + 1, count);
        last += count;
        struct log_end end;
        CHECK_OK(store_log_end(fixture.store, chat, &end));
        struct visited found = {.count = 0};
        struct visited searched = {.count = 0};
        struct message_range range = {
            .log = chat,
            .seq_min = last - prng_below(prng, last),
            .seq_max = end.last_seq,
            .end_count = end.chunk_count,
            .order = MESSAGES_NEWEST_DESCENDING,
            .count_max = 1 + (uint32_t)prng_below(prng, 8),
            .bytes_max = prng_below(prng, 2) == 0 ? 150 : UINT32_MAX,
            .visit = note_visit,
            .context = &found,
        };
        of_end_count += range.count_max <= range.end_count;
        CHECK_OK(store_read_messages(fixture.store, STORE_MAY_BLOCK, &range));
        range.end_count = 0;
        range.context = &searched;
        CHECK_OK(store_read_messages(fixture.store, STORE_MAY_BLOCK, &range));
        CHECK_EQ(memcmp(&found, &searched, sizeof(found)), 0);
        CHECK(found.count > 0);
        if (step % 100 == 99) {
            fixture_restart(&fixture);
        }
    }
    CHECK(of_end_count > 20);
    fixture_deinit(&fixture);
}
