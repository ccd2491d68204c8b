/*
 * strangers.h -- connections that have not logged in, and those that knock: in their part of a
 * turn.
 *
 * To accept a connection, to read its first bytes and to close it again takes a shard as long
 * as twenty messages, and whoever may connect at all may do it thousands of times a second:
 * the probes of a load balancer, a storm of clients that come back, somebody with bad
 * intentions. So what is readable of a connection without a session waits here until those
 * with one have been read, and then a turn has STRANGERS_NS for it: first the bytes of those
 * that are there, then new ones. What does not fit waits in its socket or in the listener's
 * queue, where it costs the kernel's memory, which is bounded, and none of ours. A shard that
 * has nothing else to do gives all its turns to strangers.
 *
 * Promises:
 *   (1) each turn reads one of those who wait and accepts one, however late it is;
 *   (2) more are not accepted while some have not been read that were accepted before, or not
 *       been closed yet (edge_bury): who is accepted is served in time.
 *
 * One for each shard; private to it.
 */
#pragma once

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct edge;

#define STRANGERS_NS 500000u /* of a turn; half of what new messages have (shard/intake.h) */

/* Private to strangers.c, but for `waiting`. */
struct strangers {
    struct list waiting;      /* conns with something to read (conn_wait_to_read) */
    uint32_t knocked_at;      /* one bit for each listener: somebody waits there */
    uint32_t listener;        /* whose turn was last */
    uint64_t accept_after_ms; /* no descriptor was left: try again then */
};

void strangers_init(struct strangers *strangers);

/* The listener with this index has somebody waiting. */
void strangers_knock(struct strangers *strangers, uint32_t listener);

/* Serves them for a while, after those with a session have been read. True: there is more. */
bool strangers_meet(struct edge *edge);
