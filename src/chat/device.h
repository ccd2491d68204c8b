/*
 * device.h -- a back end sets or clears the token of one class of a user's devices, or what else
 * is kept of the user.
 *
 * A device change runs on the shard that is the user's home, where his sessions
 * live: it reads what is stored, journals what becomes of it, and after the commit
 * kicks the sessions that have to go (semantics 1.6, http-api 6.1 and 6.2). Changes
 * of one user are done one after the other, in the order they came.
 *
 *   set   refused for a banned or disbanded person; makes the user if he is new;
 *         with level master all live sessions of the class are told and closed
 *         after 10 s
 *   quit  clears the token and makes the class master; its live sessions are told
 *         and closed after 2 s, also when nothing was stored about it
 *   plugin  notes the plugin that the user is bound to; makes the user if he is new
 *
 * Ownership: acquired and released by the asker; the texts are borrowed from it until
 * the change has come home.
 */
#pragma once

#include "base/list.h"
#include "chat/names.h"
#include "chat/waiter.h"
#include "memory/budget.h"
#include "shard/readers.h"
#include "store/row.h"

struct chat;
struct shard;

enum device_change_kind {
    DEVICE_CHANGE_INVALID = 0,
    DEVICE_CHANGE_SET,
    DEVICE_CHANGE_QUIT,
    DEVICE_CHANGE_PLUGIN,
};

/* The classes that a quit of "all" means: app, web and pc. */
#define DEVICE_FLAG_ALL  (-1)
#define DEVICE_FLAGS_MAX 3

struct device_change {
    struct letter letter;
    struct mailbox *home; /* where it goes when it is done */
    letter_fn *on_home;   /* what happens there, with `letter` */
    void *context;        /* the asker's: what it needs to answer */

    /* Asked. */
    enum device_change_kind kind;
    struct bytes uid;                           /* not empty, at most NAME_BYTES_MAX; borrowed */
    int16_t device_flag;                        /* 0 to 255; a quit also takes DEVICE_FLAG_ALL */
    uint8_t level;                              /* a set: enum device_level */
    uint8_t token_hash[STORE_TOKEN_HASH_BYTES]; /* a set: SHA-256 of the token */
    struct bytes plugin_no; /* a plugin: at most STORE_PLUGIN_NO_BYTES_MAX; empty: none; borrowed */

    /* Answered: ERR_OK with a reason; ERR_BUDGET (no room now), ERR_IO and others (the store
     * failed). */
    enum err result;
    enum chat_reason reason; /* SUCCESS, BAN or DISBAND */

    /* On the user's shard. Private to device.c. */
    struct chat *chat;
    struct list link; /* in chat->device_changes */
    uint64_t uid_hash;
    bool is_begun; /* it is the user's first, and under way */
    struct reading reading;
    enum err read_result;
    uint32_t person_flags;
    bool is_user_known;
    uint64_t user_created_ms;
    bool is_device_known[DEVICE_FLAGS_MAX];
    struct waiter waiter;
    struct budget *budget;
};

/* A change to fill in, or NULL when the budget refuses. */
MUST_USE struct device_change *device_change_acquire(struct budget *budget);
void device_change_release(struct device_change *change);

/* Posts it to the user's home shard. The asker's mailer wakes the shard. */
void device_change_post(struct device_change *change, struct mailer *mailer,
                        struct shard *const *shards, uint32_t shards_count);
