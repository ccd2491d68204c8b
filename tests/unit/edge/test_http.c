#include "http_fixture.h"

#include "memory/allocator.h"
#include "system/clock.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define GROUP(rest) "{\"channel_id\":\"g1\",\"channel_type\":2" rest "}"

/* Does the last answer's body have this text in it? */
static bool has(const struct http_fixture *fixture, const char *text)
{
    return strstr(http_fixture_body(fixture), text) != NULL;
}

/* ---- The door. ---- */

TEST(unknown_paths_and_methods_are_not_found)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);

    CHECK_CALL(&fixture, "GET", "/nothing", NULL, 404, "404 page not found");
    CHECK(http_fixture_has_header(&fixture, "Content-Type: text/plain"));
    CHECK_CALL(&fixture, "PUT", "/health", NULL, 404, "404 page not found");
    CHECK_CALL(&fixture, "GET", "/channel", NULL, 404, "404 page not found");
    CHECK_CALL(&fixture, "POST", "/nothing", "a body that nobody reads", 404, "404 page not found");
    CHECK_EQ(http_fixture_call(&fixture, "GET", "/route/?intranet=1&x=%20", NULL), 301);
    CHECK(http_fixture_has_header(&fixture, "Location: /route?intranet=1&x=%20\r\n"));
    CHECK_EQ(http_fixture_call(&fixture, "POST", "/channel/", "{}"), 307);
    CHECK(http_fixture_has_header(&fixture, "Location: /channel\r\n"));

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(with_a_token_only_preflights_go_without_it)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    api_access_set_token(&fixture.options.access, BYTES_OF("secret"));
    http_fixture_start(&fixture);

    CHECK_CALL(&fixture, "GET", "/health", NULL, 401, "");
    CHECK(!http_fixture_has_header(&fixture, "Access-Control"));
    CHECK_CALL(&fixture, "GET", "/nothing", NULL, 401, "");
    CHECK_CALL(&fixture, "OPTIONS", "/anything", NULL, 204, "");
    CHECK(http_fixture_has_header(&fixture, "Access-Control-Allow-Origin: *"));

    const int fd = http_fixture_connect(&fixture);
    static const char wrong[] = "GET /health HTTP/1.1\r\nHost: x\r\ntoken: secre\r\n\r\n";
    static const char right[] = "GET /health HTTP/1.1\r\nHost: x\r\nToken: secret\r\n\r\n";
    http_fixture_write(fd, wrong, sizeof(wrong) - 1);
    CHECK_EQ(http_fixture_read(&fixture, fd), 401);
    http_fixture_write(fd, right, sizeof(right) - 1);
    CHECK_EQ(http_fixture_read(&fixture, fd), 200);
    CHECK_STRING(http_fixture_body(&fixture), "{\"status\":\"ok\"}");
    CHECK(http_fixture_has_header(&fixture, "Access-Control-Allow-Origin: *"));
    CHECK(http_fixture_has_header(&fixture, "Content-Type: application/json; charset=utf-8\r\n"));
    close(fd);

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(a_body_that_is_too_large_is_refused_and_the_connection_goes_on)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    fixture.options.limits.body_bytes_max = 10000;
    http_fixture_start(&fixture);

    static char body[20000];
    memset(body, 'x', sizeof(body));
    const int fd = http_fixture_connect(&fixture);
    static const char head[] =
        "POST /messages HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n";
    static const char chunked[] =
        "POST /messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4e20\r\n";
    static const char next[] = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    for (uint32_t round = 0; round < 2; round++) {
        http_fixture_write(fd, round == 0 ? head : chunked, strlen(round == 0 ? head : chunked));
        http_fixture_write(fd, body, sizeof(body));
        if (round == 1) {
            http_fixture_write(fd, "\r\n0\r\n\r\n", 7);
        }
        CHECK_EQ(http_fixture_read(&fixture, fd), 400);
        CHECK_STRING(http_fixture_body(&fixture),
                     "{\"msg\":\"the request body is too large\",\"status\":400}");
        http_fixture_write(fd, next, sizeof(next) - 1);
        CHECK_EQ(http_fixture_read(&fixture, fd), 200);
    }
    close(fd);
    CHECK_EQ(metrics_sum(&fixture.metrics, METRIC_HTTP_TOO_LARGE), 2);

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(a_body_that_is_not_understood_is_told_in_the_words_of_its_endpoint)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);

    CHECK_REFUSED(&fixture, "/channel/info", "", "数据格式有误！");
    CHECK_REFUSED(&fixture, "/messages", "{", "数据格式有误！");
    CHECK_REFUSED(&fixture, "/route/batch", "{}", "数据格式有误！");
    CHECK_REFUSED(&fixture, "/channel", "", "数据格式有误！: EOF");
    CHECK_REFUSED(&fixture, "/user/token", "", "EOF");
    CHECK_REFUSED(&fixture, "/user/token", "{\"uid\":1}",
                  "json: cannot unmarshal number into field uid of type string");
    CHECK_EQ(metrics_sum(&fixture.metrics, METRIC_BAD_HTTP), 6);

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(a_client_that_leaves_while_others_have_its_request_does_no_harm)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    fixture.options.limits.connections_max = 16;
    http_fixture_start(&fixture);

    for (uint32_t i = 0; i < 100; i++) {
        const int fd = http_fixture_connect(&fixture);
        char request[256];
        char body[96];
        snprintf(body, sizeof(body),
                 "{\"channel_id\":\"g%u\",\"channel_type\":2,\"subscribers\":[\"u1\"]}", i);
        snprintf(request, sizeof(request),
                 "POST /channel HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
                 body);
        http_fixture_write(fd, request, strlen(request));
        close(fd);
    }
    CHECK_GET(&fixture, "/health", "{\"status\":\"ok\"}");

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

static void stop_fixture(void *context)
{
    struct http_fixture *fixture = context;
    http_stop(&fixture->http);
}

