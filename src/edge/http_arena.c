#include "edge/http_arena.h"

#include "memory/allocator.h"

#define BLOCK_BYTES 2048u
#define ALIGNMENT   16u

struct http_arena_block {
    struct http_arena_block *next;
    size_t size;
    _Alignas(ALIGNMENT) uint8_t bytes[];
};

void http_arena_init(struct http_arena *arena, struct budget *budget)
{
    *arena = (struct http_arena){.budget = budget};
}

void *http_arena_acquire(struct http_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (arena->blocks == NULL || (size_t)(arena->end - arena->at) < size) {
        size_t block_size = sizeof(struct http_arena_block) + size;
        block_size = block_size < BLOCK_BYTES ? BLOCK_BYTES : block_size;
        struct http_arena_block *block =
            memory_acquire(arena->budget, MEMORY_RANK_READ, block_size);
        if (block == NULL) {
            return NULL;
        }
        *block = (struct http_arena_block){.next = arena->blocks, .size = block_size};
        arena->blocks = block;
        arena->at = block->bytes;
        arena->end = (uint8_t *)block + block_size;
    }
    uint8_t *piece = arena->at;
    arena->at += size;
    memset(piece, 0, size);
    return piece;
}

void http_arena_release(struct http_arena *arena)
{
    while (arena->blocks != NULL) {
        struct http_arena_block *block = arena->blocks;
        arena->blocks = block->next;
        memory_release(arena->budget, block, block->size);
    }
    arena->at = NULL;
    arena->end = NULL;
}
