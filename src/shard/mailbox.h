/*
 * mailbox.h -- how threads speak to each other: letters, never locks.
 *
 * The shard layer is the runtime of one thread: its turn's clock, its timers,
 * its mailbox, and the arithmetic of who owns what. A letter is embedded in the
 * request it carries and says itself what the receiver does with it. Posting
 * never fails and never allocates: what bounds a mailbox is that every letter
 * belongs to a pool or budget of its sender, who gets it back as the reply.
 *
 * Promises:
 *   (1) letters of one sender are received in the order they were posted; what a receiver posts
 *       to itself, in its place among those of others that have come before and after;
 *   (2) whatever the sender wrote before posting, the receiver sees;
 *   (3) a letter posted to a sleeping thread wakes it, at the latest when the
 *       sender ends its turn (mailer_flush).
 *
 * Memory goes home to die: a request is released by the thread that acquired
 * it, so a request that is done is posted back.
 */
#pragma once

#include "base/compiler.h"
#include "system/wakeup.h"

#include <stdbool.h>
#include <stdint.h>

struct letter;

/* Called by the receiving thread; `receiver` is what mailbox_open was given. */
typedef void letter_fn(struct letter *letter, void *receiver);

/* Embed this in a request. Private to mailbox.c but for `receive`. */
struct letter {
    struct letter *next;
    letter_fn *receive;
    uint32_t place; /* private to intake.c */
};

/* How the receiver sleeps, and so how it is woken. */
enum mailbox_sleep {
    MAILBOX_AWAKE = 0,
    MAILBOX_POLLING, /* in a loop, which watches `wakeup` */
    MAILBOX_RESTING, /* in mailbox_rest */
};

/* Private to mailbox.c but for `wakeup`, which a loop watches. */
struct mailbox {
    CACHE_ALIGNED _Atomic(struct letter *) top; /* newest first */
    _Atomic uint32_t sleep;                     /* enum mailbox_sleep */
    void *receiver;
    struct wakeup wakeup;
    struct letter *own_first; /* what the receiver has posted to itself, oldest first; its own */
    struct letter *own_last;
};

#define MAILER_WAKES_MAX 80 /* mailboxes a turn can post to: shards, committer, readers, edges */

/* One sender's list of whom to wake when its turn ends. Private to mailbox.c but for `own`. */
struct mailer {
    struct mailbox *own; /* the sender's, if it has one: it needs no waking, and no atomics */
    struct mailbox *wakes[MAILER_WAKES_MAX];
    uint32_t wakes_count;
};

MUST_USE enum err mailbox_open(struct mailbox *mailbox, void *receiver);
void mailbox_close(struct mailbox *mailbox);

/* Posts and wakes at once: for threads that have no turn. */
void mailbox_post(struct mailbox *mailbox, struct letter *letter);

/* Posts now, wakes at mailer_flush. */
void mailer_post(struct mailer *mailer, struct mailbox *mailbox, struct letter *letter);
void mailer_flush(struct mailer *mailer);

/* Receives what has been posted, in order; returns how many letters. Receivers run on this thread;
 * letters that they post to this mailbox wait for the next call. */
uint32_t mailbox_drain(struct mailbox *mailbox);

/* Tells senders that this thread is about to sleep in a loop. False: something was posted; do not
 * sleep. */
bool mailbox_may_sleep(struct mailbox *mailbox);

/* The opposite of mailbox_may_sleep, to be called after each sleep. */
void mailbox_awake(struct mailbox *mailbox);

/* Sleeps until a letter is there, or for `rest_ns`. True: there is one. */
bool mailbox_rest(struct mailbox *mailbox, uint64_t rest_ns);
