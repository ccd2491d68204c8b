/* jansson is the independent oracle of what is JSON. */
#include "wire/json_token.h"

#include "support/test.h"

#include <jansson.h>

static enum err take(const char *text, struct json_token *out_token)
{
    struct bytes rest = bytes_of_string(text);
    const enum err err = json_token_take(&rest, out_token);
    return err == ERR_OK && rest.size > 0 ? ERR_PROTOCOL : err;
}

static struct json_token token_of(const char *text)
{
    struct json_token token;
    CHECK_OK(take(text, &token));
    return token;
}

TEST(a_value_is_taken_off_the_front)
{
    struct bytes rest = BYTES_OF(" {\"a\":[1,2]} \n true x");
    struct json_token token;
    CHECK_OK(json_token_take(&rest, &token));
    CHECK_EQ(token.kind, JSON_TOKEN_OBJECT);
    CHECK_BYTES(token.text, BYTES_OF("{\"a\":[1,2]}"));
    CHECK_OK(json_token_take(&rest, &token));
    CHECK_EQ(token.kind, JSON_TOKEN_TRUE);
    CHECK_EQ(json_token_take(&rest, &token), ERR_PROTOCOL);
    CHECK_BYTES(rest, BYTES_OF("x"));
}

TEST(values_of_every_kind_are_recognised)
{
    static const struct {
        const char *text;
        enum json_token_kind kind;
    } values[] = {
        {"{}", JSON_TOKEN_OBJECT},
        {"{ }", JSON_TOKEN_OBJECT},
        {"[]", JSON_TOKEN_ARRAY},
        {"[ [ ] , { } ]", JSON_TOKEN_ARRAY},
        {"\"\"", JSON_TOKEN_STRING},
        {"\"\\u00e9\\n\\/\"", JSON_TOKEN_STRING},
        {"\"悟空\"", JSON_TOKEN_STRING},
        {"0", JSON_TOKEN_NUMBER},
        {"-0", JSON_TOKEN_NUMBER},
        {"-12.5e+3", JSON_TOKEN_NUMBER},
        {"1E9", JSON_TOKEN_NUMBER},
        {"true", JSON_TOKEN_TRUE},
        {"false", JSON_TOKEN_FALSE},
        {"null", JSON_TOKEN_NULL},
        {" \t\r\n{\"a\" : { \"b\" : [ null , -1 ] } , \"c\":\"}\"} ", JSON_TOKEN_OBJECT},
    };
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        CHECK_EQ(token_of(values[i].text).kind, values[i].kind);
    }
}

TEST(what_is_not_json_is_refused)
{
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "}",
        "[",
        "]",
        "{]",
        "[}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{1:1}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "01",
        "1.",
        ".5",
        "-",
        "+1",
        "1e",
        "1e+",
        "0x1",
        "--1",
        "tru",
        "truee",
        "nul",
        "Null",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u123\"",
        "\"\n\"",
        "\"\x01\"",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "'a'",
        "\x0b{}",
        "{}}",
        "[]]",
        "{\"a\":1}x",
        "NaN",
        "\xef\xbb\xbf{}",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct json_token token;
        CHECK_EQ(take(texts[i], &token), ERR_PROTOCOL);
    }
    struct bytes nul = BYTES_OF("{\0}");
    struct json_token token;
    CHECK_EQ(json_token_take(&nul, &token), ERR_PROTOCOL);
}

TEST(values_nested_too_deep_are_refused_without_recursion)
{
    static uint8_t text[200000];
    struct json_token token;
    memset(text, '[', JSON_TOKEN_DEPTH_MAX);
    memset(text + JSON_TOKEN_DEPTH_MAX, ']', JSON_TOKEN_DEPTH_MAX);
    struct bytes rest = {.data = text, .size = 2u * JSON_TOKEN_DEPTH_MAX};
    CHECK_OK(json_token_take(&rest, &token));
    memset(text, '[', sizeof(text));
    rest = (struct bytes){.data = text, .size = sizeof(text)};
    CHECK_EQ(json_token_take(&rest, &token), ERR_LIMIT);
}

