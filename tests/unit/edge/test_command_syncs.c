#include "edge/command_syncs.h"

#include "support/test.h"

#include <stdio.h>

struct bench {
    struct budget budget;
    struct command_syncs syncs;
};

static void bench_init(struct bench *bench, uint64_t bytes)
{
    budget_init(&bench->budget, "test", NULL, bytes);
    command_syncs_init(&bench->syncs, &bench->budget);
}

static enum err add(struct bench *bench, const char *uid, uint64_t last_seq, uint64_t now_ns)
{
    const struct command_place place = {.channel = {.type = 2, .id = BYTES_OF("group")},
                                        .seq = last_seq};
    const struct command_told told = {
        .uid = bytes_of_string(uid), .places = &place, .places_count = 1};
    return command_syncs_add(&bench->syncs, &told, now_ns);
}

/* The last seq of what an acknowledgement takes; 0: there is nothing. */
static uint64_t take(struct bench *bench, const char *uid, uint64_t last_seq, uint64_t now_ns)
{
    struct command_sync *sync =
        command_syncs_take(&bench->syncs, bytes_of_string(uid), last_seq, now_ns);
    if (sync == NULL) {
        return 0;
    }
    CHECK_EQ(sync->places_count, 1);
    CHECK(bytes_equal(sync->places[0].channel.id, BYTES_OF("group")));
    const uint64_t seq = sync->places[0].seq;
    command_syncs_release(&bench->syncs, sync);
    return seq;
}

TEST(the_sync_that_is_named_is_taken_and_no_other)
{
    struct bench bench;
    bench_init(&bench, 1 << 20);
    CHECK_EQ(take(&bench, "bob", 1, 0), 0);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        CHECK_EQ(add(&bench, "bob", seq, 0), ERR_OK);
        CHECK_EQ(add(&bench, "anna", seq + 10, 0), ERR_OK);
    }
    CHECK_EQ(take(&bench, "bob", 2, 0), 2);
    CHECK_EQ(take(&bench, "bob", 2, 0), 0);
    CHECK_EQ(take(&bench, "bob", 99, 0), 0);
    CHECK_EQ(take(&bench, "bob", 3, 0), 3);
    CHECK_EQ(take(&bench, "bob", 1, 0), 1);
    CHECK_EQ(take(&bench, "anna", 11, 0), 11);
    command_syncs_deinit(&bench.syncs);
    CHECK_EQ(budget_used(&bench.budget), 0);
}

static void add_logs(struct bench *bench, const struct command_place *places, uint32_t count)
{
    const struct command_told told = {
        .uid = BYTES_OF("bob"), .places = places, .places_count = count};
    CHECK_EQ(command_syncs_add(&bench->syncs, &told, 0), ERR_OK);
}

static struct command_place log_up_to(const char *channel, uint64_t seq)
{
    return (struct command_place){.channel = {.type = 2, .id = bytes_of_string(channel)},
                                  .seq = seq};
}

TEST(the_end_of_any_log_names_a_sync)
{
    struct bench bench;
    bench_init(&bench, 1 << 20);
    const struct command_place places[] = {log_up_to("a", 7), log_up_to("b", 2)};
    for (uint32_t i = 0; i < 2; i++) {
        add_logs(&bench, places, 2);
        struct command_sync *sync =
            command_syncs_take(&bench.syncs, BYTES_OF("bob"), places[i].seq, 0);
        CHECK(sync != NULL);
        CHECK_EQ(sync->places_count, 2);
        command_syncs_release(&bench.syncs, sync);
    }
    CHECK_EQ(budget_used(&bench.budget), 0);
}

TEST(of_syncs_with_one_name_only_what_all_told_is_taken)
{
    struct bench bench;
    bench_init(&bench, 1 << 20);
    const struct command_place phone[] = {log_up_to("a", 3), log_up_to("b", 9), log_up_to("d", 4)};
    const struct command_place tablet[] = {log_up_to("a", 2), log_up_to("c", 3), log_up_to("d", 5)};
    add_logs(&bench, phone, 3);
    add_logs(&bench, tablet, 3);
    struct command_sync *sync = command_syncs_take(&bench.syncs, BYTES_OF("bob"), 3, 0);
    CHECK(sync != NULL);
    CHECK_EQ(sync->places_count, 2);
    CHECK(bytes_equal(sync->places[0].channel.id, BYTES_OF("a")));
    CHECK_EQ(sync->places[0].seq, 2);
    CHECK(bytes_equal(sync->places[1].channel.id, BYTES_OF("d")));
    CHECK_EQ(sync->places[1].seq, 4);
    command_syncs_give(&bench.syncs, sync);
    CHECK_EQ(bench.syncs.count, 2);
    command_syncs_deinit(&bench.syncs);
    CHECK_EQ(budget_used(&bench.budget), 0);
}

TEST(what_is_old_is_forgotten)
{
    struct bench bench;
    bench_init(&bench, 1 << 20);
    CHECK_EQ(add(&bench, "bob", 1, 1000), ERR_OK);
    CHECK_EQ(take(&bench, "bob", 1, 1000 + COMMAND_SYNC_LIFE_NS), 0);
    CHECK_EQ(budget_used(&bench.budget), 0);
}

TEST(a_user_and_all_together_have_a_bound)
{
    struct bench bench;
    bench_init(&bench, 64 << 20);
    for (uint64_t seq = 1; seq <= COMMAND_SYNCS_USER_MAX + 1; seq++) {
        CHECK_EQ(add(&bench, "bob", seq, 0), ERR_OK);
    }
    CHECK_EQ(bench.syncs.count, COMMAND_SYNCS_USER_MAX);
    CHECK_EQ(take(&bench, "bob", 1, 0), 0); /* the first was forgotten */
    for (uint32_t i = 0; i < COMMAND_SYNCS_MAX + 10; i++) {
        char uid[16];
        snprintf(uid, sizeof(uid), "u%u", i);
        CHECK_EQ(add(&bench, uid, 1, 0), ERR_OK);
    }
    CHECK_EQ(bench.syncs.count, COMMAND_SYNCS_MAX);
    CHECK_EQ(take(&bench, "bob", 2, 0), 0);
    command_syncs_deinit(&bench.syncs);
    CHECK_EQ(budget_used(&bench.budget), 0);
}

TEST(without_room_nothing_is_remembered)
{
    struct bench bench;
    bench_init(&bench, 1);
    CHECK_EQ(add(&bench, "bob", 1, 0), ERR_BUDGET);
    CHECK_EQ(bench.syncs.count, 0);
}
