#include "edge/http_peers.h"

#include "memory/budget.h"
#include "support/test.h"
#include "telemetry/metric.h"

#include <sys/socket.h>
#include <unistd.h>

#define LIMIT     8u
#define EXTRA     2u
#define SILENCE_S 60u
#define NS_PER_MS 1000000ull
#define LATER_MS  (HTTP_MOVING_MS + HTTP_ROUND_MS)

/* Peers on connections over the loopback; `theirs` are the ends of the clients. */
struct bench {
    struct budget budget;
    struct metrics metrics;
    struct loop loop;
    struct http_peers peers;
    int listener;
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
    CHECK_OK(http_peers_open(&bench->peers, &bench->budget, LIMIT, EXTRA, SILENCE_S));
    struct address address;
    CHECK_OK(address_resolve("127.0.0.1", 0, &address));
    CHECK_OK(socket_listen(&address, &bench->listener));
}

static void close_bench(struct bench *bench)
{
    for (uint32_t i = 0; i < bench->count; i++) {
        http_peers_remove(&bench->peers, bench->places[i]);
        close(bench->ours[i]);
        close(bench->theirs[i]);
    }
    socket_close(bench->listener);
    http_peers_close(&bench->peers);
    loop_close(&bench->loop);
    metrics_close(&bench->metrics);
    CHECK_EQ(budget_used(&bench->budget), 0);
}

static void connect_one(struct bench *bench, uint8_t share, uint64_t now_ms)
{
    struct address address;
    struct sockaddr_storage storage;
    CHECK_OK(address_resolve("127.0.0.1", socket_port(bench->listener), &address));
    const socklen_t size = address_to_kernel(&address, &storage);
    const int theirs = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(connect(theirs, (const struct sockaddr *)&storage, size), 0);
    int ours = -1;
    CHECK_OK(socket_accept(bench->listener, &ours, &address));
    const struct http_seat seat = {.share = share};
    struct http_peer *peer = http_peers_add(&bench->peers, ours, &seat, now_ms * NS_PER_MS);
    CHECK(peer != NULL);
    bench->theirs[bench->count] = theirs;
    bench->ours[bench->count] = ours;
    bench->places[bench->count++] = peer;
}

static void connect_until(struct bench *bench, uint32_t count)
{
    while (bench->count < count) {
        connect_one(bench, 0, 0);
    }
}

static bool make_room(struct bench *bench, uint8_t share, uint64_t now_ms)
{
    return http_peers_make_room(&bench->peers, share, now_ms * NS_PER_MS);
}

static bool is_ending(const struct bench *bench, uint32_t index)
{
    return bench->places[index]->is_ending;
}

/* As when libmicrohttpd has noticed that it was ended. */
static void leave(struct bench *bench, uint32_t index)
{
    CHECK(is_ending(bench, index));
    http_peers_remove(&bench->peers, bench->places[index]);
    bench->places[index] = NULL;
}

/* Bytes that have come: they are there before this returns. */
static void send_to(struct bench *bench, uint32_t index, uint32_t size)
{
    static const char bytes[4096];
    CHECK(size <= sizeof(bytes));
    const uint64_t moved = socket_moved_bytes(bench->ours[index]);
    CHECK_EQ(send(bench->theirs[index], bytes, size, MSG_NOSIGNAL), (ssize_t)size);
    while (socket_moved_bytes(bench->ours[index]) < moved + size) {
        usleep(1000);
    }
}

TEST(a_silent_connection_has_its_time_however_many_there_are)
{
    static struct bench bench;
    open_bench(&bench);
    connect_until(&bench, LIMIT);
    http_peer_does(bench.places[0], HTTP_OURS, 0);                  /* our time */
    http_peer_does(bench.places[1], HTTP_COMING, 1000 * NS_PER_MS); /* the same silence */
    http_peers_review(&bench.peers, SILENCE_S * 1000 * NS_PER_MS);
    CHECK_EQ(metrics_sum(&bench.metrics, METRIC_HTTP_LATE), 0);
    http_peers_review(&bench.peers, (SILENCE_S * 1000 + HTTP_PEERS_REVIEW_MS) * NS_PER_MS);
    CHECK_EQ(metrics_sum(&bench.metrics, METRIC_HTTP_LATE), LIMIT - 1);
    CHECK(!is_ending(&bench, 0));
    close_bench(&bench);
}

