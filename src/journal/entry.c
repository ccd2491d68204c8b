#include "journal/entry.h"

#include "base/assert.h"
#include "memory/allocator.h"

#define ENTRY_FIRST_BYTES 16384u
#define ENTRY_KEPT_BYTES  65536u /* what an empty entry may keep */

void entry_init(struct entry *entry, struct budget *budget)
{
    *entry = (struct entry){.budget = budget};
    list_init(&entry->waiters);
}

void entry_deinit(struct entry *entry)
{
    ASSERT(list_is_empty(&entry->waiters));
    memory_release(entry->budget, entry->bytes, entry->capacity);
    entry->bytes = NULL;
}

enum err entry_reserve(struct entry *entry, size_t size)
{
    const size_t needed = entry->size + size;
    if (entry->size > 0 &&
        (needed > ENTRY_BYTES_MAX || entry->messages_count >= ENTRY_MESSAGES_MAX)) {
        return ERR_FULL;
    }
    if (needed <= entry->capacity) {
        return ERR_OK;
    }
    size_t capacity = entry->capacity == 0 ? ENTRY_FIRST_BYTES : entry->capacity;
    while (capacity < needed) {
        capacity *= 2;
    }
    uint8_t *bytes = memory_acquire(entry->budget, MEMORY_RANK_DELIVER, capacity);
    if (bytes == NULL) {
        return ERR_BUDGET;
    }
    if (entry->size > 0) {
        memcpy(bytes, entry->bytes, entry->size);
    }
    memory_release(entry->budget, entry->bytes, entry->capacity);
    entry->bytes = bytes;
    entry->capacity = capacity;
    return ERR_OK;
}

void entry_add(struct entry *entry, const struct record *record)
{
    struct writer writer = writer_of(entry->bytes + entry->size, entry->capacity - entry->size);
    record_encode(record, &writer);
    entry->size += writer_size(&writer);
    entry->records_count++;
    entry->rows_bytes += 2 * writer_size(&writer) + 256;
    if (record->kind == RECORD_MESSAGE) {
        entry->messages_count++;
    }
    if (record->kind == RECORD_OUTBOX_PUT) {
        const uint64_t id = record->outbox.key.id;
        const bool is_first = entry->outbox_bytes == 0;
        entry->outbox_id_least =
            is_first || id < entry->outbox_id_least ? id : entry->outbox_id_least;
        entry->outbox_bytes += outbox_cost(writer_size(&writer) - RECORD_OUTBOX_EXTRA_BYTES);
    }
}

void entry_clear(struct entry *entry)
{
    ASSERT(list_is_empty(&entry->waiters));
    if (entry->capacity > ENTRY_KEPT_BYTES) {
        memory_release(entry->budget, entry->bytes, entry->capacity);
        entry->bytes = NULL;
        entry->capacity = 0;
    }
    entry->size = 0;
    entry->records_count = 0;
    entry->messages_count = 0;
    entry->outbox_bytes = 0;
    entry->outbox_id_least = 0;
    entry->rows_bytes = 0;
    entry->result = ERR_OK;
}
