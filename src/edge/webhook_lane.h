/*
 * webhook_lane.h -- one queue of events on its way to the back end: one request at a time, in
 * order.
 *
 *   something waits     read, built        200: dropped from the outbox
 *  ──────────▶ IDLE ───────────────▶ POSTING ─────────▶ DROPPING ──────────▶ IDLE
 *                ▲                      │   refused to the end: a dead letter ▲
 *                │ back-off              │                   └──────────────────┘
 *                └───────────────────────┘ no answer, or refused
 *
 * What is sent is read from the disk for each try, so a lane that waits holds nothing
 * but its place in the queue, and a dead back end costs no memory.
 *
 * What becomes of a request (webhook 3.4, and better):
 *   200                         the events leave the outbox;
 *   no answer, 408, 425, 429,   the back end is away: the same again later, for as long as the
 *   502, 503, 504               outbox keeps events;
 *   any other status            the events are refused. After `tries_max` refusals a batch is taken
 *                               apart and each event is tried alone; one that is refused alone is
 *                               a dead letter, and the queue goes on.
 *
 * Bounds: a batch has at most `count_max` events and `body_bytes_max` bytes, unless one alone is
 * larger. The thread of the webhooks only.
 */
#pragma once

#include "edge/courier.h"
#include "edge/outbox_writer.h"
#include "edge/webhook_body.h"

struct webhook;

#define LANE_COUNT_MAX 1000u /* events of one batch, whatever is configured */

enum lane_stage {
    LANE_IDLE = 0,
    LANE_POSTING,
    LANE_DROPPING,
};

enum lane_fate {
    LANE_SEND = 0,
    LANE_EXPIRED, /* older than the outbox keeps events */
    LANE_GONE,    /* its message is not in the log (any more) */
    LANE_DAMAGED, /* its row is */
};

/* An event of the batch. */
struct lane_event {
    uint64_t id;
    uint64_t queued_ms;
    uint64_t seq;
    struct log_ref log;
    uint32_t cost;
    uint16_t part;
    uint8_t fate; /* enum lane_fate */
};

struct lane_options {
    const char *url;   /* with the name of the event; in webhook->urls, whose turn tells changes */
    const char *event; /* for the log; a literal */
    uint8_t queue;     /* enum outbox_queue */
    uint8_t lane;
    uint32_t count_max;
    uint32_t linger_ms; /* how long a batch that is not full waits for more */
    uint32_t tries_max;
};

/* Private to webhook_lane.c, but for `options` and `stage`. */
struct webhook_lane {
    struct webhook *webhook;
    struct lane_options options;
    enum lane_stage stage;
    struct outbox_key cursor; /* nothing is waiting before it */
    bool has_more;            /* something may wait behind the cursor */
    uint64_t rung_least;      /* of what has come since the batch was read */
    bool is_lingering;
    uint64_t linger_until_ns;
    uint64_t posted_ns;
    uint64_t due_ns;           /* not before: the back-off, or the next look while lingering */
    uint32_t fails;            /* one after the other */
    uint32_t refusals;         /* of what is at the head */
    uint32_t singles;          /* events that are tried alone */
    struct lane_event *events; /* count_max of them */
    uint32_t events_count;
    enum err read_result;
    uint32_t run_first; /* while messages are read: the events that are looked for */
    struct webhook_body body;
    struct courier_call call;
    uint32_t url_turn; /* of the address that it posts to */
    struct outbox_writer writer;
};

MUST_USE enum err webhook_lane_open(struct webhook_lane *lane, struct webhook *webhook,
                                    const struct lane_options *options);
/* One that was never opened is allowed. */
void webhook_lane_close(struct webhook_lane *lane);

/* Gives up the room of its last batch, if nothing is under way. */
void webhook_lane_give_back(struct webhook_lane *lane);

/* Events of these ids or later have come. */
void webhook_lane_ring(struct webhook_lane *lane, uint64_t id_least);

/* Does what is due; gives when to look again, or UINT64_MAX. */
uint64_t webhook_lane_run(struct webhook_lane *lane);

/* The address has changed: no back-off of the former one holds. */
void webhook_lane_hurry(struct webhook_lane *lane);

/* Events below this are on their way: not to be dropped by others. */
struct outbox_key webhook_lane_sent_below(const struct webhook_lane *lane);

/* How long to wait after so many failures: doubling from one second to half a minute, and then
 * somewhere between half of that and all of it, which `random` decides. */
uint64_t webhook_backoff_ms(uint32_t fails, uint64_t random);
