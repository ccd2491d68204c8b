#include "server/pace.h"

#include "support/test.h"

/* Looks every `step_ns`, each time with so many sockets, for a while. Returns the time. */
static uint64_t look(struct pace *pace, uint64_t now_ns, uint64_t step_ns, uint32_t events)
{
    for (uint32_t i = 0; i < 100; i++) {
        now_ns += step_ns;
        pace_count(pace, now_ns, events);
    }
    return now_ns;
}

TEST(a_shard_with_little_to_do_never_rests)
{
    struct pace pace = {0};
    uint64_t now_ns = 1000000000;
    CHECK_EQ(pace_rest_ns(&pace, now_ns), 0);
    now_ns = look(&pace, now_ns, PACE_WINDOW_NS / (PACE_EVENTS_MIN - 2), 1);
    CHECK_EQ(pace_rest_ns(&pace, now_ns), 0);
}

TEST(a_busy_shard_rests_between_two_looks_and_no_longer)
{
    struct pace pace = {0};
    const uint64_t now_ns =
        look(&pace, 1000000000, PACE_REST_NS, PACE_EVENTS_MIN * PACE_REST_NS / PACE_WINDOW_NS + 1);
    CHECK_EQ(pace_rest_ns(&pace, now_ns), PACE_REST_NS);
    CHECK_EQ(pace_rest_ns(&pace, now_ns + PACE_REST_NS / 4), PACE_REST_NS - PACE_REST_NS / 4);
    CHECK_EQ(pace_rest_ns(&pace, now_ns + PACE_REST_NS), 0);
}

TEST(a_shard_that_was_busy_long_ago_does_not_rest)
{
    struct pace pace = {0};
    uint64_t now_ns = look(&pace, 1000000000, PACE_REST_NS, 50);
    CHECK(pace_rest_ns(&pace, now_ns) > 0);
    now_ns += 3 * PACE_WINDOW_NS;
    pace_count(&pace, now_ns, 1);
    CHECK_EQ(pace_rest_ns(&pace, now_ns), 0);
}

TEST(a_shard_with_work_in_hand_looks_as_seldom_whether_it_is_busy_or_not)
{
    struct pace pace = {0};
    const uint64_t now_ns = 1000000000;
    CHECK_EQ(pace_left_ns(&pace, now_ns), 0);
    pace_count(&pace, now_ns, 1);
    CHECK_EQ(pace_rest_ns(&pace, now_ns), 0);
    CHECK_EQ(pace_left_ns(&pace, now_ns), PACE_REST_NS);
    CHECK_EQ(pace_left_ns(&pace, now_ns + PACE_REST_NS), 0);
}
