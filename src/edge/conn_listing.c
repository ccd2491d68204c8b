#include "edge/conn_listing.h"

#include "base/assert.h"
#include "edge/edge.h"
#include "memory/allocator.h"

#include <stdlib.h>

static size_t listing_bytes(uint32_t heap_max)
{
    return sizeof(struct conn_listing) + heap_max * sizeof(struct conn_rank);
}

struct conn_listing *conn_listing_acquire(struct budget *budget, uint64_t offset, uint32_t limit)
{
    ASSERT(limit > 0 && limit <= CONN_LISTING_LIMIT_MAX);
    const bool is_small = offset < CONN_LISTING_HEAP_MAX - limit;
    const uint32_t heap_max = is_small ? (uint32_t)offset + limit : CONN_LISTING_HEAP_MAX;
    struct conn_listing *listing =
        memory_acquire(budget, MEMORY_RANK_READ, listing_bytes(heap_max));
    if (listing != NULL) {
        *listing = (struct conn_listing){
            .budget = budget, .heap_max = heap_max, .offset = offset, .limit = limit};
    }
    return listing;
}

void conn_listing_release(struct conn_listing *listing)
{
    memory_release(listing->budget, listing, listing_bytes(listing->heap_max));
}

/* ---- The order. ---- */

static uint64_t key_of(const struct conn_listing *listing, const struct conn *conn)
{
    const struct conn_traffic *traffic = &conn->traffic;
    switch (listing->order) {
    case CONN_ORDER_ID:
        return session_number(conn->session.id);
    case CONN_ORDER_IN_MESSAGES:
        return traffic->in_messages;
    case CONN_ORDER_OUT_MESSAGES:
        return traffic->out_messages;
    case CONN_ORDER_IN_MESSAGE_BYTES:
        return traffic->in_message_bytes;
    case CONN_ORDER_OUT_MESSAGE_BYTES:
        return traffic->out_message_bytes;
    case CONN_ORDER_IN_PACKETS:
        return traffic->in_packets;
    case CONN_ORDER_OUT_PACKETS:
        return traffic->out_packets;
    case CONN_ORDER_IN_BYTES:
        return traffic->in_bytes;
    case CONN_ORDER_OUT_BYTES:
        return traffic->out_bytes;
    case CONN_ORDER_UPTIME:
        return UINT64_MAX - conn->accepted_ms; /* not by a clock that goes on from page to page */
    case CONN_ORDER_IDLE:
        return UINT64_MAX - conn->last_in_ms;
    case CONN_ORDER_VERSION:
        return conn->version;
    }
    UNREACHABLE();
}

/* Below 0: `a` comes before `b`. Equal keys stand in the order of the ids. */
static int compare_ranks(const struct conn_rank *a, const struct conn_rank *b)
{
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    const uint64_t a_number = session_number(a->id);
    const uint64_t b_number = session_number(b->id);
    return a_number < b_number ? -1 : (a_number > b_number ? 1 : 0);
}

static int compare_sorted(const void *a, const void *b)
{
    return compare_ranks(a, b);
}

/* ---- The heap: the one that comes last is on top. ---- */

static void swap_ranks(struct conn_rank *a, struct conn_rank *b)
{
    const struct conn_rank kept = *a;
    *a = *b;
    *b = kept;
}

static void sift_down(struct conn_listing *listing)
{
    struct conn_rank *heap = listing->heap;
    uint32_t at = 0;
    for (;;) {
        uint32_t last = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
            if (child < listing->heap_count && compare_ranks(&heap[child], &heap[last]) > 0) {
                last = child;
            }
        }
        if (last == at) {
            return;
        }
        swap_ranks(&heap[at], &heap[last]);
        at = last;
    }
}

