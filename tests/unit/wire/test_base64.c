/* Includes the source: the vectorised and the scalar ways are private, and must agree. */
#include "wire/base64.c" /* NOLINT(bugprone-suspicious-include) */

#include "hex.h"
#include "support/test.h"

#include <stdlib.h>

#define BYTES_MAX 300u
#define TEXT_MAX  (BYTES_MAX / 3 * 4 + 4)

struct pair {
    const char *text;
    const char *bytes;
};

/* RFC 4648, section 10. */
static const struct pair pairs[] = {
    {"", ""},
    {"Zg==", "f"},
    {"Zm8=", "fo"},
    {"Zm9v", "foo"},
    {"Zm9vYg==", "foob"},
    {"Zm9vYmE=", "fooba"},
    {"Zm9vYmFy", "foobar"},
    {"eyJ0eXBlIjoxLCJjb250ZW50IjoiaGVsbG8ifQ==", "{\"type\":1,\"content\":\"hello\"}"},
};

TEST(known_texts_are_encoded)
{
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        const struct bytes bytes = bytes_of_string(pairs[i].bytes);
        uint8_t text[TEXT_MAX];
        base64_encode(bytes, text);
        CHECK_BYTES(((struct bytes){.data = text, .size = base64_encoded_size(bytes.size)}),
                    bytes_of_string(pairs[i].text));
    }
}

TEST(known_texts_are_decoded)
{
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        uint8_t area[TEXT_MAX];
        size_t size = 0;
        CHECK_OK(base64_decode(bytes_of_string(pairs[i].text), area, &size));
        CHECK_BYTES(((struct bytes){.data = area, .size = size}), bytes_of_string(pairs[i].bytes));
    }
}

/* The keys of wire-protocol 17.1 and 17.2. */
TEST(the_reference_keys_and_payload_agree)
{
    static const struct pair keys[] = {
        {"hlF7wMOf6Ha3ZGy1407gPa9xzLrWdFDBapcK2MvAPn4=",
         "86517bc0c39fe876b7646cb5e34ee03daf71ccbad67450c16a970ad8cbc03e7e"},
        {"YFpyXSpK3+6xop4X7dYhwbdZPujNvESsbEq24vgF0jw=",
         "605a725d2a4adfeeb1a29e17edd621c1b7593ee8cdbc44ac6c4ab6e2f805d23c"},
        {"zNfmkQ2wWs1VeM2Udi2ICUNuTN3qQ1Cos5otwjWOYDU=",
         "ccd7e6910db05acd5578cd94762d8809436e4cddea4350a8b39a2dc2358e6035"},
        {"L22F3sfCJqDvX/0m7Z35wSg4FJUAFD10pxV56GunljM=",
         "2f6d85dec7c226a0ef5ffd26ed9df9c12838149500143d74a71579e86ba79633"},
    };
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        uint8_t bytes_area[64];
        const struct bytes bytes = hex_bytes(keys[i].bytes, bytes_area, sizeof(bytes_area));
        uint8_t text[64];
        base64_encode(bytes, text);
        CHECK_BYTES(((struct bytes){.data = text, .size = base64_encoded_size(bytes.size)}),
                    bytes_of_string(keys[i].text));
        size_t size = 0;
        CHECK_OK(base64_decode((struct bytes){.data = text, .size = 44}, text, &size));
        CHECK_BYTES(((struct bytes){.data = text, .size = size}), bytes);
    }
}

TEST(what_is_not_base64_is_refused)
{
    static const char *const texts[] = {
        "a",  "ab",  "abc",  "abcde", "=",     "====",  "a===", "ab=c",   "abc=abcd", "ab==cd",
        "YQ", "aGk", "_-_-", "YW J=", "YWJ\n", "YWJ\r", "YQ=A", "YQ==\n", "hello!"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        uint8_t area[16];
        size_t size = 77;
        CHECK_EQ(base64_decode(bytes_of_string(texts[i]), area, &size), ERR_PROTOCOL);
        CHECK_EQ(size, 77);
    }
}

TEST(bits_that_belong_to_no_byte_are_ignored)
{
    uint8_t area[4];
    size_t size = 0;
    CHECK_OK(base64_decode(BYTES_OF("aGl="), area, &size));
    CHECK_BYTES(((struct bytes){.data = area, .size = size}), BYTES_OF("hi"));
}

TEST(line_ends_are_skipped_where_they_may_be)
{
    static const char *const texts[] = {"aG\nk=", "aGk=\r\n", "\r\naGk=", "a\rG\nk\r=", "aGk="};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        uint8_t area[16];
        size_t size = 0;
        CHECK_OK(base64_decode_lines(bytes_of_string(texts[i]), area, &size));
        CHECK_BYTES(((struct bytes){.data = area, .size = size}), BYTES_OF("hi"));
    }
    uint8_t area[16];
    size_t size = 0;
    CHECK_OK(base64_decode_lines(BYTES_OF("\n"), area, &size));
    CHECK_EQ(size, 0);
    CHECK_EQ(base64_decode_lines(BYTES_OF("aG\n k="), area, &size), ERR_PROTOCOL);
    CHECK_EQ(base64_decode_lines(BYTES_OF("aG\nk"), area, &size), ERR_PROTOCOL);
}

