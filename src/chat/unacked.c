#include "chat/unacked.h"

#include "base/assert.h"
#include "memory/allocator.h"

#define UNACKED_FIRST_CAPACITY 8

static struct unacked_entry *unacked_at(const struct unacked *unacked, uint32_t place)
{
    return &unacked->entries[(unacked->first + place) % unacked->capacity];
}

static void unacked_pass(struct unacked *unacked)
{
    unacked->first = (uint16_t)((unacked->first + 1) % unacked->capacity);
    unacked->count--;
}

/* Passes over the acknowledged ones at the front, so that the oldest is one that waits. */
static void unacked_trim(struct unacked *unacked)
{
    while (unacked->count > 0 && unacked_at(unacked, 0)->message_id == 0) {
        unacked_pass(unacked);
    }
}

/* Closes the gaps that acknowledgements in the middle have left. */
static void unacked_compact(struct unacked *unacked)
{
    uint16_t kept = 0;
    for (uint32_t i = 0; i < unacked->count; i++) {
        const struct unacked_entry entry = *unacked_at(unacked, i);
        if (entry.message_id != 0) {
            *unacked_at(unacked, kept) = entry;
            kept++;
        }
    }
    unacked->count = kept;
}

static bool unacked_grow(struct unacked *unacked, struct budget *budget)
{
    const uint16_t capacity =
        unacked->capacity == 0 ? UNACKED_FIRST_CAPACITY : (uint16_t)(unacked->capacity * 2);
    if (capacity > UNACKED_MAX) {
        return false;
    }
    struct unacked_entry *entries =
        memory_acquire(budget, MEMORY_RANK_DELIVER, capacity * sizeof(*entries));
    if (entries == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < unacked->count; i++) {
        entries[i] = *unacked_at(unacked, i);
    }
    memory_release(budget, unacked->entries, unacked->capacity * sizeof(*entries));
    unacked->entries = entries;
    unacked->capacity = capacity;
    unacked->first = 0;
    return true;
}

uint32_t unacked_add(struct unacked *unacked, struct budget *budget, struct unacked_entry entry)
{
    ASSERT(entry.message_id != 0);
    uint32_t pushed_out = 0;
    if (unacked->count == unacked->capacity && unacked->capacity > 0) {
        unacked_compact(unacked);
    }
    if (unacked->count == unacked->capacity && !unacked_grow(unacked, budget)) {
        if (unacked->capacity == 0) {
            return 1;
        }
        unacked_pop(unacked);
        pushed_out = 1;
    }
    unacked->count++;
    *unacked_at(unacked, unacked->count - 1u) = entry;
    unacked_trim(unacked);
    return pushed_out;
}

bool unacked_remove(struct unacked *unacked, uint64_t message_id, struct unacked_entry *out_entry)
{
    for (uint32_t i = 0; i < unacked->count; i++) {
        struct unacked_entry *entry = unacked_at(unacked, i);
        if (entry->message_id == message_id && message_id != 0) {
            *out_entry = *entry;
            entry->message_id = 0;
            unacked_trim(unacked);
            return true;
        }
    }
    return false;
}

struct unacked_entry *unacked_oldest(struct unacked *unacked)
{
    return unacked->count > 0 ? unacked_at(unacked, 0) : NULL;
}

void unacked_pop(struct unacked *unacked)
{
    ASSERT(unacked->count > 0);
    unacked_pass(unacked);
    unacked_trim(unacked);
}

void unacked_deinit(struct unacked *unacked, struct budget *budget)
{
    memory_release(budget, unacked->entries, unacked->capacity * sizeof(*unacked->entries));
    *unacked = (struct unacked){.entries = NULL};
}
