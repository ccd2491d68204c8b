#include "edge/forerunner.h"

#include "store/log_end.h"

#include "unit/store/fixture.h"

#define CONVERSATIONS 200u
#define USER          BYTES_OF("user")

struct stage {
    struct fixture fixture;
    struct readers readers;
    struct mailbox home;
    struct forerunner forerunner;
};

static struct log_ref log_of(uint32_t place)
{
    return (struct log_ref){.channel = {.slot = (uint16_t)(place % 7), .number = place + 1},
                            .kind = LOG_CHAT};
}

/* A conversation with one message; `place` is its rank in the directory. */
static void add_conversation(struct stage *stage, uint32_t place)
{
    static struct fixture_message message;
    char id[16];
    snprintf(id, sizeof(id), "group%05u", place);
    const struct directory_key key = {.uid = USER,
                                      .channel = {.type = 2, .id = bytes_of_string(id)}};
    const struct directory_row row = {.flags = DIRECTORY_FLAG_CHAT,
                                      .channel = log_of(place).channel};
    fixture_message(&message, 1, 10);
    const struct store_message added = {
        .log = log_of(place), .seq = 1, .row = message.bytes, .sender = BYTES_OF("sender")};
    CHECK_OK(store_batch_put_directory(stage->fixture.batch, &key, &row));
    CHECK_OK(store_batch_add_message(stage->fixture.batch, &added));
    fixture_commit(&stage->fixture);
}

/* A store just opened, so that no end is known. */
static void stage_init(struct stage *stage, uint32_t threads_count, uint32_t searches_max)
{
    memset(stage, 0, sizeof(*stage));
    fixture_init(&stage->fixture);
    fixture_open(&stage->fixture);
    for (uint32_t i = 0; i < CONVERSATIONS; i++) {
        add_conversation(stage, i);
    }
    fixture_restart(&stage->fixture);
    CHECK_OK(readers_start(&stage->readers, threads_count));
    CHECK_OK(mailbox_open(&stage->home, stage));
    forerunner_init(&stage->forerunner, stage->fixture.store, &stage->readers, &stage->home,
                    searches_max);
}

static void stage_deinit(struct stage *stage)
{
    readers_stop(&stage->readers);
    mailbox_close(&stage->home);
    fixture_deinit(&stage->fixture);
}

static void wait_until_home(struct stage *stage)
{
    while (forerunner_is_away(&stage->forerunner)) {
        mailbox_rest(&stage->home, 1000000);
        mailbox_awake(&stage->home);
        mailbox_drain(&stage->home);
    }
}

static uint32_t known_count(struct stage *stage, uint32_t first, uint32_t end)
{
    uint32_t count = 0;
    for (uint32_t i = first; i < end; i++) {
        count += store_knows_log_end(stage->fixture.store, log_of(i)) ? 1 : 0;
    }
    return count;
}

TEST(it_searches_all_ends_that_are_not_known)
{
    static struct stage stage;
    stage_init(&stage, 2, 10000);
    CHECK_EQ(known_count(&stage, 0, CONVERSATIONS), 0);
    forerunner_start(&stage.forerunner, USER);
    CHECK(forerunner_is_away(&stage.forerunner));
    wait_until_home(&stage);
    CHECK_EQ(forerunner_searches(&stage.forerunner), CONVERSATIONS);
    CHECK_EQ(known_count(&stage, 0, CONVERSATIONS), CONVERSATIONS);
    stage_deinit(&stage);
}

TEST(it_begins_at_the_other_end_and_ends_where_it_meets_the_list)
{
    static struct stage stage;
    stage_init(&stage, 2, 10000);
    for (uint32_t i = 10; i < CONVERSATIONS / 2; i++) { /* the first ten stay unknown */
        struct log_end end;
        CHECK_OK(store_log_end(stage.fixture.store, log_of(i), &end));
    }
    forerunner_start(&stage.forerunner, USER);
    wait_until_home(&stage);
    CHECK_EQ(forerunner_searches(&stage.forerunner), CONVERSATIONS / 2);
    CHECK_EQ(known_count(&stage, 0, 10), 0);
    forerunner_start(&stage.forerunner, USER); /* all is known where it begins */
    wait_until_home(&stage);
    CHECK_EQ(forerunner_searches(&stage.forerunner), CONVERSATIONS / 2);
    stage_deinit(&stage);
}

TEST(it_searches_no_more_than_a_list_may_have)
{
    static struct stage stage;
    stage_init(&stage, 2, 50);
    forerunner_start(&stage.forerunner, USER);
    wait_until_home(&stage);
    CHECK_EQ(forerunner_searches(&stage.forerunner), 50);
    CHECK_EQ(known_count(&stage, CONVERSATIONS - 50, CONVERSATIONS), 50);
    stage_deinit(&stage);
}

/* ---- Readers that others want. ---- */

struct other {
    struct reading reading;
    struct monitor monitor;
    bool is_released;
    bool is_home;
};

static void other_run(struct reading *reading)
{
    struct other *other = CONTAINER_OF(reading, struct other, reading);
    monitor_enter(&other->monitor);
    while (!other->is_released) {
        monitor_wait_ms(&other->monitor, 1000);
    }
    monitor_leave(&other->monitor);
}

static void other_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct reading *reading = CONTAINER_OF(letter, struct reading, letter);
    CONTAINER_OF(reading, struct other, reading)->is_home = true;
}

static void other_ask(struct stage *stage, struct other *other, bool is_released)
{
    *other = (struct other){.reading = {.letter = {.receive = other_comes_home},
                                        .run = other_run,
                                        .home = &stage->home},
                            .is_released = is_released};
    monitor_init(&other->monitor);
    readers_ask(&stage->readers, &other->reading);
}

TEST(it_gives_way_to_whoever_waits_for_a_reader)
{
    static struct stage stage;
    struct other first;
    struct other second;
    stage_init(&stage, 1, 10000);
    other_ask(&stage, &first, false);
    forerunner_start(&stage.forerunner, USER);
    other_ask(&stage, &second, true);
    monitor_enter(&first.monitor);
    first.is_released = true;
    monitor_signal(&first.monitor);
    monitor_leave(&first.monitor);
    while (!first.is_home || !second.is_home || forerunner_is_away(&stage.forerunner)) {
        mailbox_rest(&stage.home, 1000000);
        mailbox_awake(&stage.home);
        mailbox_drain(&stage.home);
    }
    CHECK_EQ(forerunner_searches(&stage.forerunner), 1);
    CHECK_EQ(readers_waiting(&stage.readers), 0);
    monitor_deinit(&first.monitor);
    monitor_deinit(&second.monitor);
    stage_deinit(&stage);
}
