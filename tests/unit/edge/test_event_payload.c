#include "edge/event_payload.h"

#include "support/test.h"

#include <stdio.h>

static struct http_arena arena;
static struct budget budget;

/* An event of this kind with this payload; its strings live until the next call. */
static struct event read_payload(enum event_kind kind, const char *payload)
{
    http_arena_release(&arena);
    budget_init(&budget, "test", NULL, BUDGET_UNLIMITED);
    http_arena_init(&arena, &budget);
    struct event event = {.kind = kind};
    CHECK_OK(event_payload_read(&event, bytes_of_string(payload), &arena));
    return event;
}

#define CHECK_CONTENT(event_, form_, text_)                                                        \
    do {                                                                                           \
        const struct event check_event = (event_);                                                 \
        CHECK_EQ(check_event.content.form, (form_));                                               \
        CHECK_BYTES(check_event.content.bytes, BYTES_OF(text_));                                   \
    } while (0)

TEST(types_are_known_in_whatever_case)
{
    CHECK_EQ(event_kind_of(BYTES_OF("stream.delta")), EVENT_DELTA);
    CHECK_EQ(event_kind_of(BYTES_OF("Stream.Snapshot")), EVENT_SNAPSHOT);
    CHECK_EQ(event_kind_of(BYTES_OF("STREAM.CLOSE")), EVENT_CLOSE);
    CHECK_EQ(event_kind_of(BYTES_OF("stream.error")), EVENT_ERROR);
    CHECK_EQ(event_kind_of(BYTES_OF("stream.cancel")), EVENT_CANCEL);
    CHECK_EQ(event_kind_of(BYTES_OF("stream.finish")), EVENT_FINISH);
    CHECK_EQ(event_kind_of(BYTES_OF("stream.open")), EVENT_OTHER);
    CHECK_EQ(event_kind_of(BYTES_OF("stream.deltas")), EVENT_OTHER);
    CHECK_EQ(event_kind_of(BYTES_EMPTY), EVENT_OTHER);
}

TEST(a_delta_is_text_or_any_other_value)
{
    const enum event_kind kind = EVENT_DELTA;
    CHECK_CONTENT(read_payload(kind, ""), LANE_EMPTY, "");
    CHECK_CONTENT(read_payload(kind, "{\"kind\":\"text\",\"delta\":\"a\\n\\u4f60\"}"), LANE_TEXT,
                  "a\n\xe4\xbd\xa0");
    CHECK_CONTENT(read_payload(kind, "{\"delta\":\"1\",\"kind\":\"text\",\"delta\":\"2\"}"),
                  LANE_TEXT, "2");
    CHECK_CONTENT(read_payload(kind, "{\"kind\":\"text\",\"delta\":\"\"}"), LANE_TEXT, "");
    CHECK_CONTENT(read_payload(kind, "{\"kind\":\"text\",\"text\":\"all\"}"), LANE_JSON,
                  "{\"kind\":\"text\",\"text\":\"all\"}");
    CHECK_CONTENT(read_payload(kind, "{\"kind\":\"text\",\"delta\":5}"), LANE_JSON,
                  "{\"kind\":\"text\",\"delta\":5}");
    CHECK_CONTENT(read_payload(kind, "{\"Kind\":\"text\",\"delta\":\"x\"}"), LANE_JSON,
                  "{\"Kind\":\"text\",\"delta\":\"x\"}");
    CHECK_CONTENT(read_payload(kind, "{\"kind\":\"tool\",\"delta\":\"x\"}"), LANE_JSON,
                  "{\"kind\":\"tool\",\"delta\":\"x\"}");
    CHECK_CONTENT(read_payload(kind, " [1, 2] "), LANE_JSON, "[1, 2]");
    CHECK_CONTENT(read_payload(kind, "\"words\""), LANE_JSON, "\"words\"");
}

