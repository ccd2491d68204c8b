#include "system/md5_lanes.h"

#include "base/assert.h"

#include <stdbool.h>

#define BLOCK_BYTES  64u
#define BLOCK_WORDS  16u
#define ROUNDS       4u
#define STEPS        16u /* of a round */
#define LENGTH_BYTES 8u  /* of the size at the end of a text's last block */

/* A word of each text. GCC's and clang's vectors are as wide as we say; a machine with narrower
 * registers takes two of them, and loses nothing, since it waits for the chain and not for them. */
typedef uint32_t lanes __attribute__((vector_size(MD5_LANES * sizeof(uint32_t))));

/* RFC 1321, 3.4: the integer part of 4294967296 times abs(sin(i)). */
static const uint32_t sines[ROUNDS * STEPS] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static const uint32_t begin[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};

/* What is left of a text behind its last whole block, with its padding: one block or two. */
struct tail {
    uint8_t bytes[2 * BLOCK_BYTES];
};

/* A text on its way. */
struct strand {
    struct bytes text;
    uint64_t whole_count;  /* blocks that lie in the text */
    uint64_t blocks_count; /* with those of its tail */
    struct tail tail;
};

static void strand_init(struct strand *strand, struct bytes text)
{
    const uint64_t rest = text.size % BLOCK_BYTES;
    const uint64_t tail_blocks = rest + 1 + LENGTH_BYTES <= BLOCK_BYTES ? 1 : 2;
    *strand = (struct strand){
        .text = text,
        .whole_count = text.size / BLOCK_BYTES,
        .blocks_count = text.size / BLOCK_BYTES + tail_blocks,
    };
    uint8_t *bytes = strand->tail.bytes;
    if (rest > 0) {
        memcpy(bytes, text.data + text.size - rest, rest);
    }
    bytes[rest] = 0x80;
    const uint64_t bits = (uint64_t)text.size * 8;
    for (uint32_t i = 0; i < LENGTH_BYTES; i++) {
        bytes[tail_blocks * BLOCK_BYTES - LENGTH_BYTES + i] = (uint8_t)(bits >> (8 * i));
    }
}

/* Block `index`; one that has ended gives its first again, which nobody looks at. */
static const uint8_t *strand_block(const struct strand *strand, uint64_t index)
{
    if (index < strand->whole_count) {
        return strand->text.data + index * BLOCK_BYTES;
    }
    const uint64_t in_tail = index < strand->blocks_count ? index - strand->whole_count : 0;
    return strand->tail.bytes + in_tail * BLOCK_BYTES;
}

/* The words of a block of each text, turned so that the first words come first. */
static void load(const struct strand *strands, uint64_t index,
                 uint32_t words[BLOCK_WORDS][MD5_LANES])
{
    for (uint32_t lane = 0; lane < MD5_LANES; lane++) {
        const uint8_t *block = strand_block(&strands[lane], index);
        for (uint32_t word = 0; word < BLOCK_WORDS; word++) {
            const uint8_t *at = block + word * sizeof(uint32_t);
            words[word][lane] = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                                (uint32_t)at[3] << 24;
        }
    }
}

/* One step of RFC 1321: a = b + ((a + function(b, c, d) + word + sine) <<< turn). */
#define STEP(function, a, b, c, d, word, step, turn)                                               \
    do {                                                                                           \
        (a) += function((b), (c), (d)) + x[word] + sines[step];                                    \
        (a) = (b) + ((a) << (turn) | (a) >> (32 - (turn)));                                        \
    } while (false)

#define F(b, c, d) ((d) ^ ((b) & ((c) ^ (d))))
#define G(b, c, d) ((c) ^ ((d) & ((b) ^ (c))))
#define H(b, c, d) ((b) ^ (c) ^ (d))
#define I(b, c, d) ((c) ^ ((b) | ~(d)))

