#include "edge/http_lobby.h"

#include "memory/budget.h"
#include "support/test.h"
#include "telemetry/metric.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define CAPACITY    4u
#define CLIENTS_MAX 8u
#define SILENCE_MS  60000u
#define COOKIE      100u
#define NS_PER_MS   1000000ull
#define WHOLE       "GET /route HTTP/1.1\r\nHost: x\r\n\r\n"
#define MONITOR     "GET /ledger HTTP/1.1\r\nHost: x\r\n\r\n"
#define NO_BODY     "POST /route HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"

struct bench {
    struct budget budget;
    struct metrics metrics;
    struct loop loop;
    struct hash_key key;
    struct http_shares seated;
    struct http_lobby lobby;
    int listener;
    int clients[CLIENTS_MAX];
    uint32_t clients_count;
};

static bool trust_all(void *context, const struct http_glance *glance,
                      const struct address *address)
{
    (void)context;
    (void)glance;
    (void)address;
    return true;
}

static void open_bench(struct bench *bench)
{
    *bench = (struct bench){.clients_count = 0};
    budget_init(&bench->budget, "test", NULL, BUDGET_UNLIMITED);
    CHECK_OK(metrics_open(&bench->metrics, &bench->budget, 1));
    CHECK_OK(loop_open(&bench->loop));
    struct address address;
    CHECK_OK(address_resolve("127.0.0.1", 0, &address));
    CHECK_OK(socket_listen(&address, &bench->listener));
    const struct http_lobby_options options = {.budget = &bench->budget,
                                               .loop = &bench->loop,
                                               .slot = metrics_slot(&bench->metrics, 0),
                                               .cookie_base = COOKIE,
                                               .listener = bench->listener,
                                               .capacity = CAPACITY,
                                               .silence_ns = SILENCE_MS * NS_PER_MS,
                                               .key = &bench->key,
                                               .seated = &bench->seated,
                                               .is_trusted = trust_all};
    CHECK_OK(http_lobby_open(&bench->lobby, &options));
}

static void close_bench(struct bench *bench)
{
    http_lobby_close(&bench->lobby);
    CHECK_EQ(metrics_sum(&bench->metrics, METRIC_HTTP_LOBBY), 0);
    for (uint32_t i = 0; i < bench->clients_count; i++) {
        close(bench->clients[i]);
    }
    socket_close(bench->listener);
    loop_close(&bench->loop);
    metrics_close(&bench->metrics);
    CHECK_EQ(budget_used(&bench->budget), 0);
}

