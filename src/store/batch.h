/*
 * batch.h -- what is committed together.
 *
 * A batch gathers the rows of many entries and writes them with one sync. Messages of
 * one log that follow each other are stored as one chunk of up to 64, so that a busy
 * channel costs one row per commit and not one per message.
 *
 * Promises:
 *   (1) all of a batch is committed, or nothing;
 *   (2) rows other than messages are applied in the order of the calls;
 *   (3) a refused call (ERR_LIMIT, ERR_FULL, ERR_BUDGET) leaves the batch as it was.
 *
 * A batch belongs to one thread. Names and rows are copied; the row of a message is
 * borrowed until the batch is committed or cleared, and its checksum is asserted at
 * commit.
 *
 * Every call that puts or deletes may give ERR_LIMIT (a name is empty or too long),
 * ERR_FULL (the batch would exceed its bytes or its messages: commit first) and ERR_IO
 * (the store is not open since a write has failed).
 */
#pragma once

#include "base/err.h"
#include "memory/budget.h"
#include "store/outbox.h"
#include "store/row.h"
#include "store/store.h"

struct store_batch; /* opaque */

/* A chunk holds at most so many messages, and so many bytes unless one message alone is larger. */
#define STORE_CHUNK_MESSAGES_MAX 64u
#define STORE_CHUNK_BYTES_MAX    (64u * 1024u)

struct store_batch_options {
    uint32_t messages_max; /* of one commit */
    uint32_t bytes_max;    /* of one commit: keys and values */
    struct budget *budget; /* of the thread that owns the batch; outlives it */
};

/* The bytes that a batch takes from its budget at opening: its tables, and twice bytes_max, which
 * is what RocksDB holds at most while a batch grows. */
uint64_t store_batch_cost(const struct store_batch_options *options);

/* ERR_BUDGET: it does not fit. */
MUST_USE enum err store_batch_open(struct store *store, const struct store_batch_options *options,
                                   struct store_batch **out_batch);

/* NULL is allowed. What was not committed is dropped. */
void store_batch_close(struct store_batch *batch);

/* Is there room for `messages_count` more messages, and for `bytes` of names and rows? Asked before
 * the first row of an entry, so that an entry is never split. Each row costs STORE_ROW_EXTRA_BYTES
 * besides; a message costs STORE_MESSAGE_EXTRA_BYTES besides its row. */
bool store_batch_has_room(const struct store_batch *batch, uint32_t messages_count, uint64_t bytes);

#define STORE_ROW_EXTRA_BYTES     128u
#define STORE_MESSAGE_EXTRA_BYTES 128u

bool store_batch_is_empty(const struct store_batch *batch);

/* Writes everything; with `is_synced` it is on the disk when this returns ERR_OK, and the batch is
 * empty. ERR_IO (`out_fault` says why): what is on the disk is unknown until store_reopen. The
 * batch then takes no more rows; it is to be cleared, or committed again after the reopening, which
 * is harmless if nothing else was committed between. */
MUST_USE enum err store_batch_commit(struct store_batch *batch, bool is_synced,
                                     struct store_fault *out_fault);

/* Drops everything. */
void store_batch_clear(struct store_batch *batch);

/* Gives the pages of an empty batch back to the system, until they are needed again. */
void store_batch_rest(struct store_batch *batch);

/* A message and what is written with it. */
struct store_message {
    struct log_ref log;
    uint64_t seq;               /* above all others of the log, in the store and in the batch */
    struct bytes row;           /* of message_row_encode; borrowed until the commit */
    struct bytes sender;        /* remembered as sender of `seq`; empty: not remembered */
    struct bytes client_msg_no; /* with the sender, found by store_find_send; empty: not found */
    bool is_sole;               /* the channel's other log is known to be empty */
};

MUST_USE enum err store_batch_add_message(struct store_batch *batch,
                                          const struct store_message *message);

/* Writes the channel's row, and its number so that the name is found by it. */
MUST_USE enum err store_batch_put_channel(struct store_batch *batch, struct channel_name name,
                                          const struct channel_row *row);

MUST_USE enum err store_batch_put_member(struct store_batch *batch, struct list_ref list,
                                         struct bytes uid, const struct member_row *row);
MUST_USE enum err store_batch_delete_member(struct store_batch *batch, struct list_ref list,
                                            struct bytes uid);
/* Deletes all members of the list that are stored or in the batch by now. */
MUST_USE enum err store_batch_clear_list(struct store_batch *batch, struct list_ref list);

MUST_USE enum err store_batch_put_directory(struct store_batch *batch,
                                            const struct directory_key *key,
                                            const struct directory_row *row);
MUST_USE enum err store_batch_delete_directory(struct store_batch *batch,
                                               const struct directory_key *key);

MUST_USE enum err store_batch_put_user(struct store_batch *batch, struct bytes uid,
                                       const struct user_row *row);
MUST_USE enum err store_batch_put_device(struct store_batch *batch, struct device_key key,
                                         const struct device_row *row);
MUST_USE enum err store_batch_delete_device(struct store_batch *batch, struct device_key key);

/* Event streams: a lane as it is now, one piece of its content, and the end of its content: all
 * pieces from `index` on are deleted. ERR_LIMIT also for a row that row.h does not allow. */
MUST_USE enum err store_batch_put_lane(struct store_batch *batch, const struct stream_ref *stream,
                                       struct bytes lane, const struct lane_row *row);
MUST_USE enum err store_batch_put_piece(struct store_batch *batch, const struct stream_ref *stream,
                                        const struct lane_piece *piece);
MUST_USE enum err store_batch_cut_pieces(struct store_batch *batch, const struct stream_ref *stream,
                                         uint16_t lane, uint32_t index);

/* System accounts (semantics 1.9). */
MUST_USE enum err store_batch_put_system_uid(struct store_batch *batch, struct bytes uid);
MUST_USE enum err store_batch_delete_system_uid(struct store_batch *batch, struct bytes uid);

/* A named value of the layers above: positions, versions. */
MUST_USE enum err store_batch_put_meta(struct store_batch *batch, struct bytes name,
                                       struct bytes value);
MUST_USE enum err store_batch_delete_meta(struct store_batch *batch, struct bytes name);

/* An event for the back end, as outbox_row_encode makes it. */
MUST_USE enum err store_batch_put_outbox(struct store_batch *batch, const struct outbox_key *key,
                                         struct bytes row);
MUST_USE enum err store_batch_delete_outbox(struct store_batch *batch,
                                            const struct outbox_key *key);

/* No message_id that was given out by this commit or before has a later time. */
MUST_USE enum err store_batch_put_last_ms(struct store_batch *batch, uint64_t wall_ms);
