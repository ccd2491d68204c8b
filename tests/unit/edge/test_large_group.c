/* What becomes of a large group when there is no room for its audience: nobody is missed. */
#include "http_fixture.h"

#include "memory/allocator.h"
#include "system/clock.h"
#include "system/futex.h"

#include <stdio.h>

#define MEMBERS 4 /* of them online */
#define GUESTS  3 /* online and no members */

static struct http_fixture fixture;

/* Room for rosters and audiences on each shard besides what is used from the start. */
static void leave_room(uint64_t bytes)
{
    for (uint32_t i = 0; i < FIXTURE_SHARDS; i++) {
        struct budget *budget = &fixture.cores[i].chat.rosters_budget;
        budget->limit_bytes = budget_used(budget) + bytes;
    }
}

static void make_group(const char *members)
{
    char body[256];
    snprintf(body, sizeof(body),
             "{\"channel_id\":\"g\",\"channel_type\":2,\"reset\":1,\"subscribers\":[%s]}", members);
    CHECK_POST(&fixture, "/channel", body, STATUS_OK);
}

static void say(void)
{
    CHECK_EQ(http_fixture_call(&fixture, "POST", "/message/send",
                               "{\"channel_id\":\"g\",\"channel_type\":2,\"payload\":\"aGk=\"}"),
             200);
}

#define HEARD_NS 20000000000ull /* a machine that is shared may be deaf for seconds */

static void check_heard(struct test_session *session, uint32_t count)
{
    const uint64_t end_ns = clock_now_ns() + HEARD_NS;
    uint32_t heard;
    while ((heard = atomic_load(&session->pushes)) < count && clock_now_ns() < end_ns) {
        futex_wait(&session->pushes, heard, HEARD_NS / 10);
    }
    CHECK_EQ(atomic_load(&session->pushes), count);
}

static void everybody_hears_with_room_for(uint64_t bytes)
{
    static const char *const names[MEMBERS + GUESTS] = {"m1", "m2", "m3", "m4", "g1", "g2", "g3"};
    struct test_session *sessions[MEMBERS + GUESTS];
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);
    for (uint32_t i = 0; i < MEMBERS + GUESTS; i++) {
        sessions[i] = http_fixture_login(&fixture, names[i], 1);
    }
    make_group("\"m1\",\"m2\",\"m3\",\"m4\",\"asleep\"");
    leave_room(bytes);
    for (uint32_t messages = 1; messages <= 5; messages++) {
        say();
        for (uint32_t i = 0; i < MEMBERS; i++) {
            check_heard(sessions[i], messages);
        }
    }
    make_group("\"g1\"");
    say();
    check_heard(sessions[MEMBERS], 1);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        CHECK_EQ(atomic_load(&sessions[i]->pushes), 5);
    }
    CHECK_EQ(atomic_load(&sessions[MEMBERS + 1]->pushes), 0);
    CHECK_EQ(atomic_load(&sessions[MEMBERS + 2]->pushes), 0);
    CHECK_EQ(metrics_sum(&fixture.metrics, METRIC_DELIVERIES_WITHOUT_ROSTER), 0);
    CHECK(metrics_sum(&fixture.metrics, METRIC_NEWCOMERS_LOOKED_UP) > 0);
    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(everybody_hears_without_room_for_an_audience)
{
    everybody_hears_with_room_for(0);
}

TEST(everybody_hears_with_room_for_an_audience_of_nobody)
{
    everybody_hears_with_room_for(memory_cost(sizeof(struct audience)));
}
