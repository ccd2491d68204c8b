/*
 * temporary.h -- the lists of temporary channels: whom a back end wants to reach there.
 *
 * A back end names some people (http-api 7.9) and then sends to the channel. Its list
 * takes the place of the channel's members: each message goes to those who are on it
 * when the message's turn comes. It makes nobody a member. It is in memory only, so that
 * nothing of it stays behind: no rows, no conversations, and a restart forgets it.
 *
 *            set                        not used for TEMPORARY_IDLE_MS
 *   none ─────────▶ held ──────────────────────────────────────────────▶ none
 *                    │ ▲ set again: another list, between two messages
 *                    └─┘
 *
 * Bounds: TEMPORARY_UIDS_BYTES_MAX a list, TEMPORARY_LISTS_MAX lists a shard, and the
 * temporaries budget in all. What does not fit is refused and changes nothing; a list that is
 * in use is never given up for another.
 *
 * Ownership: a list belongs to the table. A message takes a reference to its roster and
 * nothing else. One shard, the channel's.
 */
#pragma once

#include "base/list.h"
#include "chat/notices.h"
#include "chat/op.h"
#include "memory/budget.h"

struct channel;
struct chat;
struct roster;
struct shard;

#define TEMPORARY_IDLE_MS   1800000u
#define TEMPORARY_LISTS_MAX 8192u
/* With msg.offline the uids are journalled with each message. */
#define TEMPORARY_UIDS_BYTES_MAX NOTICES_UIDS_BYTES_MAX

struct temporary {
    struct list recency; /* in the table, most recent first */
    struct temporary *next_in_bucket;
    uint64_t hash; /* the channel's */
    uint64_t used_ms;
    size_t size_bytes;     /* of the allocation: the strings lie behind the uids */
    struct roster *roster; /* the same people, by shard */
    struct bytes channel_id;
    uint32_t uids_count;
    struct bytes uids[];
};

/* Private to temporary.c. */
struct temporaries {
    struct temporary **buckets; /* acquired with the first list */
    struct list recency;
    uint32_t count;
    struct budget *budget;
};

void temporaries_init(struct temporaries *temporaries, struct budget *budget);
void temporaries_deinit(struct chat *chat);

/* Forgets the lists that nobody has used for TEMPORARY_IDLE_MS. */
void temporaries_age(struct chat *chat);

/* The list of a temporary channel, or NULL. Valid until the end of the turn. */
const struct temporary *temporary_find(struct chat *chat, const struct channel *channel);

/* Lends a channel a list, instead of the one it has. ERR_LIMIT: it is too long, or there are too
 * many. ERR_BUDGET: no room. */
MUST_USE enum err temporary_put(struct chat *chat, const struct channel *channel,
                                const struct bytes *uids, uint32_t uids_count);

/* ---- Asking for it. ---- */

/* An op of the channel, so that it has its place among the sends. Acquired by the asker, and
 * released by it when it has come home to op.home, where op.on_home is called with its op's
 * letter. */
struct temporary_set {
    struct op op;

    /* Asked. Borrowed from the asker until it has come home. */
    struct bytes channel_id;
    const struct bytes *uids;
    uint32_t uids_count;

    /* Answered: as temporary_put; others: the channel could not be loaded. */
    enum err result;

    struct budget *budget;
};

/* One to fill in, or NULL when the budget refuses. */
MUST_USE struct temporary_set *temporary_set_acquire(struct budget *budget);
void temporary_set_release(struct temporary_set *set);

/* Posts it to the shard that owns its channel. */
void temporary_set_post(struct temporary_set *set, struct mailer *mailer,
                        struct shard *const *shards, uint32_t shards_count);
