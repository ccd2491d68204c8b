#include "system/crypto.h"
#include "system/md5_lanes.h"

#include "support/test.h"

#define TEXT_BYTES 1500u

static void check_lanes(const struct bytes *texts, uint32_t count)
{
    uint8_t digests[MD5_LANES][MD5_DIGEST_BYTES];
    memset(digests, 0xee, sizeof(digests));
    md5_lanes(texts, count, digests);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t expected[CRYPTO_MD5_BYTES];
        crypto_md5(texts[i], expected);
        CHECK_EQ(memcmp(digests[i], expected, sizeof(expected)), 0);
    }
    for (uint32_t i = count; i < MD5_LANES; i++) {
        CHECK_EQ(digests[i][0], 0xee); /* nobody asked for it */
    }
}

TEST(the_vectors_of_rfc_1321_hold)
{
    static const char *const texts[] = {
        "",
        "a",
        "abc",
        "message digest",
        "abcdefghijklmnopqrstuvwxyz",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        "12345678901234567890123456789012345678901234567890123456789012345678901234567890"};
    static const uint8_t first_bytes[][4] = {{0xd4, 0x1d, 0x8c, 0xd9}, {0x0c, 0xc1, 0x75, 0xb9},
                                             {0x90, 0x01, 0x50, 0x98}, {0xf9, 0x6b, 0x69, 0x7d},
                                             {0xc3, 0xfc, 0xd3, 0xd7}, {0xd1, 0x74, 0xab, 0x98},
                                             {0x57, 0xed, 0xf4, 0xa2}};
    struct bytes lanes[COUNT_OF(texts)];
    for (uint32_t i = 0; i < COUNT_OF(texts); i++) {
        lanes[i] = bytes_of_string(texts[i]);
    }
    uint8_t digests[MD5_LANES][MD5_DIGEST_BYTES];
    md5_lanes(lanes, COUNT_OF(texts), digests);
    for (uint32_t i = 0; i < COUNT_OF(texts); i++) {
        CHECK_EQ(memcmp(digests[i], first_bytes[i], sizeof(first_bytes[i])), 0);
    }
}

TEST(each_lane_gives_what_one_text_alone_gives)
{
    static uint8_t area[MD5_LANES][TEXT_BYTES];
    for (uint32_t round = 0; round < 3000; round++) {
        struct bytes texts[MD5_LANES];
        const uint32_t count = 1 + (uint32_t)prng_below(prng, MD5_LANES);
        const bool is_alike = prng_below(prng, 2) == 0;
        size_t size = prng_below(prng, TEXT_BYTES);
        for (uint32_t lane = 0; lane < count; lane++) {
            size = is_alike ? size : prng_below(prng, TEXT_BYTES);
            for (size_t i = 0; i < size; i++) {
                area[lane][i] = (uint8_t)prng_next(prng);
            }
            texts[lane] = (struct bytes){.data = area[lane], .size = size};
        }
        check_lanes(texts, count);
    }
}

TEST(every_size_around_a_block_is_padded_right)
{
    static uint8_t area[200];
    memset(area, 'x', sizeof(area));
    for (size_t size = 0; size < sizeof(area); size++) {
        struct bytes texts[MD5_LANES];
        for (uint32_t lane = 0; lane < MD5_LANES; lane++) {
            texts[lane] = (struct bytes){.data = area, .size = (size + lane * 7) % sizeof(area)};
        }
        check_lanes(texts, MD5_LANES);
    }
}
