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

static void check_ends(struct fixture *fixture, uint64_t chat_seq, uint64_t command_seq)
{
    uint64_t last[LOG_KINDS_COUNT] = {77, 77};
    CHECK_OK(store_log_ends(fixture->store, STORE_MAY_BLOCK, chat.channel, last));
    CHECK_EQ(last[LOG_CHAT], chat_seq);
    CHECK_EQ(last[LOG_COMMAND], command_seq);
}

/* One message, not committed yet; whoever writes it knows whether the other log is empty. */
static void append_knowing(struct fixture *fixture, struct log_ref log, uint64_t seq, bool is_sole)
{
    static struct fixture_message messages[LOG_KINDS_COUNT];
    struct fixture_message *message = &messages[log.kind];
    fixture_message(message, seq, 10);
    const struct store_message added = {
        .log = log, .seq = seq, .row = message->bytes, .is_sole = is_sole};
    CHECK_OK(store_batch_add_message(fixture->batch, &added));
}

static uint64_t misses(struct fixture *fixture)
{
    struct store_counts counts;
    store_counts(fixture->store, &counts);
    return counts.lasts_misses;
}

TEST(both_ends_of_a_channel_with_one_log_are_known_from_its_first_commit)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    append_knowing(&fixture, chat, 1, true);
    fixture_commit(&fixture);
    check_ends(&fixture, 1, 0);
    append_knowing(&fixture, chat, 2, true);
    append_knowing(&fixture, command, 1, false); /* in the same commit */
    fixture_commit(&fixture);
    check_ends(&fixture, 2, 1);
    append_knowing(&fixture, command, 2, false);
    append_knowing(&fixture, chat, 3, false);
    fixture_commit(&fixture);
    check_ends(&fixture, 3, 2);
    CHECK_EQ(misses(&fixture), 0);
    fixture_restart(&fixture);
    check_ends(&fixture, 3, 2);
    check_ends(&fixture, 3, 2);
    CHECK_EQ(misses(&fixture), 1);
    fixture_deinit(&fixture);
}

TEST(the_first_message_of_a_log_ends_that_the_other_is_alone)
{
    const struct log_ref logs[] = {chat, command};
    for (uint32_t i = 0; i < COUNT_OF(logs); i++) {
        const struct log_ref first = logs[i];
        const struct log_ref second = logs[1 - i];
        for (uint32_t is_searched = 0; is_searched < 2; is_searched++) {
            struct fixture fixture;
            fixture_init(&fixture);
            fixture_open(&fixture);
            append_knowing(&fixture, first, 1, true);
            fixture_commit(&fixture);
            if (is_searched != 0) {
                fixture_restart(&fixture);
            }
            check_ends(&fixture, first.kind == LOG_CHAT, first.kind == LOG_COMMAND);
            append_knowing(&fixture, second, 1, false);
            fixture_commit(&fixture);
            check_ends(&fixture, 1, 1);
            CHECK_EQ(misses(&fixture), is_searched);
            fixture_deinit(&fixture);
        }
    }
}

TEST(that_a_channel_has_no_message_is_remembered_until_it_has_one)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    check_ends(&fixture, 0, 0);
    check_ends(&fixture, 0, 0);
    CHECK_EQ(misses(&fixture), 1);
    append_knowing(&fixture, command, 1, true);
    fixture_commit(&fixture);
    check_ends(&fixture, 0, 1);
    append_knowing(&fixture, chat, 1, false);
    fixture_commit(&fixture);
    check_ends(&fixture, 1, 1);
    CHECK_EQ(misses(&fixture), 1);
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
