/*
 * op.h -- something that a channel is asked to do, in the order it was asked.
 *
 * Sends, changes, marks and events of a channel stand in one queue: the channel does them one
 * after the other, and when one has to wait (for the channel to be loaded, for a
 * fact to be read, for what is in flight to be committed) those behind it wait
 * too. That is what keeps a sender's messages in order.
 */
#pragma once

#include "base/list.h"
#include "shard/mailbox.h"

#include <stdbool.h>

struct channel;
struct chat;
struct op;

/* Begins it. ERR_AGAIN: it has to wait and stays first in the queue; whatever it waits for calls
 * channel_advance. Otherwise it has left the queue and is, or will be, answered. */
typedef enum err op_run_fn(struct chat *chat, struct channel *channel, struct op *op);

/* It can never be done: the channel could not be loaded. Answers it. */
typedef void op_fail_fn(struct chat *chat, struct op *op, enum err why);

struct op {
    struct letter letter;
    struct list link; /* in the channel's queue */
    bool is_held;     /* run gave ERR_AGAIN and has begun nothing: others may pass (channel.h) */
    op_run_fn *run;
    op_fail_fn *fail;
    struct mailbox *home; /* where the answer goes */
    letter_fn *on_home;   /* what happens there */
    void *context;        /* the asker's: what it needs to answer */
    uint64_t now_ns;      /* when it was asked */
};