TEST(stopping_answers_what_is_under_way_and_cuts_off_who_is_slow)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    fixture.options.limits.stop_ms = 200;
    http_fixture_start(&fixture);

    const int slow = http_fixture_connect(&fixture);
    static const char half[] = "POST /channel HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{";
    http_fixture_write(slow, half, sizeof(half) - 1);
    const int busy = http_fixture_connect(&fixture);
    static const char whole[] = "POST /user/token HTTP/1.1\r\nHost: x\r\nContent-Length: 24\r\n\r\n"
                                "{\"uid\":\"u1\",\"token\":\"t\"}";
    http_fixture_write(busy, whole, sizeof(whole) - 1);
    CHECK_EQ(http_fixture_read(&fixture, busy), 200);
    http_fixture_write(busy, whole, sizeof(whole) - 1);

    struct thread thread;
    CHECK_OK(thread_start(&thread, "stop", stop_fixture, &fixture));
    thread_join(&thread);
    CHECK_EQ(http_fixture_read(&fixture, busy), 200);
    CHECK_EQ(http_fixture_read(&fixture, slow), 0);
    close(busy);
    close(slow);

    CHECK_OK(
        socket_listen(&(struct address){.ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}},
                      &fixture.options.listener));
    CHECK_OK(http_start(&fixture.http, &fixture.options));
    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(who_ends_in_the_middle_of_a_head_leaves_its_place_at_once)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    fixture.options.limits.connections_max = 4;
    http_fixture_start(&fixture);

    /* Four are connected; of those who wait, bytes and end come together when it is their turn. */
    static const char half[] = "GET /health HTTP/1.1\r\nHost: x\r\nX-Half: ";
    int fds[12];
    for (uint32_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = http_fixture_connect(&fixture);
        http_fixture_write(fds[i], half, sizeof(half) - 1);
    }
    const uint64_t began_ns = clock_now_ns();
    for (uint32_t i = 0; i < COUNT_OF(fds); i++) {
        close(fds[i]);
    }
    CHECK_EQ(http_fixture_call(&fixture, "GET", "/health", NULL), 200);
    CHECK(clock_now_ns() - began_ns < 20000000000ull); /* not when their silence is long enough */

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

#define DRIPS_MAX 200 /* ten a second, and the request has one second */

TEST(a_request_that_comes_in_drips_has_no_more_time_than_one_that_does_not_come)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    fixture.options.limits.connection_timeout_s = 1;
    http_fixture_start(&fixture);

    static const char half[] = "POST /messages HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n";
    const int fd = http_fixture_connect(&fixture);
    http_fixture_write(fd, half, sizeof(half) - 1);
    char byte = ' ';
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    uint32_t drips = 0; /* and not time, of which a busy machine takes what it likes */
    while (drips < DRIPS_MAX && poll(&wait, 1, 100) == 0) {
        (void)send(fd, &byte, 1, MSG_NOSIGNAL);
        drips++;
    }
    CHECK(drips < DRIPS_MAX);
    CHECK(recv(fd, &byte, 1, MSG_DONTWAIT) <= 0);
    close(fd);

    CHECK_EQ(metrics_sum(&fixture.metrics, METRIC_HTTP_LATE), 1); /* gone with the fixture */
    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

/* ---- Users. ---- */

TEST(a_token_is_checked_in_the_documented_order)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);

    CHECK_REFUSED(&fixture, "/user/token", "{\"token\":\"\"}", "uid不能为空！");
    CHECK_REFUSED(&fixture, "/user/token", "{\"uid\":\"a@b\"}", "token不能为空！");
    CHECK_REFUSED(&fixture, "/user/token", "{\"uid\":\"a@b\",\"token\":\"t\"}",
                  "uid不能包含特殊字符！");
    CHECK_REFUSED(&fixture, "/user/token", "{\"uid\":\"____system\",\"token\":\"t\"}",
                  "系统账号不允许更新token！");
    CHECK_POST(&fixture, "/channel/info",
               "{\"channel_id\":\"u1\",\"channel_type\":1,\"ban\":1,\"disband\":1}", STATUS_OK);
    CHECK_POST(&fixture, "/user/token", "{\"uid\":\"u1\",\"token\":\"t\"}", "{\"status\":19}");
    CHECK_POST(&fixture, "/channel/info",
               "{\"channel_id\":\"u1\",\"channel_type\":1,\"disband\":1}", STATUS_OK);
    CHECK_POST(&fixture, "/user/token", "{\"uid\":\"u1\",\"token\":\"t\"}", "{\"status\":24}");

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

static bool is_kicked(const struct test_session *session, uint32_t delay_ms)
{
    return atomic_load(&session->kicks_spoken) == 1 &&
           atomic_load(&session->kick_delay_ms) == delay_ms;
}

