#include "store/outbox.h"

#include "unit/store/fixture.h"

#define STRINGS_BYTES 128

static struct outbox_row some_row(struct prng *prng, uint8_t *area)
{
    for (size_t i = 0; i < STRINGS_BYTES; i++) {
        area[i] = (uint8_t)prng_next(prng);
    }
    return (struct outbox_row){
        .queued_ms = prng_next(prng),
        .status = (uint16_t)prng_next(prng),
        .flags = (uint8_t)prng_below(prng, 4),
        .log = {.channel = {.slot = (uint16_t)prng_below(prng, SLOTS_COUNT),
                            .number = (uint32_t)prng_next(prng)},
                .kind = (enum log_kind)prng_below(prng, LOG_KINDS_COUNT)},
        .seq = prng_next(prng),
        .message = {.data = area, .size = prng_below(prng, 32)},
        .channel_type = (uint8_t)prng_next(prng),
        .channel_id = {.data = area + 64, .size = prng_below(prng, 33)},
        .from_uid = {.data = area + 96, .size = prng_below(prng, 33)},
        .data = {.data = area + 32, .size = prng_below(prng, 33)},
    };
}

static struct bytes encode(const struct outbox_row *row, uint8_t *area)
{
    struct writer writer = writer_of(area, OUTBOX_ROW_EXTRA_BYTES + outbox_row_strings_size(row));
    outbox_row_encode(row, &writer);
    return writer_bytes(&writer);
}

TEST(an_event_comes_back_as_it_went)
{
    for (uint32_t i = 0; i < 1000; i++) {
        uint8_t strings[STRINGS_BYTES];
        uint8_t area[256];
        const struct outbox_row row = some_row(prng, strings);
        struct outbox_row again;
        CHECK_OK(outbox_row_decode(encode(&row, area), &again));
        CHECK(again.queued_ms == row.queued_ms);
        CHECK_EQ(again.status, row.status);
        CHECK_EQ(again.flags, row.flags);
        CHECK_EQ(again.log.channel.slot, row.log.channel.slot);
        CHECK_EQ(again.log.channel.number, row.log.channel.number);
        CHECK_EQ(again.log.kind, row.log.kind);
        CHECK(again.seq == row.seq);
        CHECK_BYTES(again.message, row.message);
        CHECK_BYTES(again.data, row.data);
        const bool is_named = (row.flags & OUTBOX_NAMED) != 0;
        CHECK_EQ(again.channel_type, is_named ? row.channel_type : 0);
        CHECK_BYTES(again.channel_id, is_named ? row.channel_id : BYTES_EMPTY);
        CHECK_BYTES(again.from_uid, is_named ? row.from_uid : BYTES_EMPTY);
    }
}

TEST(a_damaged_event_is_noticed)
{
    uint8_t strings[STRINGS_BYTES];
    uint8_t area[256];
    const struct outbox_row row = some_row(prng, strings);
    const struct bytes bytes = encode(&row, area);
    struct outbox_row again;
    for (size_t i = 0; i < bytes.size; i++) {
        const uint8_t flipped = (uint8_t)(1u << prng_below(prng, 8));
        area[i] ^= flipped;
        CHECK_EQ(outbox_row_decode(bytes, &again), ERR_CORRUPT);
        area[i] ^= flipped;
        CHECK_EQ(outbox_row_decode((struct bytes){.data = area, .size = i}, &again), ERR_CORRUPT);
    }
}

TEST(a_key_of_no_queue_is_refused)
{
    uint8_t area[OUTBOX_KEY_BYTES];
    struct outbox_key key = {.queue = OUTBOX_DEAD, .lane = 3, .id = 77, .part = 2};
    outbox_key_encode(&key, area);
    struct outbox_key again;
    CHECK_OK(outbox_key_decode((struct bytes){.data = area, .size = sizeof(area)}, &again));
    CHECK(again.id == 77);
    CHECK_EQ(again.part, 2);
    area[0] = OUTBOX_QUEUES_END;
    CHECK_EQ(outbox_key_decode((struct bytes){.data = area, .size = sizeof(area)}, &again),
             ERR_CORRUPT);
    area[0] = OUTBOX_INVALID;
    CHECK_EQ(outbox_key_decode((struct bytes){.data = area, .size = sizeof(area)}, &again),
             ERR_CORRUPT);
}

