#include "store/log_end.h"

#include "unit/store/fixture.h"

static const struct channel_name group = {.type = 2,
                                          .id = {.data = (const uint8_t *)"group", .size = 5}};

TEST(a_channel_is_found_by_its_name_and_by_its_number)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    struct channel_state state;
    CHECK_EQ(store_load_channel(fixture.store, STORE_MAY_BLOCK, group, &state), ERR_ABSENT);
    const struct channel_row row = {.number = 3,
                                    .flags = CHANNEL_FLAG_BAN | CHANNEL_FLAG_LARGE,
                                    .created_ms = 11,
                                    .updated_ms = 12};
    CHECK_OK(store_batch_put_channel(fixture.batch, group, &row));
    fixture_commit(&fixture);
    const struct channel_ref ref = {.slot = slot_of_channel(group), .number = 3};
    fixture_append(&fixture, (struct log_ref){.channel = ref, .kind = LOG_CHAT}, 5, 10);
    fixture_append(&fixture, (struct log_ref){.channel = ref, .kind = LOG_COMMAND}, 2, 10);
    fixture_restart(&fixture);

    CHECK_OK(store_load_channel(fixture.store, STORE_MAY_BLOCK, group, &state));
    CHECK_EQ(state.ref.slot, ref.slot);
    CHECK_EQ(state.ref.number, 3);
    CHECK_EQ(memcmp(&state.row, &row, sizeof(row)), 0);
    CHECK_EQ(state.last_seq[LOG_CHAT], 5);
    CHECK_EQ(state.last_seq[LOG_COMMAND], 2);

    static struct channel_identity identity;
    CHECK_OK(store_find_channel_name(fixture.store, STORE_MAY_BLOCK, ref, &identity));
    CHECK_EQ(identity.type, 2);
    CHECK_BYTES(((struct bytes){.data = identity.id, .size = identity.id_size}), group.id);
    CHECK_EQ(store_find_channel_name(fixture.store, STORE_MAY_BLOCK,
                                     (struct channel_ref){.slot = ref.slot, .number = 4},
                                     &identity),
             ERR_ABSENT);
    fixture_deinit(&fixture);
}

TEST(a_channel_with_one_log_only_has_nothing_in_the_other)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    for (uint32_t number = 1; number <= 3; number++) {
        const struct channel_ref channel = {.slot = 9, .number = number};
        const enum log_kind kind = number == 2 ? LOG_COMMAND : LOG_CHAT;
        fixture_append(&fixture, (struct log_ref){.channel = channel, .kind = kind}, number, 10);
    }
    uint64_t last[LOG_KINDS_COUNT];
    for (uint32_t number = 1; number <= 4; number++) {
        const struct channel_ref channel = {.slot = 9, .number = number};
        CHECK_OK(store_log_ends(fixture.store, STORE_MAY_BLOCK, channel, last));
        CHECK_EQ(last[LOG_CHAT], number == 1 || number == 3 ? number : 0);
        CHECK_EQ(last[LOG_COMMAND], number == 2 ? 2 : 0);
    }
    fixture_deinit(&fixture);
}

TEST(the_next_number_of_a_slot_is_behind_its_largest)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    static uint32_t largest[SLOTS_COUNT];
    for (uint32_t i = 0; i < 500; i++) {
        char id[16];
        snprintf(id, sizeof(id), "c%u", i);
        const struct channel_name name = {.type = 2, .id = bytes_of_string(id)};
        const uint16_t slot = slot_of_channel(name);
        uint32_t last = 77;
        CHECK_OK(store_last_number(fixture.store, STORE_MAY_BLOCK, slot, &last));
        CHECK_EQ(last, largest[slot]);
        largest[slot] += 1 + (uint32_t)prng_below(prng, 1000);
        const struct channel_row row = {.number = largest[slot]};
        CHECK_OK(store_batch_put_channel(fixture.batch, name, &row));
        fixture_commit(&fixture);
    }
    fixture_deinit(&fixture);
}

struct uids {
    uint32_t count;
    char uids[256][8];
    uint64_t joined[256];
    uint32_t stop_at;
};

static bool collect_member(void *context, struct bytes uid, const struct member_row *row)
{
    struct uids *uids = context;
    CHECK(uid.size < sizeof(uids->uids[0]));
    memcpy(uids->uids[uids->count], uid.data, uid.size);
    uids->uids[uids->count][uid.size] = '\0';
    uids->joined[uids->count++] = row->joined_seq;
    return uids->count != uids->stop_at;
}

static struct bytes uid_of(uint32_t index, char area[8])
{
    snprintf(area, 8, "u%03u", index);
    return bytes_of_string(area);
}

