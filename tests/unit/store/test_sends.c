#include "store/sends.h"
#include "system/thread.h"

#include "unit/store/fixture.h"

#include <stdatomic.h>

static const struct log_ref chat = {.channel = {.slot = 5, .number = 1}, .kind = LOG_CHAT};

/* The sender and the number of the message `seq`, as texts. */
struct names {
    char sender[24];
    char number[40];
};

static void names_of(struct names *names, uint64_t seq, uint32_t senders_count)
{
    snprintf(names->sender, sizeof(names->sender), "user%u", (unsigned)(seq % senders_count));
    snprintf(names->number, sizeof(names->number), "number-%llu", (unsigned long long)seq);
}

static void add_one(struct fixture *fixture, struct log_ref log, uint64_t seq, uint8_t *row)
{
    struct names names;
    names_of(&names, seq, 3);
    const struct message_view view = {.seq = seq,
                                      .from_uid = bytes_of_string(names.sender),
                                      .client_msg_no = bytes_of_string(names.number)};
    message_row_encode(&view, row);
    const struct store_message message = {
        .log = log,
        .seq = seq,
        .row = {.data = row, .size = message_row_size(&view)},
        .sender = view.from_uid,
        .client_msg_no = seq % 10 == 0 ? BYTES_EMPTY : view.client_msg_no,
    };
    CHECK_OK(store_batch_add_message(fixture->batch, &message));
}

/* Appends first … last, some to a batch. */
static void append(struct fixture *fixture, struct log_ref log, uint64_t first, uint64_t last)
{
    static uint8_t rows[FIXTURE_MESSAGES_MAX][256];
    while (first <= last) {
        for (uint32_t i = 0; i < FIXTURE_MESSAGES_MAX && first <= last; i++, first++) {
            add_one(fixture, log, first, rows[i]);
        }
        fixture_commit(fixture);
    }
}

static _Atomic uint32_t tended_count; /* how often care was due */

static enum err find(struct fixture *fixture, enum store_wait wait, struct log_ref log,
                     uint64_t seq, uint64_t *out_seq)
{
    struct names names;
    names_of(&names, seq, 3);
    const struct store_send send = {.log = log,
                                    .sender = bytes_of_string(names.sender),
                                    .client_msg_no = bytes_of_string(names.number)};
    struct store_sent sent = {.seq = 0};
    const enum err err = store_find_send(fixture->store, wait, &send, &sent);
    if (err == ERR_OK) {
        *out_seq = sent.seq;
    }
    if (sent.wants_care) {
        atomic_fetch_add(&tended_count, 1);
        CHECK_OK(store_tend_sends(fixture->store, log));
    }
    return err;
}

static void check_known(struct fixture *fixture, struct log_ref log, uint64_t seq)
{
    uint64_t found = 0;
    if (seq % 10 == 0) {
        CHECK_EQ(find(fixture, STORE_MAY_BLOCK, log, seq, &found), ERR_ABSENT);
    } else {
        CHECK_OK(find(fixture, STORE_MAY_BLOCK, log, seq, &found));
        CHECK_EQ(found, seq);
        CHECK_EQ(find(fixture, STORE_CACHED_ONLY, log, seq, &found), ERR_AGAIN);
    }
}

TEST(a_resend_is_known_and_a_new_send_is_not)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    uint64_t seq = 0;
    CHECK_EQ(find(&fixture, STORE_CACHED_ONLY, chat, 1, &seq), ERR_AGAIN); /* not in use yet */
    CHECK_EQ(find(&fixture, STORE_MAY_BLOCK, chat, 1, &seq), ERR_ABSENT);
    CHECK_EQ(find(&fixture, STORE_CACHED_ONLY, chat, 1, &seq), ERR_ABSENT);
    append(&fixture, chat, 1, 25);
    for (uint64_t i = 1; i <= 25; i++) {
        check_known(&fixture, chat, i);
    }
    CHECK_EQ(find(&fixture, STORE_CACHED_ONLY, chat, 26, &seq), ERR_ABSENT);

    const struct log_ref command = {.channel = chat.channel, .kind = LOG_COMMAND};
    const struct log_ref other = {.channel = {.slot = 5, .number = 2}, .kind = LOG_CHAT};
    CHECK_EQ(find(&fixture, STORE_MAY_BLOCK, command, 1, &seq), ERR_ABSENT);
    CHECK_EQ(find(&fixture, STORE_MAY_BLOCK, other, 1, &seq), ERR_ABSENT);
    const struct store_send twisted = {
        .log = chat, .sender = BYTES_OF("user0"), .client_msg_no = BYTES_OF("number-1")};
    struct store_sent sent = {.seq = 0};
    CHECK_EQ(store_find_send(fixture.store, STORE_MAY_BLOCK, &twisted, &sent), ERR_ABSENT);
    fixture_deinit(&fixture);
}

