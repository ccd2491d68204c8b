/*
 * recipients.h -- an explicit list of uids instead of a channel's members (semantics 2.4).
 *
 * Nothing of it stays behind the call: the list becomes a roster that belongs to
 * the one message.
 */
#pragma once

#include "base/bytes.h"

struct chat;
struct roster;

/* A roster of these uids, each once; NULL when the budget refuses. */
struct roster *recipients_roster(struct chat *chat, const struct bytes *uids, uint32_t count);
