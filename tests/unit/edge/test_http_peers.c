#include "edge/http_peers.h"

#include "memory/budget.h"
#include "support/test.h"
#include "telemetry/metric.h"

#include <sys/socket.h>
#include <unistd.h>

#define LIMIT     8u
#define SILENCE_S 60u
#define NS_PER_MS 1000000ull

/* Peers on socket pairs; `theirs` are the ends of the clients. */
struct bench {
    struct budget budget;
    struct metrics metrics;
    struct loop loop;
    struct http_peers peers;
    struct http_peer *places[LIMIT];
    int ours[LIMIT];
    int theirs[LIMIT];
    uint32_t count;
};

static void open_bench(struct bench *bench)
{
    *bench = (struct bench){.count = 0};
    budget_init(&bench->budget, "test", NULL, BUDGET_UNLIMITED);
    CHECK_OK(metrics_open(&bench->metrics, &bench->budget, 1));
    CHECK_OK(loop_open(&bench->loop));
    bench->peers.loop = &bench->loop;
    bench->peers.slot = metrics_slot(&bench->metrics, 0);
    CHECK_OK(http_peers_open(&bench->peers, &bench->budget, LIMIT, SILENCE_S));
}

static void close_bench(struct bench *bench)
{
    for (uint32_t i = 0; i < bench->count; i++) {
        http_peers_remove(&bench->peers, bench->places[i]);
        close(bench->ours[i]);
        close(bench->theirs[i]);
    }
    http_peers_close(&bench->peers);
    loop_close(&bench->loop);
    metrics_close(&bench->metrics);
    CHECK_EQ(budget_used(&bench->budget), 0);
}

static void connect_until(struct bench *bench, uint32_t count)
{
    for (; bench->count < count; bench->count++) {
        int pair[2];
        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        bench->ours[bench->count] = pair[0];
        bench->theirs[bench->count] = pair[1];
        bench->places[bench->count] = http_peers_add(&bench->peers, pair[0], 0);
        CHECK(bench->places[bench->count] != NULL);
    }
}

static uint64_t ended(const struct bench *bench)
{
    return metrics_sum(&bench->metrics, METRIC_HTTP_LATE);
}

static bool is_open(const struct bench *bench, uint32_t index)
{
    char byte;
    return recv(bench->theirs[index], &byte, 1, MSG_DONTWAIT) != 0;
}

TEST(the_fuller_it_is_the_sooner_a_silent_connection_is_ended)
{
    static const struct {
        uint32_t count;
        uint64_t patience_ms;
    } rows[] = {{LIMIT / 2, SILENCE_S * 1000}, {LIMIT - 1, HTTP_PRESSED_MS}, {LIMIT, HTTP_FULL_MS}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        static struct bench bench;
        open_bench(&bench);
        connect_until(&bench, rows[i].count);
        http_peers_review(&bench.peers, rows[i].patience_ms * NS_PER_MS);
        CHECK_EQ(ended(&bench), 0);
        http_peers_review(&bench.peers, (rows[i].patience_ms + HTTP_PEERS_REVIEW_MS) * NS_PER_MS);
        CHECK_EQ(ended(&bench), rows[i].count);
        CHECK(!is_open(&bench, 0));
        close_bench(&bench);
    }
}

TEST(a_place_is_for_a_turn_when_all_are_taken)
{
    const uint64_t turn_ns = HTTP_TURN_MS * NS_PER_MS;
    static struct bench bench;
    open_bench(&bench);
    connect_until(&bench, LIMIT - 1);
    CHECK(!http_peer_has_had_its_turn(&bench.peers, bench.places[0], 10 * turn_ns));
    connect_until(&bench, LIMIT);
    CHECK(!http_peer_has_had_its_turn(&bench.peers, bench.places[0], turn_ns - 1));
    http_peer_was_served(bench.places[0], turn_ns - 1); /* it is not silence that counts */
    CHECK(http_peer_has_had_its_turn(&bench.peers, bench.places[0], turn_ns));
    CHECK(!http_peer_has_had_its_turn(&bench.peers, NULL, turn_ns));
    close_bench(&bench);
}

TEST(the_end_of_a_peer_is_told_once)
{
    static struct bench bench;
    open_bench(&bench);
    connect_until(&bench, 1);
    http_peer_is_served(bench.places[0]);
    CHECK_EQ(shutdown(bench.theirs[0], SHUT_WR), 0);
    loop_poll(&bench.loop, 0);
    CHECK_EQ(bench.loop.events_count, 1);
    http_peers_on_event(&bench.peers, bench.loop.events[0].cookie);
    for (uint64_t i = 1; i <= 3; i++) { /* what a review does to it must wake nobody up */
        http_peers_review(&bench.peers, i * HTTP_PEERS_REVIEW_MS * NS_PER_MS);
        loop_poll(&bench.loop, 0);
        CHECK_EQ(bench.loop.events_count, 0);
    }
    close_bench(&bench);
}

TEST(a_request_that_is_ours_to_answer_has_its_time_however_full_it_is)
{
    static struct bench bench;
    open_bench(&bench);
    connect_until(&bench, LIMIT);
    http_peer_is_served(bench.places[0]);
    http_peer_was_served(bench.places[1], HTTP_FULL_MS * NS_PER_MS);
    http_peers_review(&bench.peers, (HTTP_FULL_MS + 1) * NS_PER_MS);
    CHECK_EQ(ended(&bench), LIMIT - 2);
    CHECK(is_open(&bench, 0));
    CHECK(is_open(&bench, 1)); /* it has just had its answer */
    CHECK(!is_open(&bench, 2));
    close_bench(&bench);
}
