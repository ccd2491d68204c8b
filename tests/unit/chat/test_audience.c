#include "chat/audience.h"

#include "chat/chat.h"
#include "support/test.h"

#define IDS 512 /* different hashes of the test */

static struct metrics_slot metrics;
static struct shard shard;
static struct chat chat;

static void set_up(uint64_t limit_bytes)
{
    shard = (struct shard){.metrics = &metrics};
    chat = (struct chat){.shard = &shard};
    budget_init(&shard.budget, "shard", NULL, BUDGET_UNLIMITED);
    budget_init(&chat.rosters_budget, "rosters", &shard.budget, limit_bytes);
    list_init(&chat.channels.recency);
    CHECK_OK(audiences_init(&chat));
}

static void tear_down(void)
{
    audiences_deinit(&chat);
    CHECK_EQ(budget_used(&chat.rosters_budget), 0);
}

static uint64_t hash_of(uint32_t id)
{
    return (id + 1) * 0x9e3779b97f4a7c15ULL;
}

static bool is_ascending(const struct audience *audience)
{
    for (uint32_t i = 1; i < audience->count; i++) {
        if (audience->hashes[i - 1] >= audience->hashes[i]) {
            return false;
        }
    }
    return true;
}

/* Whatever is added, in whatever order and how often, an audience is what a plain set says. */
TEST(an_audience_is_a_set)
{
    set_up(1 << 20);
    bool is_in[IDS] = {false};
    struct audience *audience = audience_take(&chat, 1, 1);
    CHECK(audience != NULL);
    for (uint32_t round = 0; round < 300; round++) {
        uint64_t hashes[64];
        const uint32_t count = (uint32_t)prng_below(prng, 64);
        for (uint32_t i = 0; i < count; i++) {
            /* One reading never has a user twice, but may have one who is in it already. */
            const uint32_t id = (uint32_t)prng_below(prng, IDS / 64) * 64 + i;
            hashes[i] = hash_of(id);
            is_in[id] = true;
        }
        CHECK_OK(audience_add(&chat, audience, hashes, count));
        uint32_t expected = 0;
        for (uint32_t id = 0; id < IDS; id++) {
            CHECK_EQ(audience_has(audience, hash_of(id)), is_in[id]);
            expected += is_in[id];
        }
        CHECK_EQ(audience->count, expected);
        CHECK(is_ascending(audience));
    }
    audience_put(audience);
    tear_down();
}

TEST(an_audience_of_another_version_of_the_list_is_empty)
{
    set_up(1 << 20);
    struct audience *audience = audience_take(&chat, 1, 1);
    uint64_t hash = 5;
    CHECK_OK(audience_add(&chat, audience, &hash, 1));
    audience->arrival = 9;
    audience_put(audience);
    audience = audience_take(&chat, 1, 1);
    CHECK(audience_has(audience, 5));
    audience_put(audience);
    audience = audience_take(&chat, 1, 2);
    CHECK_EQ(audience->count, 0);
    CHECK_EQ(audience->arrival, 0);
    audience_put(audience);
    tear_down();
}

TEST(without_room_the_one_wanted_longest_ago_goes_and_one_in_use_stays)
{
    set_up(16384);
    struct audience *first = audience_take(&chat, 1, 1);
    uint64_t hashes[64];
    uint32_t id = 0;
    for (uint32_t i = 0; i < 64; i++) {
        hashes[i] = hash_of(id++);
    }
    CHECK_OK(audience_add(&chat, first, hashes, 64));
    audience_put(first);
    struct audience *second = audience_take(&chat, 2, 1);
    enum err err = ERR_OK;
    uint32_t added = 0;
    while (err == ERR_OK) {
        for (uint32_t i = 0; i < 64; i++) {
            hashes[i] = hash_of(id++);
        }
        err = audience_add(&chat, second, hashes, 64);
        added += err == ERR_OK ? 64 : 0;
    }
    CHECK_EQ(err, ERR_BUDGET);
    CHECK_EQ(second->count, added); /* what was refused changed nothing */
    CHECK(added > 256);
    audience_put(second);
    first = audience_take(&chat, 1, 1);
    CHECK_EQ(first->count, 0); /* it was forgotten for the second */
    audience_put(first);
    tear_down();
}

TEST(an_audience_nobody_wants_is_given_back)
{
    set_up(1 << 20);
    audience_put(audience_take(&chat, 1, 1));
    shard.now_ms = CHANNEL_IDLE_MS - 1;
    audiences_age(&chat);
    CHECK(!list_is_empty(&chat.audiences.recency));
    audience_put(audience_take(&chat, 2, 1));
    shard.now_ms = CHANNEL_IDLE_MS;
    audiences_age(&chat);
    CHECK_EQ(CONTAINER_OF(chat.audiences.recency.next, struct audience, recency)->channel_hash, 2);
    CHECK(chat.audiences.recency.next->next == &chat.audiences.recency);
    tear_down();
}
