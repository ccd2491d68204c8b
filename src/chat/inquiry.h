/*
 * inquiry.h -- what a channel asks the data source before a message is judged (ADR 22).
 *
 * With a data source whose lists are asked for, a send finds out first whether what is
 * stored of its channel is what the back end says. The answer comes as changes of the
 * channel (change.h) and not here; an inquiry only tells when they are made.
 *
 *   asked for the first time   the send waits, first in the queue, until the inquiry is
 *                              home; the changes of the answer pass it (channel.h)
 *   fresh                      nothing is asked
 *   older                      asked again, and nobody waits
 *
 * What has been asked for is remembered in a table that forgets by being overwritten;
 * whoever is forgotten asks again, and the data source's thread, which remembers more,
 * answers at once.
 *
 * Ownership: acquired and released by the shard that asks. It always comes home, within
 * the time-out of the data source and a moment, whether its changes are made or not: they
 * may wait for something that stands in a queue behind the message that waits for them.
 */
#pragma once

#include "base/list.h"
#include "chat/names.h"
#include "shard/mailbox.h"
#include "store/row.h"

struct channel;
struct chat;
struct send;

/* Where shards ask: the data source's thread. The same for all, never changed while they run. */
struct inquiry_desk {
    struct mailbox *mailbox;
    letter_fn *receive; /* what happens there, with the letter of an inquiry */
    bool has_lists;     /* lists are asked for; else only flags, which persons do not have */
};

struct inquiry {
    struct letter letter;
    struct list link; /* the data source's, while it is there */
    struct mailbox *home;
    letter_fn *on_home;

    /* Asked. */
    struct channel_name name; /* whose lists; the id lies behind the struct */
    uint64_t hash;            /* of the name, the same on all shards */
    struct channel *channel;  /* whose first send waits; NULL: nobody waits */
    uint64_t asked_ns;

    /* Answered: after how many milliseconds it is to be asked again; 0: at the next use. */
    uint64_t again_ms;

    size_t size_bytes; /* of the allocation */
};

#define INQUIRY_SLOTS 1024 /* a power of two: 24 KiB a shard, with a data source only */

struct inquiry_slot {
    uint64_t hash;
    uint64_t due_ms;   /* when it is to be asked again; 0: the slot is empty */
    bool is_under_way; /* that is being done */
};

/* Private to inquiry.c. */
struct inquiries {
    const struct inquiry_desk *desk; /* borrowed; NULL: nothing is asked */
    struct inquiry_slot *slots;
    uint32_t away_count;
};

MUST_USE enum err inquiries_init(struct chat *chat, const struct inquiry_desk *desk);
void inquiries_deinit(struct chat *chat);

/* Do lists come from a data source? */
bool inquiries_have_lists(const struct chat *chat);

/* Has this send to wait for what the data source says of its channel? Then it is held: it stays
 * first in the queue and has to be run again (ERR_AGAIN). */
bool inquiry_holds(struct chat *chat, struct channel *channel, struct send *send);

/* The same for the receiver's own lists, in a channel of two people. */
bool inquiry_holds_for_receiver(struct chat *chat, struct channel *channel, struct send *send);
