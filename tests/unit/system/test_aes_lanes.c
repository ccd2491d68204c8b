#include "system/aes_lanes.h"

#include "support/test.h"

#define TEXT_BYTES 700u
#define AREA_BYTES (TEXT_BYTES + CRYPTO_BLOCK_BYTES)
#define GUARD      0xee

static uint8_t plains[AES_LANES][AREA_BYTES];
static uint8_t ciphers[AES_LANES][AREA_BYTES];
static uint8_t expected[AREA_BYTES];

static void draw(struct prng *prng, uint8_t *area, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        area[i] = (uint8_t)prng_next(prng);
    }
}

/* Encrypts `count` texts of these sizes; nothing behind a cipher, and of nobody else, is touched.
 */
static void check_lanes(struct prng *prng, const size_t *sizes, uint32_t count, bool is_in_place)
{
    struct crypto_secret secrets[AES_LANES];
    struct aes_lane lanes[AES_LANES];
    static uint8_t copies[AES_LANES][AREA_BYTES];
    memset(plains, GUARD, sizeof(plains));
    memset(ciphers, GUARD, sizeof(ciphers));
    draw(prng, (uint8_t *)secrets, sizeof(secrets));
    for (uint32_t i = 0; i < count; i++) {
        draw(prng, plains[i], sizes[i]);
        memcpy(copies[i], plains[i], sizes[i]);
        lanes[i] = (struct aes_lane){.secret = &secrets[i],
                                     .plain = {.data = plains[i], .size = sizes[i]},
                                     .cipher = is_in_place ? plains[i] : ciphers[i]};
    }
    aes_lanes(lanes, count);
    for (uint32_t i = 0; i < AES_LANES; i++) {
        const uint8_t *cipher = is_in_place ? plains[i] : ciphers[i];
        const size_t size = i < count ? crypto_padded_size(sizes[i]) : 0;
        if (i < count) {
            crypto_encrypt(&secrets[i], (struct bytes){.data = copies[i], .size = sizes[i]},
                           expected);
            CHECK_EQ(memcmp(cipher, expected, size), 0);
        }
        for (size_t at = size; at < AREA_BYTES; at++) {
            CHECK_EQ(cipher[at], GUARD);
        }
    }
}

TEST(each_lane_gives_what_one_text_alone_gives)
{
    for (uint32_t round = 0; round < 2000; round++) {
        const uint32_t count = 1 + (uint32_t)prng_below(prng, AES_LANES);
        const bool is_alike = prng_below(prng, 2) == 0;
        size_t sizes[AES_LANES];
        for (uint32_t i = 0; i < AES_LANES; i++) {
            sizes[i] = is_alike && i > 0 ? sizes[0] : prng_below(prng, TEXT_BYTES);
        }
        check_lanes(prng, sizes, count, prng_below(prng, 2) == 0);
    }
}

TEST(every_size_around_a_block_is_padded_right)
{
    for (size_t size = 0; size < 70; size++) {
        size_t sizes[AES_LANES];
        for (uint32_t i = 0; i < AES_LANES; i++) {
            sizes[i] = size + i;
        }
        check_lanes(prng, sizes, AES_LANES, size % 2 == 0);
    }
}

/* RFC 3602, 4, case 1, with the block of padding that it leaves out: the key, the first block and
 * the text are alike in all lanes. */
TEST(the_vector_of_rfc_3602_holds)
{
    static const struct crypto_secret secret = {
        .key = {0x06, 0xa9, 0x21, 0x40, 0x36, 0xb8, 0xa1, 0x5b, 0x51, 0x2e, 0x03, 0xd5, 0x34, 0x12,
                0x00, 0x06},
        .iv = {0x3d, 0xaf, 0xba, 0x42, 0x9d, 0x9e, 0xb4, 0x30, 0xb4, 0x22, 0xda, 0x80, 0x2c, 0x9f,
               0xac, 0x41}};
    static const uint8_t first_block[] = {0xe3, 0x53, 0x77, 0x9c, 0x10, 0x79, 0xae, 0xb8,
                                          0x27, 0x08, 0x94, 0x2d, 0xbe, 0x77, 0x18, 0x1a};
    struct aes_lane lanes[AES_LANES];
    for (uint32_t i = 0; i < AES_LANES; i++) {
        lanes[i] = (struct aes_lane){
            .secret = &secret, .plain = BYTES_OF("Single block msg"), .cipher = ciphers[i]};
    }
    aes_lanes(lanes, AES_LANES);
    for (uint32_t i = 0; i < AES_LANES; i++) {
        CHECK_EQ(memcmp(ciphers[i], first_block, sizeof(first_block)), 0);
    }
}

/* Whatever this processor takes for it, and whether it is in place or not. */
TEST(what_was_encrypted_is_decrypted)
{
    for (size_t size = 0; size < TEXT_BYTES; size++) {
        struct crypto_secret secret;
        draw(prng, (uint8_t *)&secret, sizeof(secret));
        draw(prng, plains[0], size);
        memset(ciphers, GUARD, sizeof(ciphers));
        crypto_encrypt(&secret, (struct bytes){.data = plains[0], .size = size}, ciphers[0]);
        const struct bytes cipher = {.data = ciphers[0], .size = crypto_padded_size(size)};
        uint8_t *area = size % 2 == 0 ? ciphers[0] : ciphers[1];
        size_t plain_size = 0;
        CHECK_OK(crypto_decrypt(&secret, cipher, area, &plain_size));
        CHECK_EQ(plain_size, size);
        CHECK_EQ(memcmp(area, plains[0], size), 0);
        CHECK_EQ(area[cipher.size], GUARD);
    }
}
