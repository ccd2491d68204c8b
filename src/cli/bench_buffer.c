#include "cli/bench_buffer.h"

#include "base/assert.h"

#define CAPACITY_MIN 256u

void bench_buffer_release(struct bench_buffer *buffer, struct budget *budget)
{
    memory_release(budget, buffer->data, buffer->capacity);
    *buffer = (struct bench_buffer){.data = NULL};
}

static void move_to_front(struct bench_buffer *buffer)
{
    if (buffer->begin > 0 && buffer->data != NULL) {
        memmove(buffer->data, buffer->data + buffer->begin, buffer->end - buffer->begin);
        buffer->end -= buffer->begin;
        buffer->begin = 0;
    }
}

uint8_t *bench_buffer_room(struct bench_buffer *buffer, struct budget *budget, size_t size)
{
    if (buffer->capacity - buffer->end >= size && buffer->data != NULL) {
        return buffer->data + buffer->end;
    }
    move_to_front(buffer);
    size_t capacity = buffer->capacity < CAPACITY_MIN ? CAPACITY_MIN : buffer->capacity;
    while (capacity - buffer->end < size) {
        capacity *= 2;
    }
    if (capacity > buffer->capacity) {
        uint8_t *data = memory_acquire(budget, MEMORY_RANK_DELIVER, capacity);
        if (data == NULL) {
            return NULL;
        }
        if (buffer->data != NULL) {
            memcpy(data, buffer->data, buffer->end);
        }
        memory_release(budget, buffer->data, buffer->capacity);
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->end;
}

void bench_buffer_add(struct bench_buffer *buffer, size_t size)
{
    ASSERT(size <= buffer->capacity - buffer->end);
    buffer->end += size;
}

void bench_buffer_consume(struct bench_buffer *buffer, size_t size)
{
    ASSERT(size <= buffer->end - buffer->begin);
    buffer->begin += size;
    if (buffer->begin == buffer->end) {
        buffer->begin = 0;
        buffer->end = 0;
    }
}