/* Four steps, after which each word of the state is in its place again. */
#define FOUR(function, first, w0, w1, w2, w3, t0, t1, t2, t3)                                      \
    STEP(function, a, b, c, d, w0, (first), t0);                                                   \
    STEP(function, d, a, b, c, w1, (first) + 1, t1);                                               \
    STEP(function, c, d, a, b, w2, (first) + 2, t2);                                               \
    STEP(function, b, c, d, a, w3, (first) + 3, t3)

/* Takes a block of each text into the states of those whose `goes_on` is all ones. */
static void compress(lanes *state, uint32_t words[BLOCK_WORDS][MD5_LANES], const lanes *goes_on)
{
    lanes x[BLOCK_WORDS];
    memcpy(x, words, sizeof(x));
    lanes a = state[0];
    lanes b = state[1];
    lanes c = state[2];
    lanes d = state[3];
    FOUR(F, 0, 0, 1, 2, 3, 7, 12, 17, 22);
    FOUR(F, 4, 4, 5, 6, 7, 7, 12, 17, 22);
    FOUR(F, 8, 8, 9, 10, 11, 7, 12, 17, 22);
    FOUR(F, 12, 12, 13, 14, 15, 7, 12, 17, 22);
    FOUR(G, 16, 1, 6, 11, 0, 5, 9, 14, 20);
    FOUR(G, 20, 5, 10, 15, 4, 5, 9, 14, 20);
    FOUR(G, 24, 9, 14, 3, 8, 5, 9, 14, 20);
    FOUR(G, 28, 13, 2, 7, 12, 5, 9, 14, 20);
    FOUR(H, 32, 5, 8, 11, 14, 4, 11, 16, 23);
    FOUR(H, 36, 1, 4, 7, 10, 4, 11, 16, 23);
    FOUR(H, 40, 13, 0, 3, 6, 4, 11, 16, 23);
    FOUR(H, 44, 9, 12, 15, 2, 4, 11, 16, 23);
    FOUR(I, 48, 0, 7, 14, 5, 6, 10, 15, 21);
    FOUR(I, 52, 12, 3, 10, 1, 6, 10, 15, 21);
    FOUR(I, 56, 8, 15, 6, 13, 6, 10, 15, 21);
    FOUR(I, 60, 4, 11, 2, 9, 6, 10, 15, 21);
    state[0] += a & *goes_on;
    state[1] += b & *goes_on;
    state[2] += c & *goes_on;
    state[3] += d & *goes_on;
}

/* The states after all blocks: word by word, a lane for each text. */
static void run(const struct strand *strands, uint32_t out_state[4][MD5_LANES])
{
    lanes state[4];
    uint64_t blocks_max = 0;
    for (uint32_t word = 0; word < COUNT_OF(state); word++) {
        state[word] = (lanes){0} + begin[word];
    }
    for (uint32_t lane = 0; lane < MD5_LANES; lane++) {
        const uint64_t count = strands[lane].blocks_count;
        blocks_max = count > blocks_max ? count : blocks_max;
    }
    for (uint64_t index = 0; index < blocks_max; index++) {
        uint32_t words[BLOCK_WORDS][MD5_LANES];
        lanes goes_on;
        for (uint32_t lane = 0; lane < MD5_LANES; lane++) {
            goes_on[lane] = index < strands[lane].blocks_count ? UINT32_MAX : 0;
        }
        load(strands, index, words);
        compress(state, words, &goes_on);
    }
    memcpy(out_state, state, sizeof(state));
}

void md5_lanes(const struct bytes *texts, uint32_t count, uint8_t (*out_digests)[MD5_DIGEST_BYTES])
{
    ASSERT(count > 0 && count <= MD5_LANES);
    struct strand strands[MD5_LANES];
    for (uint32_t lane = 0; lane < MD5_LANES; lane++) {
        strand_init(&strands[lane], lane < count ? texts[lane] : BYTES_EMPTY);
    }
    uint32_t state[4][MD5_LANES];
    run(strands, state);
    for (uint32_t lane = 0; lane < count; lane++) {
        for (uint32_t i = 0; i < MD5_DIGEST_BYTES; i++) {
            out_digests[lane][i] = (uint8_t)(state[i / 4][lane] >> (8 * (i % 4)));
        }
    }
}
