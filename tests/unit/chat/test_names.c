#include "chat/names.h"

#include "support/test.h"

static struct bytes pair_of(struct bytes a, struct bytes b, uint8_t *area)
{
    return (struct bytes){.data = area, .size = name_pair(a, b, area)};
}

TEST(the_uid_with_the_larger_hash_comes_first_in_a_pair)
{
    uint8_t area[NAME_PAIR_BYTES_MAX];
    CHECK_BYTES(pair_of(BYTES_OF("u1"), BYTES_OF("u2"), area), BYTES_OF("u2@u1"));
    CHECK_BYTES(pair_of(BYTES_OF("u2"), BYTES_OF("u1"), area), BYTES_OF("u2@u1"));
    CHECK_BYTES(pair_of(BYTES_OF("test1"), BYTES_OF("test2"), area), BYTES_OF("test1@test2"));
    CHECK_BYTES(pair_of(BYTES_OF("u1"), BYTES_OF("u1"), area), BYTES_OF("u1@u1"));
}

TEST(each_of_a_pair_sees_the_other)
{
    CHECK_BYTES(name_as_seen(BYTES_OF("u2@u1"), CHANNEL_PERSON, BYTES_OF("u1")), BYTES_OF("u2"));
    CHECK_BYTES(name_as_seen(BYTES_OF("u2@u1"), CHANNEL_PERSON, BYTES_OF("u2")), BYTES_OF("u1"));
    CHECK_BYTES(name_as_seen(BYTES_OF("u1@u1"), CHANNEL_PERSON, BYTES_OF("u1")), BYTES_OF("u1"));
    CHECK_BYTES(name_as_seen(BYTES_OF("g1"), CHANNEL_GROUP, BYTES_OF("u1")), BYTES_OF("g1"));
}

TEST(names_that_are_reserved_or_no_text_are_not_plain)
{
    CHECK(name_is_plain(BYTES_OF("u-1")));
    CHECK(name_is_plain(BYTES_OF("悟空")));
    CHECK(!name_is_plain(BYTES_OF("")));
    CHECK(!name_is_plain(BYTES_OF("  ")));
    CHECK(!name_is_plain(BYTES_OF("a@b")));
    CHECK(!name_is_plain(BYTES_OF("a#b")));
    CHECK(!name_is_plain(BYTES_OF("a&b")));
    CHECK(!name_is_plain(BYTES_OF("a\nb")));
    CHECK(!name_is_plain(BYTES_OF("\xff")));
}

TEST(the_blanks_of_unicode_are_blanks)
{
    CHECK(name_is_blank(BYTES_OF("")));
    CHECK(name_is_blank(
        BYTES_OF("\t\r \302\205\u00a0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000")));
    CHECK(!name_is_blank(BYTES_OF("\u3000悟\u3000")));
    CHECK(!name_is_blank(BYTES_OF("\u200b"))); /* it has no width, and is no blank */
    CHECK(!name_is_blank(BYTES_OF("\xe3\x80")));
    CHECK(!name_is_blank(BYTES_OF("é")));
}

TEST(a_command_channel_cannot_be_named)
{
    uint8_t area[NAME_PAIR_BYTES_MAX];
    struct bytes internal;
    CHECK_EQ(name_internal(BYTES_OF("u1"), BYTES_OF("g1____cmd"), CHANNEL_GROUP, area, &internal),
             ERR_PROTOCOL);
    CHECK_EQ(name_internal(BYTES_OF("u1"), BYTES_OF("bot____cmd"), CHANNEL_AGENT, area, &internal),
             ERR_PROTOCOL);
    CHECK_EQ(
        name_internal(BYTES_OF("u1"), BYTES_OF("u1@bot____cmd"), CHANNEL_AGENT, area, &internal),
        ERR_PROTOCOL);
    CHECK_OK(name_internal(BYTES_OF("u1"), BYTES_OF("g1"), CHANNEL_GROUP, area, &internal));
    CHECK_BYTES(internal, BYTES_OF("g1"));
}

TEST(an_agent_channel_is_user_then_agent)
{
    uint8_t area[NAME_PAIR_BYTES_MAX];
    struct bytes internal;
    CHECK_OK(name_internal(BYTES_OF("u1"), BYTES_OF("bot"), CHANNEL_AGENT, area, &internal));
    CHECK_BYTES(internal, BYTES_OF("u1@bot"));
    CHECK_OK(name_internal(BYTES_OF("bot"), BYTES_OF("u1@bot"), CHANNEL_AGENT, area, &internal));
    CHECK_BYTES(internal, BYTES_OF("u1@bot"));
    CHECK_BYTES(name_as_seen(internal, CHANNEL_AGENT, BYTES_OF("u1")), BYTES_OF("bot"));
}
