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
        .uid = bytes_of_string(uid), .places = &place, .places_count = 1, .last_seq = last_seq};
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
    CHECK_EQ(sync->places[0].seq, sync->last_seq);
    const uint64_t seq = sync->last_seq;
    command_syncs_release(&bench->syncs, sync);
    return seq;
}

TEST(the_sync_that_is_named_is_taken_otherwise_the_newest)
{
    struct bench bench;
    bench_init(&bench, 1 << 20);
    CHECK_EQ(take(&bench, "bob", 1, 0), 0);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        CHECK_EQ(add(&bench, "bob", seq, 0), ERR_OK);
        CHECK_EQ(add(&bench, "anna", seq + 10, 0), ERR_OK);
    }
    CHECK_EQ(take(&bench, "bob", 2, 0), 2);
    CHECK_EQ(take(&bench, "bob", 99, 0), 3);
    CHECK_EQ(take(&bench, "bob", 99, 0), 1);
    CHECK_EQ(take(&bench, "bob", 99, 0), 0);
    CHECK_EQ(take(&bench, "anna", 11, 0), 11);
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
    CHECK_EQ(take(&bench, "bob", 1, 0), COMMAND_SYNCS_USER_MAX + 1); /* the first was forgotten */
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
