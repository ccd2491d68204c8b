/* jansson is the independent oracle: it reads what we write. */
#include "wire/json_text.h"

#include "base/utf8.h"
#include "support/test.h"

#include <jansson.h>

static struct bytes string_text(struct bytes value, uint8_t *area, size_t capacity)
{
    struct writer writer = writer_of(area, capacity);
    struct json_text text = json_text_of(&writer);
    json_text_string(&text, value);
    CHECK(!writer.is_full);
    CHECK_EQ(writer_size(&writer), json_text_string_size(value));
    return writer_bytes(&writer);
}

#define CHECK_STRING_TEXT(value, expected)                                                         \
    do {                                                                                           \
        uint8_t area[128];                                                                         \
        CHECK_BYTES(string_text(BYTES_OF(value), area, sizeof(area)), BYTES_OF(expected));         \
    } while (0)

TEST(plain_text_stays_as_it_is)
{
    CHECK_STRING_TEXT("", "\"\"");
    CHECK_STRING_TEXT("hello / 'world'\x7f", "\"hello / 'world'\x7f\"");
    CHECK_STRING_TEXT("悟空 \xf0\x9f\x98\x80", "\"悟空 \xf0\x9f\x98\x80\"");
}

TEST(what_the_reference_escapes_is_escaped)
{
    CHECK_STRING_TEXT("\"\\", "\"\\\"\\\\\"");
    CHECK_STRING_TEXT("\n\r\t", "\"\\n\\r\\t\"");
    CHECK_STRING_TEXT("\x01\x1f\b\f", "\"\\u0001\\u001f\\u0008\\u000c\"");
    CHECK_STRING_TEXT("a\0b", "\"a\\u0000b\"");
    CHECK_STRING_TEXT("t<1>&", "\"t\\u003c1\\u003e\\u0026\"");
    CHECK_STRING_TEXT("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa",
                      "\"\xe2\x80\xa7\\u2028\\u2029\xe2\x80\xaa\"");
}

TEST(what_is_no_utf8_becomes_the_replacement_character)
{
    CHECK_STRING_TEXT("\xff", "\"\\ufffd\"");
    CHECK_STRING_TEXT("a\xc3", "\"a\\ufffd\"");
    CHECK_STRING_TEXT("\xe2\x80", "\"\\ufffd\\ufffd\"");
    CHECK_STRING_TEXT("\xed\xa0\x80x", "\"\\ufffd\\ufffd\\ufffdx\"");
    CHECK_STRING_TEXT("\xc0\x80", "\"\\ufffd\\ufffd\"");
}

TEST(commas_come_by_themselves)
{
    uint8_t area[512];
    struct writer writer = writer_of(area, sizeof(area));
    struct json_text text = json_text_of(&writer);
    json_text_object_begin(&text);
    json_text_key(&text, "a");
    json_text_array_begin(&text);
    json_text_unsigned(&text, UINT64_MAX);
    json_text_signed(&text, INT64_MIN);
    json_text_signed(&text, 7);
    json_text_array_begin(&text);
    json_text_array_end(&text);
    json_text_object_begin(&text);
    json_text_object_end(&text);
    json_text_array_end(&text);
    json_text_key(&text, "b");
    json_text_bool(&text, true);
    json_text_key(&text, "c");
    json_text_bool(&text, false);
    json_text_key(&text, "d");
    json_text_null(&text);
    json_text_key(&text, "e");
    json_text_decimal_string(&text, 1788923456789012345);
    json_text_key(&text, "f");
    json_text_base64(&text, BYTES_OF("{\"type\":1}"));
    json_text_key(&text, "g");
    json_text_base64(&text, BYTES_EMPTY);
    json_text_key(&text, "h");
    json_text_raw(&text, BYTES_OF("{\"x\":1}"));
    json_text_object_end(&text);
    CHECK_BYTES(writer_bytes(&writer),
                BYTES_OF("{\"a\":[18446744073709551615,-9223372036854775808,7,[],{}],"
                         "\"b\":true,\"c\":false,\"d\":null,\"e\":\"1788923456789012345\","
                         "\"f\":\"eyJ0eXBlIjoxfQ==\",\"g\":\"\",\"h\":{\"x\":1}}"));
}

TEST(a_full_area_is_remembered)
{
    uint8_t area[8];
    struct writer writer = writer_of(area, sizeof(area));
    struct json_text text = json_text_of(&writer);
    json_text_base64(&text, BYTES_OF("abcdef"));
    CHECK(writer.is_full);
}

TEST(any_bytes_make_a_text_that_can_be_read)
{
    for (uint32_t step = 0; step < 20000; step++) {
        uint8_t bytes[24];
        const size_t size = prng_below(prng, sizeof(bytes));
        for (size_t i = 0; i < size; i++) {
            bytes[i] = prng_below(prng, 2) == 0 ? (uint8_t)(0x20 + prng_below(prng, 0x60))
                                                : (uint8_t)prng_next(prng);
        }
        const struct bytes value = {.data = bytes, .size = size};
        uint8_t area[6 * sizeof(bytes) + 2];
        const struct bytes text = string_text(value, area, sizeof(area));
        CHECK(utf8_is_valid(text));
        json_t *string =
            json_loadb((const char *)text.data, text.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        CHECK(string != NULL);
        if (utf8_is_valid(value)) {
            CHECK_BYTES(((struct bytes){.data = (const uint8_t *)json_string_value(string),
                                        .size = json_string_length(string)}),
                        value);
        }
        json_decref(string);
    }
}
