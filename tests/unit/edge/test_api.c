#include "edge/api.h"

#include "edge/api_conversation.h"
#include "edge/api_history.h"
#include "edge/api_message_json.h"
#include "support/test.h"

/* ---- The router. ---- */

static const struct api_route *find(const char *method, const char *path)
{
    return api_find(API_PORT_BACK_END, method, bytes_of_string(path));
}

static const struct api_route *find_moved(const char *method, const char *path)
{
    return api_find_moved(API_PORT_BACK_END, method, bytes_of_string(path));
}

static bool is_route(const char *method, const char *path)
{
    return find(method, path) != NULL;
}

TEST(a_route_is_a_method_and_a_path)
{
    CHECK(is_route("GET", "/health"));
    CHECK(is_route("POST", "/channel"));
    CHECK(is_route("GET", "/user/systemuids"));
    CHECK(!is_route("HEAD", "/health"));
    CHECK(!is_route("POST", "/health"));
    CHECK(!is_route("GET", "/channel"));
    CHECK(!is_route("GET", "/HEALTH"));
    CHECK(!is_route("GET", "/health/"));
    CHECK(!is_route("GET", "/"));
    CHECK(!is_route("GET", ""));
    CHECK(!is_route("POST", "/channel/unknown"));
}

TEST(a_trailing_slash_is_a_move)
{
    CHECK(find_moved("GET", "/health/") == find("GET", "/health"));
    CHECK(find_moved("POST", "/channel/info/") != NULL);
    CHECK(find_moved("POST", "/health/") == NULL);
    CHECK(find_moved("GET", "/health//") == NULL);
    CHECK(find_moved("GET", "/") == NULL);
    CHECK(find_moved("GET", "") == NULL);
}

TEST(a_path_may_have_segments_that_are_any)
{
    CHECK(bytes_equal(api_path_segment(BYTES_OF("/a/b/c"), 1), BYTES_OF("b")));
    CHECK(bytes_equal(api_path_segment(BYTES_OF("/a/b/c"), 3), BYTES_EMPTY));
    CHECK(bytes_equal(api_path_segment(BYTES_OF("/a//c"), 1), BYTES_EMPTY));
    CHECK(bytes_equal(api_path_segment(BYTES_EMPTY, 0), BYTES_EMPTY));
}

TEST(no_route_is_there_twice_and_only_a_post_has_a_shape)
{
    uint32_t count = 0;
    const struct api_route *routes = api_routes(&count);
    for (uint32_t i = 0; i < count; i++) {
        const char *method = routes[i].method != NULL ? routes[i].method : "POST";
        CHECK(find(method, routes[i].path) == &routes[i] || routes[i].ports == API_PORT_MANAGER);
        CHECK(routes[i].shape == NULL || strcmp(method, "POST") == 0);
    }
}

/* ---- A message. ---- */

static struct message_view person_message(const char *from_uid, const char *channel_id)
{
    return (struct message_view){
        .message_id = 2046861562479546375,
        .seq = 1,
        .timestamp_s = 1776844800,
        .flags = 0x02,
        .channel_type = 1,
        .channel_id = bytes_of_string(channel_id),
        .from_uid = bytes_of_string(from_uid),
        .client_msg_no = BYTES_OF("ord-1"),
        .payload = BYTES_OF("{\"type\":1,\"content\":\"hello\"}"),
    };
}

static void check_json(const struct message_view *view, const char *expected)
{
    uint8_t area[1024];
    struct writer writer = writer_of(area, sizeof(area));
    struct json_text json = json_text_of(&writer);
    api_message_json(&json, view);
    CHECK(!writer.is_full);
    CHECK_BYTES(writer_bytes(&writer), bytes_of_string(expected));
}

