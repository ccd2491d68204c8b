#include "edge/http_glance.h"

#include "support/test.h"

#define HOST "Host: x\r\n"

TEST(what_has_come_of_a_request_is_seen)
{
    static const struct {
        const char *seen;
        enum http_glance_kind kind;
    } rows[] = {
        {"", HTTP_GLANCE_HEAD},
        {"\r\n", HTTP_GLANCE_HEAD},
        {"GET /health HT", HTTP_GLANCE_HEAD},
        {"GET /health HTTP/1.1\r\n" HOST, HTTP_GLANCE_HEAD},
        {"GET /health HTTP/1.1\r\n" HOST "\r", HTTP_GLANCE_HEAD},
        {"GET /health HTTP/1.1\r\n" HOST "\r\n", HTTP_GLANCE_WHOLE},
        {"\r\nGET /health HTTP/1.1\r\n" HOST "\r\n", HTTP_GLANCE_WHOLE},
        {"GET /health HTTP/1.1\nHost: x\n\n", HTTP_GLANCE_WHOLE},
        {"GET / HTTP/1.1\r\n" HOST "\r\nGET / HTTP", HTTP_GLANCE_WHOLE}, /* and the next one */
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\n", HTTP_GLANCE_BODY},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\n{}", HTTP_GLANCE_BODY},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\n{ }", HTTP_GLANCE_WHOLE},
        {"POST / HTTP/1.1\r\n" HOST "content-length:\t3\r\n\r\n{ }", HTTP_GLANCE_WHOLE},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", HTTP_GLANCE_WHOLE},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", HTTP_GLANCE_BODY},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
         HTTP_GLANCE_WHOLE},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CHECK_EQ(http_glance(bytes_of_string(rows[i].seen)).kind, rows[i].kind);
    }
}

TEST(what_is_no_http_is_for_who_answers_it)
{
    static const char *const rows[] = {
        "\x16\x03\x01\n",
        "hello\r\n",
        " GET / HTTP/1.1\r\n",
        "get / HTTP/1.1\r\n",
        "GET /\r\n",
        "GET / HTTP/2.0\r\n",
        "GET / HTTP/1.1\r\nA: b\rc\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CHECK_EQ(http_glance(bytes_of_string(rows[i])).kind, HTTP_GLANCE_UNCLEAR);
    }
}

TEST(who_asks_how_the_server_is_is_seen)
{
    static const struct {
        const char *line;
        bool is_monitor;
    } rows[] = {
        {"GET /health HTTP/1.1\r\n\r\n", true},     {"GET /metrics HTTP/1.0\r\n\r\n", true},
        {"GET /ledger?a=b HTTP/1.1\r\n\r\n", true}, {"GET /ledger/top HTTP/1.1\r\n\r\n", false},
        {"POST /health HTTP/1.1\r\n\r\n", false},   {"GET /healthy HTTP/1.1\r\n\r\n", false},
        {"GET /route HTTP/1.1\r\n\r\n", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CHECK_EQ(http_glance(bytes_of_string(rows[i].line)).is_monitor, rows[i].is_monitor);
    }
    const struct http_glance glance =
        http_glance(BYTES_OF("GET /ledger HTTP/1.1\r\nToken:  abc\r\nHost: x\r\n\r\n"));
    CHECK(bytes_equal(glance.token, BYTES_OF("abc")));
}

TEST(every_beginning_of_a_request_is_its_beginning)
{
    static const char text[] =
        "POST /message/send HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{\"a\":\"b\"}";
    for (size_t size = 0; size < sizeof(text) - 1; size++) {
        const struct bytes seen = {.data = (const uint8_t *)text, .size = size};
        const bool has_head = size >= sizeof(text) - 1 - 9;
        CHECK_EQ(http_glance(seen).kind, has_head ? HTTP_GLANCE_BODY : HTTP_GLANCE_HEAD);
    }
}