/* Random appends, look-ups, restarts, compactions, in more logs than filters fit. */
TEST(every_send_of_every_log_is_known_for_ever)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    static uint64_t last_seqs[40];
    static uint8_t rows[FIXTURE_MESSAGES_MAX][256];
    for (uint32_t step = 0; step < 150; step++) {
        const uint32_t count = 1 + (uint32_t)prng_below(prng, 600);
        for (uint32_t i = 0; i < count; i++) {
            /* Some logs are busy, most are not. */
            const uint32_t index =
                (uint32_t)(prng_below(prng, COUNT_OF(last_seqs)) * prng_below(prng, 4) / 3);
            const struct log_ref log = {.channel = {.slot = 1, .number = index + 1}};
            add_one(&fixture, log, ++last_seqs[index], rows[i]);
        }
        fixture_commit(&fixture);
        for (uint32_t i = 0; i < 60; i++) {
            const uint32_t index = (uint32_t)prng_below(prng, COUNT_OF(last_seqs));
            const struct log_ref log = {.channel = {.slot = 1, .number = index + 1}};
            const uint64_t last_seq = last_seqs[index];
            uint64_t seq = 0;
            CHECK_EQ(find(&fixture, STORE_MAY_BLOCK, log, last_seq + 1 + prng_below(prng, 9), &seq),
                     ERR_ABSENT);
            if (last_seq > 0) {
                check_known(&fixture, log, 1 + prng_below(prng, last_seq));
            }
        }
        if (prng_below(prng, 15) == 0) {
            fixture_restart(&fixture);
        } else if (prng_below(prng, 30) == 0) {
            CHECK_OK(store_reopen(fixture.store, &fixture.fault));
        }
    }
    fixture_deinit(&fixture);
}

/* Many short logs, of which half have room for a filter: each that is asked for displaces others,
 * and what is answered from memory is right all the same. */
TEST(sends_of_more_logs_than_there_is_room_for_are_known_and_new_ones_are_new)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    static uint64_t last_seqs[8000];
    static uint8_t rows[FIXTURE_MESSAGES_MAX][256];
    uint32_t cached_count = 0;
    uint32_t asked_count = 0;
    for (uint32_t step = 0; step < 120; step++) {
        for (uint32_t i = 0; i < FIXTURE_MESSAGES_MAX; i++) {
            const uint32_t index = (uint32_t)prng_below(prng, COUNT_OF(last_seqs));
            const struct log_ref log = {.channel = {.slot = 2, .number = index + 1}};
            add_one(&fixture, log, ++last_seqs[index], rows[i]);
        }
        fixture_commit(&fixture);
        for (uint32_t i = 0; i < 200; i++) {
            const uint32_t index = (uint32_t)prng_below(prng, COUNT_OF(last_seqs));
            const struct log_ref log = {.channel = {.slot = 2, .number = index + 1}};
            const uint64_t last_seq = last_seqs[index];
            uint64_t seq = 0;
            enum err err = find(&fixture, STORE_CACHED_ONLY, log, last_seq + 1, &seq);
            asked_count++;
            cached_count += err == ERR_ABSENT ? 1 : 0;
            if (err == ERR_AGAIN) {
                err = find(&fixture, STORE_MAY_BLOCK, log, last_seq + 1, &seq);
            }
            CHECK_EQ(err, ERR_ABSENT);
            if (last_seq > 0) {
                check_known(&fixture, log, 1 + prng_below(prng, last_seq));
            }
        }
        if (step % 40 == 39) {
            fixture_restart(&fixture);
        }
    }
    CHECK(cached_count > asked_count / 5);
    fixture_deinit(&fixture);
}

TEST(a_long_log_is_tended_while_it_grows_and_answers_the_same_after_a_restart)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    const uint64_t last = 3 * SENDS_UNPAGED_MAX + 100;
    uint64_t seq = 0;
    CHECK_OK(store_tend_sends(fixture.store, chat));
    tended_count = 0;
    uint32_t again_count = 0;
    for (uint64_t first = 1; first <= last; first += 100) {
        append(&fixture, chat, first, first + 99);
        /* Another send each time: a filter that doubts one doubts it until the filter grows. */
        const uint64_t new = last + 1000 + first;
        if (find(&fixture, STORE_CACHED_ONLY, chat, new, &seq) == ERR_AGAIN) {
            again_count++;
            CHECK_EQ(find(&fixture, STORE_MAY_BLOCK, chat, new, &seq), ERR_ABSENT);
        }
    }
    CHECK(again_count <= 4);  /* what is new is known to be, but for a doubt now and then */
    CHECK(tended_count >= 3); /* paged three times, and given a larger filter some times */
    CHECK(tended_count <= 16);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 300; i++) {
            check_known(&fixture, chat, 1 + prng_below(prng, last));
        }
        for (uint64_t at = SENDS_PAGE_COUNT - 1; at < last; at += SENDS_PAGE_COUNT) {
            check_known(&fixture, chat, at);
            check_known(&fixture, chat, at + 1);
            check_known(&fixture, chat, at + 2);
        }
        fixture_restart(&fixture);
    }
    fixture_deinit(&fixture);
}

