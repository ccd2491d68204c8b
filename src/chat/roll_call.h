/*
 * roll_call.h -- which of these users are online, and with which devices.
 *
 * One letter visits every shard in turn, asks for the uids that live there, and
 * comes home with what it found: one entry for each live session (semantics 1.8,
 * rule 7). It looks at no more than ROLL_CALL_PER_VISIT uids at once and goes to
 * the end of the shard's mailbox in between, so that a long list delays nobody.
 *
 * Ownership: acquired and released by the asker; the uids are borrowed from it until
 * the call has come home.
 */
#pragma once

#include "base/bytes.h"
#include "memory/budget.h"
#include "shard/mailbox.h"

struct shard;

#define ROLL_CALL_PER_VISIT 1024u

/* A live session. */
struct roll_call_entry {
    uint32_t uid_index; /* in the list that was asked */
    uint8_t device_flag;
};

struct roll_call {
    struct letter letter;
    struct mailbox *home; /* where it goes when it is done */
    letter_fn *on_home;   /* what happens there, with `letter` */
    void *context;        /* the asker's: what it needs to answer */

    /* Asked. */
    const struct bytes *uids; /* borrowed */
    uint32_t uids_count;
    bool is_for_masters; /* only who has a session of level master, once each: `entries_max` may be
                            `uids_count` */

    /* Answered: the entries, ordered by uid_index. `found_count` is above `entries_max` when there
     * was no room for all: ask again with more. */
    uint32_t found_count;

    /* Private to roll_call.c. */
    uint32_t shards_count;
    uint32_t shard; /* that is visited now */
    uint32_t uids_done;
    struct budget *budget;
    uint32_t entries_max;
    struct roll_call_entry entries[];
};

/* A call with room for `entries_max` sessions, or NULL when the budget refuses. */
MUST_USE struct roll_call *roll_call_acquire(struct budget *budget, uint32_t entries_max);
void roll_call_release(struct roll_call *call);

/* Sends it around. The asker's mailer wakes the first shard. */
void roll_call_post(struct roll_call *call, struct mailer *mailer, struct shard *const *shards,
                    uint32_t shards_count);
