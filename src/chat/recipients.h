/*
 * recipients.h -- an explicit list of uids instead of a channel's members (semantics 2.4).
 *
 * Nothing of it stays behind the call: the list becomes a roster that belongs to
 * the one message. The list of a temporary channel becomes one as well, for as long as
 * the list is held (temporary.h).
 */
#pragma once

#include "base/bytes.h"

struct budget;
struct chat;
struct roster;

/* A roster of these uids, each once; NULL when the budget refuses. */
MUST_USE struct roster *recipients_roster(struct chat *chat, struct budget *budget,
                                          const struct bytes *uids, uint32_t count);