/* Members come and go; after each step pages of random size must give what an array says. */
TEST(the_pages_of_a_list_are_its_members_in_order)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    static bool is_member[200];
    static struct uids all;
    const struct list_ref list = {.channel = {.slot = 1, .number = 2}, .kind = LIST_SUBSCRIBER};
    const struct list_ref next = {.channel = {.slot = 1, .number = 2}, .kind = LIST_DENY};
    CHECK_OK(store_batch_put_member(fixture.batch, next, BYTES_OF("u000"),
                                    &(struct member_row){.joined_seq = 1}));
    for (uint32_t step = 0; step < 100; step++) {
        char area[8];
        if (prng_below(prng, 20) == 0) {
            CHECK_OK(store_batch_clear_list(fixture.batch, list));
            memset(is_member, 0, sizeof(is_member));
        }
        for (uint32_t i = prng_below(prng, 30) & 31; i > 0; i--) {
            const uint32_t index = (uint32_t)prng_below(prng, COUNT_OF(is_member));
            const struct bytes uid = uid_of(index, area);
            is_member[index] = prng_below(prng, 3) > 0;
            const struct member_row row = {.joined_seq = index, .created_ms = step};
            CHECK_OK(is_member[index] ? store_batch_put_member(fixture.batch, list, uid, &row)
                                      : store_batch_delete_member(fixture.batch, list, uid));
        }
        fixture_commit(&fixture);
        if (prng_below(prng, 25) == 0) {
            fixture_restart(&fixture);
        }
        const uint32_t page_size = 1 + (uint32_t)prng_below(prng, 50);
        all.count = 0;
        all.stop_at = 0;
        for (uint32_t before = UINT32_MAX; before != all.count;) {
            before = all.count;
            const struct member_page page = {
                .list = list,
                .after = before == 0 ? BYTES_EMPTY : bytes_of_string(all.uids[before - 1]),
                .count_max = page_size,
                .visit = collect_member,
                .context = &all,
            };
            CHECK_OK(store_read_members(fixture.store, STORE_MAY_BLOCK, &page));
        }
        uint32_t count = 0;
        for (uint32_t i = 0; i < COUNT_OF(is_member); i++) {
            struct member_row row;
            const struct bytes uid = uid_of(i, area);
            CHECK_EQ(store_find_member(fixture.store, STORE_MAY_BLOCK, list, uid, &row),
                     is_member[i] ? ERR_OK : ERR_ABSENT);
            if (is_member[i]) {
                CHECK(count < all.count);
                CHECK_STRING(all.uids[count], area);
                CHECK_EQ(all.joined[count++], i);
            }
        }
        CHECK_EQ(all.count, count);
        bool is_empty = false;
        CHECK_OK(store_list_is_empty(fixture.store, STORE_MAY_BLOCK, list, &is_empty));
        CHECK_EQ(is_empty, count == 0);
    }
    fixture_deinit(&fixture);
}

TEST(a_visitor_that_has_enough_stops_the_page)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    const struct list_ref list = {.channel = {.slot = 1, .number = 2}, .kind = LIST_ALLOW};
    for (uint32_t i = 0; i < 10; i++) {
        char area[8];
        const struct member_row row = {.joined_seq = i};
        CHECK_OK(store_batch_put_member(fixture.batch, list, uid_of(i, area), &row));
    }
    fixture_commit(&fixture);
    static struct uids some = {.stop_at = 4};
    const struct member_page page = {
        .list = list, .count_max = 100, .visit = collect_member, .context = &some};
    CHECK_OK(store_read_members(fixture.store, STORE_MAY_BLOCK, &page));
    CHECK_EQ(some.count, 4);
    fixture_deinit(&fixture);
}

struct conversations {
    uint32_t count;
    struct channel_identity names[8];
    struct directory_row rows[8];
};

static bool collect_conversation(void *context, struct channel_name channel,
                                 const struct directory_row *row)
{
    struct conversations *all = context;
    struct channel_identity *name = &all->names[all->count];
    name->type = channel.type;
    name->id_size = (uint16_t)channel.id.size;
    memcpy(name->id, channel.id.data, channel.id.size);
    all->rows[all->count++] = *row;
    return true;
}

