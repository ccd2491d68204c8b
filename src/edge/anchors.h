/*
 * anchors.h -- who sent the stream messages of the last minutes, so that their events need not say.
 *
 * A back end may name an event's message by its client_msg_no alone: the sender and the
 * message_id are then taken from here (http-api 11.1), and an event that names another
 * channel is refused. It is a convenience with a time limit, as it was in the original:
 * forgetting an entry loses nothing that is stored.
 *
 * Bound: the budget; the oldest entries go first, and what is older than
 * ANCHOR_LIFE_MS counts no more. One thread, that of the HTTP API.
 */
#pragma once

#include "base/list.h"
#include "memory/budget.h"
#include "store/slot.h"
#include "telemetry/metric.h"

#define ANCHOR_LIFE_MS 600000u

/* Borrowed until the next call. */
struct anchor {
    struct bytes client_msg_no;
    struct bytes from_uid;
    struct channel_name channel; /* internal */
    uint64_t message_id;         /* 0: not known */
};

/* Private to anchors.c. */
struct anchors {
    struct anchor_entry **buckets; /* acquired with the first entry */
    struct list age;               /* newest first */
    struct budget budget;
    struct metrics_slot *metrics;
};

void anchors_init(struct anchors *anchors, struct budget *parent, uint64_t bytes_max,
                  struct metrics_slot *metrics);
void anchors_deinit(struct anchors *anchors);

/* Remembers it in place of what was known of its client_msg_no. */
void anchors_put(struct anchors *anchors, const struct anchor *anchor, uint64_t now_ns);

/* False: nothing is known. */
bool anchors_find(const struct anchors *anchors, struct bytes client_msg_no, uint64_t now_ns,
                  struct anchor *out_anchor);

void anchors_drop(struct anchors *anchors, struct bytes client_msg_no);
