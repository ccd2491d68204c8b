/*
 * source_flight.h -- one channel is asked for: its questions one after the other, and what follows.
 *
 *   IDLE ── begin ──▶ ASKS ── answer ──▶ APPLIES ── stored ──▶ ASKS … ──▶ IDLE
 *                       │ no answer: the next question, if there is time ▲
 *                       └────────────────────────────────────────────────┘
 *
 * Each answer is compared with what is stored and the difference is posted as changes of
 * the channel; when the last one is home, everybody who has asked for this channel is
 * told. A question that fails leaves its list as it is; the others are asked all the
 * same, unless nobody answers at all.
 */
#pragma once

#include "base/list.h"
#include "edge/source_call.h"
#include "edge/source_difference.h"

struct change;
struct inquiry;

struct source_flight {
    struct source *source;
    struct source_call call;
    enum { SOURCE_FLIGHT_IDLE = 0, SOURCE_FLIGHT_ASKS, SOURCE_FLIGHT_APPLIES } stage;
    struct list inquiries;    /* that wait for it; the first one has the name */
    struct channel_name name; /* borrowed from `id` */
    uint64_t hash;
    uint64_t until_ns; /* when the questions end */
    enum source_command command;
    bool has_failed; /* one of the questions, or a change */
    struct source_uids uids;
    struct source_difference difference;
    uint8_t id[NAME_BYTES_MAX];
};

MUST_USE enum err source_flight_open(struct source_flight *flight, struct source *source);
/* No shard knows of its uids any more. */
void source_flight_close(struct source_flight *flight);

/* Asks for the channel of this inquiry, which goes home when that has been done. */
void source_flight_begin(struct source_flight *flight, struct inquiry *inquiry);

/* The server stops: nothing more is asked; changes that are being made end. */
void source_flight_stop(struct source_flight *flight);
