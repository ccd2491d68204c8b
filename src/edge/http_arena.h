/*
 * http_arena.h -- what dies together with one HTTP request.
 *
 * Pieces are cut from blocks; nothing is given back before all of it is. The first
 * block comes with the first piece, so that a request that needs none costs none.
 * One thread.
 */
#pragma once

#include "base/bytes.h"
#include "memory/budget.h"

struct http_arena_block;

/* Private to http_arena.c. */
struct http_arena {
    struct budget *budget;
    struct http_arena_block *blocks; /* newest first */
    uint8_t *at;
    uint8_t *end;
};

void http_arena_init(struct http_arena *arena, struct budget *budget);

/* `size` zeroed bytes, aligned for anything, or NULL when the budget refuses. */
MUST_USE void *http_arena_acquire(struct http_arena *arena, size_t size);

void http_arena_release(struct http_arena *arena);
