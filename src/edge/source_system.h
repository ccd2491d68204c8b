/*
 * source_system.h -- who the system accounts are, as the data source says (webhook 7.3).
 *
 * Asked at start, then each time-to-live; while there is no answer, again after
 * pauses from one second to half a minute. An answer that differs from the one before
 * replaces the set of every shard; the stored list stays as it is, and is what counts
 * until the first answer of a run.
 *
 *   RESTS ── due ──▶ ASKS ── answer ──▶ APPLIES ── every shard has it ──▶ RESTS
 *     ▲                │ none, or the same one            │ refused
 *     └────────────────┴──────────────────────────────────┘
 */
#pragma once

#include "edge/source_call.h"

struct system_change;

struct source_system {
    struct source *source;
    struct source_call call;
    enum { SOURCE_SYSTEM_RESTS = 0, SOURCE_SYSTEM_ASKS, SOURCE_SYSTEM_APPLIES } stage;
    uint64_t due_ns;
    uint32_t fails; /* in a row */
    struct source_uids uids;
    uint64_t hash;    /* of the answer that is being applied */
    uint64_t applied; /* of the last one that was; meaningful with has_applied */
    bool has_applied;
};

MUST_USE enum err source_system_open(struct source_system *system, struct source *source);
/* No shard knows of its uids any more. */
void source_system_close(struct source_system *system);

/* Does what is due; gives when to look again. */
uint64_t source_system_run(struct source_system *system);

/* Asks in so long at the latest. */
void source_system_hurry(struct source_system *system, uint64_t wait_ms);

/* The server stops: nothing more is asked. */
void source_system_stop(struct source_system *system);
