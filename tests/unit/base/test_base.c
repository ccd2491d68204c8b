#include "base/hash.h"
#include "base/list.h"
#include "base/utf8.h"

#include "support/test.h"

TEST(hashes_give_their_published_check_values)
{
    const struct bytes check = BYTES_OF("123456789");
    CHECK_EQ(hash_crc32(check), 0xcbf43926);
    CHECK_EQ(hash_crc32c(0, check), 0xe3069283);
    CHECK_EQ(hash_fnv1a64(BYTES_OF("a")), 0xaf63dc4c8601ec8cULL);
}

TEST(crc32c_continues_where_it_stopped)
{
    const uint32_t first = hash_crc32c(0, BYTES_OF("1234"));
    CHECK_EQ(hash_crc32c(first, BYTES_OF("56789")), 0xe3069283);
}

/* By the definition: one bit after the other. */
static uint32_t slow_crc(uint32_t polynomial, uint32_t seed, struct bytes bytes)
{
    uint32_t crc = ~seed;
    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= bytes.data[i];
        for (uint32_t bit = 0; bit < 8; bit++) {
            crc = (crc & 1) != 0 ? crc >> 1 ^ polynomial : crc >> 1;
        }
    }
    return ~crc;
}

TEST(fast_crcs_are_the_slow_ones)
{
    uint8_t area[300];
    for (uint32_t i = 0; i < 3000; i++) {
        const struct bytes bytes = {.data = area, .size = prng_below(prng, sizeof(area))};
        for (size_t at = 0; at < bytes.size; at++) {
            area[at] = (uint8_t)prng_next(prng);
        }
        const uint32_t seed = (uint32_t)prng_next(prng);
        CHECK_EQ(hash_crc32c(seed, bytes), slow_crc(0x82f63b78, seed, bytes));
        CHECK_EQ(hash_crc32(bytes), slow_crc(0xedb88320, 0, bytes));
    }
}

TEST(siphash_depends_on_every_byte_and_on_the_key)
{
    const struct hash_key key = {.k0 = 1, .k1 = 2};
    const struct hash_key other = {.k0 = 1, .k1 = 3};
    uint8_t area[24] = {0};
    const struct bytes bytes = {.data = area, .size = sizeof(area)};
    const uint64_t before = hash_siphash(&key, bytes);
    CHECK(before != hash_siphash(&other, bytes));
    for (size_t i = 0; i < sizeof(area); i++) {
        area[i] = 1;
        CHECK(before != hash_siphash(&key, bytes));
        area[i] = 0;
    }
}

TEST(utf8_knows_text_from_noise)
{
    CHECK(utf8_is_valid(BYTES_OF("悟空 \xf0\x9f\x98\x80")));
    CHECK(!utf8_is_valid(BYTES_OF("\xc0\x80")));
    CHECK(!utf8_is_valid(BYTES_OF("\xed\xa0\x80")));
    CHECK(!utf8_is_valid(BYTES_OF("\xf4\x90\x80\x80")));
    CHECK(!utf8_is_valid(BYTES_OF("\xe6\x82")));
}

TEST(a_reader_remembers_that_it_was_asked_for_too_much)
{
    struct reader reader = reader_of(BYTES_OF("\x01\x02\x03"));
    CHECK_EQ(reader_u16(&reader), 0x0102);
    CHECK_EQ(reader_u16(&reader), 0);
    CHECK(reader.is_short);
    CHECK_EQ(reader_u8(&reader), 0);
}

TEST(a_varint_comes_back_as_it_went)
{
    uint8_t area[10];
    for (uint32_t shift = 0; shift < 64; shift++) {
        const uint64_t value = prng_next(prng) >> shift;
        struct writer writer = writer_of(area, sizeof(area));
        writer_varint(&writer, value);
        CHECK(!writer.is_full);
        struct reader reader = reader_of(writer_bytes(&writer));
        CHECK(reader_varint(&reader) == value);
        CHECK_EQ(reader_left(&reader), 0);
    }
}

static void insert_twice(void *item)
{
    struct list head;
    list_init(&head);
    list_push_back(&head, item);
    list_push_back(&head, item);
}

TEST(a_list_does_not_take_an_item_twice)
{
    struct list item = {0};
    CHECK_ABORTS(insert_twice, &item);
}