TEST(a_master_token_kicks_its_class_of_devices_and_no_other)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);
    const struct test_session *app = http_fixture_login(&fixture, "u1", 0);
    const struct test_session *web = http_fixture_login(&fixture, "u1", 1);
    const struct test_session *other = http_fixture_login(&fixture, "u2", 1);

    CHECK_POST(&fixture, "/user/token", "{\"uid\":\"u1\",\"token\":\"t\",\"device_flag\":1}",
               STATUS_OK);
    CHECK_EQ(atomic_load(&web->kicks_spoken), 0);
    CHECK_POST(&fixture, "/user/token",
               "{\"uid\":\"u1\",\"token\":\"t\",\"device_flag\":1,\"device_level\":1}", STATUS_OK);
    CHECK(is_kicked(web, 10000));
    CHECK_EQ(atomic_load(&app->kicks_spoken), 0);
    CHECK_EQ(atomic_load(&other->kicks_spoken), 0);

    struct device_row row;
    const struct device_key key = {.uid = BYTES_OF("u1"), .device_flag = 1};
    CHECK_OK(store_find_device(fixture.store, STORE_MAY_BLOCK, key, &row));
    CHECK(row.has_token);
    CHECK_EQ(row.level, DEVICE_MASTER);

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(a_device_that_quits_loses_its_token_and_its_sessions)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);
    const struct test_session *app = http_fixture_login(&fixture, "u1", 0);
    const struct test_session *web = http_fixture_login(&fixture, "u1", 1);
    const struct test_session *unknown = http_fixture_login(&fixture, "u2", 0);

    CHECK_POST(&fixture, "/user/token", "{\"uid\":\"u1\",\"token\":\"t\",\"device_flag\":0}",
               STATUS_OK);
    CHECK_POST(&fixture, "/user/device_quit", "{\"uid\":\"u1\"}", STATUS_OK);
    CHECK(is_kicked(app, 2000));
    CHECK_EQ(atomic_load(&web->kicks_spoken), 0);
    CHECK_POST(&fixture, "/user/device_quit", "{\"uid\":\"u2\",\"device_flag\":-1}", STATUS_OK);
    CHECK(is_kicked(unknown, 2000)); /* though nothing was stored about it */
    CHECK_POST(&fixture, "/user/device_quit", "{}", STATUS_OK);

    struct device_row row;
    const struct device_key key = {.uid = BYTES_OF("u1"), .device_flag = 0};
    CHECK_OK(store_find_device(fixture.store, STORE_MAY_BLOCK, key, &row));
    CHECK(!row.has_token);
    CHECK_EQ(row.level, DEVICE_MASTER);
    const struct device_key never = {.uid = BYTES_OF("u2"), .device_flag = 0};
    CHECK_EQ(store_find_device(fixture.store, STORE_MAY_BLOCK, never, &row), ERR_ABSENT);

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(the_roll_lists_each_live_session_in_the_order_asked)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);

    CHECK_POST(&fixture, "/user/onlinestatus", "[\"u1\",\"u2\"]", "[]");
    CHECK_POST(&fixture, "/user/onlinestatus", "[]", STATUS_OK);
    CHECK_REFUSED(&fixture, "/user/onlinestatus", "{}",
                  "json: cannot unmarshal object into field body of type []string");
    http_fixture_login(&fixture, "u1", 1);
    http_fixture_login(&fixture, "u1", 0);
    http_fixture_login(&fixture, "bob", 0);
    http_fixture_login(&fixture, "alice", 2);
    CHECK_POST(&fixture, "/user/onlinestatus", "[\"alice\",\"u9\",\"u1\",\"bob\"]",
               "[{\"uid\":\"alice\",\"device_flag\":2,\"online\":1},"
               "{\"uid\":\"u1\",\"device_flag\":0,\"online\":1},"
               "{\"uid\":\"u1\",\"device_flag\":1,\"online\":1},"
               "{\"uid\":\"bob\",\"device_flag\":0,\"online\":1}]");
    for (uint32_t i = 0; i < 5; i++) {
        http_fixture_login(&fixture, "many", 2); /* more than a roll of one expects */
    }
    CHECK_EQ(http_fixture_call(&fixture, "POST", "/user/onlinestatus", "[\"many\"]"), 200);
    CHECK_EQ(strlen(http_fixture_body(&fixture)),
             6 + 5 * strlen("{\"uid\":\"many\",\"device_flag\":2,\"online\":1}"));

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(system_accounts_are_there_at_once_and_after_a_restart)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);

    CHECK_GET(&fixture, "/user/systemuids", "null");
    CHECK_POST(&fixture, "/user/systemuids_add", "{\"uids\":[]}", STATUS_OK);
    CHECK_POST(&fixture, "/user/systemuids_add", "{\"uids\":[\"s2\",\"s1\",\"s2\"]}", STATUS_OK);
    CHECK_POST(&fixture, "/user/systemuids_remove", "{\"uids\":[\"s2\",\"s3\"]}", STATUS_OK);
    CHECK_POST(&fixture, "/user/systemuids_add", "{\"uids\":[\"s4\"]}", STATUS_OK);
    CHECK_GET(&fixture, "/user/systemuids", "[\"s1\",\"s4\"]");
    http_fixture_stop(&fixture);
    for (uint32_t i = 0; i < FIXTURE_SHARDS; i++) {
        CHECK_EQ(fixture.cores[i].chat.system_count, 2);
    }

    http_fixture_start(&fixture);
    CHECK_GET(&fixture, "/user/systemuids", "[\"s1\",\"s4\"]");
    http_fixture_stop(&fixture);
    for (uint32_t i = 0; i < FIXTURE_SHARDS; i++) {
        CHECK_EQ(fixture.cores[i].chat.system_count, 2);
    }
    http_fixture_deinit(&fixture);
}

/* ---- Channels. ---- */

