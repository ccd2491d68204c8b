/*
 * audience.h -- the members of a large channel who are online on this shard.
 *
 * The list of a large channel is not held. What a message needs of it is who of
 * the members is online; that is what an audience remembers, eight bytes each, on
 * each shard for the users that live there. It is complete up to an arrival: the
 * number that user.h gives to users as they come online. Those who came later are
 * looked up in the list before the next message is walked (newcomers.h); whoever
 * has gone is left out by that walk, and comes back with a new number.
 *
 * An audience is true of one version of the list. It is a cache: it goes when it
 * was wanted longest ago and others need room, or when nobody wants it any more.
 */
#pragma once

#include "base/list.h"
#include "memory/budget.h"

struct chat;

struct audience {
    struct list recency; /* most recent first */
    struct audience *next_in_bucket;
    uint64_t channel_hash;
    uint64_t touched_ms; /* when it was wanted last */
    uint64_t arrival;    /* complete up to this one; 0: nobody was looked up yet */
    uint32_t version;    /* of the list */
    bool is_in_use;      /* a part goes by it: it stays */
    uint32_t count;
    uint32_t capacity;
    uint64_t *hashes; /* of uids, ascending */
};

#define AUDIENCES_BUCKETS 256 /* a power of two */

/* Private to audience.c. */
struct audiences {
    struct audience **buckets;
    struct list recency;
};

MUST_USE enum err audiences_init(struct chat *chat);
void audiences_deinit(struct chat *chat); /* none is in use */

/* The audience of a channel under this version of its list, for one part at a time; empty if the
 * list has changed or nothing was known. NULL: no room. */
struct audience *audience_take(struct chat *chat, uint64_t channel_hash, uint32_t version);

/* The part is done with it. */
void audience_put(struct audience *audience);

/* Adds the hashes, whether or not they are in it; sorts them. ERR_BUDGET: no room, none was added
 * and nothing else could be given up. */
MUST_USE enum err audience_add(struct chat *chat, struct audience *audience, uint64_t *hashes,
                               uint32_t count);

bool audience_has(const struct audience *audience, uint64_t hash);

/* Gives back those that were not wanted for CHANNEL_IDLE_MS. */
void audiences_age(struct chat *chat);