TEST(a_message_looks_as_the_specification_shows_it)
{
    const struct message_view view = person_message("u1001", "u1002@u1001");
    check_json(&view, "{\"header\":{\"no_persist\":0,\"red_dot\":1,\"sync_once\":0},\"setting\":0,"
                      "\"message_id\":2046861562479546375,\"message_idstr\":\"2046861562479546375\""
                      ",\"client_msg_no\":\"ord-1\",\"message_seq\":1,\"from_uid\":\"u1001\","
                      "\"channel_id\":\"u1002\",\"channel_type\":1,\"expire\":0,"
                      "\"timestamp\":1776844800,"
                      "\"payload\":\"eyJ0eXBlIjoxLCJjb250ZW50IjoiaGVsbG8ifQ==\"}");
}

TEST(a_message_without_payload_says_null_and_with_a_topic_says_it)
{
    struct message_view view = person_message("____system", "g1");
    view.channel_type = 2;
    view.payload = BYTES_EMPTY;
    view.topic = BYTES_OF("t<");
    view.flags = 0x04;
    view.setting = 8;
    view.expire_s = 60;
    check_json(&view,
               "{\"header\":{\"no_persist\":0,\"red_dot\":0,\"sync_once\":1},\"setting\":8,"
               "\"message_id\":2046861562479546375,\"message_idstr\":\"2046861562479546375\""
               ",\"client_msg_no\":\"ord-1\",\"message_seq\":1,\"from_uid\":\"\","
               "\"channel_id\":\"g1\",\"channel_type\":2,\"topic\":\"t\\u003c\",\"expire\":60,"
               "\"timestamp\":1776844800,\"payload\":null}");
}

