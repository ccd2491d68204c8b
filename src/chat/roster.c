#include "chat/roster.h"

#include "base/assert.h"
#include "memory/allocator.h"

#define ROSTER_FIRST_CAPACITY 8

static size_t roster_size(uint32_t parts_count)
{
    return sizeof(struct roster) + parts_count * sizeof(struct roster_part);
}

struct roster *roster_acquire(struct budget *budget, uint32_t shards_count)
{
    struct roster *roster =
        memory_acquire_zeroed(budget, MEMORY_RANK_CACHE, roster_size(shards_count));
    if (roster == NULL) {
        return NULL;
    }
    roster->references = 1;
    roster->parts_count = shards_count;
    roster->budget = budget;
    return roster;
}

void roster_ref(struct roster *roster)
{
    ASSERT(roster->references > 0);
    roster->references++;
}

void roster_unref(struct roster *roster)
{
    ASSERT(roster->references > 0);
    roster->references--;
    if (roster->references > 0) {
        return;
    }
    for (uint32_t i = 0; i < roster->parts_count; i++) {
        const struct roster_part *part = &roster->parts[i];
        memory_release(roster->budget, part->hashes, part->capacity * sizeof(uint64_t));
    }
    memory_release(roster->budget, roster, roster_size(roster->parts_count));
}

static enum err roster_grow(struct roster *roster, struct roster_part *part)
{
    const uint32_t capacity = part->capacity == 0 ? ROSTER_FIRST_CAPACITY : part->capacity * 2;
    uint64_t *hashes =
        memory_acquire(roster->budget, MEMORY_RANK_CACHE, capacity * sizeof(uint64_t));
    if (hashes == NULL) {
        return ERR_BUDGET;
    }
    if (part->count > 0) {
        memcpy(hashes, part->hashes, part->count * sizeof(uint64_t));
    }
    memory_release(roster->budget, part->hashes, part->capacity * sizeof(uint64_t));
    part->hashes = hashes;
    part->capacity = capacity;
    return ERR_OK;
}

enum err roster_add(struct roster *roster, uint32_t shard, uint64_t hash)
{
    ASSERT(shard < roster->parts_count);
    struct roster_part *part = &roster->parts[shard];
    if (part->count == part->capacity) {
        const enum err err = roster_grow(roster, part);
        if (err != ERR_OK) {
            return err;
        }
    }
    part->hashes[part->count++] = hash;
    roster->members_count++;
    return ERR_OK;
}

bool roster_has(const struct roster *roster, uint32_t shard, uint64_t hash)
{
    const struct roster_part *part = &roster->parts[shard];
    for (uint32_t i = 0; i < part->count; i++) {
        if (part->hashes[i] == hash) {
            return true;
        }
    }
    return false;
}
