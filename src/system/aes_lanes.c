#include "system/aes_lanes.h"

#include "base/assert.h"

static void one_by_one(const struct aes_lane *lanes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        crypto_encrypt(lanes[i].secret, lanes[i].plain, lanes[i].cipher);
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AES __attribute__((target("aes,sse2")))

#define ROUNDS 10u

/* The keys of each round, a lane beside the other. */
struct schedule {
    __m128i keys[ROUNDS + 1][AES_LANES];
};

/* A text on its way. */
struct strand {
    const uint8_t *plain;
    uint8_t *cipher;
    size_t whole_count; /* blocks that lie in the text; one more has its end and the padding */
    uint8_t last[CRYPTO_BLOCK_BYTES];
    uint8_t sink[CRYPTO_BLOCK_BYTES]; /* where the blocks of one that has ended go */
};

/* FIPS 197, 5.2: the next key of the schedule. */
AES static inline __m128i next_key(__m128i key, __m128i word)
{
    key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
    key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
    return _mm_xor_si128(key, _mm_shuffle_epi32(word, 0xff));
}

/* The instruction wants its constant in itself. */
#define NEXT_KEY(round, constant)                                                                  \
    key = next_key(key, _mm_aeskeygenassist_si128(key, (constant)));                               \
    keys[(round)*stride] = key

/* The keys of all rounds, `stride` places apart. */
AES static inline void schedule_set(__m128i *keys, size_t stride, const uint8_t *bytes)
{
    __m128i key;
    memcpy(&key, bytes, sizeof(key));
    keys[0] = key;
    NEXT_KEY(1, 0x01);
    NEXT_KEY(2, 0x02);
    NEXT_KEY(3, 0x04);
    NEXT_KEY(4, 0x08);
    NEXT_KEY(5, 0x10);
    NEXT_KEY(6, 0x20);
    NEXT_KEY(7, 0x40);
    NEXT_KEY(8, 0x80);
    NEXT_KEY(9, 0x1b);
    NEXT_KEY(10, 0x36);
}

static void strand_init(struct strand *strand, const struct aes_lane *lane)
{
    strand->plain = lane->plain.data;
    strand->cipher = lane->cipher;
    strand->whole_count = lane->plain.size / CRYPTO_BLOCK_BYTES;
    const size_t rest = lane->plain.size % CRYPTO_BLOCK_BYTES;
    memset(strand->last, (int)(CRYPTO_BLOCK_BYTES - rest), sizeof(strand->last));
    if (rest > 0) {
        memcpy(strand->last, lane->plain.data + lane->plain.size - rest, rest);
    }
}

static inline const uint8_t *strand_from(const struct strand *strand, size_t index)
{
    return index < strand->whole_count ? strand->plain + index * CRYPTO_BLOCK_BYTES : strand->last;
}

static inline uint8_t *strand_to(struct strand *strand, size_t index)
{
    return index <= strand->whole_count ? strand->cipher + index * CRYPTO_BLOCK_BYTES
                                        : strand->sink;
}

/* What is done for all lanes is written out, so that the states stay in registers. */
#define EACH(step)                                                                                 \
    step(0);                                                                                       \
    step(1);                                                                                       \
    step(2);                                                                                       \
    step(3);                                                                                       \
    step(4);                                                                                       \
    step(5);                                                                                       \
    step(6);                                                                                       \
    step(7)

#define BEGIN(lane) __m128i s##lane = states[lane]
#define LOAD(lane)                                                                                 \
    memcpy(&block, strand_from(&strands[lane], index), sizeof(block));                             \
    s##lane = _mm_xor_si128(_mm_xor_si128(s##lane, block), schedule->keys[0][lane])
#define ROUND(lane) s##lane = _mm_aesenc_si128(s##lane, keys[lane])
#define STORE(lane)                                                                                \
    s##lane = _mm_aesenclast_si128(s##lane, schedule->keys[ROUNDS][lane]);                         \
    memcpy(strand_to(&strands[lane], index), &s##lane, sizeof(s##lane))

AES static void run(struct strand *strands, const struct schedule *schedule,
                    const __m128i states[AES_LANES], size_t blocks_count)
{
    EACH(BEGIN);
    for (size_t index = 0; index < blocks_count; index++) {
        __m128i block;
        EACH(LOAD);
        for (uint32_t round = 1; round < ROUNDS; round++) {
            const __m128i *keys = schedule->keys[round];
            EACH(ROUND);
        }
        EACH(STORE);
    }
}

/* The lanes that nobody needs go along, into their sinks. */
AES static void side_by_side(const struct aes_lane *lanes, uint32_t count)
{
    struct schedule schedule;
    struct strand strands[AES_LANES];
    __m128i states[AES_LANES];
    size_t blocks_max = 0;
    for (uint32_t i = 0; i < AES_LANES; i++) {
        const struct aes_lane nobody = {.secret = lanes[0].secret, .cipher = strands[i].sink};
        const struct aes_lane *lane = i < count ? &lanes[i] : &nobody;
        schedule_set(&schedule.keys[0][i], AES_LANES, lane->secret->key);
        memcpy(&states[i], lane->secret->iv, sizeof(states[i]));
        strand_init(&strands[i], lane);
        const size_t blocks = strands[i].whole_count + 1;
        blocks_max = blocks > blocks_max ? blocks : blocks_max;
    }
    run(strands, &schedule, states, blocks_max);
}

/* FIPS 197's equivalent inverse cipher (5.3.5), four blocks side by side. */
#define DECRYPT_LANES 4u

AES static void decrypt(const __m128i *keys, __m128i before, const uint8_t *from,
                        size_t blocks_count, uint8_t *to)
{
    while (blocks_count > 0) {
        const size_t count = blocks_count < DECRYPT_LANES ? blocks_count : DECRYPT_LANES;
        __m128i blocks[DECRYPT_LANES] = {0};
        memcpy(blocks, from, count * CRYPTO_BLOCK_BYTES);
        __m128i s0 = _mm_xor_si128(blocks[0], keys[0]);
        __m128i s1 = _mm_xor_si128(blocks[1], keys[0]);
        __m128i s2 = _mm_xor_si128(blocks[2], keys[0]);
        __m128i s3 = _mm_xor_si128(blocks[3], keys[0]);
        for (uint32_t round = 1; round < ROUNDS; round++) {
            s0 = _mm_aesdec_si128(s0, keys[round]);
            s1 = _mm_aesdec_si128(s1, keys[round]);
            s2 = _mm_aesdec_si128(s2, keys[round]);
            s3 = _mm_aesdec_si128(s3, keys[round]);
        }
        const __m128i plain[DECRYPT_LANES] = {
            _mm_xor_si128(_mm_aesdeclast_si128(s0, keys[ROUNDS]), before),
            _mm_xor_si128(_mm_aesdeclast_si128(s1, keys[ROUNDS]), blocks[0]),
            _mm_xor_si128(_mm_aesdeclast_si128(s2, keys[ROUNDS]), blocks[1]),
            _mm_xor_si128(_mm_aesdeclast_si128(s3, keys[ROUNDS]), blocks[2]),
        };
        before = blocks[DECRYPT_LANES - 1];
        memcpy(to, plain, count * CRYPTO_BLOCK_BYTES);
        from += count * CRYPTO_BLOCK_BYTES;
        to += count * CRYPTO_BLOCK_BYTES;
        blocks_count -= count;
    }
}

AES static void decrypt_all(const struct crypto_secret *secret, const uint8_t *cipher,
                            size_t blocks_count, uint8_t *area)
{
    __m128i forth[ROUNDS + 1];
    __m128i back[ROUNDS + 1];
    __m128i iv;
    schedule_set(forth, 1, secret->key);
    back[0] = forth[ROUNDS];
    for (uint32_t round = 1; round < ROUNDS; round++) {
        back[round] = _mm_aesimc_si128(forth[ROUNDS - round]);
    }
    back[ROUNDS] = forth[0];
    memcpy(&iv, secret->iv, sizeof(iv));
    decrypt(back, iv, cipher, blocks_count, area);
}

bool aes_lanes_decrypt(const struct crypto_secret *secret, const uint8_t *cipher,
                       size_t blocks_count, uint8_t *area)
{
    if (!__builtin_cpu_supports("aes")) {
        return false;
    }
    decrypt_all(secret, cipher, blocks_count, area);
    return true;
}

#define WORTH_LANES 2u /* one alone is done as fast by itself */

void aes_lanes(const struct aes_lane *lanes, uint32_t count)
{
    ASSERT(count > 0 && count <= AES_LANES);
    if (count >= WORTH_LANES && __builtin_cpu_supports("aes")) {
        side_by_side(lanes, count);
    } else {
        one_by_one(lanes, count);
    }
}

#else

void aes_lanes(const struct aes_lane *lanes, uint32_t count)
{
    ASSERT(count > 0 && count <= AES_LANES);
    one_by_one(lanes, count);
}

bool aes_lanes_decrypt(const struct crypto_secret *secret, const uint8_t *cipher,
                       size_t blocks_count, uint8_t *area)
{
    (void)secret;
    (void)cipher;
    (void)blocks_count;
    (void)area;
    return false;
}

#endif
