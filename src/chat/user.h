/*
 * user.h -- a uid that is online on this shard, and its sessions.
 *
 * Users exist while they have a session. They are found by the hash of their uid
 * under a key that is drawn at start and shared by all shards: fan-out walks
 * hashes, never strings, and nobody can choose two uids that collide.
 *
 * Users are numbered as they come online, so that who remembers a number can ask
 * who has come since (newcomers.h).
 */
#pragma once

#include "base/hash.h"
#include "base/list.h"
#include "memory/budget.h"

struct user {
    struct user *next_in_bucket;
    uint64_t hash;
    uint64_t arrival;       /* 1, 2, 3, … as they came online */
    struct list by_arrival; /* among all users, in that order */
    struct list sessions;   /* newest last */
    uint32_t sessions_count;
    bool is_mute; /* send_ban on the person's record */
    uint16_t uid_size;
    uint8_t uid[];
};

/* Private to user.c. Chained buckets, doubled as it fills. */
struct users {
    struct user **buckets;
    uint32_t buckets_count; /* a power of two */
    uint32_t count;
    uint64_t arrivals;      /* the newest number that was given */
    struct list by_arrival; /* all users, oldest first */
    struct list *scan;      /* where the scan of newcomers is, or NULL */
    struct budget *budget;
};

/* ERR_BUDGET: no room for the first buckets. */
MUST_USE enum err users_init(struct users *users, struct budget *budget);
void users_deinit(struct users *users); /* no user is left */

/* The user online with this hash, or NULL. */
struct user *users_find(const struct users *users, uint64_t hash);

/* The user, made if absent; NULL when the budget refuses. */
MUST_USE struct user *users_add(struct users *users, uint64_t hash, struct bytes uid);

/* Releases a user without sessions. */
void users_remove(struct users *users, struct user *user);

/* Begins to go through those who came online after the one with number `arrival`, oldest first.
 * Users may come and go meanwhile; there is one scan at a time. */
void users_scan_begin(struct users *users, uint64_t arrival);

/* The user at which the scan is, or NULL at its end. */
struct user *users_scan_at(const struct users *users);

/* Goes on behind the user at which the scan is. */
void users_scan_next(struct users *users);

static inline struct bytes user_uid(const struct user *user)
{
    return (struct bytes){.data = user->uid, .size = user->uid_size};
}
