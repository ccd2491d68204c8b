#include "edge/json_fields.h"

#include "edge/http_arena.h"
#include "memory/allocator.h"
#include "support/test.h"

struct inner {
    int64_t red_dot;
    int64_t sync_once;
};

struct item {
    struct bytes channel_id;
    uint64_t channel_type;
};

struct body {
    struct bytes uid;
    uint64_t channel_type;
    uint64_t expire;
    uint64_t start_message_seq;
    int64_t limit;
    struct bytes payload;
    struct json_strings uids;
    struct json_integers message_seqs;
    struct json_integers message_ids;
    struct inner header;
    struct json_objects channels;
};

static const struct json_field inner_fields[] = {
    JSON_FIELD(struct inner, red_dot, JSON_INT),
    JSON_FIELD(struct inner, sync_once, JSON_INT),
};
static const struct json_shape inner_shape = JSON_SHAPE_OF(struct inner, inner_fields);

static const struct json_field item_fields[] = {
    JSON_FIELD(struct item, channel_id, JSON_STRING),
    JSON_FIELD(struct item, channel_type, JSON_U8),
};
static const struct json_shape item_shape = JSON_SHAPE_OF(struct item, item_fields);

static const struct json_field body_fields[] = {
    JSON_FIELD(struct body, uid, JSON_STRING),
    JSON_FIELD(struct body, channel_type, JSON_U8),
    JSON_FIELD(struct body, expire, JSON_U32),
    JSON_FIELD(struct body, start_message_seq, JSON_U64),
    JSON_FIELD(struct body, limit, JSON_INT),
    JSON_FIELD(struct body, payload, JSON_PAYLOAD),
    JSON_FIELD(struct body, uids, JSON_STRINGS),
    JSON_FIELD(struct body, message_seqs, JSON_U32_LIST),
    JSON_FIELD(struct body, message_ids, JSON_INT_LIST),
    JSON_FIELD_OF(struct body, header, JSON_OBJECT, &inner_shape),
    JSON_FIELD_OF(struct body, channels, JSON_OBJECTS, &item_shape),
};
static const struct json_shape body_shape = JSON_SHAPE_OF(struct body, body_fields);

struct fixture {
    struct budget budget;
    struct http_arena arena;
    struct json_fault fault;
    uint8_t text[4096]; /* decoding destroys it, and the strings lie in it */
};

static void fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){.text = {0}};
    budget_init(&fixture->budget, "test", NULL, 1024 * 1024);
    http_arena_init(&fixture->arena, &fixture->budget);
}

static void fixture_deinit(struct fixture *fixture)
{
    http_arena_release(&fixture->arena);
    CHECK_EQ(budget_used(&fixture->budget), 0);
}

static enum err decode_as(struct fixture *fixture, const struct json_shape *shape, const char *text,
                          void *out_struct)
{
    const struct json_decoding decoding = {.arena = &fixture->arena, .fault = &fixture->fault};
    const size_t size = strlen(text);
    CHECK(size <= sizeof(fixture->text));
    memcpy(fixture->text, text, size);
    memset(out_struct, 0, shape->size);
    return json_decode(&decoding, shape, (struct json_body){.text = fixture->text, .size = size},
                       out_struct);
}

static enum err decode(struct fixture *fixture, const char *text, struct body *out_body)
{
    return decode_as(fixture, &body_shape, text, out_body);
}

TEST(fields_are_found_in_whatever_case_and_the_last_one_counts)
{
    struct fixture fixture;
    struct body body;
    fixture_init(&fixture);

    CHECK_OK(decode(&fixture, "{\"uid\":\"a\",\"UID\":\"b\",\"Uid\":\"c\"}", &body));
    CHECK_BYTES(body.uid, BYTES_OF("c"));
    CHECK_OK(decode(&fixture, "{\"LIMIT\":1,\"limit\":2,\"limit\":-3}", &body));
    CHECK_EQ(body.limit, -3);
    CHECK_OK(decode(&fixture, "{\"HEADER\":{\"red_dot\":1},\"header\":{\"Sync_Once\":1}}", &body));
    CHECK_EQ(body.header.red_dot, 1);
    CHECK_EQ(body.header.sync_once, 1);
    fixture_deinit(&fixture);
}