TEST(channels_are_checked_in_the_documented_order)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);

    CHECK_REFUSED(&fixture, "/channel", "{}", "频道ID不能为空！");
    CHECK_REFUSED(&fixture, "/channel", "{\"channel_id\":\"a#\"}", "频道类型错误！");
    CHECK_REFUSED(&fixture, "/channel", "{\"channel_id\":\"a#\",\"channel_type\":1}",
                  "频道ID不能包含特殊字符！");
    CHECK_REFUSED(&fixture, "/channel",
                  "{\"channel_id\":\"a\",\"channel_type\":1,\"subscribers\":[\"b\"]}",
                  "不支持个人频道添加订阅者！");
    CHECK_REFUSED(&fixture, "/channel/delete", "{\"channel_type\":1}",
                  "个人频道不支持添加订阅者！");
    CHECK_POST(&fixture, "/channel/delete", "{}", STATUS_OK);
    CHECK_POST(&fixture, "/channel/delete", GROUP(""), STATUS_OK);
    CHECK_REFUSED(&fixture, "/channel/subscriber_add", "{\"channel_id\":\" \"}",
                  "频道ID不能为空！");
    CHECK_REFUSED(&fixture, "/channel/subscriber_add", GROUP(",\"subscribers\":[\" \"]"),
                  "订阅者不能为空！");
    CHECK_REFUSED(&fixture, "/channel/subscriber_add",
                  GROUP(",\"subscribers\":[\"u\"],\"temp_subscriber\":1"),
                  "新版本临时订阅者已不支持！");
    CHECK_REFUSED(&fixture, "/channel/subscriber_remove_all",
                  "{\"channel_id\":\"a\",\"channel_type\":1}", "个人频道不支持此操作！");
    CHECK_REFUSED(&fixture, "/channel/blacklist_add", "{\"channel_id\":\"a\"}",
                  "频道类型不能为0！");
    CHECK_REFUSED(&fixture, "/channel/blacklist_add", GROUP(""), "uids不能为空！");
    CHECK_REFUSED(&fixture, "/channel/blacklist_set", "{}", "频道ID不能为空！");
    CHECK_REFUSED(&fixture, "/channel/whitelist_add", "{}", "channel_id不能为空！");
    CHECK_REFUSED(&fixture, "/channel/whitelist_add", "{\"channel_id\":\"a&\"}",
                  "频道ID不能包含特殊字符！");

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(names_that_are_too_long_are_refused)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);
    static char body[2048];
    static char name[514];
    memset(name, 'x', sizeof(name) - 1);

    snprintf(body, sizeof(body), "{\"channel_id\":\"%s\",\"channel_type\":2}", name);
    CHECK_REFUSED(&fixture, "/channel", body, "channel_id is longer than 512 bytes");
    CHECK_REFUSED(&fixture, "/channel/info", body, "channel_id is longer than 512 bytes");
    snprintf(body, sizeof(body), GROUP(",\"uids\":[\"a\",\"%s\"]"), name);
    CHECK_REFUSED(&fixture, "/channel/blacklist_add", body, "a uid is longer than 512 bytes");
    snprintf(body, sizeof(body), "{\"uid\":\"%s\",\"token\":\"t\"}", name);
    CHECK_REFUSED(&fixture, "/user/token", body, "uid is longer than 512 bytes");
    name[512] = '\0';
    snprintf(body, sizeof(body), "{\"uid\":\"%s\",\"token\":\"t\"}", name);
    CHECK_POST(&fixture, "/user/token", body, STATUS_OK);

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(the_white_list_is_what_was_added)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);

    CHECK_GET(&fixture, "/channel/whitelist?channel_id=g1&channel_type=2", "[]");
    CHECK_POST(&fixture, "/channel/whitelist_add", GROUP(",\"uids\":[\"u1001\",\"u1\"]"),
               STATUS_OK);
    CHECK_EQ(
        http_fixture_call(&fixture, "GET", "/channel/whitelist?channel_id=g1&channel_type=2", NULL),
        200);
    CHECK(has(&fixture, "{\"id\":631765120777144307,\"uid\":\"u1\",\"created_at\":\"20"));
    CHECK(has(&fixture, "{\"id\":542157584867753710,\"uid\":\"u1001\",\"created_at\":\"20"));
    CHECK_POST(&fixture, "/channel/whitelist_remove", GROUP(",\"uids\":[\"u1\"]"), STATUS_OK);
    CHECK_POST(&fixture, "/channel/whitelist_set", GROUP(",\"uids\":[]"), STATUS_OK);
    CHECK_GET(&fixture, "/channel/whitelist?channel_id=g1&channel_type=2", "[]");
    CHECK_GET(&fixture, "/channel/whitelist", "[]");

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

/* ---- Messages. ---- */

#define PAYLOAD ",\"payload\":\"aGVsbG8=\""

static void send_person(struct http_fixture *fixture, const char *from, const char *to,
                        const char *client_msg_no)
{
    char body[256];
    snprintf(body, sizeof(body),
             "{\"from_uid\":\"%s\",\"channel_id\":\"%s\",\"channel_type\":1,\"client_msg_no\":"
             "\"%s\"" PAYLOAD "}",
             from, to, client_msg_no);
    CHECK_EQ(http_fixture_call(fixture, "POST", "/message/send", body), 200);
    CHECK(has(fixture, "{\"data\":{\"client_msg_no\":\""));
}

TEST(a_message_is_stored_when_its_id_is_told_and_once_however_often_it_is_sent)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);
    static char first[256];

    send_person(&fixture, "u1", "u2", "m1");
    snprintf(first, sizeof(first), "%s", http_fixture_body(&fixture));
    send_person(&fixture, "u1", "u2", "m1");
    CHECK_STRING(http_fixture_body(&fixture), first);
    CHECK_GET(&fixture, "/channel/max_message_seq?channel_id=u1&channel_type=1&login_uid=u2",
              "{\"message_seq\":1}");
    CHECK_GET(&fixture, "/channel/max_message_seq?channel_id=u2@u1&channel_type=1",
              "{\"message_seq\":1}");
    CHECK_EQ(http_fixture_call(&fixture, "POST", "/message/send", GROUP(",\"payload\":[104,105]")),
             200);
    CHECK_EQ(http_fixture_call(&fixture, "GET",
                               "/channel/last_message?channel_id=g1&channel_type=2", NULL),
             200);
    CHECK(has(&fixture, "\"message_seq\":1,\"from_uid\":\"\",\"channel_id\":\"g1\""));
    CHECK(has(&fixture, "\"payload\":\"aGk=\"}"));

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(a_send_that_cannot_be_is_told_why)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);

    CHECK_REFUSED(&fixture, "/message/send", "{}", "payload不能为空！");
    CHECK_REFUSED(&fixture, "/message/send", "{\"payload\":\"aGk=\"}", "无法处理发送消息请求！");
    CHECK_REFUSED(&fixture, "/message/send", "{\"subscribers\":[\"u1\"]" PAYLOAD "}",
                  "无法处理发送消息请求！");
    CHECK_REFUSED(&fixture, "/message/send",
                  GROUP(",\"subscribers\":[\"u1\"],\"header\":{\"sync_once\":1}" PAYLOAD),
                  "无法处理发送消息请求！");
    CHECK_REFUSED(&fixture, "/message/send",
                  "{\"channel_id\":\"a@b\",\"channel_type\":2" PAYLOAD "}", "频道ID不合法！");
    CHECK_REFUSED(&fixture, "/message/send",
                  "{\"channel_id\":\"a\",\"channel_type\":1,\"from_uid\":\"x@y\"" PAYLOAD "}",
                  "频道ID不合法！");
    CHECK_POST(&fixture, "/channel", GROUP(",\"ban\":1"), STATUS_OK);
    CHECK_POST(&fixture, "/message/send", GROUP(PAYLOAD), "{\"status\":19}");
    CHECK_POST(&fixture, "/channel", GROUP(""), STATUS_OK);
    CHECK_POST(&fixture, "/channel/delete", GROUP(""), STATUS_OK);
    CHECK_POST(&fixture, "/message/send", GROUP(PAYLOAD), "{\"status\":24}");

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

