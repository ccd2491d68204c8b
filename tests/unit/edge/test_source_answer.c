#include "edge/source_answer.h"

#include "support/test.h"

static struct budget budget;

/* What reading `text` gives, with room for `bytes`; the uids are joined by commas. */
static enum err read_uids(const char *text, uint64_t bytes, char *out_uids, size_t size)
{
    static uint8_t area[4096];
    CHECK(strlen(text) <= sizeof(area));
    memcpy(area, text, strlen(text));
    budget_init(&budget, "test", NULL, bytes);
    struct source_uids uids = {.budget = &budget};
    const enum err err =
        source_uids_read(&uids, (struct source_text){.data = area, .size = strlen(text)});
    struct writer writer = writer_of((uint8_t *)out_uids, size - 1);
    for (uint32_t i = 0; i < uids.count; i++) {
        if (i > 0) {
            writer_u8(&writer, ',');
        }
        writer_bytes_add(&writer, uids.items[i]);
    }
    out_uids[writer_size(&writer)] = '\0';
    source_uids_clear(&uids);
    CHECK_EQ(budget_used(&budget), 0);
    return err;
}

static void check_uids(const char *text, const char *expected)
{
    char uids[512];
    CHECK_OK(read_uids(text, BUDGET_UNLIMITED, uids, sizeof(uids)));
    CHECK_STRING(uids, expected);
}

static void check_no_uids(const char *text)
{
    char uids[512];
    CHECK_EQ(read_uids(text, BUDGET_UNLIMITED, uids, sizeof(uids)), ERR_PROTOCOL);
    CHECK_STRING(uids, "");
}

TEST(uids_come_once_and_in_byte_order)
{
    check_uids("[\"u2\",\"u1\",\"u10\",\"u2\"]", "u1,u10,u2");
    check_uids(" [ \"notice\" , \"fileHelper\" ] \n", "fileHelper,notice");
    check_uids("[\"\\u0061b\",\"ab\",\"\\\"\"]", "\",ab");
    check_uids("[]", "");
    check_uids("null", "");
    check_uids("[\"\",\"  \",\"u1\"]", "u1");
}

TEST(what_is_no_array_of_uids_is_no_answer)
{
    check_no_uids("");
    check_no_uids("[\"u1\"");
    check_no_uids("[\"u1\"]]");
    check_no_uids("[\"u1\",1]");
    check_no_uids("[\"u1\",null]");
    check_no_uids("{\"data\":[\"u1\"]}");
    check_no_uids("\"u1\"");
    check_no_uids("<html>");
    check_no_uids("[\"\xff\"]");
}

TEST(a_uid_that_is_too_long_is_no_answer)
{
    char text[600] = "[\"";
    char uids[512 + 2];
    memset(text + 2, 'u', 512);
    memcpy(text + 2 + 512, "\"]", 3);
    CHECK_OK(read_uids(text, BUDGET_UNLIMITED, uids, sizeof(uids)));
    CHECK_EQ(strlen(uids), 512);
    memcpy(text + 2 + 512, "u\"]", 4);
    check_no_uids(text);
}

TEST(without_room_there_is_no_answer)
{
    char uids[64];
    CHECK_EQ(read_uids("[\"u1\",\"u2\"]", 16, uids, sizeof(uids)), ERR_BUDGET);
    CHECK_EQ(read_uids("[]", 16, uids, sizeof(uids)), ERR_OK);
}

static void check_flags(const char *text, uint32_t expected)
{
    uint32_t flags = UINT32_MAX;
    CHECK_OK(source_flags_read(bytes_of_string(text), &flags));
    CHECK_EQ(flags, expected);
}

TEST(flags_are_numbers_or_booleans)
{
    check_flags("{\"large\":1,\"ban\":0,\"disband\":1}", CHANNEL_FLAG_LARGE | CHANNEL_FLAG_DISBAND);
    check_flags("{\"ban\":true,\"large\":false,\"disband\":null}", CHANNEL_FLAG_BAN);
    check_flags("{\"ban\":0}", 0);
    check_flags("{\"name\":\"x\",\"ban\":1,\"ban\":0}", 0);
}

TEST(what_is_no_object_of_flags_is_no_answer)
{
    const char *const texts[] = {
        "",           "null",  "[]", "{\"ban\":2}",     "{\"ban\":-1}", "{\"ban\":\"1\"}",
        "{\"ban\":1", "{} {}", "{}", "{\"status\":200}"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        uint32_t flags = 7;
        CHECK_EQ(source_flags_read(bytes_of_string(texts[i]), &flags), ERR_PROTOCOL);
        CHECK_EQ(flags, 7);
    }
}
