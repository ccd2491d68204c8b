#include "chat/audience.h"

#include "base/assert.h"
#include "chat/chat.h"
#include "chat/roster_load.h"
#include "memory/allocator.h"

#include <stdlib.h>

#define AUDIENCE_FIRST_CAPACITY 32

static size_t buckets_bytes(void)
{
    return AUDIENCES_BUCKETS * sizeof(struct audience *);
}

enum err audiences_init(struct chat *chat)
{
    list_init(&chat->audiences.recency);
    chat->audiences.buckets =
        memory_acquire_zeroed(&chat->rosters_budget, MEMORY_RANK_DRAIN, buckets_bytes());
    return chat->audiences.buckets != NULL ? ERR_OK : ERR_BUDGET;
}

static struct audience **audience_place(const struct chat *chat, uint64_t channel_hash)
{
    struct audience **place = &chat->audiences.buckets[channel_hash & (AUDIENCES_BUCKETS - 1)];
    while (*place != NULL && (*place)->channel_hash != channel_hash) {
        place = &(*place)->next_in_bucket;
    }
    return place;
}

static void audience_forget(struct chat *chat, struct audience *audience)
{
    ASSERT(!audience->is_in_use);
    struct audience **place = audience_place(chat, audience->channel_hash);
    ASSERT(*place == audience);
    *place = audience->next_in_bucket;
    list_remove(&audience->recency);
    memory_release(&chat->rosters_budget, audience->hashes,
                   audience->capacity * sizeof(*audience->hashes));
    memory_release(&chat->rosters_budget, audience, sizeof(*audience));
    metric_subtract(chat->shard->metrics, METRIC_AUDIENCES, 1);
}

void audiences_deinit(struct chat *chat)
{
    struct list *recency = &chat->audiences.recency;
    while (!list_is_empty(recency)) {
        audience_forget(chat, CONTAINER_OF(recency->next, struct audience, recency));
    }
    memory_release(&chat->rosters_budget, chat->audiences.buckets, buckets_bytes());
    chat->audiences.buckets = NULL;
}

/* Forgets what was wanted longest ago: an audience, or else a roster. False: there is none. */
static bool give_up_one(struct chat *chat)
{
    struct list *recency = &chat->audiences.recency;
    for (struct list *item = recency->prev; item != recency; item = item->prev) {
        struct audience *audience = CONTAINER_OF(item, struct audience, recency);
        if (!audience->is_in_use) {
            metric_add(chat->shard->metrics, METRIC_AUDIENCES_EVICTED, 1);
            audience_forget(chat, audience);
            return true;
        }
    }
    return roster_give_up_one(chat, NULL);
}

static void *acquire_by_giving_up(struct chat *chat, size_t size)
{
    void *memory = memory_acquire_zeroed(&chat->rosters_budget, MEMORY_RANK_DELIVER, size);
    while (memory == NULL && give_up_one(chat)) {
        memory = memory_acquire_zeroed(&chat->rosters_budget, MEMORY_RANK_DELIVER, size);
    }
    return memory;
}

static struct audience *audience_make(struct chat *chat, uint64_t channel_hash)
{
    struct audience *audience = acquire_by_giving_up(chat, sizeof(*audience));
    if (audience == NULL) {
        return NULL;
    }
    audience->channel_hash = channel_hash;
    *audience_place(chat, channel_hash) = audience; /* the end of its chain */
    list_push_front(&chat->audiences.recency, &audience->recency);
    metric_add(chat->shard->metrics, METRIC_AUDIENCES, 1);
    return audience;
}

struct audience *audience_take(struct chat *chat, uint64_t channel_hash, uint32_t version)
{
    struct audience *audience = *audience_place(chat, channel_hash);
    if (audience == NULL) {
        audience = audience_make(chat, channel_hash);
    }
    if (audience == NULL) {
        return NULL;
    }
    ASSERT(!audience->is_in_use); /* the parts of a channel come one after the other */
    if (audience->version != version) {
        audience->version = version;
        audience->arrival = 0;
        audience->count = 0;
    }
    audience->is_in_use = true;
    audience->touched_ms = chat->shard->now_ms;
    list_remove(&audience->recency);
    list_push_front(&chat->audiences.recency, &audience->recency);
    return audience;
}

void audience_put(struct audience *audience)
{
    ASSERT(audience->is_in_use);
    audience->is_in_use = false;
}

void audiences_age(struct chat *chat)
{
    struct list *recency = &chat->audiences.recency;
    while (!list_is_empty(recency)) {
        struct audience *audience = CONTAINER_OF(recency->prev, struct audience, recency);
        if (audience->is_in_use || chat->shard->now_ms - audience->touched_ms < CHANNEL_IDLE_MS) {
            return;
        }
        audience_forget(chat, audience);
    }
}

/* The first place in it that is not below `hash`. */
static uint32_t audience_find(const struct audience *audience, uint64_t hash)
{
    uint32_t low = 0;
    uint32_t high = audience->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (audience->hashes[middle] < hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool audience_has(const struct audience *audience, uint64_t hash)
{
    const uint32_t place = audience_find(audience, hash);
    return place < audience->count && audience->hashes[place] == hash;
}

static enum err audience_grow(struct chat *chat, struct audience *audience, uint32_t wanted)
{
    uint32_t capacity = audience->capacity + audience->capacity / 2;
    capacity = capacity > wanted ? capacity : wanted;
    capacity = capacity > AUDIENCE_FIRST_CAPACITY ? capacity : AUDIENCE_FIRST_CAPACITY;
    uint64_t *hashes = acquire_by_giving_up(chat, capacity * sizeof(*hashes));
    if (hashes == NULL) {
        return ERR_BUDGET;
    }
    if (audience->count > 0) {
        memcpy(hashes, audience->hashes, audience->count * sizeof(*hashes));
    }
    memory_release(&chat->rosters_budget, audience->hashes, audience->capacity * sizeof(*hashes));
    audience->hashes = hashes;
    audience->capacity = capacity;
    return ERR_OK;
}

static int compare_hashes(const void *a, const void *b)
{
    const uint64_t *first = a;
    const uint64_t *second = b;
    return *first < *second ? -1 : (*first > *second ? 1 : 0);
}

enum err audience_add(struct chat *chat, struct audience *audience, uint64_t *hashes,
                      uint32_t count)
{
    ASSERT(audience->is_in_use);
    uint32_t fresh = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!audience_has(audience, hashes[i])) {
            const uint64_t hash = hashes[i];
            hashes[i] = hashes[fresh];
            hashes[fresh++] = hash; /* those who are in it already go behind */
        }
    }
    if (fresh == 0) {
        return ERR_OK;
    }
    if (audience->count + fresh > audience->capacity) {
        const enum err err = audience_grow(chat, audience, audience->count + fresh);
        if (err != ERR_OK) {
            return err;
        }
    }
    qsort(hashes, fresh, sizeof(*hashes), compare_hashes);
    uint32_t old = audience->count;
    uint32_t place = audience->count + fresh;
    audience->count = place;
    while (fresh > 0) { /* merges from the end, in place */
        const bool is_old = old > 0 && audience->hashes[old - 1] > hashes[fresh - 1];
        audience->hashes[--place] = is_old ? audience->hashes[--old] : hashes[--fresh];
    }
    return ERR_OK;
}
