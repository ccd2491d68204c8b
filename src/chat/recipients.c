#include "chat/recipients.h"

#include "chat/chat.h"
#include "chat/roster.h"

#include <stdlib.h>

static int compare_hashes(const void *a, const void *b)
{
    const uint64_t *first = a;
    const uint64_t *second = b;
    return *first < *second ? -1 : (*first > *second ? 1 : 0);
}

/* A uid that was named twice is delivered to once. */
static void part_deduplicate(struct roster_part *part)
{
    if (part->count < 2) {
        return;
    }
    qsort(part->hashes, part->count, sizeof(*part->hashes), compare_hashes);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < part->count; i++) {
        if (part->hashes[i] != part->hashes[kept - 1]) {
            part->hashes[kept++] = part->hashes[i];
        }
    }
    part->count = kept;
}

struct roster *recipients_roster(struct chat *chat, struct budget *budget, const struct bytes *uids,
                                 uint32_t count)
{
    const uint32_t shards_count = chat->shard->shards_count;
    struct roster *roster = roster_acquire(budget, shards_count);
    if (roster == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t shard = routing_shard_of_slot(slot_of_user(uids[i]), shards_count);
        if (roster_add(roster, shard, chat_hash(chat, uids[i])) != ERR_OK) {
            roster_unref(roster);
            return NULL;
        }
    }
    for (uint32_t i = 0; i < shards_count; i++) {
        part_deduplicate(&roster->parts[i]);
    }
    return roster;
}
