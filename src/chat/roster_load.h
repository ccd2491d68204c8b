/*
 * roster_load.h -- reads a channel's members into a roster, a page at a time, off the shard.
 */
#pragma once

#include <stdbool.h>

struct channel;
struct chat;

/* A roster is held up to this part of the shard's budget for all of them. */
#define ROSTER_PART 16

/* Begins to read the roster of a channel that has none; delivery_resume is called at its end,
 * without a roster if the list is too long (`is_large`), there is no room, or it cannot be read. If
 * it cannot begin for want of memory, delivery_resume is called at once. */
void roster_load(struct chat *chat, struct channel *channel);

/* Forgets the roster that was wanted longest ago, of any channel but this. False: there is none. */
bool roster_give_up_one(struct chat *chat, const struct channel *spared);
