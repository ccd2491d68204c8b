#include "chat/message.h"

#include "base/assert.h"
#include "chat/roster.h"
#include "memory/allocator.h"

struct message *message_acquire(struct budget *budget, uint32_t shards_count, size_t row_bytes)
{
    const size_t size = sizeof(struct message) + shards_count * sizeof(struct delivery) + row_bytes;
    struct message *message = memory_acquire(budget, MEMORY_RANK_DELIVER, size);
    if (message == NULL) {
        return NULL;
    }
    memset(message, 0, size - row_bytes);
    message->budget = budget;
    message->size_bytes = (uint32_t)size;
    message->references = 1;
    message->parts_count = (uint16_t)shards_count;
    return message;
}

uint8_t *message_row(struct message *message)
{
    return (uint8_t *)&message->parts[message->parts_count];
}

void message_ref(struct message *message)
{
    ASSERT(message->references > 0);
    message->references++;
}

void message_unref(struct message *message)
{
    ASSERT(message->references > 0);
    message->references--;
    if (message->references == 0) {
        if (message->roster != NULL) {
            roster_unref(message->roster);
            message->roster = NULL;
        }
        ASSERT(!list_is_linked(&message->link));
        memory_release(message->budget, message, message->size_bytes);
    }
}