TEST(a_place_is_for_a_turn_when_others_wait)
{
    const uint64_t turn_ns = HTTP_TURN_MS * NS_PER_MS;
    static struct bench bench;
    open_bench(&bench);
    connect_until(&bench, LIMIT);
    CHECK(!http_peer_has_had_its_turn(&bench.peers, bench.places[0], 10 * turn_ns));
    http_peers_wait(&bench.peers, 1);
    CHECK(!http_peer_has_had_its_turn(&bench.peers, bench.places[0], turn_ns - 1));
    CHECK(http_peer_has_had_its_turn(&bench.peers, bench.places[0], turn_ns));
    CHECK(!http_peer_has_had_its_turn(&bench.peers, NULL, turn_ns));
    http_peers_wait(&bench.peers, 4 * LIMIT); /* then it is shorter */
    CHECK(http_peer_has_had_its_turn(&bench.peers, bench.places[0], turn_ns / 4));
    close_bench(&bench);
}

TEST(the_end_of_a_peer_is_told_once)
{
    static struct bench bench;
    open_bench(&bench);
    connect_until(&bench, 1);
    http_peer_does(bench.places[0], HTTP_OURS, 0);
    CHECK_EQ(shutdown(bench.theirs[0], SHUT_WR), 0);
    loop_poll(&bench.loop, 10000);
    CHECK_EQ(bench.loop.events_count, 1);
    http_peers_on_event(&bench.peers, bench.loop.events[0].cookie);
    for (uint64_t i = 1; i <= 3; i++) { /* what a review does to it must wake nobody up */
        http_peers_review(&bench.peers, i * HTTP_PEERS_REVIEW_MS * NS_PER_MS);
        loop_poll(&bench.loop, 0);
        CHECK_EQ(bench.loop.events_count, 0);
    }
    close_bench(&bench);
}

TEST(the_longest_idle_goes_first_and_what_is_ours_to_answer_never)
{
    static struct bench bench;
    open_bench(&bench);
    connect_until(&bench, 4);
    http_peers_wait(&bench.peers, 1);
    http_peer_does(bench.places[0], HTTP_OURS, 0);
    http_peer_does(bench.places[1], HTTP_COMING, 0);
    http_peer_does(bench.places[2], HTTP_OURS, 0);
    http_peer_does(bench.places[2], HTTP_IDLE, 1 * NS_PER_MS); /* a little after the other */
    CHECK(!make_room(&bench, 0, HTTP_ROUND_MS - 1));           /* all have just done something */
    CHECK(make_room(&bench, 0, LATER_MS));
    CHECK(is_ending(&bench, 3));
    CHECK(make_room(&bench, 0, LATER_MS));
    CHECK(is_ending(&bench, 2));
    CHECK_EQ(metrics_sum(&bench.metrics, METRIC_HTTP_ENDED_IDLE), 2);
    CHECK(make_room(&bench, 0, LATER_MS));
    CHECK(is_ending(&bench, 1));
    CHECK_EQ(metrics_sum(&bench.metrics, METRIC_HTTP_ENDED_STILL), 1);
    CHECK(!make_room(&bench, 0, 1000ull * LATER_MS));
    CHECK(!is_ending(&bench, 0));
    close_bench(&bench);
}

TEST(an_idle_one_that_has_just_asked_is_not_idle)
{
    static struct bench bench;
    open_bench(&bench);
    connect_until(&bench, 2);
    http_peers_wait(&bench.peers, 1);
    send_to(&bench, 0, 1);
    CHECK(make_room(&bench, 0, LATER_MS));
    CHECK(!is_ending(&bench, 0));
    CHECK(is_ending(&bench, 1));
    close_bench(&bench);
}

