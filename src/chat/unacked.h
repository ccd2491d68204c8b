/*
 * unacked.h -- what a session was sent and has not acknowledged: names, no payloads.
 *
 * A window of (channel, seq) with the time of sending. An acknowledgement
 * removes; what stays too long is read from the log and sent again (semantics
 * 4.4). The window has a limit: what comes on top of it pushes the oldest out,
 * which is then not repeated any more. That one was written to the socket like
 * all others, and the client finds it in the log if it was lost.
 */
#pragma once

#include "memory/budget.h"

#include <stdbool.h>
#include <stdint.h>

#define UNACKED_MAX 512 /* entries of one session; a fast reader has a handful */

struct unacked_entry {
    uint64_t message_id; /* 0: acknowledged, waits to be passed */
    uint64_t seq;
    uint32_t number; /* of the channel in its slot */
    uint16_t slot;
    uint8_t log;
    uint8_t sends;       /* how often it was sent */
    uint32_t sent_at_ms; /* low 32 bits of the shard's clock */
};

/* Private to unacked.c; embed it zeroed. A ring that grows by doubling. */
struct unacked {
    struct unacked_entry *entries;
    uint16_t capacity;
    uint16_t first;
    uint16_t count;
};

/* Remembers that it was sent. Returns how many older ones were pushed out: 0 or 1. When the budget
 * refuses to let the window grow, the oldest goes as well; with no window at all this one is not
 * remembered (returns 1). */
uint32_t unacked_add(struct unacked *unacked, struct budget *budget, struct unacked_entry entry);

/* Forgets it, and gives a copy. False: it was not there. */
bool unacked_remove(struct unacked *unacked, uint64_t message_id, struct unacked_entry *out_entry);

/* The oldest that waits, or NULL. Valid until the next call. */
struct unacked_entry *unacked_oldest(struct unacked *unacked);

/* Takes the oldest out. */
void unacked_pop(struct unacked *unacked);

/* Gives its memory back. */
void unacked_deinit(struct unacked *unacked, struct budget *budget);
