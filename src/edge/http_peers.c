#include "edge/http_peers.h"

#include "base/assert.h"
#include "system/socket.h"

#define NS_PER_S       1000000000ull
#define NS_PER_MS      1000000ull
#define NONE           UINT32_MAX
#define KEEP_UNREAD_MS 10000u

enum err http_peers_open(struct http_peers *peers, struct budget *budget, uint32_t limit,
                         uint32_t extra, uint32_t silence_s)
{
    const uint32_t capacity = limit + extra + HTTP_PEERS_BESIDES;
    peers->budget = budget;
    peers->peers = memory_acquire(budget, MEMORY_RANK_DRAIN, capacity * sizeof(struct http_peer));
    if (peers->peers == NULL) {
        return ERR_BUDGET;
    }
    peers->capacity = capacity;
    peers->limit = limit;
    peers->extra = extra;
    peers->extra_count = 0;
    peers->ending_count = 0;
    peers->count = 0;
    peers->free_first = 0;
    peers->silence_ns = silence_s * NS_PER_S;
    for (uint32_t i = 0; i < capacity; i++) {
        peers->peers[i] = (struct http_peer){
            .fd = -1,
            .next_free = i + 1 < capacity ? i + 1 : NONE,
        };
    }
    return ERR_OK;
}

void http_peers_close(struct http_peers *peers)
{
    memory_release(peers->budget, peers->peers, peers->capacity * sizeof(struct http_peer));
    peers->peers = NULL;
}

struct http_peer *http_peers_add(struct http_peers *peers, int fd, const struct http_seat *seat,
                                 uint64_t now_ns)
{
    const uint32_t index = peers->free_first;
    if (index == NONE) {
        return NULL;
    }
    struct http_peer *peer = &peers->peers[index];
    if (loop_watch_hangup(peers->loop, fd, peers->cookie_base + index) != ERR_OK) {
        return NULL;
    }
    peers->free_first = peer->next_free;
    *peer = (struct http_peer){.fd = fd,
                               .share = seat->share,
                               .is_extra = seat->is_extra,
                               .opened_ns = now_ns,
                               .since_ns = now_ns,
                               .doing_ns = now_ns};
    http_share_take(&peers->shares, seat->share);
    peers->count++;
    peers->extra_count += seat->is_extra;
    return peer;
}

void http_peers_remove(struct http_peers *peers, struct http_peer *peer)
{
    if (peer == NULL) {
        return;
    }
    ASSERT(peer->fd >= 0);
    if (!peer->is_ended) {
        loop_forget(peers->loop, peer->fd);
    }
    peers->ending_count -= peer->is_ending;
    http_share_give(&peers->shares, peer->share);
    peer->fd = -1;
    peer->next_free = peers->free_first;
    peers->free_first = (uint32_t)(peer - peers->peers);
    peers->count--;
    peers->extra_count -= peer->is_extra;
}

void http_peer_does(struct http_peer *peer, enum http_doing doing, uint64_t now_ns)
{
    if (peer == NULL || peer->doing == doing) {
        return;
    }
    peer->doing = doing;
    peer->doing_ns = now_ns;
    if (doing == HTTP_IDLE) {
        peer->since_ns = now_ns;
    }
}

/* ---- When others wait. ---- */

/* As much of `round_ms` as each has when all who wait are to have had a place by its end. */
static uint64_t part_of_round_ns(const struct http_peers *peers, uint64_t round_ms)
{
    const uint64_t part_ms =
        peers->waiting > peers->limit ? round_ms * peers->limit / peers->waiting : round_ms;
    return (part_ms > HTTP_PATIENCE_MIN_MS ? part_ms : HTTP_PATIENCE_MIN_MS) * NS_PER_MS;
}

void http_peer_is_told_its_last(const struct http_peer *peer)
{
    socket_keep_unread(peer->fd, KEEP_UNREAD_MS);
}

bool http_peer_has_had_its_turn(const struct http_peers *peers, const struct http_peer *peer,
                                uint64_t now_ns)
{
    return peer != NULL && peers->waiting > 0 &&
           (peer->is_extra || now_ns - peer->opened_ns >= part_of_round_ns(peers, HTTP_TURN_MS));
}

