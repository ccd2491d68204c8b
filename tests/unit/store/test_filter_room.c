#include "store/filter_room.h"

#include "support/test.h"

#include <string.h>

#define ROOM_BYTES (128u * 1024u)
#define KEYS       600u

static const uint64_t no_key = KEYS + 1;

static void room_open(struct filter_room *room, struct budget *budget)
{
    budget_init(budget, "test", NULL, BUDGET_UNLIMITED);
    CHECK_OK(filter_room_open(room, budget, ROOM_BYTES));
    CHECK_EQ(budget_used(budget), ROOM_BYTES);
}

static void room_close(struct filter_room *room, struct budget *budget)
{
    filter_room_close(room);
    CHECK_EQ(budget_used(budget), 0);
}

/* Makes one that is filled with its key. */
static struct filter_record *make(struct filter_room *room, uint64_t key, uint64_t bytes)
{
    uint64_t passed = 0;
    struct filter_record *record = NULL;
    while (record == NULL && passed < filter_room_passes_max(room)) {
        record = filter_room_make(room, key, bytes, &passed);
    }
    if (record != NULL) {
        CHECK(filter_record_bytes(record) >= bytes);
        const uint8_t *at = (const uint8_t *)(record + 1);
        for (uint64_t i = 0; i < filter_record_bytes(record) - sizeof(*record); i++) {
            CHECK_EQ(at[i], 0);
        }
        memset(record + 1, (int)(key % 251), filter_record_bytes(record) - sizeof(*record));
    }
    return record;
}

static void check_content(const struct filter_record *record, uint64_t bytes)
{
    const uint8_t *at = (const uint8_t *)(record + 1);
    for (uint64_t i = 0; i < bytes - sizeof(*record); i++) {
        CHECK_EQ(at[i], record->key % 251);
    }
}

/* Makes, lengthens, renames and releases at random in a room that is too small for all: what is
 * found is whole, what is kept is found, and the dead are counted right. */
TEST(records_keep_their_content_while_they_move_and_those_that_are_kept_stay)
{
    struct budget budget;
    struct filter_room room;
    room_open(&room, &budget);
    static bool is_kept[KEYS + 1];
    uint32_t kept_count = 0;
    for (uint32_t step = 0; step < 60000; step++) {
        const uint64_t key = 1 + prng_below(prng, KEYS);
        struct filter_record *record = filter_room_find(&room, key);
        CHECK(record != NULL || !is_kept[key]);
        if (record == NULL) {
            record = make(&room, key, 17 + prng_below(prng, 1200));
            CHECK(record != NULL);
            CHECK(filter_room_find(&room, key) == record);
            if (prng_below(prng, 100) == 0 && kept_count < 20) {
                record->is_kept = true;
                is_kept[key] = true;
                kept_count++;
            }
            continue;
        }
        const uint64_t bytes = filter_record_bytes(record);
        check_content(record, bytes);
        switch (prng_below(prng, 6)) {
        case 0:
            kept_count -= is_kept[key] ? 1 : 0;
            is_kept[key] = false;
            filter_room_release(&room, record);
            CHECK(filter_room_find(&room, key) == NULL);
            break;
        case 1:
            record->form = 2;
            record = filter_room_resize(&room, record, bytes + FILTER_ROOM_UNIT_BYTES);
            CHECK(record != NULL);
            CHECK_EQ(record->form, 2);
            CHECK_EQ(record->is_kept, is_kept[key]);
            check_content(record, bytes);
            memset(record + 1, (int)(key % 251), filter_record_bytes(record) - sizeof(*record));
            break;
        case 2:
            filter_room_rename(&room, record, no_key);
            CHECK(filter_room_find(&room, key) == NULL);
            CHECK(filter_room_find(&room, no_key) == record);
            filter_room_rename(&room, record, key);
            break;
        default:
            filter_room_use(&room, record);
            break;
        }
    }
    filter_room_clear(&room);
    for (uint64_t key = 1; key <= KEYS; key++) {
        CHECK(filter_room_find(&room, key) == NULL);
    }
    room_close(&room, &budget);
}

TEST(what_was_released_makes_room_before_anything_is_given_up)
{
    struct budget budget;
    struct filter_room room;
    room_open(&room, &budget);
    const uint64_t count = filter_room_record_bytes_max(&room) / 256; /* three quarters */
    for (uint64_t key = 1; key <= count; key++) {
        CHECK(make(&room, key, 256) != NULL);
    }
    /* One of them is replaced again and again, and nobody uses the others. */
    for (uint32_t i = 0; i < 20000; i++) {
        filter_room_release(&room, filter_room_find(&room, 1 + i % 7));
        CHECK(make(&room, 1 + i % 7, 256) != NULL);
    }
    uint64_t there = 0;
    for (uint64_t key = 1; key <= count; key++) {
        there += filter_room_find(&room, key) != NULL ? 1 : 0;
    }
    CHECK(there * 10 >= count * 9);
    room_close(&room, &budget);
}

