/*
 * core.h -- one thread and all that it owns: a shard, its part of the domain, its connections.
 */
#pragma once

#include "chat/chat.h"
#include "edge/edge.h"
#include "server/pace.h"
#include "shard/shard.h"
#include "system/thread.h"

#define CORE_MAILBOX_COOKIE 0u /* of its loop; the edge has the others (edge.c, conn.c) */

enum core_order {
    CORE_RUNS = 0,
    CORE_STOPS_ACCEPTING,
    CORE_CLOSES, /* every connection */
    CORE_ENDS,   /* leaves its loop when nothing is in flight */
};

struct core {
    struct shard shard;
    struct chat chat;
    struct edge edge;
    struct thread thread;
    struct pace pace;
    _Atomic int order;      /* enum core_order; raised by the starter */
    enum core_order obeyed; /* the last one carried out */
    _Atomic bool is_idle;   /* nothing was in flight at the end of its last turn */
    bool has_more;          /* work is left for the next turn: do not sleep */
};

/* The thread's body: turns until CORE_ENDS. `context` is the core. */
void core_run(void *context);

/* Raises the order and wakes the core. Any thread. */
void core_order(struct core *core, enum core_order order);