/* After this every shard has done what it had to do before. The first roll finds the message's
 * shard with its parts posted, the second finds the others with them received, and the third finds
 * them a turn later. */
static void settle(struct http_fixture *fixture)
{
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_POST(fixture, "/user/onlinestatus", "[\"nobody\"]", "[]");
    }
}

TEST(a_command_to_people_reaches_those_who_are_online)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);
    const struct test_session *u1 = http_fixture_login(&fixture, "u1", 0);
    const struct test_session *u2 = http_fixture_login(&fixture, "u2", 0);
    const struct test_session *u3 = http_fixture_login(&fixture, "u3", 0);

    CHECK_POST(&fixture, "/message/send",
               "{\"subscribers\":[\"u2\",\"u1\",\"u2\",\" \"],\"header\":{\"sync_once\":1}" PAYLOAD
               "}",
               STATUS_OK);
    CHECK_POST(&fixture, "/message/send",
               "{\"subscribers\":[\"u1\"],\"header\":{\"sync_once\":1,\"no_persist\":1}" PAYLOAD
               "}",
               STATUS_OK);
    settle(&fixture);
    CHECK_EQ(atomic_load(&u1->pushes), 2);
    CHECK_EQ(atomic_load(&u2->pushes), 1);
    CHECK_EQ(atomic_load(&u3->pushes), 0);
    const struct channel_name log = {.type = 8, .id = BYTES_OF("17922244540036557902")};
    struct channel_state state;
    CHECK_EQ(store_load_channel(fixture.store, STORE_MAY_BLOCK, log, &state), ERR_ABSENT);

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(the_command_log_of_people_does_not_depend_on_their_order)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);

    CHECK_POST(&fixture, "/message/send",
               "{\"subscribers\":[\"u2\",\"u1\"],\"header\":{\"sync_once\":1}" PAYLOAD "}",
               STATUS_OK);
    CHECK_POST(&fixture, "/message/send",
               "{\"subscribers\":[\"u1\",\"u2\"],\"header\":{\"sync_once\":1}" PAYLOAD "}",
               STATUS_OK);
    const struct channel_name log = {.type = 8, .id = BYTES_OF("17922244540036557902")};
    struct channel_state state;
    CHECK_OK(store_load_channel(fixture.store, STORE_MAY_BLOCK, log, &state));
    CHECK_EQ(state.last_seq[LOG_COMMAND], 2);
    CHECK_EQ(state.last_seq[LOG_CHAT], 0);

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(a_batch_tells_who_was_not_reached)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);

    CHECK_REFUSED(&fixture, "/message/sendbatch", "{}", "from_uid不能为空！");
    CHECK_REFUSED(&fixture, "/message/sendbatch", "{\"from_uid\":\"u\"}", "subscribers不能为空！");
    CHECK_REFUSED(&fixture, "/message/sendbatch", "{\"from_uid\":\"u\",\"subscribers\":[\"a\"]}",
                  "payload不能为空！");
    CHECK_POST(&fixture, "/message/sendbatch",
               "{\"from_uid\":\"u\",\"subscribers\":[\"a\",\"bad@uid\",\"b\"]" PAYLOAD "}",
               "{\"fail_uids\":[\"bad@uid\"],\"reason\":[\"频道ID不合法！\"]}");
    static char body[4096];
    size_t size =
        (size_t)snprintf(body, sizeof(body), "{\"from_uid\":\"u\",\"subscribers\":[\"0\"");
    for (uint32_t i = 1; i < 100; i++) {
        size += (size_t)snprintf(body + size, sizeof(body) - size, ",\"%u\"", i);
    }
    snprintf(body + size, sizeof(body) - size, "]" PAYLOAD "}");
    CHECK_POST(&fixture, "/message/sendbatch", body, "{\"fail_uids\":[],\"reason\":[]}");
    CHECK_GET(&fixture, "/channel/max_message_seq?channel_id=57&channel_type=1&login_uid=u",
              "{\"message_seq\":1}");

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

/* ---- Reading. ---- */

static void send_many(struct http_fixture *fixture, uint32_t count)
{
    for (uint32_t i = 1; i <= count; i++) {
        char client_msg_no[16];
        snprintf(client_msg_no, sizeof(client_msg_no), "m%u", i);
        send_person(fixture, i % 3 == 0 ? "u2" : "u1", i % 3 == 0 ? "u1" : "u2", client_msg_no);
    }
}