static void random_fill(struct prng *prng, uint8_t *area, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        area[i] = (uint8_t)prng_next(prng);
    }
}

/* Every size; the areas are heap blocks of exactly the size promised, for the sanitizer to watch.
 */
TEST(every_size_comes_back_and_nothing_else_is_touched)
{
    for (size_t size = 0; size <= BYTES_MAX; size++) {
        uint8_t *bytes = malloc(size + 1);
        uint8_t *text = malloc(base64_encoded_size(size) + 1);
        uint8_t *back = malloc(base64_decoded_size_max(base64_encoded_size(size)) + 1);
        CHECK(bytes != NULL && text != NULL && back != NULL);
        const size_t text_size = base64_encoded_size(size);
        random_fill(prng, bytes, size);
        text[text_size] = 0xaa;
        back[base64_decoded_size_max(text_size)] = 0xbb;

        base64_encode((struct bytes){.data = bytes, .size = size}, text);
        CHECK_EQ(text[text_size], 0xaa);
        size_t back_size = 0;
        CHECK_OK(base64_decode((struct bytes){.data = text, .size = text_size}, back, &back_size));
        CHECK_EQ(back[base64_decoded_size_max(text_size)], 0xbb);
        CHECK_BYTES(((struct bytes){.data = back, .size = back_size}),
                    ((struct bytes){.data = bytes, .size = size}));

        /* In place. */
        CHECK_OK(base64_decode((struct bytes){.data = text, .size = text_size}, text, &back_size));
        CHECK_EQ(text[text_size], 0xaa);
        CHECK_BYTES(((struct bytes){.data = text, .size = back_size}),
                    ((struct bytes){.data = bytes, .size = size}));
        free(bytes);
        free(text);
        free(back);
    }
}

#if BASE64_HAS_VECTORS

typedef void vector_fn(struct base64_progress *progress);

struct vector_way {
    vector_fn *encode;
    vector_fn *decode;
    bool is_supported;
};

/* One way of this machine and the scalar code do the rest together. */
static void compare_ways(const struct vector_way *way, struct bytes bytes)
{
    uint8_t expected[TEXT_MAX];
    uint8_t text[TEXT_MAX];
    struct base64_progress scalar = {
        .in = bytes.data, .in_end = bytes.data + bytes.size, .out = expected};
    encode_scalar(&scalar);
    struct base64_progress vector = {
        .in = bytes.data, .in_end = bytes.data + bytes.size, .out = text};
    way->encode(&vector);
    encode_scalar(&vector);
    const size_t text_size = base64_encoded_size(bytes.size);
    assert_memory_equal(text, expected, text_size);

    uint8_t back[BYTES_MAX + 3];
    struct base64_progress decode = {.in = text, .in_end = text + text_size, .out = back};
    way->decode(&decode);
    CHECK_OK(decode_scalar(&decode));
    CHECK_BYTES(((struct bytes){.data = back, .size = (size_t)(decode.out - back)}), bytes);
}

/* Each byte value at each place of a long text: vector and scalar code refuse the same. */
static void compare_refusals(const struct vector_way *way)
{
    uint8_t text[TEXT_MAX];
    memset(text, 'A', sizeof(text));
    const size_t text_size = 128;
    for (size_t place = 0; place < 64; place++) {
        for (uint32_t value = 0; value <= UINT8_MAX; value++) {
            text[place] = (uint8_t)value;
            uint8_t area[BYTES_MAX];
            struct base64_progress progress = {.in = text, .in_end = text + text_size, .out = area};
            way->decode(&progress);
            const bool is_good = decode_scalar(&progress) == ERR_OK;
            CHECK_EQ(is_good, decode_table[value] != 0xff);
        }
        text[place] = 'A';
    }
}

TEST(the_vectorised_ways_agree_with_the_scalar_one)
{
    const struct vector_way ways[] = {
        {encode_ssse3, decode_ssse3, __builtin_cpu_supports("ssse3") != 0},
        {encode_avx2, decode_avx2, __builtin_cpu_supports("avx2") != 0},
    };
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        if (!ways[i].is_supported) {
            continue;
        }
        for (size_t size = 1; size <= BYTES_MAX; size++) {
            uint8_t bytes[BYTES_MAX];
            random_fill(prng, bytes, size);
            compare_ways(&ways[i], (struct bytes){.data = bytes, .size = size});
        }
        compare_refusals(&ways[i]);
    }
}

#endif
