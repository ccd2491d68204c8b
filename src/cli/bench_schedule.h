/*
 * bench_schedule.h -- when each message of an open loop is meant to be sent.
 *
 * The times are fixed before the run and do not depend on what the server does. Latency is counted
 * from them, so that a server that stalls is charged for all that should have been sent meanwhile
 * (coordinated omission). Message `index` of the whole run belongs to sender `index % senders`;
 * either all are evenly spaced, or those of one burst share a moment.
 */
#pragma once

#include <stdint.h>

struct bench_schedule {
    uint64_t start_ns;
    uint64_t count;     /* of messages in the run */
    uint32_t rate;      /* a second; above 0 */
    uint32_t bursts_hz; /* 0: evenly spaced; at most `rate` */
};

/* When message `index` is due. */
uint64_t bench_schedule_time_ns(const struct bench_schedule *schedule, uint64_t index);