TEST(history_is_a_page_of_the_log)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);
    send_many(&fixture, 70);

    CHECK_POST(&fixture, "/channel/messagesync", "{\"login_uid\":\"u1\",\"channel_id\":\"u9\"}",
               "{\"start_message_seq\":0,\"end_message_seq\":0,\"more\":0,\"messages\":[]}");
    CHECK_EQ(http_fixture_call(&fixture, "POST", "/channel/messagesync",
                               "{\"login_uid\":\"u1\",\"channel_id\":\"u2\",\"channel_type\":1,"
                               "\"start_message_seq\":5,\"end_message_seq\":3,\"limit\":2}"),
             200);
    CHECK(has(&fixture, "{\"start_message_seq\":5,\"end_message_seq\":3,\"more\":1,"));
    CHECK(has(&fixture, "\"message_seq\":4,\"from_uid\":\"u1\",\"channel_id\":\"u2\""));
    CHECK(has(&fixture, "\"message_seq\":5,"));
    CHECK(!has(&fixture, "\"message_seq\":3,"));
    CHECK_EQ(http_fixture_call(&fixture, "POST", "/channel/messagesync",
                               "{\"login_uid\":\"u2\",\"channel_id\":\"u1\",\"channel_type\":1,"
                               "\"limit\":1000}"),
             200); /* more than the first buffer holds */
    CHECK(has(&fixture, "\"more\":0,"));
    CHECK(has(&fixture, "\"message_seq\":1,"));
    CHECK(has(&fixture, "\"message_seq\":70,"));

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

/* From u1 to u2, of 16,000 bytes of text each. */
static void send_large(struct http_fixture *fixture, uint32_t count)
{
    static char body[32768];
    memset(body, 'A', sizeof(body));
    static const char head[] = "{\"from_uid\":\"u1\",\"channel_id\":\"u2\",\"channel_type\":1,"
                               "\"payload\":\"";
    memcpy(body, head, sizeof(head) - 1);
    memcpy(body + sizeof(head) - 1 + 16000, "\"}", 3);
    for (uint32_t i = 0; i < count; i++) {
        CHECK_EQ(http_fixture_call(fixture, "POST", "/message/send", body), 200);
    }
}