/* The order in which they go: the lowest first. */
enum going {
    GOING_IDLE = 0,
    GOING_STILL_OVER, /* its address has more than its share */
    GOING_MOVING_OVER,
    GOING_STILL,
    GOING_MOVING,
    GOING_SOON, /* it does not move, but has not had its time; or it has just asked */
    GOING_NOT,
};

/* What has moved since its pace was taken. */
static uint64_t moved_since(const struct http_peer *peer)
{
    const uint64_t moved = socket_moved_bytes(peer->fd);
    return moved > peer->moved ? moved - peer->moved : 0;
}

/* What has moved lately. */
static uint64_t pace_of(const struct http_peer *peer)
{
    const uint64_t since = moved_since(peer);
    return since > peer->pace ? since : peer->pace;
}

static bool has_just_asked(const struct http_peer *peer)
{
    uint8_t byte;
    size_t size;
    return peer->doing == HTTP_IDLE && socket_peek(peer->fd, &byte, 1, &size) == ERR_OK;
}

/* Nothing is asked, and what it is still being told, it gets from the kernel alone. */
static bool is_idle(const struct http_peer *peer, uint64_t pace)
{
    return peer->doing == HTTP_IDLE &&
           (pace >= HTTP_MOVING_BYTES || socket_unsent_bytes(peer->fd) == 0);
}

static enum going going_of(const struct http_peers *peers, const struct http_peer *peer,
                           uint64_t now_ns, uint64_t *out_pace)
{
    const uint64_t done_ns = now_ns - peer->doing_ns;
    if (peer->fd < 0 || peer->is_ending || peer->doing == HTTP_OURS) {
        return GOING_NOT;
    }
    if (has_just_asked(peer)) {
        return GOING_SOON;
    }
    *out_pace = pace_of(peer);
    if (done_ns < part_of_round_ns(peers, HTTP_ROUND_MS)) {
        return *out_pace < HTTP_MOVING_BYTES ? GOING_SOON : GOING_NOT;
    }
    if (is_idle(peer, *out_pace)) {
        *out_pace = 0;
        return GOING_IDLE;
    }
    const bool is_over = http_share_is_over(&peers->shares, peer->share);
    if (*out_pace < HTTP_MOVING_BYTES) {
        return is_over ? GOING_STILL_OVER : GOING_STILL;
    }
    if (done_ns < HTTP_MOVING_MS * NS_PER_MS) {
        return GOING_NOT;
    }
    return is_over ? GOING_MOVING_OVER : GOING_MOVING;
}

/* Whoever has had his answer, as far as we are concerned, gets the rest of it from the kernel;
 * others would leave there what they do not take. */
static void end(struct http_peers *peers, struct http_peer *peer, enum metric why)
{
    metric_add(peers->slot, why, 1);
    if (!peer->is_ending) {
        peer->is_ending = true;
        peers->ending_count++;
    }
    const bool is_told = peer->doing == HTTP_GOING || socket_unsent_bytes(peer->fd) > 0;
    if (is_told && why != METRIC_HTTP_ENDED_IDLE) {
        socket_leave_nothing(peer->fd);
    } else {
        socket_keep_unread(peer->fd, KEEP_UNREAD_MS);
    }
    socket_end(peer->fd);
}