static void sift_up(struct conn_listing *listing)
{
    struct conn_rank *heap = listing->heap;
    uint32_t at = listing->heap_count - 1;
    while (at > 0 && compare_ranks(&heap[at], &heap[(at - 1) / 2]) > 0) {
        swap_ranks(&heap[at], &heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static void keep_rank(struct conn_listing *listing, const struct conn_rank *rank)
{
    if (listing->has_floor && compare_ranks(rank, &listing->floor) <= 0) {
        return;
    }
    if (listing->heap_count < listing->heap_max) {
        listing->heap[listing->heap_count++] = *rank;
        sift_up(listing);
    } else if (compare_ranks(rank, &listing->heap[0]) < 0) {
        listing->heap[0] = *rank;
        sift_down(listing);
    }
}

/* ---- Looking. ---- */

static bool is_wanted(const struct conn_listing *listing, const struct conn *conn)
{
    if (conn->state != CONN_OPEN || conn->session.state != SESSION_OPEN) {
        return false;
    }
    const struct bytes uid = session_uid(&conn->session);
    return listing->uid_part.size == 0 ||
           memmem(uid.data, uid.size, listing->uid_part.data, listing->uid_part.size) != NULL;
}

/* True: the shard's table is done. */
static bool look_at_some(struct conn_listing *listing, const struct edge *edge)
{
    const struct conns *conns = &edge->conns;
    uint32_t end = listing->slot + CONN_LISTING_PER_VISIT;
    end = end < conns->touched ? end : conns->touched;
    for (uint32_t i = listing->slot; i < end; i++) {
        const struct conn *conn = &conns->slots[i];
        if (is_wanted(listing, conn)) {
            struct conn_rank rank = {.key = key_of(listing, conn), .id = conn->session.id};
            rank.key = listing->is_descending ? ~rank.key : rank.key;
            keep_rank(listing, &rank);
        }
    }
    listing->slot = end;
    return end >= conns->touched;
}

static void begin_round(struct conn_listing *listing)
{
    listing->shard = 0;
    listing->slot = 0;
    listing->heap_count = 0;
}

/* All shards were seen. True: the page is in the heap; false: it begins behind what is there, and
 * another round is needed. */
static bool end_round(struct conn_listing *listing)
{
    qsort(listing->heap, listing->heap_count, sizeof(listing->heap[0]), compare_sorted);
    const bool is_all = listing->heap_count < listing->heap_max;
    if (!is_all && listing->skip + listing->limit > listing->heap_max) {
        /* Leave out of this round what must be skipped, but keep what the page may begin with. */
        const uint64_t seen = listing->skip < listing->heap_max ? listing->skip : listing->heap_max;
        listing->floor = listing->heap[seen - 1];
        listing->has_floor = true;
        listing->skip -= seen;
        return false;
    }
    const uint64_t left =
        listing->heap_count > listing->skip ? listing->heap_count - listing->skip : 0;
    listing->page_at = left > 0 ? (uint32_t)listing->skip : 0;
    listing->page_end =
        listing->page_at + (uint32_t)(left < listing->limit ? left : listing->limit);
    return true;
}

static void go_home(struct conn_listing *listing, struct shard *shard)
{
    listing->letter.receive = listing->on_home;
    mailer_post(&shard->mailer, listing->home, &listing->letter);
}

/* ---- Writing the page. ---- */

static void write_arrives(struct letter *letter, void *receiver)
{
    struct shard *shard = receiver;
    struct edge *edge = edge_of(receiver);
    struct conn_listing *listing = CONTAINER_OF(letter, struct conn_listing, letter);
    for (uint32_t written = 0; listing->page_at < listing->page_end && !listing->is_full;
         written++) {
        const struct session_id id = listing->heap[listing->page_at].id;
        if (id.shard != shard->index || written == CONN_LISTING_WRITES_PER_VISIT) {
            shard_post(shard, id.shard, letter);
            return;
        }
        const struct conn *conn = conn_find(edge, id);
        if (conn != NULL && is_wanted(listing, conn)) {
            listing->is_full = !listing->write(listing->context, edge, conn);
        }
        listing->page_at++;
    }
    go_home(listing, shard);
}

static void look_arrives(struct letter *letter, void *receiver)
{
    struct shard *shard = receiver;
    struct conn_listing *listing = CONTAINER_OF(letter, struct conn_listing, letter);
    if (look_at_some(listing, edge_of(receiver))) {
        listing->shard++;
        listing->slot = 0;
    }
    if (listing->shard == listing->shards_count) {
        if (end_round(listing)) {
            letter->receive = write_arrives;
            write_arrives(letter, receiver);
            return;
        }
        begin_round(listing);
    }
    shard_post(shard, listing->shard, letter);
}

void conn_listing_post(struct conn_listing *listing, struct mailer *mailer,
                       struct shard *const *shards, uint32_t shards_count)
{
    ASSERT(listing->home != NULL);
    ASSERT(listing->on_home != NULL);
    ASSERT(listing->write != NULL);
    listing->shards_count = shards_count;
    listing->skip = listing->offset;
    listing->has_floor = false;
    listing->is_full = false;
    begin_round(listing);
    listing->letter.receive = look_arrives;
    mailer_post(mailer, &shards[0]->mailbox, &listing->letter);
}
