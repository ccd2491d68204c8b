/*
 * system_accounts.h -- the uids that may send to anybody and that anybody may write to.
 *
 * The list is durable and every shard holds all of it, as hashes (semantics 1.9).
 * Changes go through one shard, SYSTEM_ACCOUNTS_SHARD, one after the other: it
 * journals them, and when they are committed it hands the new set to all shards;
 * the change is answered when the last of them has it. `____system` is a system
 * account in any case and not part of the list.
 *
 * A data source may say who the system accounts are instead of the list (webhook 7.3).
 * Its word goes the same way and is not journalled: the list stays as it is, and is
 * what counts after the next start until the data source has answered. Additions and
 * removals change the list and the set that is in use.
 *
 * Ownership: acquired and released by the asker; the uids are borrowed from it until
 * the change has come home.
 */
#pragma once

#include "base/list.h"
#include "chat/waiter.h"
#include "memory/budget.h"
#include "shard/mailbox.h"
#include "shard/routing.h"

struct chat;
struct shard;
struct store;

#define SYSTEM_ACCOUNTS_SHARD 0u
/* They are looked through one by one for each message: more would be felt. No change names more
 * either, so that it fits one entry. */
#define SYSTEM_ACCOUNTS_MAX 4096u

struct system_change;

/* Hands the new set to one shard. Private to system_accounts.c. */
struct system_notice {
    struct letter letter;
    struct system_change *change;
    enum err result;
};

struct system_change {
    struct letter letter;
    struct mailbox *home; /* where it goes when it is done */
    letter_fn *on_home;   /* what happens there, with `letter` */
    void *context;        /* the asker's: what it needs to answer */

    /* Asked. */
    bool is_removal;          /* otherwise they are added */
    bool is_replacement;      /* they are all there are, from a data source; nothing is stored */
    const struct bytes *uids; /* none empty, each at most NAME_BYTES_MAX; borrowed */
    uint32_t uids_count;

    /* Answered: ERR_OK; ERR_LIMIT (more than SYSTEM_ACCOUNTS_MAX, nothing was changed), ERR_BUDGET
     * (no room now), ERR_IO and others (the store failed). A change may be asked again whatever
     * came of it. */
    enum err result;

    /* On SYSTEM_ACCOUNTS_SHARD. Private to system_accounts.c. */
    struct list link; /* in chat->system_changes; the first one is under way */
    bool is_begun;
    uint64_t *hashes; /* the set as it will be */
    uint32_t hashes_count;
    uint32_t hashes_capacity;
    struct waiter waiter;
    uint32_t notices_open;
    struct budget *budget;
    uint32_t notices_count;
    struct system_notice notices[]; /* one a shard */
};

/* A change to fill in, or NULL when the budget refuses. */
MUST_USE struct system_change *system_change_acquire(struct budget *budget, uint32_t shards_count);
void system_change_release(struct system_change *change);

/* Posts it to SYSTEM_ACCOUNTS_SHARD. The asker's mailer wakes that shard. */
void system_change_post(struct system_change *change, struct mailer *mailer,
                        struct shard *const *shards);

/* At start, before the shards run: reads the list and gives it to all of them, which have one
 * hash key. ERR_LIMIT: there are more than SYSTEM_ACCOUNTS_MAX. */
MUST_USE enum err system_accounts_load(struct store *store, struct chat *const *chats,
                                       uint32_t chats_count);
