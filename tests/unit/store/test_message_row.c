#include "base/hash.h"
#include "store/message_id.h"
#include "store/message_row.h"

#include "support/test.h"

static struct bytes some_bytes(struct prng *prng, uint8_t *area, size_t size_max)
{
    const size_t size = prng_below(prng, size_max + 1);
    for (size_t i = 0; i < size; i++) {
        area[i] = (uint8_t)prng_next(prng);
    }
    return (struct bytes){.data = area, .size = size};
}

static void check_equal(const struct message_view *a, const struct message_view *b)
{
    CHECK(a->message_id == b->message_id);
    CHECK(a->seq == b->seq);
    CHECK_EQ(a->timestamp_s, b->timestamp_s);
    CHECK_EQ(a->expire_s, b->expire_s);
    CHECK_EQ(a->client_seq, b->client_seq);
    CHECK_EQ(a->flags, b->flags);
    CHECK_EQ(a->setting, b->setting);
    CHECK_EQ(a->channel_type, b->channel_type);
    CHECK_BYTES(a->channel_id, b->channel_id);
    CHECK_BYTES(a->from_uid, b->from_uid);
    CHECK_BYTES(a->client_msg_no, b->client_msg_no);
    CHECK_BYTES(a->topic, b->topic);
    CHECK_BYTES(a->stream_no, b->stream_no);
    CHECK_BYTES(a->payload, b->payload);
}

TEST(a_message_comes_back_as_it_went)
{
    static uint8_t strings[6][600];
    static uint8_t row[8192];
    for (uint32_t i = 0; i < 2000; i++) {
        const struct message_view view = {
            .message_id = prng_next(prng),
            .seq = prng_next(prng),
            .timestamp_s = (uint32_t)prng_next(prng),
            .expire_s = (uint32_t)prng_next(prng),
            .client_seq = (uint32_t)prng_next(prng),
            .flags = (uint8_t)prng_next(prng),
            .setting = (uint8_t)prng_next(prng),
            .channel_type = (uint8_t)prng_next(prng),
            .channel_id = some_bytes(prng, strings[0], 300),
            .from_uid = some_bytes(prng, strings[1], 20),
            .client_msg_no = some_bytes(prng, strings[2], 40),
            .topic = some_bytes(prng, strings[3], 3),
            .stream_no = some_bytes(prng, strings[4], 1),
            .payload = some_bytes(prng, strings[5], 600),
        };
        const struct bytes bytes = {.data = row, .size = message_row_size(&view)};
        message_row_encode(&view, row);
        struct message_view again;
        CHECK_OK(message_row_decode(bytes, &again));
        check_equal(&view, &again);
    }
}

TEST(a_flipped_bit_or_a_missing_byte_makes_a_message_corrupt)
{
    uint8_t row[256];
    const struct message_view view = {
        .message_id = 7, .seq = 1, .channel_id = BYTES_OF("a@b"), .payload = BYTES_OF("hello")};
    const size_t size = message_row_size(&view);
    message_row_encode(&view, row);
    struct message_view again = {.seq = 99};
    for (size_t i = 0; i < size; i++) {
        const uint8_t bit = (uint8_t)(1u << prng_below(prng, 8));
        row[i] ^= bit;
        CHECK_EQ(message_row_decode((struct bytes){.data = row, .size = size}, &again),
                 ERR_CORRUPT);
        row[i] ^= bit;
        CHECK_EQ(message_row_decode((struct bytes){.data = row, .size = i}, &again), ERR_CORRUPT);
    }
    CHECK_EQ(again.seq, 99); /* untouched on failure */
    CHECK_OK(message_row_decode((struct bytes){.data = row, .size = size}, &again));
}

TEST(a_slot_is_the_same_on_every_machine)
{
    /* Frozen: these are in keys and ids (design 5). crc32c("\x02" "group") and crc32c("alice"). */
    const struct channel_name name = {.type = 2, .id = BYTES_OF("group")};
    CHECK_EQ(slot_of_channel(name), hash_crc32c(0, BYTES_OF("\x02group")) & 4095);
    CHECK_EQ(slot_of_channel(name), 3172);
    CHECK_EQ(slot_of_user(BYTES_OF("alice")), 654);
    CHECK(slot_of_channel((struct channel_name){.type = 1, .id = BYTES_OF("group")}) != 3172);
}

TEST(an_id_gives_back_its_parts_and_ids_sort_by_time)
{
    uint64_t before = 0;
    uint64_t wall_ms = MESSAGE_ID_EPOCH_MS;
    for (uint32_t i = 0; i < 10000; i++) {
        const uint16_t slot = (uint16_t)prng_below(prng, SLOTS_COUNT);
        const uint32_t counter = (uint32_t)prng_below(prng, MESSAGE_ID_COUNTER_MAX + 1);
        wall_ms += 1 + prng_below(prng, 1u << 25);
        const uint64_t id = message_id_compose(wall_ms, slot, counter);
        CHECK(id > before);
        CHECK(id >> 63 == 0);
        CHECK_EQ(message_id_slot(id), slot);
        CHECK_EQ(message_id_counter(id), counter);
        CHECK(message_id_wall_ms(id) == wall_ms);
        before = id;
    }
}