TEST(what_is_missing_null_or_unknown_is_the_zero_value)
{
    static const char *const texts[] = {
        "{}",
        "null",
        " { } trailing bytes are ignored",
        "{\"uid\":null,\"channel_type\":null,\"payload\":null,\"uids\":null,\"header\":null,"
        "\"message_seqs\":null,\"channels\":null,\"limit\":null}",
        "{\"unknown\":{\"uid\":\"x\",\"deep\":[[[1,{\"a\":null}]]]},\"number\":1e400,"
        "\"large\":123456789012345678901234567890}",
    };
    struct fixture fixture;
    fixture_init(&fixture);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const struct body zero = {.limit = 0};
        struct body body;
        CHECK_OK(decode(&fixture, texts[i], &body));
        assert_memory_equal(&body, &zero, sizeof(body));
    }
    fixture_deinit(&fixture);
}

TEST(only_the_first_value_is_read)
{
    struct fixture fixture;
    struct body body;
    fixture_init(&fixture);
    CHECK_OK(decode(&fixture, "{\"uid\":\"a\"}{\"uid\":\"b\"}", &body));
    CHECK_BYTES(body.uid, BYTES_OF("a"));
    CHECK_OK(decode(&fixture, "{\"uid\":\"a\"} not JSON at all \xff", &body));
    CHECK_BYTES(body.uid, BYTES_OF("a"));
    fixture_deinit(&fixture);
}

TEST(integers_must_fit_and_be_integers)
{
    static const struct {
        const char *text;
        enum err err;
    } cases[] = {
        {"{\"channel_type\":255}", ERR_OK},
        {"{\"channel_type\":256}", ERR_PROTOCOL},
        {"{\"channel_type\":-1}", ERR_PROTOCOL},
        {"{\"channel_type\":\"2\"}", ERR_PROTOCOL},
        {"{\"channel_type\":true}", ERR_PROTOCOL},
        {"{\"channel_type\":2.0}", ERR_PROTOCOL},
        {"{\"channel_type\":2e0}", ERR_PROTOCOL},
        {"{\"channel_type\":[2]}", ERR_PROTOCOL},
        {"{\"channel_type\":02}", ERR_PROTOCOL},
        {"{\"expire\":4294967295}", ERR_OK},
        {"{\"expire\":4294967296}", ERR_PROTOCOL},
        {"{\"start_message_seq\":18446744073709551615}", ERR_OK},
        {"{\"start_message_seq\":18446744073709551616}", ERR_PROTOCOL},
        {"{\"limit\":9223372036854775807}", ERR_OK},
        {"{\"limit\":9223372036854775808}", ERR_PROTOCOL},
        {"{\"limit\":-9223372036854775808}", ERR_OK},
        {"{\"limit\":false}", ERR_PROTOCOL},
        {"{\"message_seqs\":[1,4294967295]}", ERR_OK},
        {"{\"message_seqs\":[4294967296]}", ERR_PROTOCOL},
        {"{\"message_seqs\":[-1]}", ERR_PROTOCOL},
        {"{\"message_seqs\":[\"1\"]}", ERR_PROTOCOL},
        {"{\"message_ids\":[9223372036854775807,-1]}", ERR_OK},
        {"{\"message_ids\":1}", ERR_PROTOCOL},
        {"{\"uid\":1}", ERR_PROTOCOL},
        {"{\"uids\":\"a\"}", ERR_PROTOCOL},
        {"{\"uids\":[1]}", ERR_PROTOCOL},
        {"{\"header\":[]}", ERR_PROTOCOL},
        {"{\"channels\":{}}", ERR_PROTOCOL},
        {"{\"channels\":[1]}", ERR_PROTOCOL},
        {"{\"channels\":[{\"channel_type\":300}]}", ERR_PROTOCOL},
    };
    struct fixture fixture;
    fixture_init(&fixture);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct body body;
        const enum err err = decode(&fixture, cases[i].text, &body);
        if (err != cases[i].err) {
            print_error("%s\n", cases[i].text);
        }
        CHECK_EQ(err, cases[i].err);
        CHECK(err == ERR_OK || fixture.fault.text[0] != '\0');
    }
    fixture_deinit(&fixture);
}

