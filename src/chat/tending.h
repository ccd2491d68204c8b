/*
 * tending.h -- has a reader put a log's memory of sends in order, while the log goes on.
 *
 * What idempotence needs of a log grows with it (store/sends.h): its filter becomes too
 * small, its newest sends are not in pages yet. Both take milliseconds of reading, and no
 * send waits for them. When memory is short nothing happens: the store says again that
 * care is due.
 */
#pragma once

#include "store/row.h"

struct channel;
struct chat;

/* On the channel's shard. */
void tending_begin(struct chat *chat, struct channel *channel, struct log_ref log);