TEST(clients_that_know_one_text_get_the_text_of_a_snapshot)
{
    static const char *const cases[][2] = {
        {"{\"kind\":\"text\",\"text\":\"a\\nb\",\"by\":\"me\"}", "a\nb"},
        {"{\"kind\":\"text\",\"text\":5}", ""},
        {"{\"kind\":\"text\"}", ""},
        {"{\"kind\":\"binary\",\"data\":\"AAEC\"}", "AAEC"},
        {"{\"kind\":\"binary\"}", "{\"kind\":\"binary\"}"},
        {"{\"kind\":\"tool\",\"text\":\"x\"}", "{\"kind\":\"tool\",\"text\":\"x\"}"},
        {"{\"text\":\"x\"}", "{\"text\":\"x\"}"},
        {"[\"kind\",\"text\"]", "[\"kind\",\"text\"]"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t area[64];
        CHECK_BYTES(event_payload_plain(bytes_of_string(cases[i][0]), area),
                    bytes_of_string(cases[i][1]));
    }
}

TEST(a_snapshot_is_text_only_when_it_is_nothing_else)
{
    const enum event_kind kind = EVENT_SNAPSHOT;
    CHECK_CONTENT(read_payload(kind, ""), LANE_EMPTY, "");
    CHECK_CONTENT(read_payload(kind, "{\"kind\":\"text\",\"text\":\"T\"}"), LANE_TEXT, "T");
    CHECK_CONTENT(read_payload(kind, "{\"kind\":\"text\",\"text\":\"T\",\"x\":1}"), LANE_JSON,
                  "{\"kind\":\"text\",\"text\":\"T\",\"x\":1}");
    CHECK_CONTENT(read_payload(kind, "{\"kind\":\"text\",\"delta\":\"T\"}"), LANE_JSON,
                  "{\"kind\":\"text\",\"delta\":\"T\"}");
    CHECK_CONTENT(read_payload(kind, "7"), LANE_JSON, "7");
}

TEST(an_end_brings_what_it_names)
{
    struct event event = read_payload(
        EVENT_CLOSE,
        "{\"end_reason\":3,\"error\":\"no\",\"snapshot\":{\"kind\":\"text\",\"text\":\"T\"}}");
    CHECK_EQ(event.end_reason, 3);
    CHECK_EQ(event.error.size, 0);
    CHECK_CONTENT(event, LANE_TEXT, "T");
    event = read_payload(EVENT_ERROR, "{\"end_reason\":3,\"error\":\"b\\\"ad\",\"snapshot\":null}");
    CHECK_EQ(event.end_reason, 0);
    CHECK_BYTES(event.error, BYTES_OF("b\"ad"));
    CHECK_CONTENT(event, LANE_EMPTY, "");
    event = read_payload(EVENT_CANCEL, "{\"end_reason\":3,\"error\":\"no\",\"snapshot\":[1]}");
    CHECK_EQ(event.end_reason, 0);
    CHECK_EQ(event.error.size, 0);
    CHECK_CONTENT(event, LANE_JSON, "[1]");
    CHECK_CONTENT(read_payload(EVENT_CLOSE, "\"words\""), LANE_EMPTY, "");
    CHECK_CONTENT(read_payload(EVENT_FINISH, "{\"snapshot\":1}"), LANE_EMPTY, "");
    CHECK_CONTENT(read_payload(EVENT_OTHER, "{\"snapshot\":1}"), LANE_EMPTY, "");
}

TEST(a_reason_is_a_number_or_digits_in_a_string)
{
    static const struct {
        const char *payload;
        uint8_t reason;
    } cases[] = {
        {"{\"end_reason\":255}", 255},
        {"{\"end_reason\":\"12\"}", 12},
        {"{\"end_reason\":256}", 0},
        {"{\"end_reason\":-1}", 0},
        {"{\"end_reason\":\"\"}", 0},
        {"{\"end_reason\":\"1x\"}", 0},
        {"{\"end_reason\":[1]}", 0},
        {"{\"end_reason\":null}", 0},
        {"{}", 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CHECK_EQ(read_payload(EVENT_CLOSE, cases[i].payload).end_reason, cases[i].reason);
    }
}

TEST(a_long_error_is_cut_between_characters)
{
    static char payload[8192];
    char *at = payload + sprintf(payload, "{\"error\":\"");
    for (int i = 0; i < 600; i++) {
        at += sprintf(at, "\xe9\x94\x99");
    }
    sprintf(at, "\"}");
    const struct event event = read_payload(EVENT_ERROR, payload);
    CHECK_EQ(event.error.size, 341 * 3);
}
