#include "chat/temporary.h"

#include "chat/chat.h"
#include "chat/roster.h"
#include "support/test.h"

#define SHARDS 3u

static struct metrics_slot metrics;
static struct shard shard;
static struct chat_settings settings;
static struct chat chat;

#define CHANNELS 3u

/* Channels of the test, each with room for an id of one byte. */
static _Alignas(struct channel) uint8_t channels[CHANNELS][sizeof(struct channel) + 8];

static struct channel *channel_at(uint32_t index)
{
    struct channel *channel = (struct channel *)channels[index];
    channel->type = CHANNEL_TEMP;
    channel->id_size = 1;
    channel->id[0] = (uint8_t)('a' + index);
    channel->hash = 7; /* the same for all, so that they meet in one bucket */
    return channel;
}

static void set_up(uint64_t limit_bytes)
{
    shard = (struct shard){.metrics = &metrics, .shards_count = SHARDS};
    chat = (struct chat){.shard = &shard, .settings = &settings};
    budget_init(&shard.budget, "shard", NULL, BUDGET_UNLIMITED);
    budget_init(&chat.temporaries_budget, "temporaries", &shard.budget, limit_bytes);
    temporaries_init(&chat.temporaries, &chat.temporaries_budget);
}

static void tear_down(void)
{
    temporaries_deinit(&chat);
    CHECK_EQ(budget_used(&chat.temporaries_budget), 0);
}

static enum err put(uint32_t index, const char *uid)
{
    const struct bytes uids[] = {bytes_of_string(uid), BYTES_OF("everybody's friend")};
    return temporary_put(&chat, channel_at(index), uids, COUNT_OF(uids));
}

static bool goes_to(uint32_t index, const char *uid)
{
    const struct temporary *temporary = temporary_find(&chat, channel_at(index));
    return temporary != NULL && bytes_equal(temporary->uids[0], bytes_of_string(uid));
}

static uint32_t members_of(const struct roster *roster)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < roster->parts_count; i++) {
        count += roster->parts[i].count;
    }
    return count;
}

TEST(a_list_is_there_until_another_takes_its_place)
{
    set_up(1 << 20);
    CHECK(temporary_find(&chat, channel_at(0)) == NULL);
    CHECK_OK(put(0, "anna"));
    CHECK_OK(put(1, "bob"));
    CHECK(goes_to(0, "anna"));
    CHECK(goes_to(1, "bob"));
    CHECK_OK(put(0, "cleo"));
    CHECK(goes_to(0, "cleo"));
    CHECK(goes_to(1, "bob"));
    CHECK(temporary_find(&chat, channel_at(2)) == NULL);
    CHECK_EQ(chat.temporaries.count, 2);
    tear_down();
}

TEST(who_is_named_twice_is_on_the_roster_once)
{
    set_up(1 << 20);
    const struct bytes uids[] = {BYTES_OF("anna"), BYTES_OF("bob"), BYTES_OF("anna")};
    CHECK_OK(temporary_put(&chat, channel_at(0), uids, COUNT_OF(uids)));
    CHECK_EQ(members_of(temporary_find(&chat, channel_at(0))->roster), 2);
    tear_down();
}

TEST(a_message_keeps_the_roster_of_a_list_that_has_gone)
{
    set_up(1 << 20);
    CHECK_OK(put(0, "anna"));
    struct roster *roster = temporary_find(&chat, channel_at(0))->roster;
    roster_ref(roster);
    CHECK_OK(put(0, "bob"));
    CHECK_EQ(members_of(roster), 2);
    roster_unref(roster);
    tear_down();
}

TEST(a_list_that_nobody_uses_is_forgotten)
{
    set_up(1 << 20);
    CHECK_OK(put(0, "anna"));
    CHECK_OK(put(1, "bob"));
    shard.now_ms = TEMPORARY_IDLE_MS - 1;
    temporaries_age(&chat);
    CHECK(goes_to(0, "anna")); /* and has been used now */
    shard.now_ms++;
    temporaries_age(&chat);
    CHECK(goes_to(0, "anna"));
    CHECK(temporary_find(&chat, channel_at(1)) == NULL);
    shard.now_ms += TEMPORARY_IDLE_MS;
    temporaries_age(&chat);
    CHECK_EQ(chat.temporaries.count, 0);
    tear_down();
}

/* Wherever the room ends: in the table, the list, its roster. */
TEST(a_list_without_room_is_refused_and_changes_nothing)
{
    uint32_t refused = 0;
    for (uint64_t limit_bytes = 0;; limit_bytes += 64) {
        set_up(limit_bytes);
        enum err err = put(0, "anna");
        if (err == ERR_OK) {
            err = put(0, "bob, whose name is longer");
            CHECK(goes_to(0, err == ERR_OK ? "bob, whose name is longer" : "anna"));
        }
        CHECK(err == ERR_OK || err == ERR_BUDGET);
        tear_down();
        if (err == ERR_OK) {
            break;
        }
        refused++;
    }
    CHECK(refused > 2);
    CHECK_EQ(atomic_load(&metrics.values[METRIC_TEMPORARIES_REFUSED]), refused);
}

TEST(a_list_that_is_too_long_is_refused)
{
    set_up(8u << 20);
    static uint8_t name[NAME_BYTES_MAX];
    static struct bytes uids[TEMPORARY_UIDS_BYTES_MAX / (NAME_BYTES_MAX + sizeof(uint16_t)) + 1];
    for (uint32_t i = 0; i < COUNT_OF(uids); i++) {
        uids[i] = (struct bytes){.data = name, .size = sizeof(name)};
    }
    CHECK_EQ(temporary_put(&chat, channel_at(0), uids, COUNT_OF(uids)), ERR_LIMIT);
    CHECK_OK(temporary_put(&chat, channel_at(0), uids, COUNT_OF(uids) - 1));
    tear_down();
}
