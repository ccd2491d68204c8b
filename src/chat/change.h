/*
 * change.h -- a back end changes a channel: its record, its lists, its members.
 *
 * A change is an op like a send: it stands in the channel's queue, waits until
 * what was sent before it is committed and nobody goes through the list of members
 * any more (delivery.h), works through its uids a page at a time, and answers when
 * all of it is durable and every shard has taken notice. While it works, later
 * sends of the channel wait; so a message is judged by the lists, and reaches the
 * members, before or after a change, never by half of it.
 *
 * What each change does to the conversations of the uids follows semantics 2.5
 * and http-api 7.6 to 7.15.
 *
 * What a data source answers is a change like any other, but for two things: it does
 * not wait for the sends that wait for it (channel.h), and whom a person allows by it
 * gets no conversation, since nobody has done anything.
 *
 * Ownership: acquired and released by the asker; the uids are borrowed from it
 * until the change has come home.
 */
#pragma once

#include "chat/op.h"
#include "chat/waiter.h"
#include "memory/budget.h"
#include "shard/readers.h"
#include "store/row.h"

struct change;
struct shard;

enum change_kind {
    CHANGE_INVALID = 0,
    CHANGE_PUT,     /* the record as given; resets the subscribers if asked; adds the uids */
    CHANGE_DISBAND, /* sets the flag if the channel exists */
    CHANGE_ADD,     /* the uids to the list; with is_reset the list is emptied first */
    CHANGE_REMOVE,  /* the uids from the list */
    CHANGE_CLEAR,   /* everybody from the list */
};

#define CHANGE_PAGE_UIDS 64

/* Tells a shard that a person's record or lists have changed. Private to change.c. */
struct change_notice {
    struct letter letter;
    struct change *change;
};

struct change {
    struct op op;

    /* Asked. */
    enum change_kind kind;
    enum list_kind list;
    bool is_reset;
    bool is_answer;           /* of a data source: it goes before sends that wait for it */
    uint32_t flags;           /* CHANGE_PUT: a sum of enum channel_flag */
    uint32_t flags_kept;      /* CHANGE_PUT: flags that stay as they are */
    struct channel_name name; /* the id is borrowed from the asker, as the uids are */
    const struct bytes *uids;
    uint32_t uids_count;

    /* Answered: ERR_OK, ERR_BUDGET (no room now), ERR_IO and others (the store failed). */
    enum err result;

    /* On the channel's shard. Private to change.c. */
    struct chat *chat;
    struct channel *channel;
    enum {
        CHANGE_BEGINS = 0,
        CHANGE_READS,
        CHANGE_WRITES,
        CHANGE_LISTS,
        CHANGE_COMMITS,
        CHANGE_ENDS
    } stage;
    uint32_t uids_done;
    uint32_t page_count;
    bool page_has_row[CHANGE_PAGE_UIDS];
    struct directory_row page_rows[CHANGE_PAGE_UIDS];
    struct reading reading;
    enum err read_result;
    struct waiter waiter;
    uint32_t pairs_open; /* conversations of a person's allow list that are being made */
    uint32_t notices_open;
    struct budget *budget;
    uint32_t notices_count;
    struct change_notice notices[]; /* one a shard */
};

/* A change to fill in, or NULL when the budget refuses. */
MUST_USE struct change *change_acquire(struct budget *budget, uint32_t shards_count);
void change_release(struct change *change);

/* Posts it to the shard that owns its channel; it comes home to op.home, where op.on_home is called
 * with its op's letter. */
void change_post(struct change *change, struct mailer *mailer, struct shard *const *shards,
                 uint32_t shards_count);