TEST(members_come_in_their_order_duplicates_too)
{
    struct json_token_walk walk =
        json_token_walk_of(token_of("{ \"a\" : 1 , \"b\":[2,{}],\"a\":\"x\" }"));
    struct json_token name;
    struct json_token value;
    CHECK(json_token_walk_member(&walk, &name, &value));
    CHECK(json_token_is(name, BYTES_OF("a")));
    CHECK_BYTES(value.text, BYTES_OF("1"));
    CHECK(json_token_walk_member(&walk, &name, &value));
    CHECK_BYTES(value.text, BYTES_OF("[2,{}]"));
    struct json_token_walk elements = json_token_walk_of(value);
    CHECK(json_token_walk_element(&elements, &value));
    CHECK_EQ(value.kind, JSON_TOKEN_NUMBER);
    CHECK(json_token_walk_element(&elements, &value));
    CHECK_EQ(value.kind, JSON_TOKEN_OBJECT);
    CHECK(!json_token_walk_element(&elements, &value));
    CHECK(json_token_walk_member(&walk, &name, &value));
    CHECK(json_token_is(name, BYTES_OF("a")));
    CHECK_EQ(value.kind, JSON_TOKEN_STRING);
    CHECK(!json_token_walk_member(&walk, &name, &value));

    walk = json_token_walk_of(token_of("{ }"));
    CHECK(!json_token_walk_member(&walk, &name, &value));
}

TEST(a_string_without_escapes_is_borrowed)
{
    const struct json_token token = token_of("\"悟空\"");
    const struct bytes string = json_token_string(token, NULL);
    CHECK(string.data == token.text.data + 1);
    CHECK_BYTES(string, BYTES_OF("悟空"));
}

TEST(escapes_are_decoded_also_in_place)
{
    static const struct {
        const char *text;
        struct bytes string;
    } strings[] = {
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", {(const uint8_t *)"\"\\/\b\f\n\r\t", 8}},
        {"\"a\\u0000b\"", {(const uint8_t *)"a\0b", 3}},
        {"\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"",
         {(const uint8_t *)"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 11}},
        {"\"\\uD83D\\ude00\"", {(const uint8_t *)"\xf0\x9f\x98\x80", 4}},
        {"\"\\udbff\\udfff!\"", {(const uint8_t *)"\xf4\x8f\xbf\xbf!", 5}},
        {"\"\\ud83d\"", {(const uint8_t *)"\xef\xbf\xbd", 3}},
        {"\"\\ud83dx\"", {(const uint8_t *)"\xef\xbf\xbdx", 4}},
        {"\"\\ude00\\ud83d\"", {(const uint8_t *)"\xef\xbf\xbd\xef\xbf\xbd", 6}},
        {"\"\\ud83d\\u0041\"", {(const uint8_t *)"\xef\xbf\xbd\x41", 4}},
        {"\"\\ud83d\\n\"", {(const uint8_t *)"\xef\xbf\xbd\n", 4}},
    };
    for (size_t i = 0; i < COUNT_OF(strings); i++) {
        struct json_token token = token_of(strings[i].text);
        uint8_t area[64];
        CHECK(token.text.size <= sizeof(area));
        CHECK_BYTES(json_token_string(token, area), strings[i].string);
        memcpy(area, token.text.data, token.text.size);
        token.text.data = area;
        CHECK_BYTES(json_token_string(token, area), strings[i].string);
    }
}

static bool token_names(const char *text, const char *name)
{
    uint8_t area[JSON_TOKEN_NAME_BYTES];
    return json_name_is(json_token_name(token_of(text), area), name);
}

TEST(names_match_in_any_case_and_in_snake_case)
{
    CHECK(token_names("\"clientMsgNo\"", "clientMsgNo"));
    CHECK(token_names("\"CLIENTMSGNO\"", "clientMsgNo"));
    CHECK(token_names("\"client_msg_no\"", "clientMsgNo"));
    CHECK(token_names("\"Client_MsgNo\"", "clientMsgNo"));
    CHECK(token_names("\"client\\u004dsg\\u005fno\"", "clientMsgNo"));
    CHECK(!token_names("\"clientMsgN\"", "clientMsgNo"));
    CHECK(!token_names("\"clientMsgNoo\"", "clientMsgNo"));
    CHECK(!token_names("\"c_lientMsgNo\"", "clientMsgNo"));
    CHECK(!token_names("\"clientMsgNo_\"", "clientMsgNo"));
    CHECK(!token_names("\"client__msg_no\"", "clientMsgNo"));
    CHECK(!token_names("\"\"", "clientMsgNo"));
    CHECK(!token_names("1", "a"));
}

