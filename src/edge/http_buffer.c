#include "edge/http_buffer.h"

#include "memory/allocator.h"

struct http_buffer *http_buffer_acquire(struct budget *budget, size_t capacity)
{
    struct http_buffer *buffer =
        memory_acquire(budget, MEMORY_RANK_DELIVER, sizeof(struct http_buffer) + capacity);
    if (buffer != NULL) {
        buffer->budget = budget;
        buffer->capacity = capacity;
    }
    return buffer;
}

void http_buffer_release(void *buffer)
{
    struct http_buffer *released = buffer;
    if (released != NULL) {
        memory_release(released->budget, released, sizeof(struct http_buffer) + released->capacity);
    }
}
