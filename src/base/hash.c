#include "base/hash.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#define ROTATE(value, bits) (((value) << (bits)) | ((value) >> (64 - (bits))))

static inline void siphash_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = ROTATE(v[1], 13) ^ v[0];
    v[0] = ROTATE(v[0], 32);
    v[2] += v[3];
    v[3] = ROTATE(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = ROTATE(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = ROTATE(v[1], 17) ^ v[2];
    v[2] = ROTATE(v[2], 32);
}

uint64_t hash_siphash(const struct hash_key *key, struct bytes bytes)
{
    uint64_t v[4] = {
        key->k0 ^ 0x736f6d6570736575ULL,
        key->k1 ^ 0x646f72616e646f6dULL,
        key->k0 ^ 0x6c7967656e657261ULL,
        key->k1 ^ 0x7465646279746573ULL,
    };
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    while (left >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        v[3] ^= word;
        siphash_round(v);
        v[0] ^= word;
        at += 8;
        left -= 8;
    }
    uint64_t last = (uint64_t)bytes.size << 56;
    for (size_t i = 0; i < left; i++) {
        last |= (uint64_t)at[i] << (8 * i);
    }
    v[3] ^= last;
    siphash_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    siphash_round(v);
    siphash_round(v);
    siphash_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- CRC-32C: with the processor's own instruction where it has one. ---- */

/* Two table look-ups a byte, of a table of 64 bytes. */
static uint32_t crc32c_nibbles(uint32_t seed, struct bytes bytes)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    uint32_t crc = ~seed;
    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= bytes.data[i];
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t crc32c_hardware(uint32_t seed, struct bytes bytes)
{
    uint64_t crc = ~seed;
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    for (; left >= sizeof(uint64_t); left -= sizeof(uint64_t), at += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        crc = _mm_crc32_u64(crc, word);
    }
    uint32_t last = (uint32_t)crc;
    for (; left > 0; left--, at++) {
        last = _mm_crc32_u8(last, *at);
    }
    return ~last;
}

uint32_t hash_crc32c(uint32_t seed, struct bytes bytes)
{
    return __builtin_cpu_supports("sse4.2") ? crc32c_hardware(seed, bytes)
                                            : crc32c_nibbles(seed, bytes);
}

#else

uint32_t hash_crc32c(uint32_t seed, struct bytes bytes)
{
    return crc32c_nibbles(seed, bytes);
}

#endif

/* ---- CRC-32: four bytes at a time, by the tables of how far a byte is from the end of the four.
 * ---- */

/* A CRC is linear, so that an entry is the sum of what its eight bits are worth. */
#define BIT(byte, bit, worth) (((byte) >> (bit)&1) != 0 ? (worth) : 0u)
#define ENTRY(byte, a, b, c, d, e, f, g, h)                                                        \
    BIT(byte, 0, a) ^ BIT(byte, 1, b) ^ BIT(byte, 2, c) ^ BIT(byte, 3, d) ^ BIT(byte, 4, e) ^      \
        BIT(byte, 5, f) ^ BIT(byte, 6, g) ^ BIT(byte, 7, h)
#define FOUR(byte, ...)                                                                            \
    ENTRY((byte), __VA_ARGS__), ENTRY((byte) + 1, __VA_ARGS__), ENTRY((byte) + 2, __VA_ARGS__),    \
        ENTRY((byte) + 3, __VA_ARGS__)
#define SIXTEEN(byte, ...)                                                                         \
    FOUR((byte), __VA_ARGS__), FOUR((byte) + 4, __VA_ARGS__), FOUR((byte) + 8, __VA_ARGS__),       \
        FOUR((byte) + 12, __VA_ARGS__)
#define SIXTY_FOUR(byte, ...)                                                                      \
    SIXTEEN((byte), __VA_ARGS__), SIXTEEN((byte) + 16, __VA_ARGS__),                               \
        SIXTEEN((byte) + 32, __VA_ARGS__), SIXTEEN((byte) + 48, __VA_ARGS__)
#define TABLE(...)                                                                                 \
    {                                                                                              \
        SIXTY_FOUR(0u, __VA_ARGS__), SIXTY_FOUR(64u, __VA_ARGS__), SIXTY_FOUR(128u, __VA_ARGS__),  \
            SIXTY_FOUR(192u, __VA_ARGS__)                                                          \
    }

static const uint32_t crc32_tables[4][256] = {
    TABLE(0x77073096, 0xee0e612c, 0x076dc419, 0x0edb8832, 0x1db71064, 0x3b6e20c8, 0x76dc4190,
          0xedb88320),
    TABLE(0x191b3141, 0x32366282, 0x646cc504, 0xc8d98a08, 0x4ac21251, 0x958424a2, 0xf0794f05,
          0x3b83984b),
    TABLE(0x01c26a37, 0x0384d46e, 0x0709a8dc, 0x0e1351b8, 0x1c26a370, 0x384d46e0, 0x709a8dc0,
          0xe1351b80),
    TABLE(0xb8bc6765, 0xaa09c88b, 0x8f629757, 0xc5b428ef, 0x5019579f, 0xa032af3e, 0x9b14583d,
          0xed59b63b),
};

uint32_t hash_crc32(struct bytes bytes)
{
    uint32_t crc = ~0u;
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    for (; left >= 4; left -= 4, at += 4) {
        crc ^=
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        crc = crc32_tables[3][crc & 255] ^ crc32_tables[2][crc >> 8 & 255] ^
              crc32_tables[1][crc >> 16 & 255] ^ crc32_tables[0][crc >> 24];
    }
    for (; left > 0; left--, at++) {
        crc = (crc >> 8) ^ crc32_tables[0][(crc ^ *at) & 255];
    }
    return ~crc;
}

uint64_t hash_fnv1a64(struct bytes bytes)
{
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (size_t i = 0; i < bytes.size; i++) {
        hash = (hash ^ bytes.data[i]) * 0x100000001b3ULL;
    }
    return hash;
}
