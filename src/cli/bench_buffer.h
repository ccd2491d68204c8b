/*
 * bench_buffer.h -- bytes that wait for a socket: a queue in one run of memory that grows.
 *
 * The load generator keeps one per direction and connection; an empty one that was never used
 * costs nothing. Whoever fills a buffer watches its size: it has no bound of its own.
 */
#pragma once

#include "base/bytes.h"
#include "memory/allocator.h"

/* Zeroed memory is an empty buffer. Private to bench_buffer.c. */
struct bench_buffer {
    uint8_t *data;
    size_t capacity;
    size_t begin;
    size_t end;
};

void bench_buffer_release(struct bench_buffer *buffer, struct budget *budget);

/* Room for `size` more bytes behind those there are, or NULL: no memory. What is written counts
 * when it is added. */
MUST_USE uint8_t *bench_buffer_room(struct bench_buffer *buffer, struct budget *budget,
                                    size_t size);
void bench_buffer_add(struct bench_buffer *buffer, size_t size);

/* Forgets the first `size` bytes. */
void bench_buffer_consume(struct bench_buffer *buffer, size_t size);

/* inline definitions */

static inline struct bytes bench_buffer_bytes(const struct bench_buffer *buffer)
{
    return (struct bytes){.data = buffer->data + buffer->begin,
                          .size = buffer->end - buffer->begin};
}

/* The first byte, to be changed in place; until the next call that adds or makes room. */
static inline uint8_t *bench_buffer_data(struct bench_buffer *buffer)
{
    return buffer->data + buffer->begin;
}