TEST(a_users_conversations_are_its_own_and_come_page_by_page)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    static const char *const ids[] = {"a", "ab", "b", "alice@bob"};
    const struct directory_row row = {
        .flags = DIRECTORY_FLAG_CHAT | DIRECTORY_FLAG_COMMAND,
        .channel = {.slot = 4095, .number = 9},
        .read_seq = 1,
        .command_read_seq = 2,
        .deleted_to_seq = 3,
        .joined_seq = 4,
        .activated_ms = 5,
        .created_ms = 6,
        .updated_ms = 7,
    };
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        const struct channel_name channel = {.type = (uint8_t)(i == 3 ? 1 : 2),
                                             .id = bytes_of_string(ids[i])};
        const struct directory_key key = {.uid = BYTES_OF("alice"), .channel = channel};
        const struct directory_key other = {.uid = BYTES_OF("alice2"), .channel = channel};
        CHECK_OK(store_batch_put_directory(fixture.batch, &key, &row));
        CHECK_OK(store_batch_put_directory(fixture.batch, &other, &row));
    }
    const struct directory_key gone = {.uid = BYTES_OF("alice"),
                                       .channel = {.type = 2, .id = BYTES_OF("b")}};
    CHECK_OK(store_batch_delete_directory(fixture.batch, &gone));
    fixture_commit(&fixture);
    fixture_restart(&fixture);

    static struct conversations all;
    struct directory_page page = {
        .uid = BYTES_OF("alice"), .count_max = 2, .visit = collect_conversation, .context = &all};
    CHECK_OK(store_read_directory(fixture.store, STORE_MAY_BLOCK, &page));
    CHECK_EQ(all.count, 2);
    page.after.type = all.names[1].type;
    page.after.id = (struct bytes){.data = all.names[1].id, .size = all.names[1].id_size};
    CHECK_OK(store_read_directory(fixture.store, STORE_MAY_BLOCK, &page));
    CHECK_EQ(all.count, 3);
    const char *const expected[] = {"alice@bob", "a", "ab"}; /* by type, then by id */
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_BYTES(((struct bytes){.data = all.names[i].id, .size = all.names[i].id_size}),
                    bytes_of_string(expected[i]));
        CHECK_EQ(all.rows[i].flags, row.flags);
        CHECK_EQ(all.rows[i].channel.slot, 4095);
        CHECK_EQ(all.rows[i].updated_ms, 7);
    }

    struct directory_row found;
    CHECK_EQ(store_find_directory(fixture.store, STORE_MAY_BLOCK, &gone, &found), ERR_ABSENT);
    const struct directory_key there = {.uid = BYTES_OF("alice2"), .channel = gone.channel};
    CHECK_OK(store_find_directory(fixture.store, STORE_MAY_BLOCK, &there, &found));
    CHECK_EQ(found.read_seq, 1);
    CHECK_EQ(found.command_read_seq, 2);
    CHECK_EQ(found.deleted_to_seq, 3);
    CHECK_EQ(found.joined_seq, 4);
    CHECK_EQ(found.activated_ms, 5);
    CHECK_EQ(found.created_ms, 6);
    fixture_deinit(&fixture);
}

TEST(conversations_are_read_from_the_end_too)
{
    static const char *const ids[] = {"a", "ab", "b"};
    static struct conversations found;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    for (uint32_t i = 0; i < 3; i++) {
        const struct directory_row row = {.flags = DIRECTORY_FLAG_CHAT, .read_seq = i};
        const struct directory_key key = {.uid = BYTES_OF("alice"),
                                          .channel = {.type = 2, .id = bytes_of_string(ids[i])}};
        const struct directory_key other = {.uid = BYTES_OF("alice2"), .channel = key.channel};
        CHECK_OK(store_batch_put_directory(fixture.batch, &key, &row));
        CHECK_OK(store_batch_put_directory(fixture.batch, &other, &row));
    }
    fixture_commit(&fixture);
    const struct directory_page page = {.uid = BYTES_OF("alice"),
                                        .is_descending = true,
                                        .count_max = 2,
                                        .visit = collect_conversation,
                                        .context = &found};
    CHECK_OK(store_read_directory(fixture.store, STORE_MAY_BLOCK, &page));
    CHECK_EQ(found.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        CHECK_BYTES(((struct bytes){.data = found.names[i].id, .size = found.names[i].id_size}),
                    bytes_of_string(ids[2 - i]));
        CHECK_EQ(found.rows[i].read_seq, 2 - i);
    }
    fixture_deinit(&fixture);
}

