/*
 * pace.h -- how long a shard rests before it looks at its sockets again.
 *
 * Under load the news of sockets come one by one, each a few microseconds of work
 * behind ten of waking up. A shard that has just looked and knows that more is on its
 * way rests a moment: what comes meanwhile is read, journalled, and written in one
 * turn. Its mailbox ends the rest at once, so what is committed is answered without
 * delay, and a shard with little to do never rests: its latency is that of the disk.
 * A shard that has work in hand, a large group to walk, does not sleep, but looks no more
 * often than that either: what comes is mostly acknowledgements of what it writes.
 *
 * Promises:
 *   (1) nothing waits longer for its shard because of a rest than PACE_REST_NS;
 *   (2) no rest while fewer than PACE_EVENTS_MIN sockets had news in the last window.
 *
 * Private to its shard's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PACE_REST_NS    1000000u  /* a tenth of what a client notices least */
#define PACE_WINDOW_NS  10000000u /* how long is counted before it is decided again */
#define PACE_EVENTS_MIN 30u       /* of a window: three a rest, else a rest costs what it saves */

/* Zeroed memory is a pace that does not rest. Private to pace.c. */
struct pace {
    uint64_t window_began_ns;
    uint64_t looked_ns; /* when the sockets were last asked */
    uint32_t events;    /* of this window */
    bool is_resting;    /* as the last window decided */
};

/* The sockets have been asked, and so many had news. */
void pace_count(struct pace *pace, uint64_t now_ns, uint32_t events);

/* How long to leave the sockets alone; 0: not at all. */
uint64_t pace_rest_ns(const struct pace *pace, uint64_t now_ns);

/* The same for a shard that has work in hand and does not sleep. */
uint64_t pace_left_ns(const struct pace *pace, uint64_t now_ns);