bool http_peers_make_room(struct http_peers *peers, uint8_t share, uint64_t now_ns)
{
    struct http_peer *found = NULL;
    enum going first = GOING_NOT;
    bool is_one_soon = false;
    uint64_t slowest = 0;
    for (uint32_t i = 0; i < peers->capacity; i++) {
        struct http_peer *peer = &peers->peers[i];
        uint64_t pace = 0;
        const enum going going = going_of(peers, peer, now_ns, &pace);
        is_one_soon |= going == GOING_SOON;
        if (going > first || going >= GOING_SOON) {
            continue;
        }
        const bool is_tie = found != NULL && going == first && pace == slowest;
        if (found == NULL || going < first || pace < slowest ||
            (is_tie && peer->doing_ns < found->doing_ns)) {
            found = peer;
            first = going;
            slowest = pace;
        }
    }
    const bool is_moving = first == GOING_MOVING || first == GOING_MOVING_OVER;
    const bool is_others = first == GOING_STILL || first == GOING_MOVING;
    if (found == NULL || (is_moving && (is_one_soon || peers->ending_count > 0)) ||
        (is_others && http_share_is_over(&peers->shares, share))) {
        return false;
    }
    static const enum metric whys[] = {
        [GOING_IDLE] = METRIC_HTTP_ENDED_IDLE,        [GOING_STILL_OVER] = METRIC_HTTP_ENDED_STILL,
        [GOING_MOVING_OVER] = METRIC_HTTP_ENDED_SLOW, [GOING_STILL] = METRIC_HTTP_ENDED_STILL,
        [GOING_MOVING] = METRIC_HTTP_ENDED_SLOW,
    };
    end(peers, found, whys[first]);
    return true;
}

bool http_peers_end_the_still(struct http_peers *peers, enum http_doing doing, uint64_t now_ns)
{
    struct http_peer *found = NULL;
    for (uint32_t i = 0; i < peers->capacity; i++) {
        struct http_peer *peer = &peers->peers[i];
        if (peer->fd >= 0 && !peer->is_ending && peer->doing == doing &&
            now_ns - peer->doing_ns >= HTTP_STILL_MS * NS_PER_MS &&
            pace_of(peer) < HTTP_MOVING_BYTES &&
            (found == NULL || peer->doing_ns < found->doing_ns)) {
            found = peer;
        }
    }
    if (found != NULL) {
        end(peers, found, METRIC_HTTP_ENDED_STILL);
    }
    return found != NULL;
}

/* ---- Looking after them. ---- */

void http_peers_on_event(struct http_peers *peers, uint64_t cookie)
{
    ASSERT(http_peers_have_cookie(peers, cookie));
    struct http_peer *peer = &peers->peers[cookie - peers->cookie_base];
    if (peer->fd < 0 || peer->is_ended) {
        return;
    }
    peer->is_ended = true;
    loop_forget(peers->loop, peer->fd); /* told again and again it would keep this thread awake */
    peers->review_ns = 0;               /* at once */
}

/* A pace is halved each time, not forgotten: a phone that hangs for two seconds still moves. */
static void take_pace(struct http_peer *peer)
{
    const uint64_t moved = moved_since(peer);
    const uint64_t lately = moved > peer->pace / 2 ? moved : peer->pace / 2;
    peer->pace = lately < HTTP_PACE_MAX ? lately : HTTP_PACE_MAX;
    peer->moved += moved;
}

static void review_one(struct http_peers *peers, struct http_peer *peer, uint64_t now_ns)
{
    const bool is_waited_for = peer->doing == HTTP_IDLE || peer->doing == HTTP_COMING;
    if (is_waited_for && now_ns - peer->since_ns > peers->silence_ns) {
        peer->since_ns = now_ns; /* once is enough, mostly */
        end(peers, peer, METRIC_HTTP_LATE);
    } else if (peer->is_ending) {
        socket_end(peer->fd);
    } else if (peer->is_ended) {
        socket_stop_reading(peer->fd);
    }
}

void http_peers_review(struct http_peers *peers, uint64_t now_ns)
{
    if (peers->count == 0 || now_ns < peers->review_ns) {
        return;
    }
    peers->review_ns = now_ns + HTTP_PEERS_REVIEW_MS * NS_PER_MS;
    const bool is_paced = now_ns >= peers->pace_ns;
    if (is_paced) {
        peers->pace_ns = peers->review_ns;
    }
    for (uint32_t i = 0; i < peers->capacity; i++) {
        struct http_peer *peer = &peers->peers[i];
        if (peer->fd >= 0 && is_paced) {
            take_pace(peer);
        }
        if (peer->fd >= 0) {
            review_one(peers, peer, now_ns);
        }
    }
}
