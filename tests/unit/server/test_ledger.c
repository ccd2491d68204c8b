#include "server/alarms.h"
#include "server/ledger.h"

#include "memory/allocator.h"
#include "system/clock.h"

#include "support/test.h"
#include "unit/store/fixture.h"

/* A ledger of one tree, a store and nothing else. */
struct world {
    struct fixture store;
    struct rest rest;
    struct readers readers;
    struct metrics metrics;
    struct budget metrics_budget;
    struct budget root;
    struct budget leaf;
    struct ledger ledger;
    struct alarms alarms;
};

static void world_init(struct world *world)
{
    fixture_init(&world->store);
    fixture_open(&world->store);
    budget_init(&world->metrics_budget, "metrics", NULL, BUDGET_UNLIMITED);
    CHECK_OK(metrics_open(&world->metrics, &world->metrics_budget, 1));
    memset(&world->readers, 0, sizeof(world->readers));
    rest_init(&world->rest, world->store.store, &world->readers, &world->metrics);
    CHECK_OK(rest_start(&world->rest));
    budget_init(&world->root, "tree", NULL, 100000);
    budget_init(&world->leaf, "leaf", &world->root, 10000);
    ledger_init(&world->ledger, world->store.store, &world->rest, 1ull << 40);
    ledger_add_root(&world->ledger, &world->root, 7);
    alarms_init(&world->alarms, &world->ledger, &world->metrics);
}

static void world_deinit(struct world *world)
{
    rest_stop(&world->rest);
    ledger_deinit(&world->ledger);
    metrics_close(&world->metrics);
    fixture_close(&world->store);
    fixture_deinit(&world->store);
}

static void second_passes(struct world *world)
{
    ledger_tick(&world->ledger);
    alarms_tick(&world->alarms);
}

struct search {
    const char *holder;
    struct ledger_line found;
    uint64_t sum;
};

static void search_line(void *context, const struct ledger_line *line)
{
    struct search *search = context;
    search->sum += line->used_bytes;
    if (strcmp(line->holder, search->holder) == 0) {
        search->found = *line;
    }
}

TEST(a_budget_is_in_the_ledger_by_itself_and_the_lines_add_up)
{
    static struct world world;
    world_init(&world);
    CHECK_OK(budget_charge(&world.leaf, MEMORY_RANK_DRAIN, 1234));
    second_passes(&world);
    struct ledger_totals totals;
    ledger_totals(&world.ledger, &totals);
    CHECK(totals.resident_bytes > 0);
    struct search search = {.holder = "leaf"};
    ledger_visit(&world.ledger, &totals, search_line, &search);
    CHECK_EQ(search.found.used_bytes, 1234);
    CHECK_EQ(search.found.limit_bytes, 10000);
    CHECK_EQ(search.found.index, 7);
    CHECK_EQ(search.sum, totals.ledger_bytes);
    budget_refund(&world.leaf, 1234);
    world_deinit(&world);
}

TEST(history_keeps_the_largest_of_each_time_and_no_more_than_it_has_room_for)
{
    static struct world world;
    world_init(&world);
    CHECK_OK(budget_charge(&world.leaf, MEMORY_RANK_DRAIN, 9000));
    second_passes(&world);
    struct ledger_totals totals;
    ledger_totals(&world.ledger, &totals);
    budget_refund(&world.leaf, 9000);
    for (uint32_t i = 1; i < 10; i++) {
        second_passes(&world);
    }
    struct ledger_point points[LEDGER_POINTS_MAX];
    uint32_t seconds = 0;
    CHECK_EQ(ledger_points(&world.ledger, LEDGER_HOUR, points, &seconds), 1);
    CHECK_EQ(seconds, 10);
    CHECK(points[0].ledger_kib >= totals.ledger_bytes / 1024);
    CHECK_EQ(ledger_points(&world.ledger, LEDGER_DAY, points, &seconds), 0);
    world.ledger.histories[LEDGER_HOUR].next = 359;
    world.ledger.histories[LEDGER_HOUR].points_count = 360;
    for (uint32_t i = 0; i < 20; i++) {
        second_passes(&world);
    }
    CHECK_EQ(ledger_points(&world.ledger, LEDGER_HOUR, points, &seconds), 360);
    CHECK(points[359].resident_kib > 0);
    world_deinit(&world);
}

