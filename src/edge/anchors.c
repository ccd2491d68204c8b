#include "edge/anchors.h"

#include "base/assert.h"
#include "base/hash.h"
#include "memory/allocator.h"

#define BUCKETS_COUNT 4096u /* a power of two */

struct anchor_entry {
    struct list age;
    struct anchor_entry *next_in_bucket;
    uint64_t hash;
    uint64_t born_ns;
    uint64_t message_id;
    uint16_t msg_no_size;
    uint16_t from_size;
    uint16_t channel_size;
    uint8_t channel_type;
    uint8_t strings[]; /* client_msg_no, from_uid, channel id */
};

static size_t entry_bytes(const struct anchor_entry *entry)
{
    return sizeof(*entry) + entry->msg_no_size + entry->from_size + entry->channel_size;
}

static struct bytes entry_msg_no(const struct anchor_entry *entry)
{
    return (struct bytes){.data = entry->strings, .size = entry->msg_no_size};
}

void anchors_init(struct anchors *anchors, struct budget *parent, uint64_t bytes_max,
                  struct metrics_slot *metrics)
{
    *anchors = (struct anchors){.buckets = NULL, .metrics = metrics};
    budget_init(&anchors->budget, "anchors", parent, bytes_max);
    list_init(&anchors->age);
}

static struct anchor_entry **place_of(const struct anchors *anchors, uint64_t hash,
                                      struct bytes client_msg_no)
{
    struct anchor_entry **place = &anchors->buckets[hash & (BUCKETS_COUNT - 1)];
    while (*place != NULL &&
           ((*place)->hash != hash || !bytes_equal(entry_msg_no(*place), client_msg_no))) {
        place = &(*place)->next_in_bucket;
    }
    return place;
}

static void entry_release(struct anchors *anchors, struct anchor_entry **place)
{
    struct anchor_entry *entry = *place;
    *place = entry->next_in_bucket;
    list_remove(&entry->age);
    memory_release(&anchors->budget, entry, entry_bytes(entry));
}

static void forget_oldest(struct anchors *anchors)
{
    struct anchor_entry *entry = CONTAINER_OF(anchors->age.prev, struct anchor_entry, age);
    entry_release(anchors, place_of(anchors, entry->hash, entry_msg_no(entry)));
}

void anchors_deinit(struct anchors *anchors)
{
    while (!list_is_empty(&anchors->age)) {
        forget_oldest(anchors);
    }
    memory_release(&anchors->budget, anchors->buckets,
                   BUCKETS_COUNT * sizeof(struct anchor_entry *));
    anchors->buckets = NULL;
    ASSERT(budget_used(&anchors->budget) == 0);
}

static bool is_old(const struct anchor_entry *entry, uint64_t now_ns)
{
    return now_ns - entry->born_ns > ANCHOR_LIFE_MS * 1000000ull;
}

static struct anchor_entry *entry_acquire(struct anchors *anchors, size_t size)
{
    for (;;) {
        struct anchor_entry *entry =
            memory_acquire_zeroed(&anchors->budget, MEMORY_RANK_CACHE, size);
        if (entry != NULL || list_is_empty(&anchors->age)) {
            return entry;
        }
        metric_add(anchors->metrics, METRIC_STREAM_HINTS_FORGOTTEN, 1);
        forget_oldest(anchors);
    }
}

static bool has_buckets(struct anchors *anchors)
{
    if (anchors->buckets == NULL) {
        anchors->buckets = memory_acquire_zeroed(&anchors->budget, MEMORY_RANK_CACHE,
                                                 BUCKETS_COUNT * sizeof(struct anchor_entry *));
    }
    return anchors->buckets != NULL;
}

void anchors_put(struct anchors *anchors, const struct anchor *anchor, uint64_t now_ns)
{
    if (!has_buckets(anchors)) {
        return;
    }
    while (!list_is_empty(&anchors->age) &&
           is_old(CONTAINER_OF(anchors->age.prev, struct anchor_entry, age), now_ns)) {
        forget_oldest(anchors);
    }
    anchors_drop(anchors, anchor->client_msg_no);
    const size_t strings =
        anchor->client_msg_no.size + anchor->from_uid.size + anchor->channel.id.size;
    struct anchor_entry *entry = entry_acquire(anchors, sizeof(*entry) + strings);
    if (entry == NULL) {
        return;
    }
    entry->hash = hash_fnv1a64(anchor->client_msg_no);
    entry->born_ns = now_ns;
    entry->message_id = anchor->message_id;
    entry->msg_no_size = (uint16_t)anchor->client_msg_no.size;
    entry->from_size = (uint16_t)anchor->from_uid.size;
    entry->channel_size = (uint16_t)anchor->channel.id.size;
    entry->channel_type = anchor->channel.type;
    struct writer writer = writer_of(entry->strings, strings);
    writer_bytes_add(&writer, anchor->client_msg_no);
    writer_bytes_add(&writer, anchor->from_uid);
    writer_bytes_add(&writer, anchor->channel.id);
    ASSERT(!writer.is_full);
    struct anchor_entry **place = place_of(anchors, entry->hash, anchor->client_msg_no);
    *place = entry;
    list_push_front(&anchors->age, &entry->age);
}

bool anchors_find(const struct anchors *anchors, struct bytes client_msg_no, uint64_t now_ns,
                  struct anchor *out_anchor)
{
    if (anchors->buckets == NULL) {
        return false;
    }
    const struct anchor_entry *entry =
        *place_of(anchors, hash_fnv1a64(client_msg_no), client_msg_no);
    if (entry == NULL || is_old(entry, now_ns)) {
        return false;
    }
    const uint8_t *from = entry->strings + entry->msg_no_size;
    *out_anchor = (struct anchor){
        .client_msg_no = entry_msg_no(entry),
        .from_uid = {.data = from, .size = entry->from_size},
        .channel = {.type = entry->channel_type,
                    .id = {.data = from + entry->from_size, .size = entry->channel_size}},
        .message_id = entry->message_id,
    };
    return true;
}

void anchors_drop(struct anchors *anchors, struct bytes client_msg_no)
{
    if (anchors->buckets == NULL) {
        return;
    }
    struct anchor_entry **place = place_of(anchors, hash_fnv1a64(client_msg_no), client_msg_no);
    if (*place != NULL) {
        entry_release(anchors, place);
    }
}