TEST(of_those_who_are_busy_the_one_that_moves_least_goes)
{
    static struct bench bench;
    open_bench(&bench);
    connect_until(&bench, 3);
    http_peers_wait(&bench.peers, 1);
    for (uint32_t i = 0; i < 3; i++) {
        http_peer_does(bench.places[i], HTTP_COMING, 0);
    }
    send_to(&bench, 0, 2 * HTTP_MOVING_BYTES);
    send_to(&bench, 1, 4 * HTTP_MOVING_BYTES);
    send_to(&bench, 2, 1);
    CHECK(make_room(&bench, 0, HTTP_ROUND_MS));
    CHECK(is_ending(&bench, 2));
    CHECK(!make_room(&bench, 0, HTTP_MOVING_MS)); /* its place is about to be free */
    leave(&bench, 2);
    CHECK(!make_room(&bench, 0, HTTP_MOVING_MS - 1)); /* they move */
    CHECK(make_room(&bench, 0, HTTP_MOVING_MS));
    CHECK(is_ending(&bench, 0));
    CHECK(!is_ending(&bench, 1));
    CHECK_EQ(metrics_sum(&bench.metrics, METRIC_HTTP_ENDED_SLOW), 1);
    close_bench(&bench);
}

TEST(who_moves_stays_while_there_is_one_who_does_not)
{
    static struct bench bench;
    open_bench(&bench);
    connect_until(&bench, 2);
    http_peers_wait(&bench.peers, 1);
    http_peer_does(bench.places[0], HTTP_COMING, 0);
    http_peer_does(bench.places[1], HTTP_COMING, LATER_MS * NS_PER_MS);
    send_to(&bench, 0, 2 * HTTP_MOVING_BYTES);
    CHECK(!make_room(&bench, 0, LATER_MS + HTTP_ROUND_MS - 1)); /* the other has its time */
    CHECK(make_room(&bench, 0, LATER_MS + HTTP_ROUND_MS));
    CHECK(is_ending(&bench, 1));
    CHECK(!is_ending(&bench, 0));
    close_bench(&bench);
}

TEST(an_address_with_more_than_its_share_gives_first_and_takes_from_itself)
{
    static struct bench bench;
    open_bench(&bench);
    connect_one(&bench, 1, 0); /* moves least, and has one place */
    for (uint32_t i = 0; i < 3; i++) {
        connect_one(&bench, 2, 0);
    }
    for (uint32_t i = 0; i < 4; i++) {
        http_peer_does(bench.places[i], HTTP_COMING, 0);
        send_to(&bench, i, i * HTTP_MOVING_BYTES + 1);
    }
    http_peers_wait(&bench.peers, 1);
    CHECK(make_room(&bench, 1, LATER_MS));
    CHECK(!is_ending(&bench, 0));
    CHECK(is_ending(&bench, 1));
    http_peer_does(bench.places[2], HTTP_OURS, 0); /* of its own none can go now */
    http_peer_does(bench.places[3], HTTP_OURS, 0);
    CHECK(!make_room(&bench, 2, LATER_MS));
    CHECK(make_room(&bench, 3, LATER_MS)); /* for somebody else */
    CHECK(is_ending(&bench, 0));
    close_bench(&bench);
}

TEST(patience_is_the_shorter_the_more_wait)
{
    static struct bench bench;
    open_bench(&bench);
    connect_until(&bench, 2);
    http_peers_wait(&bench.peers, 4 * LIMIT);
    CHECK(!make_room(&bench, 0, HTTP_ROUND_MS / 4 - 1));
    CHECK(make_room(&bench, 0, HTTP_ROUND_MS / 4));
    http_peers_wait(&bench.peers, 1000 * LIMIT);
    CHECK(!make_room(&bench, 0, HTTP_PATIENCE_MIN_MS - 1));
    CHECK(make_room(&bench, 0, HTTP_PATIENCE_MIN_MS));
    close_bench(&bench);
}

TEST(memory_that_others_wait_for_is_given_up_by_the_still)
{
    static struct bench bench;
    open_bench(&bench);
    connect_until(&bench, 2);
    http_peer_does(bench.places[0], HTTP_COMING, 0);
    http_peer_does(bench.places[1], HTTP_GOING, 0);
    CHECK(!http_peers_end_the_still(&bench.peers, HTTP_GOING, (HTTP_STILL_MS - 1) * NS_PER_MS));
    CHECK(http_peers_end_the_still(&bench.peers, HTTP_GOING, HTTP_STILL_MS * NS_PER_MS));
    CHECK(is_ending(&bench, 1));
    CHECK(!is_ending(&bench, 0));
    CHECK(!http_peers_end_the_still(&bench.peers, HTTP_GOING, 2ull * HTTP_STILL_MS * NS_PER_MS));
    close_bench(&bench);
}