TEST(integers_are_strict)
{
    int64_t number = 5;
    CHECK_OK(json_token_signed(token_of("-9223372036854775808"), &number));
    CHECK(number == INT64_MIN);
    CHECK_OK(json_token_signed(token_of("9223372036854775807"), &number));
    CHECK(number == INT64_MAX);
    CHECK_OK(json_token_signed(token_of("-0"), &number));
    CHECK_EQ(number, 0);
    CHECK_EQ(json_token_signed(token_of("9223372036854775808"), &number), ERR_PROTOCOL);
    CHECK_EQ(json_token_signed(token_of("-9223372036854775809"), &number), ERR_PROTOCOL);
    CHECK_EQ(json_token_signed(token_of("1.0"), &number), ERR_PROTOCOL);
    CHECK_EQ(json_token_signed(token_of("1e2"), &number), ERR_PROTOCOL);
    CHECK_EQ(json_token_signed(token_of("\"1\""), &number), ERR_PROTOCOL);
    CHECK_EQ(json_token_signed(token_of("true"), &number), ERR_PROTOCOL);
    CHECK_EQ(number, 0);
    uint64_t size = 5;
    CHECK_OK(json_token_unsigned(token_of("18446744073709551615"), &size));
    CHECK(size == UINT64_MAX);
    CHECK_EQ(json_token_unsigned(token_of("18446744073709551616"), &size), ERR_PROTOCOL);
    CHECK_EQ(json_token_unsigned(token_of("99999999999999999999999"), &size), ERR_PROTOCOL);
    CHECK_EQ(json_token_unsigned(token_of("-1"), &size), ERR_PROTOCOL);
}

TEST(the_plain_part_of_a_string_ends_before_every_byte_that_means_something)
{
    for (uint32_t value = 0; value <= UINT8_MAX; value++) {
        for (size_t place = 0; place < 19; place++) {
            uint8_t text[19];
            memset(text, 'a', sizeof(text));
            text[place] = (uint8_t)value;
            const bool is_plain = value >= 0x20 && value < 0x80 && value != '"' && value != '\\';
            CHECK_EQ(json_token_plain_size((struct bytes){.data = text, .size = sizeof(text)}),
                     is_plain ? 19 : place);
        }
    }
}

/* Texts put together from pieces that are likely to make sense. */
static struct bytes random_text(struct prng *prng, uint8_t *area, size_t capacity)
{
    static const char *const pieces[] = {
        "{",  "}",         "[",  "]",     ",",       ":",     "\"a\"", "\"b\":", "1",
        "-2", "0",         " ",  "3.5",   "true",    "false", "null",  "\"",     "\\",
        "\n", "\"x\\ty\"", "e5", "\"é\"", "{\"k\":", "[1,",   "]}",    "\xc3",   "tr",
    };
    struct writer writer = writer_of(area, capacity);
    const size_t count = 1 + prng_below(prng, 12);
    for (size_t i = 0; i < count; i++) {
        writer_bytes_add(&writer, bytes_of_string(pieces[prng_below(prng, COUNT_OF(pieces))]));
    }
    return writer_bytes(&writer);
}

TEST(exactly_what_jansson_takes_is_taken)
{
    uint32_t taken = 0;
    for (uint32_t step = 0; step < 200000; step++) {
        uint8_t area[128];
        const struct bytes text = random_text(prng, area, sizeof(area));
        struct bytes rest = text;
        struct json_token token;
        const bool is_json = json_token_take(&rest, &token) == ERR_OK && rest.size == 0;
        json_error_t error;
        json_t *tree = json_loadb((const char *)text.data, text.size, JSON_DECODE_ANY, &error);
        if (tree == NULL && json_error_code(&error) == json_error_numeric_overflow) {
            continue; /* it wants the value, we the form: 1e511 is a number */
        }
        CHECK_EQ(is_json, tree != NULL);
        CHECK_EQ(json_token_is_object(text), json_is_object(tree));
        taken += is_json;
        json_decref(tree);
    }
    CHECK(taken > 1000); /* the pieces are well chosen */
}
