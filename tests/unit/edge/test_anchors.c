#include "edge/anchors.h"

#include "support/test.h"

#include <stdio.h>

#define BYTES_MAX 262144u

static struct budget root;
static struct anchors anchors;
static struct metrics_slot metrics;

static void begin(void)
{
    budget_init(&root, "root", NULL, BUDGET_UNLIMITED);
    anchors_init(&anchors, &root, BYTES_MAX, &metrics);
}

static void end(void)
{
    anchors_deinit(&anchors);
    CHECK_EQ(budget_used(&root), 0);
}

static void put(const char *no, const char *from, uint64_t id, uint64_t now_ns)
{
    const struct anchor anchor = {
        .client_msg_no = bytes_of_string(no),
        .from_uid = bytes_of_string(from),
        .channel = {.type = 2, .id = BYTES_OF("group")},
        .message_id = id,
    };
    anchors_put(&anchors, &anchor, now_ns);
}

TEST(the_newest_sender_of_a_number_is_known)
{
    begin();
    struct anchor found;
    CHECK(!anchors_find(&anchors, BYTES_OF("a"), 0, &found));
    put("a", "anna", 1, 5);
    put("b", "bob", 2, 5);
    put("a", "carl", 3, 6);
    CHECK(anchors_find(&anchors, BYTES_OF("a"), 7, &found));
    CHECK_BYTES(found.from_uid, BYTES_OF("carl"));
    CHECK_BYTES(found.channel.id, BYTES_OF("group"));
    CHECK_EQ(found.channel.type, 2);
    CHECK_EQ(found.message_id, 3);
    CHECK(anchors_find(&anchors, BYTES_OF("b"), 7, &found));
    anchors_drop(&anchors, BYTES_OF("a"));
    anchors_drop(&anchors, BYTES_OF("unknown"));
    CHECK(!anchors_find(&anchors, BYTES_OF("a"), 7, &found));
    CHECK(anchors_find(&anchors, BYTES_OF("b"), 7, &found));
    end();
}

TEST(what_is_old_counts_no_more)
{
    begin();
    const uint64_t life_ns = ANCHOR_LIFE_MS * 1000000ull;
    struct anchor found;
    put("a", "anna", 1, 0);
    CHECK(anchors_find(&anchors, BYTES_OF("a"), life_ns, &found));
    CHECK(!anchors_find(&anchors, BYTES_OF("a"), life_ns + 1, &found));
    const uint64_t used = budget_used(&root);
    put("b", "bob", 2, life_ns + 1); /* takes the old one's place */
    CHECK_EQ(budget_used(&root), used);
    end();
}

TEST(the_oldest_go_when_there_is_no_room)
{
    begin();
    struct anchor found;
    char no[32];
    for (uint32_t i = 0; i < 10000; i++) {
        snprintf(no, sizeof(no), "%u", i);
        put(no, "anna", i + 1, i);
        CHECK(budget_used(&root) <= BYTES_MAX);
        CHECK(anchors_find(&anchors, bytes_of_string(no), i, &found));
        CHECK_EQ(found.message_id, i + 1);
    }
    CHECK(!anchors_find(&anchors, BYTES_OF("0"), 10000, &found));
    CHECK(anchors_find(&anchors, BYTES_OF("9000"), 10000, &found));
    end();
}