struct seen {
    uint64_t ids[16];
    uint32_t count;
};

static bool see(void *context, const struct outbox_key *key, const struct outbox_row *row,
                size_t row_bytes)
{
    (void)row;
    (void)row_bytes;
    struct seen *seen = context;
    seen->ids[seen->count++] = key->id;
    return true;
}

static void put(struct fixture *fixture, uint8_t queue, uint8_t lane, uint64_t id)
{
    uint8_t area[256];
    const struct outbox_row row = {.queued_ms = id};
    const struct outbox_key key = {.queue = queue, .lane = lane, .id = id};
    CHECK_OK(store_batch_put_outbox(fixture->batch, &key, encode(&row, area)));
}

TEST(a_lane_is_read_from_its_oldest_event_on)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    put(&fixture, OUTBOX_OFFLINE, 1, 5);
    put(&fixture, OUTBOX_OFFLINE, 1, 1ull << 40);
    put(&fixture, OUTBOX_OFFLINE, 1, 300);
    put(&fixture, OUTBOX_OFFLINE, 2, 1);
    put(&fixture, OUTBOX_NOTIFY, 1, 2);
    CHECK_OK(store_batch_commit(fixture.batch, true, &fixture.fault));

    struct seen seen = {.count = 0};
    struct outbox_range range = {
        .from = {.queue = OUTBOX_OFFLINE, .lane = 1, .id = 6},
        .count_max = 10,
        .visit = see,
        .context = &seen,
    };
    CHECK_OK(store_read_outbox(fixture.store, &range, NULL));
    CHECK_EQ(seen.count, 2);
    CHECK(seen.ids[0] == 300);
    CHECK(seen.ids[1] == 1ull << 40);

    const struct outbox_key gone = {.queue = OUTBOX_OFFLINE, .lane = 1, .id = 300};
    CHECK_OK(store_batch_delete_outbox(fixture.batch, &gone));
    CHECK_OK(store_batch_commit(fixture.batch, true, &fixture.fault));
    seen.count = 0;
    range.is_all_lanes = true;
    CHECK_OK(store_read_outbox(fixture.store, &range, NULL));
    CHECK_EQ(seen.count, 2);
    CHECK(seen.ids[0] == 1ull << 40);
    CHECK(seen.ids[1] == 1);
    fixture_deinit(&fixture);
}

static void put_long(struct fixture *fixture, uint64_t id)
{
    static uint8_t data[4096];
    static uint8_t area[OUTBOX_ROW_EXTRA_BYTES + sizeof(data)];
    memset(data, (int)id, sizeof(data));
    const struct outbox_row row = {.queued_ms = id, .data = {.data = data, .size = sizeof(data)}};
    const struct outbox_key key = {.queue = OUTBOX_NOTIFY, .id = id};
    CHECK_OK(store_batch_put_outbox(fixture->batch, &key, encode(&row, area)));
}

static bool count(void *context, const struct outbox_key *key, const struct outbox_row *row,
                  size_t row_bytes)
{
    (void)key;
    (void)row_bytes;
    *(uint64_t *)context += row->data.size;
    return true;
}

/* A back end that is away makes us read the same events again and again, in quiet times, too. */
TEST(events_that_are_read_from_files_stay_out_of_the_block_cache)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    for (uint64_t id = 1; id <= 128; id++) {
        put_long(&fixture, id);
    }
    CHECK_OK(store_batch_commit(fixture.batch, true, &fixture.fault));
    CHECK_OK(store_flush(fixture.store));
    struct store_memory before;
    store_memory(fixture.store, &before);

    uint64_t bytes = 0;
    const struct outbox_range range = {
        .from = {.queue = OUTBOX_NOTIFY}, .count_max = 128, .visit = count, .context = &bytes};
    CHECK_OK(store_read_outbox(fixture.store, &range, NULL));
    CHECK_EQ(bytes, 128 * 4096);
    struct store_memory after;
    store_memory(fixture.store, &after);
    CHECK(after.cache_bytes < before.cache_bytes + 128 * 1024);
    fixture_deinit(&fixture);
}