TEST(a_fault_says_which_field_and_does_not_repeat_what_was_sent)
{
    struct fixture fixture;
    struct body body;
    fixture_init(&fixture);
    CHECK_EQ(decode(&fixture, "{\"channel_type\":\"secret\"}", &body), ERR_PROTOCOL);
    CHECK_STRING(fixture.fault.text,
                 "json: cannot unmarshal string into field channel_type of type uint8");
    CHECK_EQ(decode(&fixture, "", &body), ERR_PROTOCOL);
    CHECK_STRING(fixture.fault.text, "EOF");
    CHECK_EQ(decode(&fixture, " \r\n\t", &body), ERR_PROTOCOL);
    CHECK_STRING(fixture.fault.text, "EOF");
    fixture_deinit(&fixture);
}

TEST(text_that_is_not_json_is_refused)
{
    static const char *const texts[] = {"{",
                                        "{\"uid\"",
                                        "{\"uid\":",
                                        "{\"uid\":\"a\"",
                                        "{\"uid\":\"a\",}",
                                        "{uid:\"a\"}",
                                        "{'uid':'a'}",
                                        "[",
                                        "[]",
                                        "\"uid\"",
                                        "1",
                                        "tru",
                                        "\xef\xbb\xbf{}",
                                        "{\"uid\":\"a\nb\"}",
                                        "{\"uid\":\"\\x\"}",
                                        "{\"uid\":\"\\u12\"}"};
    struct fixture fixture;
    fixture_init(&fixture);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct body body;
        CHECK_EQ(decode(&fixture, texts[i], &body), ERR_PROTOCOL);
    }
    fixture_deinit(&fixture);
}

TEST(escapes_are_resolved_and_half_a_surrogate_pair_is_replaced)
{
    struct fixture fixture;
    struct body body;
    fixture_init(&fixture);
    CHECK_OK(decode(&fixture, "{\"uid\":\"\\u5f20\\n\\\"\\/\\ud83d\\ude00\\ud800x\"}", &body));
    CHECK_BYTES(body.uid, BYTES_OF("张\n\"/\xf0\x9f\x98\x80\xef\xbf\xbdx"));
    CHECK_OK(decode(&fixture, "{\"\\u0075id\":\"a\"}", &body));
    CHECK_BYTES(body.uid, BYTES_OF("a"));
    fixture_deinit(&fixture);
}

TEST(a_payload_is_base64_or_an_array_of_bytes)
{
    const struct {
        const char *text;
        enum err err;
        struct bytes payload;
    } cases[] = {
        {"{\"payload\":\"aGVsbG8=\"}", ERR_OK, BYTES_OF("hello")},
        {"{\"payload\":\"aGVs\\r\\nbG8=\"}", ERR_OK, BYTES_OF("hello")},
        {"{\"payload\":\"\"}", ERR_OK, BYTES_OF("")},
        {"{\"payload\":[104, 101,108 ,108,111]}", ERR_OK, BYTES_OF("hello")},
        {"{\"payload\":[]}", ERR_OK, BYTES_OF("")},
        {"{\"payload\":[0,255]}", ERR_OK, BYTES_OF("\x00\xff")},
        {"{\"payload\":[256]}", ERR_PROTOCOL, BYTES_OF("")},
        {"{\"payload\":\"aGVsbG8\"}", ERR_PROTOCOL, BYTES_OF("")},
        {"{\"payload\":\"_-_-\"}", ERR_PROTOCOL, BYTES_OF("")},
        {"{\"payload\":\"aGVsbG8=x\"}", ERR_PROTOCOL, BYTES_OF("")},
        {"{\"payload\":7}", ERR_PROTOCOL, BYTES_OF("")},
    };
    struct fixture fixture;
    fixture_init(&fixture);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct body body;
        CHECK_EQ(decode(&fixture, cases[i].text, &body), cases[i].err);
        if (cases[i].err == ERR_OK) {
            CHECK_BYTES(body.payload, cases[i].payload);
        }
    }
    fixture_deinit(&fixture);
}