TEST(users_and_their_devices_are_found_again)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    const struct bytes uid = BYTES_OF("alice");
    static struct user_row user = {.created_ms = 5, .plugin_no_size = 3, .plugin_no = "bot"};
    struct device_row device = {.has_token = true, .level = 1, .updated_ms = 9};
    memset(device.token_hash, 0xab, sizeof(device.token_hash));
    CHECK_OK(store_batch_put_user(fixture.batch, uid, &user));
    CHECK_OK(store_batch_put_device(fixture.batch, (struct device_key){uid, 0}, &device));
    CHECK_OK(store_batch_put_device(fixture.batch, (struct device_key){uid, 99}, &device));
    CHECK_OK(store_batch_delete_device(fixture.batch, (struct device_key){uid, 99}));
    fixture_commit(&fixture);
    fixture_restart(&fixture);

    static struct user_row user_again;
    struct device_row device_again;
    CHECK_OK(store_find_user(fixture.store, STORE_MAY_BLOCK, uid, &user_again));
    CHECK_EQ(memcmp(&user, &user_again, sizeof(user)), 0);
    CHECK_OK(store_find_device(fixture.store, STORE_MAY_BLOCK, (struct device_key){uid, 0},
                               &device_again));
    CHECK(device_again.has_token);
    CHECK_EQ(memcmp(device.token_hash, device_again.token_hash, STORE_TOKEN_HASH_BYTES), 0);
    CHECK_EQ(device_again.level, 1);
    CHECK_EQ(device_again.updated_ms, 9);
    CHECK_EQ(store_find_device(fixture.store, STORE_MAY_BLOCK, (struct device_key){uid, 99},
                               &device_again),
             ERR_ABSENT);
    CHECK_EQ(store_find_user(fixture.store, STORE_MAY_BLOCK, BYTES_OF("bob"), &user_again),
             ERR_ABSENT);
    fixture_deinit(&fixture);
}

static bool collect_uid(void *context, struct bytes uid)
{
    struct uids *uids = context;
    memcpy(uids->uids[uids->count], uid.data, uid.size);
    uids->uids[uids->count++][uid.size] = '\0';
    return true;
}

TEST(named_values_times_and_system_accounts_survive)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    uint64_t wall_ms = 1;
    CHECK_OK(store_last_ms(fixture.store, &wall_ms));
    CHECK_EQ(wall_ms, 0);
    CHECK_OK(store_batch_put_last_ms(fixture.batch, 1234567890123));
    CHECK_OK(store_batch_put_meta(fixture.batch, BYTES_OF("position"), BYTES_OF("value")));
    CHECK_OK(store_batch_put_meta(fixture.batch, BYTES_OF("empty"), BYTES_EMPTY));
    CHECK_OK(store_batch_put_meta(fixture.batch, BYTES_OF("gone"), BYTES_OF("x")));
    CHECK_OK(store_batch_delete_meta(fixture.batch, BYTES_OF("gone")));
    CHECK_OK(store_batch_put_system_uid(fixture.batch, BYTES_OF("sys2")));
    CHECK_OK(store_batch_put_system_uid(fixture.batch, BYTES_OF("sys1")));
    CHECK_OK(store_batch_put_system_uid(fixture.batch, BYTES_OF("sys3")));
    CHECK_OK(store_batch_delete_system_uid(fixture.batch, BYTES_OF("sys3")));
    fixture_commit(&fixture);
    fixture_restart(&fixture);

    CHECK_OK(store_last_ms(fixture.store, &wall_ms));
    CHECK(wall_ms == 1234567890123);
    uint8_t data[8];
    struct store_area area = {.data = data, .size = sizeof(data)};
    CHECK_OK(store_find_meta(fixture.store, BYTES_OF("position"), &area));
    CHECK_BYTES(((struct bytes){.data = data, .size = area.used}), BYTES_OF("value"));
    CHECK_OK(store_find_meta(fixture.store, BYTES_OF("empty"), &area));
    CHECK_EQ(area.used, 0);
    CHECK_EQ(store_find_meta(fixture.store, BYTES_OF("gone"), &area), ERR_ABSENT);
    area.size = 4;
    CHECK_EQ(store_find_meta(fixture.store, BYTES_OF("position"), &area), ERR_FULL);
    static struct uids uids;
    CHECK_OK(store_read_system_uids(fixture.store, collect_uid, &uids));
    CHECK_EQ(uids.count, 2);
    CHECK_STRING(uids.uids[0], "sys1");
    CHECK_STRING(uids.uids[1], "sys2");
    fixture_deinit(&fixture);
}