/* More than fit, in turn: of those that are asked for, some are there. */
TEST(keys_in_turn_find_some_of_their_records_though_not_all_fit)
{
    struct budget budget;
    struct filter_room room;
    room_open(&room, &budget);
    const uint64_t count = ROOM_BYTES / 256 * 5 / 4;
    uint64_t found = 0;
    for (uint32_t round = 0; round < 20; round++) {
        for (uint64_t key = 1; key <= count; key++) {
            struct filter_record *record = filter_room_find(&room, key);
            if (record != NULL) {
                filter_room_use(&room, record);
                found++;
            } else {
                CHECK(make(&room, key, 256) != NULL);
            }
        }
    }
    CHECK(found > 20 * count / 5);
    room_close(&room, &budget);
}

TEST(what_is_in_use_stays_while_others_come_and_go)
{
    struct budget budget;
    struct filter_room room;
    room_open(&room, &budget);
    const uint64_t often = 100;
    uint32_t missed = 0;
    for (uint64_t step = 0; step < 50000; step++) {
        const uint64_t key = 1 + step % often;
        struct filter_record *record = filter_room_find(&room, key);
        if (record == NULL) {
            CHECK(make(&room, key, 128) != NULL);
            missed++;
        } else {
            filter_room_use(&room, record);
        }
        const uint64_t other = often + 1 + prng_below(prng, 100000);
        if (filter_room_find(&room, other) == NULL) {
            CHECK(make(&room, other, 128) != NULL);
        }
    }
    CHECK(missed <= 2 * often);
    room_close(&room, &budget);
}

TEST(a_record_that_is_too_large_is_refused_and_a_large_one_displaces_many)
{
    struct budget budget;
    struct filter_room room;
    room_open(&room, &budget);
    for (uint64_t key = 1; key <= 2000; key++) {
        CHECK(make(&room, key, 64) != NULL);
    }
    const uint64_t most = filter_room_record_bytes_max(&room);
    CHECK(make(&room, no_key, most + 1) == NULL);
    CHECK(filter_room_find(&room, 2000) != NULL);
    struct filter_record *large = make(&room, 3000, most);
    CHECK(large != NULL);
    large->is_kept = true;
    CHECK(make(&room, 3001, most) == NULL); /* that one does not give way */
    CHECK(make(&room, 3002, 512) != NULL);
    check_content(filter_room_find(&room, 3000), most);
    room_close(&room, &budget);
}

static uint64_t rest(struct filter_room *room)
{
    uint64_t all = 0;
    uint64_t bytes = 0;
    bool is_resting = true;
    filter_room_rest_begin(room);
    while (is_resting) {
        is_resting = filter_room_rest_step(room, &bytes);
        all += bytes;
    }
    return all;
}

TEST(a_rest_gives_back_what_nobody_used_since_the_last_but_one)
{
    struct budget budget;
    struct filter_room room;
    room_open(&room, &budget);
    CHECK_EQ(rest(&room), 0);
    for (uint64_t key = 1; key <= 5000; key++) {
        CHECK(make(&room, key, 64) != NULL);
    }
    const uint64_t before = filter_room_resident(&room);
    CHECK(before > ROOM_BYTES * 3 / 4);
    CHECK_EQ(rest(&room), 0);
    filter_room_use(&room, filter_room_find(&room, 5000));
    CHECK(rest(&room) > ROOM_BYTES / 2);
    CHECK(filter_room_find(&room, 5000) != NULL);
    CHECK(filter_room_find(&room, 4999) == NULL);
    CHECK(filter_room_resident(&room) < before / 2);
    check_content(filter_room_find(&room, 5000), 64);
    CHECK_EQ(rest(&room), 64);
    CHECK_EQ(rest(&room), 0);
    CHECK(make(&room, 1, 4000) != NULL);
    room_close(&room, &budget);
}

TEST(a_room_without_memory_is_refused)
{
    struct budget budget;
    struct filter_room room = {0};
    budget_init(&budget, "test", NULL, ROOM_BYTES - 1);
    CHECK_EQ(filter_room_open(&room, &budget, ROOM_BYTES), ERR_BUDGET);
    CHECK_EQ(budget_used(&budget), 0);
}
