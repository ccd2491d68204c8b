/*
 * conn_listing.h -- a page of the connections of all shards, sorted (http-api 14.2).
 *
 * Nobody holds all connections at once. A letter visits every shard in turn and keeps, in a heap
 * of a fixed size, the connections that come first in the order that was asked for; to page on
 * further than the heap is large it goes round again for those that come after the last one it
 * kept. It looks at no more than CONN_LISTING_PER_VISIT places of a table at once and goes to the
 * end of the shard's mailbox in between, so that a large table delays nobody.
 *
 * Then it goes from shard to shard in the order of the page and lets each connection be written
 * by `write`, there and then: nothing that belongs to a connection is carried between threads.
 *
 * What changes while it walks is seen or not; a page is no snapshot.
 *
 * Ownership: acquired and released by the asker; what it asks with is borrowed until the listing
 * has come home.
 */
#pragma once

#include "edge/conn.h"
#include "memory/budget.h"
#include "shard/mailbox.h"

struct shard;

#define CONN_LISTING_PER_VISIT        4096u
#define CONN_LISTING_WRITES_PER_VISIT 64u
#define CONN_LISTING_HEAP_MAX         4096u
#define CONN_LISTING_LIMIT_MAX        1000u /* connections of one page */

enum conn_order {
    CONN_ORDER_ID = 0,
    CONN_ORDER_IN_MESSAGES,
    CONN_ORDER_OUT_MESSAGES,
    CONN_ORDER_IN_MESSAGE_BYTES,
    CONN_ORDER_OUT_MESSAGE_BYTES,
    CONN_ORDER_IN_PACKETS,
    CONN_ORDER_OUT_PACKETS,
    CONN_ORDER_IN_BYTES,
    CONN_ORDER_OUT_BYTES,
    CONN_ORDER_UPTIME,
    CONN_ORDER_IDLE,
    CONN_ORDER_VERSION,
};

/* Where a connection stands in the order. */
struct conn_rank {
    uint64_t key;
    struct session_id id;
};

/* Writes one connection, on its shard. False: there is no room; the listing comes home. */
typedef bool conn_listing_fn(void *context, const struct edge *edge, const struct conn *conn);

struct conn_listing {
    struct letter letter;
    struct mailbox *home;
    letter_fn *on_home;
    void *context; /* the asker's; also that of `write` */

    /* Asked. */
    enum conn_order order;
    bool is_descending;
    struct bytes uid_part; /* only those whose uid contains it; empty: all */
    uint64_t offset;
    uint32_t limit; /* 1 to CONN_LISTING_LIMIT_MAX */
    conn_listing_fn *write;

    /* Answered. */
    bool is_full; /* `write` had no room: ask again with more */

    /* Private to conn_listing.c. */
    uint32_t shards_count;
    uint32_t shard;
    uint32_t slot; /* of the shard's table, to be looked at next */
    uint64_t skip; /* of the offset, still */
    bool has_floor;
    struct conn_rank floor; /* only those behind it */
    uint32_t page_at;       /* in `heap`, the next one to be written */
    uint32_t page_end;
    struct budget *budget;
    uint32_t heap_max;
    uint32_t heap_count;
    struct conn_rank heap[]; /* the last in the order on top; sorted when complete */
};

/* NULL when the budget refuses. */
MUST_USE struct conn_listing *conn_listing_acquire(struct budget *budget, uint64_t offset,
                                                   uint32_t limit);
void conn_listing_release(struct conn_listing *listing);

/* Sends it around. It may be sent again when it has come home. */
void conn_listing_post(struct conn_listing *listing, struct mailer *mailer,
                       struct shard *const *shards, uint32_t shards_count);