TEST(names_that_are_empty_or_too_long_are_refused_everywhere)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    static uint8_t area[STORE_CHANNEL_ID_BYTES_MAX + 1];
    memset(area, 'x', sizeof(area));
    const struct bytes uid = {.data = area, .size = STORE_UID_BYTES_MAX + 1};
    const struct channel_name name = {.type = 2, .id = {area, STORE_CHANNEL_ID_BYTES_MAX + 1}};
    const struct list_ref list = {.channel = {.slot = 1, .number = 1}, .kind = LIST_DENY};
    const struct member_row member = {0};
    const struct channel_row row = {.number = 1};
    struct channel_state state;
    struct member_row found;
    uint64_t seq = 0;
    CHECK_EQ(store_batch_put_channel(fixture.batch, name, &row), ERR_LIMIT);
    CHECK_EQ(store_batch_put_member(fixture.batch, list, uid, &member), ERR_LIMIT);
    CHECK_EQ(store_batch_put_member(fixture.batch, list, BYTES_EMPTY, &member), ERR_LIMIT);
    CHECK_EQ(store_load_channel(fixture.store, STORE_MAY_BLOCK, name, &state), ERR_LIMIT);
    CHECK_EQ(store_find_member(fixture.store, STORE_MAY_BLOCK, list, uid, &found), ERR_LIMIT);
    CHECK_EQ(store_own_last_seq(fixture.store, STORE_MAY_BLOCK,
                                (struct log_ref){.channel = list.channel}, uid, &seq),
             ERR_LIMIT);
    CHECK(store_batch_is_empty(fixture.batch));

    const struct bytes largest_uid = {.data = area, .size = STORE_UID_BYTES_MAX};
    const struct channel_name largest = {.type = 2, .id = {area, STORE_CHANNEL_ID_BYTES_MAX}};
    const struct directory_key key = {.uid = largest_uid, .channel = largest};
    const struct directory_row conversation = {.channel = list.channel, .read_seq = 8};
    CHECK_OK(store_batch_put_channel(fixture.batch, largest, &row));
    CHECK_OK(store_batch_put_directory(fixture.batch, &key, &conversation));
    fixture_commit(&fixture);
    struct directory_row found_conversation;
    CHECK_OK(store_load_channel(fixture.store, STORE_MAY_BLOCK, largest, &state));
    CHECK_OK(store_find_directory(fixture.store, STORE_MAY_BLOCK, &key, &found_conversation));
    CHECK_EQ(found_conversation.read_seq, 8);
    fixture_deinit(&fixture);
}

TEST(a_batch_refuses_what_it_has_no_room_for_and_keeps_what_it_has)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    const struct store_batch_options options = {
        .messages_max = 2, .bytes_max = 3000, .budget = &fixture.budget};
    const uint64_t used = budget_used(&fixture.budget);
    struct store_batch *batch = NULL;
    CHECK_OK(store_batch_open(fixture.store, &options, &batch));
    CHECK_EQ(budget_used(&fixture.budget) - used, store_batch_cost(&options));
    const struct log_ref log = {.channel = {.slot = 1, .number = 1}, .kind = LOG_CHAT};
    struct fixture_message messages[3];
    for (uint64_t i = 0; i < 3; i++) {
        fixture_message(&messages[i], i + 1, 100);
    }
    struct store_message added = {.log = log, .seq = 1, .row = messages[0].bytes};
    CHECK_OK(store_batch_add_message(batch, &added));
    CHECK(store_batch_has_room(batch, 1, 1000));
    CHECK(!store_batch_has_room(batch, 2, 0));
    CHECK(!store_batch_has_room(batch, 0, 3000));
    struct fixture_message large;
    fixture_message(&large, 2, 4000);
    added = (struct store_message){.log = log, .seq = 2, .row = large.bytes};
    CHECK_EQ(store_batch_add_message(batch, &added), ERR_FULL);
    added.row = messages[1].bytes;
    CHECK_OK(store_batch_add_message(batch, &added));
    added = (struct store_message){.log = log, .seq = 3, .row = messages[2].bytes};
    CHECK_EQ(store_batch_add_message(batch, &added), ERR_FULL);
    CHECK_OK(store_batch_commit(batch, true, &fixture.fault));
    CHECK(store_batch_is_empty(batch));
    CHECK_OK(store_batch_add_message(batch, &added));
    store_batch_clear(batch);
    CHECK_OK(store_batch_commit(batch, true, &fixture.fault));
    uint64_t last = 0;
    CHECK_OK(store_last_seq(fixture.store, STORE_MAY_BLOCK, log, &last));
    CHECK_EQ(last, 2);
    store_batch_close(batch);
    CHECK_EQ(budget_used(&fixture.budget), used);

    fixture.budget.limit_bytes = used + 1000;
    CHECK_EQ(store_batch_open(fixture.store, &options, &batch), ERR_BUDGET);
    CHECK_EQ(budget_used(&fixture.budget), used);
    fixture_deinit(&fixture);
}