TEST(a_page_that_would_be_too_large_is_shorter_and_says_so)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    fixture.options.limits.answer_bytes_max = 64 * 1024;
    http_fixture_start(&fixture);
    send_large(&fixture, 5);

    CHECK_EQ(http_fixture_call(&fixture, "POST", "/channel/messagesync",
                               "{\"login_uid\":\"u1\",\"channel_id\":\"u2\",\"channel_type\":1,"
                               "\"limit\":10}"),
             200);
    CHECK(has(&fixture, "\"more\":1,"));
    CHECK(has(&fixture, "\"message_seq\":5,"));
    CHECK(!has(&fixture, "\"message_seq\":4,"));
    CHECK_EQ(http_fixture_call(&fixture, "POST", "/conversation/sync",
                               "{\"uid\":\"u2\",\"msg_count\":10}"),
             200);
    CHECK(has(&fixture, "\"message_seq\":5,"));
    CHECK(!has(&fixture, "\"message_seq\":4,"));
    CHECK_REFUSED(&fixture, "/messages",
                  "{\"login_uid\":\"u1\",\"channel_id\":\"u2\",\"channel_type\":1,"
                  "\"message_seqs\":[1,2,3,4,5]}",
                  "the answer would be too large: ask for less");

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(an_answer_that_grows_does_not_wait_for_its_own_memory)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    fixture.options.memory_bytes = 3584 * 1024; /* as with `memory: 48M` */
    fixture.options.limits.connections_max = 16;
    fixture.options.limits.body_bytes_max = 64 * 1024;
    http_fixture_start(&fixture);
    send_large(&fixture, 20);

    CHECK_EQ(http_fixture_call(&fixture, "POST", "/messages",
                               "{\"login_uid\":\"u1\",\"channel_id\":\"u2\",\"channel_type\":1,"
                               "\"message_seqs\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,"
                               "20]}"),
             200);
    CHECK(has(&fixture, "\"message_seq\":20,"));
    static char body[2048];
    size_t size = (size_t)snprintf(body, sizeof(body),
                                   "{\"login_uid\":\"u1\",\"channel_id\":\"u2\","
                                   "\"channel_type\":1,\"message_seqs\":[1");
    for (uint32_t i = 0; i < 200; i++) {
        size += (size_t)snprintf(body + size, sizeof(body) - size, ",%u", i % 20 + 1);
    }
    snprintf(body + size, sizeof(body) - size, "]}");
    CHECK_REFUSED(&fixture, "/messages", body, "the answer would be too large: ask for less");

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(messages_are_found_by_seq_id_and_number)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);
    send_many(&fixture, 5);
    CHECK_EQ(http_fixture_call(&fixture, "POST", "/message/send",
                               GROUP(",\"client_msg_no\":\"same\",\"from_uid\":\"x\"" PAYLOAD)),
             200);
    CHECK_EQ(http_fixture_call(&fixture, "POST", "/message/send",
                               GROUP(",\"client_msg_no\":\"same\",\"from_uid\":\"y\"" PAYLOAD)),
             200);
    const char *id = strstr(http_fixture_body(&fixture), "\"message_id\":") + 13;
    static char body[256];
    snprintf(
        body, sizeof(body),
        "{\"login_uid\":\"u1\",\"channel_id\":\"u2\",\"channel_type\":1,\"message_seqs\":[5,99],"
        "\"message_ids\":[%.*s,7],\"client_msg_nos\":[\"m3\",\"none\",\"m5\"]}",
        (int)strcspn(id, "}"), id);

    CHECK_EQ(http_fixture_call(&fixture, "POST", "/messages", body), 200);
    const char *found = http_fixture_body(&fixture);
    static const char *const expected[] = {
        "\"m5\",\"message_seq\":5,", "\"same\",\"message_seq\":2,", "\"m3\",\"message_seq\":3,",
        "\"m5\",\"message_seq\":5,"};
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        found = strstr(found, expected[i]);
        CHECK(found != NULL);
        found++;
    }
    CHECK_EQ(http_fixture_call(&fixture, "POST", "/message",
                               "{\"channel_id\":\"g1\",\"channel_type\":2,"
                               "\"client_msg_no\":\"same\"}"),
             200);
    CHECK(has(&fixture, "\"message_seq\":2,\"from_uid\":\"y\"")); /* the newest */
    CHECK_EQ(http_fixture_call(
                 &fixture, "GET",
                 "/message/byclientmsgno?channel_id=g1&channel_type=2&client_msg_no=same", NULL),
             200);
    CHECK(has(&fixture, "\"message_seq\":1,\"from_uid\":\"x\"")); /* the oldest */
    CHECK_POST(&fixture, "/message",
               "{\"channel_id\":\"g1\",\"channel_type\":2,\"client_msg_no\":\"m3\"}",
               "{\"status\":404}");
    CHECK_GET(&fixture, "/channel/last_message?channel_id=none&channel_type=2", "{\"status\":404}");

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(conversations_show_what_is_unread)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);
    CHECK_POST(&fixture, "/channel", GROUP(",\"subscribers\":[\"u1\",\"u2\"]"), STATUS_OK);
    CHECK_POST(&fixture, "/conversation/sync", "{\"uid\":\"u2\",\"msg_count\":1}", "[]");
    send_person(&fixture, "u1", "u2", "m1");
    send_person(&fixture, "u2", "u1", "m2");
    send_person(&fixture, "u1", "u2", "m3");

    CHECK_EQ(http_fixture_call(&fixture, "POST", "/conversation/sync",
                               "{\"uid\":\"u2\",\"msg_count\":1}"),
             200);
    CHECK(has(&fixture, "[{\"channel_id\":\"u1\",\"channel_type\":1,\"unread\":1,\"timestamp\":"));
    CHECK(has(&fixture, "\"last_msg_seq\":3,\"last_client_msg_no\":\"m3\",\"offset_msg_seq\":0,"
                        "\"readed_to_msg_seq\":2,\"version\":"));
    CHECK(has(&fixture, "000000000,\"recents\":[{\"header\":"));
    CHECK_EQ(http_fixture_call(&fixture, "POST", "/conversation/sync",
                               "{\"uid\":\"u1\",\"msg_count\":5}"),
             200);
    CHECK(has(&fixture, "[{\"channel_id\":\"u2\",\"channel_type\":1,\"unread\":0,"));
    const char *newest = strstr(http_fixture_body(&fixture), "\"message_seq\":3,");
    CHECK(newest != NULL);
    CHECK(strstr(newest, "\"message_seq\":1,") != NULL); /* newest first */

    CHECK_POST(&fixture, "/conversation/sync",
               "{\"uid\":\"u2\",\"msg_count\":1,\"last_msg_seqs\":\"u1:1:3\"}", "[]");
    CHECK_POST(&fixture, "/conversation/sync",
               "{\"uid\":\"u2\",\"msg_count\":1,\"exclude_channel_types\":[1]}", "[]");
    CHECK_EQ(http_fixture_call(&fixture, "POST", "/conversation/sync",
                               "{\"uid\":\"u2\",\"msg_count\":1,\"exclude_channel_types\":[1],"
                               "\"last_msg_seqs\":\"u1:1:2\"}"),
             200);
    CHECK(has(&fixture, "\"message_seq\":3,"));
    CHECK_POST(&fixture, "/conversation/sync", "{\"uid\":\"u2\"}", "[]");
    CHECK_POST(&fixture, "/conversation/channels", "{\"uid\":\"u2\"}",
               "[{\"channel_id\":\"u2@u1\",\"channel_type\":1},"
               "{\"channel_id\":\"g1\",\"channel_type\":2}]");

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(a_long_list_is_the_same_when_no_end_of_a_log_is_known)
{
    static struct http_fixture fixture;
    static char before[FIXTURE_ANSWER_BYTES];
    static const char question[] = "{\"uid\":\"u\",\"msg_count\":1}";
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);
    for (uint32_t i = 0; i < 3 * FORERUNNER_WORTH_IT; i++) {
        char peer[16];
        snprintf(peer, sizeof(peer), "p%u", i);
        send_person(&fixture, peer, "u", "m1");
    }
    CHECK_EQ(http_fixture_call(&fixture, "POST", "/conversation/sync", question), 200);
    snprintf(before, sizeof(before), "%s", http_fixture_body(&fixture));
    for (uint32_t round = 0; round < 3; round++) {
        struct store_rest rest = {.lasts_bytes = 0};
        while (rest.lasts_bytes == 0) { /* it rests only while nobody is inside */
            store_rest(fixture.store, &rest);
        }
        CHECK_POST(&fixture, "/conversation/sync", question, before);
    }
    CHECK_EQ(http_fixture_call(&fixture, "POST", "/conversation/sync", question), 200);
    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(a_sync_by_channels_answers_each_in_order)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);
    send_person(&fixture, "u1", "u2", "m1");

    CHECK_REFUSED(&fixture, "/conversation/syncByChannels", "{}", "uid cannot be empty");
    CHECK_REFUSED(&fixture, "/conversation/syncByChannels", "{\"uid\":\"u2\"}",
                  "channels cannot be empty");
    CHECK_EQ(http_fixture_call(&fixture, "POST", "/conversation/syncByChannels",
                               "{\"uid\":\"u2\",\"channels\":[{\"channel_id\":\"none\","
                               "\"channel_type\":2},{\"channel_id\":\"u1\",\"channel_type\":1}]}"),
             200);
    CHECK(has(&fixture, "[{\"channel_id\":\"none\",\"channel_type\":2,\"unread\":0,\"timestamp\":0,"
                        "\"last_msg_seq\":0,\"last_client_msg_no\":\"\",\"offset_msg_seq\":0,"
                        "\"readed_to_msg_seq\":0,\"version\":0,\"recents\":[]},"
                        "{\"channel_id\":\"u1\",\"channel_type\":1,\"unread\":1,"));

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

static void wait_for_another_millisecond(void)
{
    const uint64_t now_ms = clock_wall_ms();
    while (clock_wall_ms() <= now_ms) {
        usleep(100);
    }
}