TEST(lists_are_decoded_in_their_order)
{
    struct fixture fixture;
    struct body body;
    fixture_init(&fixture);
    CHECK_OK(decode(&fixture,
                    "{\"uids\":[\"u1\",null,\"\\u0075\"],\"message_seqs\":[3,null,1],"
                    "\"message_ids\":[-5],\"channels\":[{\"channel_id\":\"g\",\"x\":1},null,"
                    "{\"CHANNEL_TYPE\":2}]}",
                    &body));
    CHECK_EQ(body.uids.count, 3);
    CHECK(body.uids.is_given);
    CHECK_BYTES(body.uids.items[0], BYTES_OF("u1"));
    CHECK_BYTES(body.uids.items[1], BYTES_OF(""));
    CHECK_BYTES(body.uids.items[2], BYTES_OF("u"));
    CHECK_EQ(body.message_seqs.count, 3);
    CHECK_EQ(body.message_seqs.items[0], 3);
    CHECK_EQ(body.message_seqs.items[1], 0);
    CHECK_EQ(body.message_ids.items[0], -5);
    const struct item *items = body.channels.items;
    CHECK_EQ(body.channels.count, 3);
    CHECK_BYTES(items[0].channel_id, BYTES_OF("g"));
    CHECK_EQ(items[2].channel_type, 2);
    fixture_deinit(&fixture);
}

TEST(a_body_may_be_an_array_of_strings)
{
    struct fixture fixture;
    struct json_strings strings;
    fixture_init(&fixture);
    CHECK_OK(decode_as(&fixture, &json_shape_of_strings, "[\"a\",\"b\"]", &strings));
    CHECK_EQ(strings.count, 2);
    CHECK_BYTES(strings.items[1], BYTES_OF("b"));
    CHECK_OK(decode_as(&fixture, &json_shape_of_strings, "[]", &strings));
    CHECK(strings.is_given);
    CHECK_OK(decode_as(&fixture, &json_shape_of_strings, "null", &strings));
    CHECK(!strings.is_given);
    CHECK_EQ(decode_as(&fixture, &json_shape_of_strings, "{}", &strings), ERR_PROTOCOL);
    CHECK_EQ(decode_as(&fixture, &json_shape_of_strings, "[1]", &strings), ERR_PROTOCOL);
    fixture_deinit(&fixture);
}

TEST(a_refused_array_leaves_nothing_behind)
{
    struct fixture fixture;
    struct body body;
    fixture_init(&fixture);
    memory_refuse(1, false);
    CHECK_EQ(decode(&fixture, "{\"uids\":[\"a\"]}", &body), ERR_BUDGET);
    memory_refuse(0, false);
    CHECK_OK(decode(&fixture, "{\"uids\":[\"a\"]}", &body));
    fixture_deinit(&fixture);
}

static void check_repaired(struct bytes text, struct bytes expected)
{
    uint8_t area[64];
    CHECK_EQ(json_repaired_size(text), expected.size);
    json_repair(text, area);
    CHECK_BYTES(((struct bytes){.data = area, .size = expected.size}), expected);
}

TEST(each_byte_that_is_not_utf8_becomes_a_replacement)
{
    check_repaired(BYTES_OF("ab张"), BYTES_OF("ab张"));
    check_repaired(BYTES_OF("a\xff\xfe z"), BYTES_OF("a\xef\xbf\xbd\xef\xbf\xbd z"));
    check_repaired(BYTES_OF("\xe5\xbc"), BYTES_OF("\xef\xbf\xbd\xef\xbf\xbd"));
    check_repaired(BYTES_OF("\xed\xa0\x80"), BYTES_OF("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
    check_repaired(BYTES_OF(""), BYTES_OF(""));
}

/* Whatever the bytes are, decoding ends, stays inside and gives everything back. */
TEST(random_bodies_never_do_harm)
{
    static const char *const pieces[] = {
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"uid\"",
        "\"uids\"",
        "\"header\"",
        "1",
        "-2",
        "\"",
        "\\u00",
        "nul",
        "null",
        "\"a\\n\"",
        "\"payload\"",
        "\"YQ==\"",
        " ",
        "1e5",
        "\"channels\"",
        "true",
        "\x80",
        "\"limit\"",
        "\\",
        "{\"channel_id\":\"x\"}",
    };
    for (uint32_t round = 0; round < 20000; round++) {
        struct fixture fixture;
        struct body body;
        char text[256] = "";
        size_t size = 0;
        fixture_init(&fixture);
        const uint64_t count = prng_below(prng, 16);
        for (uint64_t i = 0; i < count; i++) {
            const char *piece = pieces[prng_below(prng, COUNT_OF(pieces))];
            if (size + strlen(piece) < sizeof(text)) {
                memcpy(text + size, piece, strlen(piece) + 1);
                size += strlen(piece);
            }
        }
        ERR_IGNORE(decode(&fixture, text, &body), "most are refused");
        fixture_deinit(&fixture);
    }
}
