#include "telemetry/logger.h"

#include "support/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static uint64_t now_ms; /* the clock of these tests */

static uint64_t test_clock(void)
{
    return now_ms;
}

/* What was logged, as it was written; each test runs in a process of its own. */
static struct {
    FILE *file;
    char *text;
    size_t size;
} written;

static void start(enum log_level level, enum log_format format)
{
    now_ms = 1776852000123; /* 2026-04-22T10:00:00.123Z */
    written.file = open_memstream(&written.text, &written.size);
    const struct logger_options options = {
        .out = written.file, .wall_ms = test_clock, .level = level, .format = format};
    logger_start(&options);
}

static uint32_t lines_with(const char *part)
{
    uint32_t count = 0;
    for (const char *at = strstr(written.text, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

TEST(a_line_is_time_level_event_and_fields)
{
    start(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    LOG_INFO("conn_closed", F_STR("reason", "protocol"), F_U64("conn", 17), F_I64("delta", -3),
             F_HEX("flags", 0x1f), F_BOOL("tls", true), F_ERR(ERR_PROTOCOL));
    CHECK_STRING(written.text, "2026-04-22T10:00:00.123Z info conn_closed reason=protocol conn=17 "
                               "delta=-3 flags=0x1f tls=true err=protocol\n");
}

TEST(the_same_line_as_json)
{
    start(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    LOG_WARN("conn_closed", F_STR("reason", "protocol"), F_U64("conn", 17), F_I64("delta", -3),
             F_HEX("flags", 0), F_BOOL("tls", false), F_ERR(ERR_PROTOCOL));
    CHECK_STRING(
        written.text,
        "{\"ts\":\"2026-04-22T10:00:00.123Z\",\"level\":\"warn\",\"event\":\"conn_closed\","
        "\"reason\":\"protocol\",\"conn\":17,\"delta\":-3,\"flags\":\"0x0\",\"tls\":false,"
        "\"err\":\"protocol\"}\n");
}

TEST(an_event_may_stand_alone)
{
    start(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    LOG_ERROR("store_closed");
    CHECK_STRING(written.text, "2026-04-22T10:00:00.123Z error store_closed\n");
}

TEST(what_a_peer_chose_cannot_leave_its_field)
{
    const struct {
        struct bytes value;
        const char *text;
    } rows[] = {
        {BYTES_OF("plain"), " uid=plain\n"},
        {BYTES_OF(""), " uid=\"\"\n"},
        {BYTES_OF("two words"), " uid=\"two words\"\n"},
        {BYTES_OF("a=b"), " uid=\"a=b\"\n"},
        {BYTES_OF("x\n2026-01-01T00:00:00.000Z error fake"),
         " uid=\"x\\n2026-01-01T00:00:00.000Z error fake\"\n"},
        {BYTES_OF("\"\\\t\r"), " uid=\"\\\"\\\\\\t\\r\"\n"},
        {BYTES_OF("\x1b[31m"), " uid=\"\\u001b[31m\"\n"},
        {BYTES_OF("\xff\xc0\x80"), " uid=\"\\u00ff\\u00c0\\u0080\"\n"},
        {BYTES_OF("\xc2\x9b"), " uid=\"\\u00c2\\u009b\"\n"},
        {BYTES_OF("悟空"), " uid=\"悟空\"\n"},
    };
    start(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const size_t before = written.size;
        now_ms += 1000;
        LOG_INFO("login", F_BYTES("uid", rows[i].value));
        const char *line = written.text + before;
        CHECK_STRING(strstr(line, " uid="), rows[i].text);
    }
}

TEST(a_string_that_is_null_is_empty)
{
    start(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    LOG_INFO("x", F_STR("a", NULL));
    CHECK(strstr(written.text, " x a=\"\"\n") != NULL);
}

static uint64_t never(void)
{
    abort();
}

TEST(below_the_level_nothing_is_written_and_no_field_is_made)
{
    start(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    LOG_INFO("x", F_U64("never", never()));
    CHECK_EQ(written.size, 0);
    logger_set_level(LOG_LEVEL_DEBUG);
    LOG_DEBUG("x");
    CHECK_EQ(lines_with(" debug x\n"), 1);
}

TEST(a_line_has_an_end_and_says_that_it_was_cut)
{
    static char large[4 * LOG_LINE_BYTES_MAX];
    memset(large, 'a', sizeof(large) - 1);
    for (uint32_t size = 900; size < 1100; size++) {
        start(LOG_LEVEL_INFO, size % 2 == 0 ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON);
        const struct bytes value = {.data = (const uint8_t *)large, .size = size};
        LOG_INFO("x", F_BYTES("large", value), F_U64("after", 1));
        CHECK(written.size <= LOG_LINE_BYTES_MAX);
        CHECK_EQ(written.text[written.size - 1], '\n');
        const bool is_whole =
            strstr(written.text, "large") != NULL && strstr(written.text, "after") != NULL;
        CHECK_EQ(is_whole, strstr(written.text, "cut") == NULL);
        logger_stop();
        fclose(written.file);
        free(written.text);
    }
}

static void condition(uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        LOG_WARN("disk_short", F_U64("i", i));
    }
}

TEST(one_call_site_writes_so_many_lines_a_second_and_then_says_how_many_there_were)
{
    start(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    condition(LOG_LINES_PER_SECOND + 5);
    CHECK_EQ(lines_with("disk_short"), LOG_LINES_PER_SECOND);
    LOG_WARN("another");
    CHECK_EQ(lines_with("another"), 1);
    CHECK_EQ(logger_suppressed(), 5);

    now_ms += 1000;
    condition(1);
    CHECK_EQ(lines_with(" warn log_suppressed of=disk_short count=5\n"), 1);
    CHECK_EQ(lines_with("disk_short i="), LOG_LINES_PER_SECOND + 1);
}

TEST(a_condition_that_ended_is_told_as_well)
{
    start(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    condition(LOG_LINES_PER_SECOND + 3);
    logger_tell_suppressed(); /* its second is not over */
    CHECK_EQ(lines_with("log_suppressed"), 0);
    now_ms += 1000;
    logger_tell_suppressed();
    logger_tell_suppressed();
    CHECK_EQ(lines_with("log_suppressed of=disk_short count=3"), 1);
}

TEST(the_end_tells_what_was_suppressed_and_then_is_silent)
{
    start(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    condition(LOG_LINES_PER_SECOND + 1);
    logger_stop();
    CHECK_EQ(lines_with("log_suppressed of=disk_short count=1"), 1);
    LOG_ERROR("late");
    CHECK_EQ(lines_with("late"), 0);
}

TEST(before_the_start_nothing_is_written)
{
    LOG_ERROR("early");
    logger_tell_suppressed();
    logger_stop();
}

static void start_twice(void *unused)
{
    (void)unused;
    start(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    start(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
}

TEST(there_is_one_logger)
{
    CHECK_ABORTS(start_twice, NULL);
}

#define WRITERS 4
#define EACH    2000

static void *writer_run(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < EACH; i++) {
        LOG_INFO("crowd", F_STR("who", "someone"), F_U64("i", i));
    }
    return NULL;
}

TEST(threads_do_not_mix_their_lines_nor_lose_one_uncounted)
{
    start(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    pthread_t threads[WRITERS];
    for (uint32_t i = 0; i < WRITERS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, writer_run, NULL), 0);
    }
    for (uint32_t i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    const uint32_t lines = lines_with("\n");
    CHECK_EQ(lines, lines_with(" info crowd who=someone i="));
    CHECK_EQ(lines, LOG_LINES_PER_SECOND);
    CHECK_EQ(logger_suppressed(), WRITERS * EACH - LOG_LINES_PER_SECOND);
}
