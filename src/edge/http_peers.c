#include "edge/http_peers.h"

#include "base/assert.h"
#include "system/socket.h"

#define NS_PER_S  1000000000ull
#define NS_PER_MS 1000000ull
#define NONE      UINT32_MAX

enum err http_peers_open(struct http_peers *peers, struct budget *budget, uint32_t limit,
                         uint32_t silence_s)
{
    const uint32_t capacity = limit + HTTP_PEERS_BESIDES;
    peers->budget = budget;
    peers->peers = memory_acquire(budget, MEMORY_RANK_DRAIN, capacity * sizeof(struct http_peer));
    if (peers->peers == NULL) {
        return ERR_BUDGET;
    }
    peers->capacity = capacity;
    peers->pressed_count = limit / 4 * 3 + 1;
    peers->full_count = limit;
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

struct http_peer *http_peers_add(struct http_peers *peers, int fd, uint64_t now_ns)
{
    const uint32_t index = peers->free_first;
    if (index == NONE) {
        return NULL;
    }
    struct http_peer *peer = &peers->peers[index];
    if (loop_watch_hangup(peers->loop, fd, HTTP_PEER_COOKIE_BASE + index) != ERR_OK) {
        return NULL;
    }
    peers->free_first = peer->next_free;
    peers->count++;
    *peer = (struct http_peer){.fd = fd, .opened_ns = now_ns, .since_ns = now_ns};
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
    peer->fd = -1;
    peer->next_free = peers->free_first;
    peers->free_first = (uint32_t)(peer - peers->peers);
    peers->count--;
}

void http_peer_is_served(struct http_peer *peer)
{
    if (peer != NULL) {
        peer->is_busy = true;
    }
}

void http_peer_was_served(struct http_peer *peer, uint64_t now_ns)
{
    if (peer != NULL) {
        peer->is_busy = false;
        peer->since_ns = now_ns;
    }
}

bool http_peer_has_had_its_turn(const struct http_peers *peers, const struct http_peer *peer,
                                uint64_t now_ns)
{
    return peer != NULL && peers->count >= peers->full_count &&
           now_ns - peer->opened_ns >= HTTP_TURN_MS * NS_PER_MS;
}

void http_peers_on_event(struct http_peers *peers, uint64_t cookie)
{
    ASSERT(cookie >= HTTP_PEER_COOKIE_BASE);
    ASSERT(cookie - HTTP_PEER_COOKIE_BASE < peers->capacity);
    struct http_peer *peer = &peers->peers[cookie - HTTP_PEER_COOKIE_BASE];
    if (peer->fd < 0 || peer->is_ended) {
        return;
    }
    peer->is_ended = true;
    loop_forget(peers->loop, peer->fd); /* told again and again it would keep this thread awake */
    peers->review_ns = 0;               /* at once */
}

/* How long a connection may go on without a whole request. */
static uint64_t silence_allowed_ns(const struct http_peers *peers)
{
    if (peers->count >= peers->full_count) {
        return HTTP_FULL_MS * NS_PER_MS;
    }
    return peers->count >= peers->pressed_count ? HTTP_PRESSED_MS * NS_PER_MS : peers->silence_ns;
}

void http_peers_review(struct http_peers *peers, uint64_t now_ns)
{
    if (peers->count == 0 || now_ns < peers->review_ns) {
        return;
    }
    peers->review_ns = now_ns + HTTP_PEERS_REVIEW_MS * NS_PER_MS;
    const uint64_t silence_ns = silence_allowed_ns(peers);
    for (uint32_t i = 0; i < peers->capacity; i++) {
        struct http_peer *peer = &peers->peers[i];
        if (peer->fd < 0) {
            continue;
        }
        if (!peer->is_busy && now_ns - peer->since_ns > silence_ns) {
            metric_add(peers->slot, METRIC_HTTP_LATE, 1);
            peer->since_ns = now_ns; /* once is enough, mostly */
            socket_end(peer->fd);
        } else if (peer->is_ended) {
            socket_stop_reading(peer->fd);
        }
    }
}
