/*
 * read.h -- single rows and lists, read from any thread.
 *
 * Reading a row copies it; reading a list calls a visitor for each row, with strings
 * that are borrowed until the visitor returns. A visitor gives false to stop. Nothing
 * here allocates but RocksDB, inside its cache and for one iterator.
 *
 * Each call says whether it may wait for the disk. STORE_CACHED_ONLY is for threads
 * that must not wait: ERR_AGAIN means that the answer is not in memory, and the reader
 * pool should ask again with STORE_MAY_BLOCK. STORE_PASSING may wait, too, and what it
 * reads from the disk is not kept in the cache: for those who go through rows once, so
 * that they neither fill memory in quiet times nor push out what others ask for again.
 *
 * Every call may give ERR_IO (also while the store is being reopened), ERR_CORRUPT,
 * ERR_LIMIT (a name is empty, or too long to be stored) and, when the cache is full of
 * what others are reading at this moment, ERR_BUDGET.
 */
#pragma once

#include "base/err.h"
#include "store/row.h"
#include "store/store.h"

enum store_wait {
    STORE_MAY_BLOCK = 0,
    STORE_CACHED_ONLY,
    STORE_PASSING,
};
#define STORE_WAITS_COUNT 3

/* A channel's row and the last seq of both its logs. ERR_ABSENT: it was never created. */
MUST_USE enum err store_load_channel(struct store *store, enum store_wait wait,
                                     struct channel_name name, struct channel_state *out_state);

/* Its row alone, which is one look-up. ERR_ABSENT: it was never created. */
MUST_USE enum err store_find_channel_row(struct store *store, enum store_wait wait,
                                         struct channel_name name, struct channel_row *out_row);

/* Which channel has this name. ERR_ABSENT: it was never created. */
MUST_USE enum err store_find_channel(struct store *store, enum store_wait wait,
                                     struct channel_name name, struct channel_ref *out_ref);

/* The largest number given in a slot; 0: none. The next free one is the next. */
MUST_USE enum err store_last_number(struct store *store, enum store_wait wait, uint16_t slot,
                                    uint32_t *out_number);

struct channel_identity {
    uint8_t type;
    uint16_t id_size;
    uint8_t id[STORE_CHANNEL_ID_BYTES_MAX];
};

/* The name of a channel. ERR_ABSENT: no channel has the number. */
MUST_USE enum err store_find_channel_name(struct store *store, enum store_wait wait,
                                          struct channel_ref channel,
                                          struct channel_identity *out_identity);

/* Of one SEND, to find its first result (semantics 3.4). */
struct store_send {
    struct log_ref log;
    struct bytes sender;
    struct bytes client_msg_no;
};

struct store_sent {
    uint64_t seq;
    bool wants_care; /* also when there is none: store_tend_sends is due */
};

/* The message that was stored for the same send. Found by a keyed hash of 64 bits: read that
 * message and compare. ERR_ABSENT: there was none among the newest 786,432 of the log.
 * STORE_CACHED_ONLY answers from memory that a send is new, as nearly all are, in a fraction of a
 * microsecond, if the log is in use; ERR_AGAIN else. */
MUST_USE enum err store_find_send(struct store *store, enum store_wait wait,
                                  const struct store_send *send, struct store_sent *out_sent);

/* Prepares store_find_send for a log: reads what it needs, if it is not in memory, and puts in
 * order what has grown. Blocks; no send needs to wait for it. */
MUST_USE enum err store_tend_sends(struct store *store, struct log_ref log);

/* The seq of the newest message that `uid` sent in the log; 0: none. */
MUST_USE enum err store_own_last_seq(struct store *store, enum store_wait wait, struct log_ref log,
                                     struct bytes uid, uint64_t *out_seq);

/* ERR_ABSENT: not on the list. */
MUST_USE enum err store_find_member(struct store *store, enum store_wait wait, struct list_ref list,
                                    struct bytes uid, struct member_row *out_row);

MUST_USE enum err store_list_is_empty(struct store *store, enum store_wait wait,
                                      struct list_ref list, bool *out_is_empty);

typedef bool store_member_fn(void *context, struct bytes uid, const struct member_row *row);

/* Which part of a list is wanted, and who is told. */
struct member_page {
    struct list_ref list;
    struct bytes after; /* the last uid of the page before; empty: from the beginning */
    uint32_t count_max; /* above 0 */
    store_member_fn *visit;
    void *context;
};

/* Visits in byte order of the uids. Fewer than `count_max` visits without a stop: that was all. */
MUST_USE enum err store_read_members(struct store *store, enum store_wait wait,
                                     const struct member_page *page);

/* ERR_ABSENT: the user has no such conversation. */
MUST_USE enum err store_find_directory(struct store *store, enum store_wait wait,
                                       const struct directory_key *key,
                                       struct directory_row *out_row);

typedef bool store_directory_fn(void *context, struct channel_name channel,
                                const struct directory_row *row);

struct directory_page {
    struct bytes uid;
    struct channel_name after; /* the last channel of the page before; type 0: from the beginning */
    bool is_descending;        /* from the end, in the opposite order; without `after` */
    uint32_t count_max;        /* above 0 */
    store_directory_fn *visit;
    void *context;
};

/* Visits in the order of type, then id. */
MUST_USE enum err store_read_directory(struct store *store, enum store_wait wait,
                                       const struct directory_page *page);

/* ERR_ABSENT: nobody by that name. */
MUST_USE enum err store_find_user(struct store *store, enum store_wait wait, struct bytes uid,
                                  struct user_row *out_row);

/* ERR_ABSENT: nothing is known about that class of the user's devices. */
MUST_USE enum err store_find_device(struct store *store, enum store_wait wait,
                                    struct device_key key, struct device_row *out_row);

typedef bool store_uid_fn(void *context, struct bytes uid);

/* Visits all system accounts in byte order. */
MUST_USE enum err store_read_system_uids(struct store *store, store_uid_fn *visit, void *context);

/* Where a value goes: `size` bytes at `data`; `used` is set. */
struct store_area {
    uint8_t *data;
    size_t size;
    size_t used;
};

/* ERR_ABSENT: never put. ERR_FULL: the area is too small. */
MUST_USE enum err store_find_meta(struct store *store, struct bytes name, struct store_area *area);

/* What store_batch_put_last_ms put; 0: nothing yet. */
MUST_USE enum err store_last_ms(struct store *store, uint64_t *out_wall_ms);

#define STORE_UUID_BYTES 16

/* Given at creation; tells one database from another. */
void store_uuid(const struct store *store, uint8_t out_uuid[STORE_UUID_BYTES]);
