/*
 * roster.h -- who gets a channel's messages: hashes of uids, split by the shard they live on.
 *
 * Eight bytes a member. A roster does not change once it is complete: a change of
 * membership makes the channel forget it, and the next message reads the list
 * again. So the shards that walk it need no lock and no copy; it is counted on
 * its own shard only, since every delivery comes home.
 */
#pragma once

#include "base/bytes.h"
#include "memory/budget.h"
#include "shard/routing.h"

struct chat;

struct roster_part {
    uint64_t *hashes;
    uint32_t count;
    uint32_t capacity;
};

struct roster {
    uint32_t references;
    uint32_t parts_count;
    struct budget *budget;
    uint32_t members_count;
    struct roster_part parts[]; /* by shard */
};

/* An empty roster with one reference, or NULL when the budget refuses. */
MUST_USE struct roster *roster_acquire(struct budget *budget, uint32_t shards_count);
void roster_ref(struct roster *roster);
void roster_unref(struct roster *roster);

/* Adds a member. ERR_BUDGET: no room. */
MUST_USE enum err roster_add(struct roster *roster, uint32_t shard, uint64_t hash);

/* Is it on the roster? */
bool roster_has(const struct roster *roster, uint32_t shard, uint64_t hash);