TEST(a_holder_that_refuses_at_its_limit_for_a_minute_raises_an_alarm_that_ends)
{
    static struct world world;
    world_init(&world);
    CHECK_OK(budget_charge(&world.leaf, MEMORY_RANK_DRAIN, 9900));
    CHECK_EQ(budget_charge(&world.leaf, MEMORY_RANK_DRAIN, 200), ERR_BUDGET);
    second_passes(&world);
    CHECK(alarms_is_raised(&world.alarms, ALARM_REFUSALS));
    CHECK(!alarms_is_raised(&world.alarms, ALARM_HOLDER_FULL));
    for (uint32_t i = 0; i < ALARM_MINUTE_TICKS; i++) {
        second_passes(&world);
    }
    CHECK(alarms_is_raised(&world.alarms, ALARM_HOLDER_FULL));
    CHECK(!alarms_is_raised(&world.alarms, ALARM_REFUSALS)); /* the last one was a minute ago */
    budget_refund(&world.leaf, 9900);
    second_passes(&world);
    CHECK(!alarms_is_raised(&world.alarms, ALARM_HOLDER_FULL));
    world_deinit(&world);
}

TEST(sessions_whose_cursors_are_filling_raise_an_alarm_for_a_minute)
{
    static struct world world;
    world_init(&world);
    second_passes(&world);
    CHECK(!alarms_is_raised(&world.alarms, ALARM_CURSORS_FILLING));
    metric_add(metrics_slot(&world.metrics, 0), METRIC_CURSORS_FILLING, 1);
    second_passes(&world);
    CHECK(alarms_is_raised(&world.alarms, ALARM_CURSORS_FILLING));
    for (uint32_t i = 0; i < ALARM_MINUTE_TICKS; i++) {
        second_passes(&world);
    }
    CHECK(!alarms_is_raised(&world.alarms, ALARM_CURSORS_FILLING));
    world_deinit(&world);
}

TEST(a_quiet_server_rests_and_a_busy_one_does_not)
{
    static struct world world;
    world_init(&world);
    struct metrics_slot *slot = metrics_slot(&world.metrics, 0);
    for (uint32_t i = 0; i < 3 * REST_TICKS; i++) {
        metric_add(slot, METRIC_JOURNAL_RECORDS, REST_WORK_PER_SECOND);
        CHECK(!rest_tick(&world.rest));
    }
    for (uint32_t i = 0; i + 1 < REST_TICKS; i++) {
        metric_add(slot, METRIC_JOURNAL_RECORDS, REST_WORK_PER_SECOND - 1);
        CHECK(!rest_tick(&world.rest));
    }
    CHECK(rest_tick(&world.rest));
    world_deinit(&world);
}

TEST(what_the_outbox_has_left_to_do_does_not_keep_a_server_from_resting)
{
    static struct world world;
    world_init(&world);
    struct metrics_slot *slot = metrics_slot(&world.metrics, 0);
    for (uint32_t i = 0; i + 1 < REST_TICKS; i++) {
        metric_add(slot, METRIC_JOURNAL_RECORDS, 100 * REST_WORK_PER_SECOND);
        metric_add(slot, METRIC_JOURNAL_RECORDS_OUTBOX, 100 * REST_WORK_PER_SECOND);
        CHECK(!rest_tick(&world.rest));
    }
    CHECK(rest_tick(&world.rest));
    world_deinit(&world);
}

TEST(what_stays_after_a_burst_is_made_up_for_with_code)
{
    static struct world world;
    world_init(&world);
    CHECK(!rest_tick(&world.rest));
    const size_t size = world.rest.begun_bytes / 16; /* four times what is no matter */
    uint8_t *stays = memory_acquire(&world.metrics_budget, MEMORY_RANK_READ, size);
    CHECK(stays != NULL);
    memset(stays, 1, size);
    for (uint32_t i = 1; i < REST_TICKS; i++) {
        (void)rest_tick(&world.rest);
    }
    for (uint32_t i = 0; i < REST_TICKS; i++) { /* the others have had their time by the second */
        (void)rest_tick(&world.rest);
    }
    const uint64_t end_ns = clock_now_ns() + 10 * 1000000000ull;
    while (rest_given_back(&world.rest, REST_CODE) == 0 && clock_now_ns() < end_ns) {
        usleep(1000);
    }
    CHECK(rest_given_back(&world.rest, REST_CODE) > 0);
    memory_release(&world.metrics_budget, stays, size);
    world_deinit(&world);
}