TEST(of_too_many_conversations_the_newest_are_shown)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    fixture.options.limits.conversations_max = 10;
    http_fixture_start(&fixture);
    static char body[256];
    for (uint32_t i = 0; i < 25; i++) {
        snprintf(body, sizeof(body), "p%02u", (i * 7) % 25); /* not in the order of their names */
        send_person(&fixture, "u1", body, "m");
        wait_for_another_millisecond(); /* their times differ */
    }

    CHECK_EQ(http_fixture_call(&fixture, "POST", "/conversation/sync",
                               "{\"uid\":\"u1\",\"msg_count\":1}"),
             200);
    const char *found = http_fixture_body(&fixture);
    for (uint32_t i = 25; i-- > 15;) {
        snprintf(body, sizeof(body), "{\"channel_id\":\"p%02u\",\"channel_type\":1,\"unread\":0",
                 (i * 7) % 25);
        found = strstr(found, body);
        CHECK(found != NULL);
    }
    CHECK(!has(&fixture, "\"channel_id\":\"p23\"")); /* the fifteenth */
    CHECK_EQ(http_fixture_call(&fixture, "POST", "/conversation/sync",
                               "{\"uid\":\"u1\",\"msg_count\":1,\"page\":4,\"page_size\":3}"),
             200);
    CHECK(has(&fixture, "[{\"channel_id\":\"p05\"")); /* the tenth, alone */
    CHECK(!has(&fixture, "]},{"));
    CHECK_POST(&fixture, "/conversation/sync",
               "{\"uid\":\"u1\",\"msg_count\":1,\"page\":5,\"page_size\":3}", "[]");

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

TEST(route_tells_the_addresses)
{
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);

    CHECK_GET(&fixture, "/route?uid=u1001",
              "{\"tcp_addr\":\"203.0.113.7:5100\",\"ws_addr\":\"ws://203.0.113.7:5200\","
              "\"wss_addr\":\"\"}");
    CHECK_GET(&fixture, "/route?intranet=1",
              "{\"tcp_addr\":\"10.0.0.7:5100\",\"ws_addr\":\"\",\"wss_addr\":\"\"}");
    CHECK_POST(&fixture, "/route/batch", "[\"u1001\",\"u1002\"]",
               "[{\"tcp_addr\":\"203.0.113.7:5100\",\"ws_addr\":\"ws://203.0.113.7:5200\","
               "\"wss_addr\":\"\",\"uids\":[\"u1001\",\"u1002\"]}]");
    CHECK_EQ(http_fixture_call(&fixture, "POST", "/route/batch", "null"), 200);
    CHECK(has(&fixture, "\"uids\":null}]"));
    CHECK_EQ(http_fixture_call(&fixture, "GET", "/metrics", NULL), 200);
    CHECK(has(&fixture, "jingu_http_requests_total{status=\"2xx\"} 4\n"));

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

static void expose_more_than_there_is_room_for(void *context, struct writer *writer)
{
    (void)context;
    while (!writer->is_full) {
        writer_bytes_add(writer, BYTES_OF("more "));
    }
}

static enum err show_nothing(void *context, const struct http_page_query *query, struct writer *out)
{
    (void)context;
    (void)query;
    (void)out;
    return ERR_IO;
}

TEST(a_page_that_cannot_be_made_is_told)
{
    static const struct http_page page = {
        .path = "/ledger", .content_type = "text/plain", .write = show_nothing, .size = 100};
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    fixture.options.expose = expose_more_than_there_is_room_for;
    fixture.options.pages = &page;
    fixture.options.pages_count = 1;
    http_fixture_start(&fixture);

    CHECK_CALL(&fixture, "GET", "/metrics", NULL, 400,
               "{\"msg\":\"the metrics do not fit\",\"status\":400}");
    CHECK_CALL(&fixture, "GET", "/ledger", NULL, 400,
               "{\"msg\":\"this cannot be shown now\",\"status\":400}");
    CHECK_GET(&fixture, "/ledger/history", "{\"status\":404}"); /* there is no such page here */

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}

/* ---- When memory is short. ---- */

TEST(whatever_is_refused_memory_is_answered_or_closed_and_leaves_nothing_behind)
{
    static const char *const requests[][2] = {
        {"/message/send", GROUP(",\"client_msg_no\":\"m\"" PAYLOAD)},
        {"/message/sendbatch",
         "{\"from_uid\":\"u\",\"subscribers\":[\"a\",\"b\",\"c\"]" PAYLOAD "}"},
        {"/channel", GROUP(",\"reset\":1,\"subscribers\":[\"a\",\"b\"]")},
        {"/user/token", "{\"uid\":\"u\",\"token\":\"t\"}"},
        {"/user/systemuids_add", "{\"uids\":[\"s\"]}"},
        {"/user/onlinestatus", "[\"u\",\"a\"]"},
        {"/conversation/sync", "{\"uid\":\"a\",\"msg_count\":3,\"last_msg_seqs\":\"x:1:1\"}"},
        {"/messages", GROUP(",\"message_seqs\":[1],\"client_msg_nos\":[\"m\"]")},
        {"/channel", ""},
    };
    static struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);

    for (uint32_t nth = 1; nth <= 24; nth++) {
        for (size_t i = 0; i < COUNT_OF(requests); i++) {
            memory_refuse(nth, nth % 2 == 0);
            const int status = http_fixture_call(&fixture, "POST", requests[i][0], requests[i][1]);
            CHECK(status == 200 || status == 400 || status == 0);
            memory_refuse(0, false);
        }
    }
    for (size_t i = 0; i + 1 < COUNT_OF(requests); i++) {
        CHECK_EQ(http_fixture_call(&fixture, "POST", requests[i][0], requests[i][1]), 200);
    }

    http_fixture_stop(&fixture);
    http_fixture_deinit(&fixture);
}