TEST(the_channel_of_a_person_message_is_the_last_uid_that_is_not_the_sender)
{
    static const struct {
        const char *from_uid;
        const char *channel_id;
        const char *expected;
    } cases[] = {
        {"u1", "u2@u1", "u2"},
        {"u2", "u2@u1", "u1"},
        {"u1", "u1@u1", "u1@u1"},
        {"____system", "u1@____system", "____system"},
        {"____system", "____system@u1001", "u1001"},
        {"u1", "no pair", "no pair"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct message_view view = person_message(cases[i].from_uid, cases[i].channel_id);
        CHECK_BYTES(api_message_channel(&view), bytes_of_string(cases[i].expected));
    }
}

/* ---- Which messages a page of history has: http-api 9.1. ---- */

static void check_span(struct history_input input, uint64_t last_seq, uint64_t first, uint64_t last)
{
    const struct history_span span = history_span(&input, last_seq);
    uint64_t min = span.seq_min;
    uint64_t max = span.seq_max;
    if (min <= max && max - min + 1 > span.limit) {
        min = span.is_newest ? max - span.limit + 1 : min;
        max = span.is_newest ? max : min + span.limit - 1;
    }
    if (first == 0) {
        CHECK(min > max);
        return;
    }
    CHECK_EQ(min, first);
    CHECK_EQ(max, last);
}

static struct history_input span_input(uint64_t start, uint64_t end, int64_t limit, int64_t mode)
{
    return (struct history_input){
        .start_message_seq = start, .end_message_seq = end, .limit = limit, .pull_mode = mode};
}

TEST(pulling_down_gives_the_last_below_the_start)
{
    check_span(span_input(100, 0, 10, 0), 500, 91, 100);
    check_span(span_input(5, 0, 10, 0), 500, 1, 5);
    check_span(span_input(100, 95, 10, 0), 500, 96, 100);
    check_span(span_input(100, 50, 10, 0), 500, 91, 100);
    check_span(span_input(50, 100, 10, 0), 500, 0, 0);
    check_span(span_input(0, 5, 10, 0), 500, 0, 0);
    check_span(span_input(100, 100, 10, 0), 500, 0, 0);
    check_span(span_input(UINT64_MAX, UINT64_MAX, 10, 0), 500, 0, 0);
}

TEST(pulling_down_from_beyond_the_end_gives_the_newest)
{
    check_span(span_input(100000, 0, 10, 0), 50, 41, 50);
    check_span(span_input(UINT64_MAX, 45, 10, 0), 50, 46, 50);
}

TEST(pulling_up_gives_the_first_from_the_start)
{
    check_span(span_input(10, 0, 5, 1), 500, 10, 14);
    check_span(span_input(0, 4, 10, 1), 500, 1, 3);
    check_span(span_input(10, 12, 5, 1), 500, 10, 11);
    check_span(span_input(10, 10, 5, 1), 500, 0, 0);
    check_span(span_input(499, 0, 5, 1), 500, 499, 500);
    check_span(span_input(501, 0, 5, 1), 500, 0, 0);
    check_span(span_input(1, UINT64_MAX, 5, 1), 3, 1, 3);
}

TEST(without_bounds_the_newest_are_meant_in_both_modes)
{
    check_span(span_input(0, 0, 10, 0), 500, 491, 500);
    check_span(span_input(0, 0, 10, 1), 500, 491, 500);
    check_span(span_input(0, 0, 10, 0), 0, 0, 0);
}

TEST(a_limit_is_sane_whatever_is_asked)
{
    const struct history_input none = span_input(0, 0, 0, 0);
    const struct history_input negative = span_input(0, 0, -7, 0);
    const struct history_input large = span_input(0, 0, 1000000, 0);
    CHECK_EQ(history_span(&none, 1).limit, HISTORY_LIMIT_DEFAULT);
    CHECK_EQ(history_span(&negative, 1).limit, HISTORY_LIMIT_DEFAULT);
    CHECK_EQ(history_span(&large, 1).limit, HISTORY_LIMIT_MAX);
}

/* ---- Unread: http-api 12.5. ---- */

TEST(unread_is_arithmetic_on_sequences)
{
    static const struct {
        struct reading_state state;
        struct reading_result result;
    } cases[] = {
        {{.read_seq = 9, .last_seq = 12}, {.unread = 3, .read_seq = 9}},
        {{.read_seq = 12, .last_seq = 12}, {.unread = 0, .read_seq = 12}},
        {{.read_seq = 15, .last_seq = 12}, {.unread = 0, .read_seq = 15}},
        {{.read_seq = 2, .last_seq = 12, .own_last_seq = 10}, {.unread = 2, .read_seq = 10}},
        {{.read_seq = 5, .last_seq = 12, .own_last_seq = 4}, {.unread = 7, .read_seq = 5}},
        {{.read_seq = 2, .last_seq = 12, .own_last_seq = 12, .is_newest_own = true},
         {.unread = 0, .read_seq = 12}},
        {{.read_seq = 0, .last_seq = 0}, {.unread = 0, .read_seq = 0}},
        /* The own newest may be younger than what was read a moment before. */
        {{.read_seq = 2, .last_seq = 12, .own_last_seq = 13}, {.unread = 10, .read_seq = 2}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct reading_result result = conversation_unread(&cases[i].state);
        CHECK_EQ(result.unread, cases[i].result.unread);
        CHECK_EQ(result.read_seq, cases[i].result.read_seq);
    }
}

TEST(what_a_client_knows_is_found_by_channel_and_type)
{
    const struct bytes list = BYTES_OF("u2:1:5|g1:2:7||a:b|a:b:c:d|g2:2:x|zz:300:4");
    struct known_seq items[8];
    bool is_named = false;
    const uint32_t count = known_seqs_count(list);
    CHECK_EQ(count, 4);
    known_seqs_parse(list, items);

    const struct channel_name person = {.type = 1, .id = BYTES_OF("u2")};
    CHECK_EQ(known_seqs_find(items, count, person, &is_named), 5);
    CHECK(is_named);
    const struct channel_name group = {.type = 2, .id = BYTES_OF("g1")};
    CHECK_EQ(known_seqs_find(items, count, group, &is_named), 7);
    const struct channel_name other_type = {.type = 1, .id = BYTES_OF("g1")};
    CHECK_EQ(known_seqs_find(items, count, other_type, &is_named), 0);
    CHECK(!is_named);
    const struct channel_name no_number = {.type = 2, .id = BYTES_OF("g2")};
    CHECK_EQ(known_seqs_find(items, count, no_number, &is_named), 0);
    CHECK(is_named);
    CHECK_EQ(known_seqs_count(BYTES_EMPTY), 0);
    CHECK_EQ(known_seqs_find(items, 0, person, &is_named), 0);
    CHECK(!is_named);
}
