/*
 * browse.h -- walks over all rows of a family, for operators who look around.
 *
 * A walk costs what there is, so it has a bound of rows and says whether it came to
 * the end. It runs on a reader, never on a shard. Visitors as in read.h; errors too.
 */
#pragma once

#include "store/read.h"

/* Each walk visits at most this many rows. */
#define STORE_BROWSE_ROWS_MAX 200000u

typedef bool store_channel_fn(void *context, struct channel_name name,
                              const struct channel_row *row);
MUST_USE enum err store_browse_channels(struct store *store, store_channel_fn *visit,
                                        void *context);

typedef bool store_user_fn(void *context, struct bytes uid, const struct user_row *row);
MUST_USE enum err store_browse_users(struct store *store, store_user_fn *visit, void *context);

typedef bool store_device_fn(void *context, struct device_key key, const struct device_row *row);
MUST_USE enum err store_browse_devices(struct store *store, store_device_fn *visit, void *context);

typedef bool store_conversation_fn(void *context, const struct directory_key *key,
                                   const struct directory_row *row);
MUST_USE enum err store_browse_directory(struct store *store, store_conversation_fn *visit,
                                         void *context);
