/*
 * waiter.h -- something that waits for the commit of what it put into this turn's entry.
 */
#pragma once

#include "base/err.h"
#include "base/list.h"

struct chat;
struct waiter;

/* The entry is home: committed with ERR_OK, otherwise refused. */
typedef void waiter_fn(struct chat *chat, struct waiter *waiter, enum err result);

/* Embed this, zeroed. */
struct waiter {
    struct list link;
    waiter_fn *committed;
};