/* What is written before the connection is accepted lies there when it is looked at. */
static int come(struct bench *bench, const char *text)
{
    struct address address;
    CHECK_OK(address_resolve("127.0.0.1", socket_port(bench->listener), &address));
    struct sockaddr_storage storage;
    const socklen_t size = address_to_kernel(&address, &storage);
    const int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(connect(fd, (const struct sockaddr *)&storage, size), 0);
    CHECK_EQ(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    bench->clients[bench->clients_count++] = fd;
    return fd;
}

static void let_in(struct bench *bench, uint64_t now_ms)
{
    bench->lobby.may_be_others = true;
    http_lobby_let_in(&bench->lobby, now_ms * NS_PER_MS);
}

/* Until `line` has so many; what was sent on the loopback comes, but nobody says when. */
static void wait_for_line(struct bench *bench, enum http_lobby_line line, uint32_t count)
{
    while (bench->lobby.waiting[line] != count) {
        loop_poll(&bench->loop, 1000);
        for (uint32_t i = 0; i < bench->loop.events_count; i++) {
            http_lobby_on_event(&bench->lobby, &bench->loop.events[i]);
        }
    }
}

static bool is_open(int fd)
{
    char byte;
    /* what it had sent and nobody has read makes the end an error */
    return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* Takes the next one: which of the clients it is. */
static uint32_t take_next(struct bench *bench)
{
    const struct http_guest *guest = http_lobby_next(&bench->lobby);
    CHECK(guest != NULL);
    const struct http_guest taken = http_lobby_take(&bench->lobby, guest);
    const uint16_t port = taken.address.port;
    socket_close(taken.fd);
    for (uint32_t i = 0; i < bench->clients_count; i++) {
        if (socket_port(bench->clients[i]) == port) {
            return i;
        }
    }
    return UINT32_MAX;
}

TEST(who_has_not_said_what_he_wants_waits_for_nothing)
{
    static struct bench bench;
    open_bench(&bench);
    const int fd = come(&bench, "GET /route HT");
    let_in(&bench, 1);
    CHECK_EQ(bench.lobby.count, 1);
    CHECK_EQ(http_lobby_waiting(&bench.lobby), 0);
    CHECK(http_lobby_next(&bench.lobby) == NULL);
    CHECK_EQ(send(fd, "TP/1.1\r\nHost: x\r\n\r\n", 19, MSG_NOSIGNAL), 19);
    wait_for_line(&bench, HTTP_LINE_WHOLE, 1);
    CHECK_EQ(take_next(&bench), 0);
    close_bench(&bench);
}

TEST(a_request_that_becomes_whole_changes_its_line)
{
    static struct bench bench;
    open_bench(&bench);
    const int fd = come(&bench, NO_BODY);
    let_in(&bench, 1);
    wait_for_line(&bench, HTTP_LINE_BODY, 1);
    CHECK_EQ(send(fd, "{}", 2, MSG_NOSIGNAL), 2);
    wait_for_line(&bench, HTTP_LINE_WHOLE, 1);
    CHECK_EQ(bench.lobby.waiting[HTTP_LINE_BODY], 0);
    close_bench(&bench);
}

TEST(who_goes_before_he_has_said_what_he_wants_is_forgotten)
{
    static struct bench bench;
    open_bench(&bench);
    const int fd = come(&bench, "GET /route HT");
    let_in(&bench, 1);
    CHECK_EQ(shutdown(fd, SHUT_WR), 0);
    while (bench.lobby.count > 0) {
        wait_for_line(&bench, HTTP_LINE_WHOLE, 0);
        loop_poll(&bench.loop, 1000);
        for (uint32_t i = 0; i < bench.loop.events_count; i++) {
            http_lobby_on_event(&bench.lobby, &bench.loop.events[i]);
        }
    }
    CHECK(!is_open(fd));
    close_bench(&bench);
}

TEST(of_equals_the_oldest_and_the_newest_take_turns)
{
    static struct bench bench;
    open_bench(&bench);
    for (uint32_t i = 0; i < CAPACITY; i++) {
        come(&bench, WHOLE);
    }
    let_in(&bench, 1);
    wait_for_line(&bench, HTTP_LINE_WHOLE, CAPACITY);
    bool is_first_seen[CAPACITY] = {false};
    bool is_newest_early = false;
    for (uint32_t i = 0; i < CAPACITY; i++) {
        const uint32_t index = take_next(&bench);
        CHECK(index < CAPACITY && !is_first_seen[index]);
        is_first_seen[index] = true;
        is_newest_early |= i < 2 && index == CAPACITY - 1;
    }
    CHECK(is_newest_early);
    close_bench(&bench);
}

TEST(who_holds_fewer_places_is_next)
{
    static struct bench bench;
    open_bench(&bench);
    for (uint32_t i = 0; i < CAPACITY; i++) {
        come(&bench, WHOLE);
    }
    let_in(&bench, 1);
    wait_for_line(&bench, HTTP_LINE_WHOLE, CAPACITY);
    const uint8_t own = bench.lobby.guests[0].share;
    http_share_take(&bench.seated, own);
    bench.lobby.guests[2].share = (uint8_t)(own + 1); /* as if it came from elsewhere */
    http_share_give(&bench.lobby.shares, own);
    http_share_take(&bench.lobby.shares, (uint8_t)(own + 1));
    CHECK_EQ(take_next(&bench), 2);
    close_bench(&bench);
}

TEST(the_body_line_has_its_turn_beside_whole_requests)
{
    static struct bench bench;
    open_bench(&bench);
    come(&bench, NO_BODY);
    for (uint32_t i = 1; i < CAPACITY; i++) {
        come(&bench, WHOLE);
    }
    let_in(&bench, 1);
    wait_for_line(&bench, HTTP_LINE_WHOLE, CAPACITY - 1);
    wait_for_line(&bench, HTTP_LINE_BODY, 1);
    bool has_come = false;
    for (uint32_t i = 0; i + 1 < CAPACITY; i++) { /* before the last of the others */
        has_come |= take_next(&bench) == 0;
    }
    CHECK(has_come);
    close_bench(&bench);
}

TEST(when_it_is_full_the_silent_go_first_and_the_oldest_of_them)
{
    static struct bench bench;
    open_bench(&bench);
    const int whole = come(&bench, WHOLE);
    let_in(&bench, 1);
    wait_for_line(&bench, HTTP_LINE_WHOLE, 1);
    int silent[CAPACITY - 1];
    for (uint32_t i = 0; i < CAPACITY - 1; i++) {
        silent[i] = come(&bench, "GET ");
        let_in(&bench, 2 + i);
    }
    CHECK_EQ(bench.lobby.count, CAPACITY);
    const int late = come(&bench, MONITOR);
    let_in(&bench, HTTP_SILENT_MS); /* nobody has been silent for long enough */
    CHECK_EQ(bench.lobby.count, CAPACITY);
    CHECK_EQ(metrics_sum(&bench.metrics, METRIC_HTTP_ENDED_SILENT), 0);
    let_in(&bench, HTTP_SILENT_MS + 3);
    CHECK_EQ(metrics_sum(&bench.metrics, METRIC_HTTP_ENDED_SILENT), 1);
    wait_for_line(&bench, HTTP_LINE_MONITOR, 1);
    CHECK(!is_open(silent[0]));
    CHECK(is_open(silent[1]));
    CHECK(is_open(whole));
    CHECK(is_open(late));
    CHECK(http_lobby_monitor(&bench.lobby) != NULL);
    close_bench(&bench);
}

TEST(a_full_lobby_of_whole_requests_lets_nobody_more_in)
{
    static struct bench bench;
    open_bench(&bench);
    for (uint32_t i = 0; i < CAPACITY + 1; i++) {
        come(&bench, WHOLE);
    }
    let_in(&bench, 1);
    wait_for_line(&bench, HTTP_LINE_WHOLE, CAPACITY);
    let_in(&bench, SILENCE_MS * 2); /* they are owed an answer */
    CHECK_EQ(bench.lobby.count, CAPACITY);
    (void)take_next(&bench);
    let_in(&bench, SILENCE_MS * 2);
    CHECK_EQ(bench.lobby.count, CAPACITY);
    close_bench(&bench);
}

TEST(silence_has_its_end_when_there_is_room_too)
{
    static struct bench bench;
    open_bench(&bench);
    const int fd = come(&bench, "GET ");
    let_in(&bench, 1);
    let_in(&bench, SILENCE_MS + 1);
    CHECK_EQ(bench.lobby.count, 1);
    let_in(&bench, SILENCE_MS + 2);
    CHECK_EQ(bench.lobby.count, 0);
    CHECK_EQ(metrics_sum(&bench.metrics, METRIC_HTTP_LATE), 1);
    CHECK(!is_open(fd));
    close_bench(&bench);
}
