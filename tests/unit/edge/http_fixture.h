/*
 * http_fixture.h -- a server without client connections: two shards, a store, the HTTP thread.
 *
 * Everything is real but the sessions: a test session is logged in on its user's shard,
 * and what the domain tells it is counted. Requests go through a real socket.
 * http_fixture_deinit checks that everything was given back.
 */
#pragma once

#include "chat/chat.h"
#include "chat/system_accounts.h"
#include "edge/http.h"
#include "support/test.h"
#include "system/socket.h"

#define FIXTURE_SHARDS       2u
#define FIXTURE_SESSIONS_MAX 16u
#define FIXTURE_ANSWER_BYTES (4u * 1024u * 1024u)

#define FIXTURE_STREAMS_BYTES    (256u * 1024u) /* of each shard */
#define FIXTURE_STREAM_BYTES_MAX (64u * 1024u)  /* of one stream's contents */

struct http_fixture;

/* A logged-in device. */
struct test_session {
    struct session session;
    struct letter letter;
    struct http_fixture *fixture;
    struct bytes uid;
    struct wakeup done; /* of what was asked of its shard */
    _Atomic uint32_t pushes;
    _Atomic uint32_t events;
    _Atomic uint32_t kicks_spoken;
    _Atomic uint32_t kick_delay_ms;
};

struct test_core {
    struct shard shard;
    struct chat chat;
    struct thread thread;
    _Atomic bool is_stopping;
};

struct http_fixture {
    char path[64];
    struct budget budget;
    struct budget committer_budget;
    struct store *store;
    struct metrics metrics;
    struct readers readers;
    struct journal journal;
    struct chat_settings chat_settings;
    struct test_core cores[FIXTURE_SHARDS];
    struct shard *shards[FIXTURE_SHARDS];
    struct http_options options; /* may be changed between init and start */
    struct http http;
    uint16_t port;
    struct test_session sessions[FIXTURE_SESSIONS_MAX];
    uint32_t sessions_count;
    char answer[FIXTURE_ANSWER_BYTES]; /* of the last request; terminated */
    size_t answer_size;
};

/* A new directory, and options with 64 MiB for HTTP. */
void http_fixture_init(struct http_fixture *fixture);
void http_fixture_start(struct http_fixture *fixture);
void http_fixture_stop(struct http_fixture *fixture);
void http_fixture_deinit(struct http_fixture *fixture);

/* Logs a device of this user in. Valid until the fixture stops. */
struct test_session *http_fixture_login(struct http_fixture *fixture, const char *uid,
                                        uint8_t device_flag);

/* A connected socket that blocks. */
int http_fixture_connect(const struct http_fixture *fixture);

/* Writes all of it. */
void http_fixture_write(int fd, const void *data, size_t size);

/* Reads one answer into fixture->answer: its status; 0: the connection was closed. The body is
 * http_fixture_body. */
int http_fixture_read(struct http_fixture *fixture, int fd);

/* One request on a connection of its own. `body` is NULL for none. Returns the status. */
int http_fixture_call(struct http_fixture *fixture, const char *method, const char *path,
                      const char *body);

/* The body and the headers of the last answer, terminated. */
const char *http_fixture_body(const struct http_fixture *fixture);
bool http_fixture_has_header(const struct http_fixture *fixture, const char *line);

/* Checks the status and the whole body. */
#define CHECK_CALL(fixture, method, path, body, status, expected)                                  \
    do {                                                                                           \
        CHECK_EQ(http_fixture_call((fixture), (method), (path), (body)), (status));                \
        CHECK_STRING(http_fixture_body(fixture), (expected));                                      \
    } while (0)
#define CHECK_POST(fixture, path, body, expected)                                                  \
    CHECK_CALL(fixture, "POST", path, body, 200, expected)
#define CHECK_GET(fixture, path, expected) CHECK_CALL(fixture, "GET", path, NULL, 200, expected)
#define CHECK_REFUSED(fixture, path, body, text)                                                   \
    CHECK_CALL(fixture, "POST", path, body, 400, "{\"msg\":\"" text "\",\"status\":400}")

#define STATUS_OK "{\"status\":200}"
