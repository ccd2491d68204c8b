#include "edge/strangers.h"

#include "edge/conn.h"
#include "edge/edge.h"
#include "system/clock.h"
#include "system/tls.h"
#include "telemetry/logger.h"

#include <stdatomic.h>

#define ACCEPT_PAUSE_MS 100

void strangers_init(struct strangers *strangers)
{
    *strangers = (struct strangers){.knocked_at = 0};
    list_init(&strangers->waiting);
}

void strangers_knock(struct strangers *strangers, uint32_t listener)
{
    strangers->knocked_at |= 1u << listener;
}

static void take_socket(struct edge *edge, const struct listener *listener, int fd,
                        const struct address *peer)
{
    struct tls *tls = NULL;
    enum metric refused = METRIC_CONNECTIONS_REFUSED_MEMORY;
    if (listener->tls != NULL) {
        tls = tls_accept(atomic_load(listener->tls), fd);
        if (tls == NULL) {
            goto refuse;
        }
    }
    refused = METRIC_CONNECTIONS_REFUSED_FULL;
    if (!edge_crowd_enter(edge)) {
        goto refuse;
    }
    if (conn_open(edge, fd, peer, (uint8_t)listener->transport, tls) != ERR_OK) {
        edge_crowd_leave(edge);
        goto refuse;
    }
    metric_add(edge->shard->metrics, METRIC_CONNECTIONS_ACCEPTED, 1);
    return;

refuse:
    metric_add(edge->shard->metrics, refused, 1);
    tls_close(tls);
    socket_close(fd);
}

/* Accepts one that waits at this listener. False: nobody does, or nobody can be taken now. */
static bool accept_one(struct edge *edge, const struct listener *listener)
{
    int fd = -1;
    struct address peer;
    const enum err err = socket_accept(listener->fd, &fd, &peer);
    if (err == ERR_OK) {
        take_socket(edge, listener, fd, &peer);
    } else if (err == ERR_FULL) {
        metric_add(edge->shard->metrics, METRIC_CONNECTIONS_REFUSED_SYSTEM, 1);
        LOG_WARN("accept_failed", F_STR("why", "no descriptor is left"));
        edge->strangers.accept_after_ms = edge->shard->now_ms + ACCEPT_PAUSE_MS;
    }
    return err != ERR_AGAIN && err != ERR_FULL;
}

/* One of each listener in turn; one at all even if there is no time. */
static void accept_some(struct edge *edge, uint64_t until_ns)
{
    struct strangers *strangers = &edge->strangers;
    if (!edge->is_accepting || edge->shard->now_ms < strangers->accept_after_ms) {
        strangers->knocked_at = 0; /* they are heard again: their sockets are level-triggered */
    }
    while (strangers->knocked_at != 0) {
        strangers->listener = (strangers->listener + 1) % edge->listeners_count;
        const uint32_t bit = 1u << strangers->listener;
        if ((strangers->knocked_at & bit) == 0) {
            continue;
        }
        if (!accept_one(edge, &edge->listeners[strangers->listener])) {
            strangers->knocked_at &= ~bit;
        } else if (clock_now_ns() >= until_ns) {
            return;
        }
    }
}

static void read_some(struct edge *edge, uint64_t until_ns)
{
    struct list *waiting = &edge->strangers.waiting;
    while (!list_is_empty(waiting)) {
        conn_read(edge, CONTAINER_OF(list_pop_front(waiting), struct conn, waiting));
        if (clock_now_ns() >= until_ns) {
            break;
        }
    }
    checking_finish(edge); /* one of them may have logged in and sent at once */
}

bool strangers_meet(struct edge *edge)
{
    const struct strangers *strangers = &edge->strangers;
    if (list_is_empty(&strangers->waiting) && strangers->knocked_at == 0) {
        return false;
    }
    const uint64_t until_ns = clock_now_ns() + STRANGERS_NS;
    read_some(edge, until_ns);
    const bool is_behind = !list_is_empty(&strangers->waiting) || edge->is_burying;
    accept_some(edge, is_behind ? 0 : until_ns);
    return !list_is_empty(&strangers->waiting) || strangers->knocked_at != 0;
}