TEST(a_log_that_nobody_asked_about_for_long_is_paged_when_somebody_does)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    append(&fixture, chat, 1, 5000);
    for (uint32_t i = 0; i < 100; i++) {
        check_known(&fixture, chat, 1 + prng_below(prng, 5000));
    }
    append(&fixture, chat, 5001, 8000);
    for (uint32_t i = 0; i < 100; i++) {
        check_known(&fixture, chat, 1 + prng_below(prng, 8000));
    }
    fixture_deinit(&fixture);
}

TEST(the_newest_message_of_each_sender_is_known)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    append(&fixture, chat, 1, 20);
    uint64_t seq = 0;
    for (uint32_t round = 0; round < 3; round++) {
        CHECK_OK(store_own_last_seq(fixture.store, STORE_MAY_BLOCK, chat, BYTES_OF("user0"), &seq));
        CHECK_EQ(seq, 18);
        CHECK_OK(store_own_last_seq(fixture.store, STORE_MAY_BLOCK, chat, BYTES_OF("user2"), &seq));
        CHECK_EQ(seq, 20);
        CHECK_OK(
            store_own_last_seq(fixture.store, STORE_MAY_BLOCK, chat, BYTES_OF("nobody"), &seq));
        CHECK_EQ(seq, 0);
        if (round == 0) {
            CHECK_OK(store_flush(fixture.store));
        } else {
            fixture_restart(&fixture);
        }
    }
    fixture_deinit(&fixture);
}

/* More senders than the cache of young rows holds, so that RocksDB answers for the others. */
TEST(the_newest_message_of_many_senders_is_known)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    static uint64_t newest[20000];
    static uint8_t rows[FIXTURE_MESSAGES_MAX][64];
    char uid[16];
    uint64_t seq = 0;
    for (uint32_t step = 0; step < 40; step++) {
        for (uint32_t i = 0; i < FIXTURE_MESSAGES_MAX; i++) {
            const uint32_t sender = (uint32_t)prng_below(prng, COUNT_OF(newest));
            snprintf(uid, sizeof(uid), "u%u", sender);
            newest[sender] = ++seq;
            const struct message_view view = {.seq = seq};
            message_row_encode(&view, rows[i]);
            const struct store_message message = {
                .log = chat,
                .seq = seq,
                .row = {.data = rows[i], .size = message_row_size(&view)},
                .sender = bytes_of_string(uid)};
            CHECK_OK(store_batch_add_message(fixture.batch, &message));
        }
        fixture_commit(&fixture);
    }
    for (uint32_t i = 0; i < COUNT_OF(newest); i += 7) {
        uint64_t found = 0;
        snprintf(uid, sizeof(uid), "u%u", i);
        CHECK_OK(
            store_own_last_seq(fixture.store, STORE_MAY_BLOCK, chat, bytes_of_string(uid), &found));
        CHECK(found == newest[i]);
    }
    fixture_deinit(&fixture);
}

struct race {
    struct fixture *fixture;
    _Atomic uint64_t committed; /* all up to here are reported */
    _Atomic bool is_over;
    _Atomic bool is_wrong;
};

/* Asks for what has been reported: it must be known, whatever is loading or being paged. */
static void ask_all_the_time(void *context)
{
    struct race *race = context;
    uint64_t step = 1;
    while (!race->is_over) {
        const uint64_t committed = race->committed;
        uint64_t found = 0;
        step = step * 6364136223846793005u + 1442695040888963407u;
        const uint64_t seq = committed == 0 ? 1 : 1 + (step >> 33) % committed;
        const enum err err = find(race->fixture, STORE_MAY_BLOCK, chat, seq, &found);
        if (committed > 0 && seq % 10 != 0 && (err != ERR_OK || found != seq)) {
            race->is_wrong = true;
        }
    }
}

TEST(what_was_reported_is_known_to_other_threads_at_once)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    struct race race = {.fixture = &fixture};
    struct thread askers[2] = {0};
    CHECK_OK(thread_start(&askers[0], "asker", ask_all_the_time, &race));
    CHECK_OK(thread_start(&askers[1], "asker", ask_all_the_time, &race));
    for (uint64_t first = 1; first < 12000; first += 50) {
        append(&fixture, chat, first, first + 49);
        race.committed = first + 49;
    }
    race.is_over = true;
    thread_join(&askers[0]);
    thread_join(&askers[1]);
    CHECK(!race.is_wrong);
    fixture_deinit(&fixture);
}
