/*
 * http_buffer.h -- the bytes of an answer: filled by one thread, released by the HTTP thread.
 *
 * A buffer remembers its budget, so that libmicrohttpd can give it back when the
 * last byte has left.
 */
#pragma once

#include "base/bytes.h"
#include "memory/budget.h"

struct http_buffer {
    struct budget *budget;
    size_t capacity;
    uint8_t bytes[];
};

/* NULL when the budget refuses. */
MUST_USE struct http_buffer *http_buffer_acquire(struct budget *budget, size_t capacity);

/* Takes what http_buffer_acquire gave, or NULL. */
void http_buffer_release(void *buffer);
