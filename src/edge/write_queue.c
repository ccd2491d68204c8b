#include "edge/write_queue.h"

#include "base/assert.h"
#include "memory/allocator.h"
#include "system/socket.h"
#include "system/tls.h"

#define USUAL_CAPACITY (WRITE_BLOCK_BYTES - (uint32_t)sizeof(struct write_block))

void write_blocks_init(struct write_blocks *blocks, struct budget *budget)
{
    *blocks = (struct write_blocks){.budget = budget};
}

static void block_free(struct write_blocks *blocks, struct write_block *block)
{
    memory_release(blocks->budget, block, sizeof(*block) + block->capacity);
}

void write_blocks_forget(struct write_blocks *blocks)
{
    while (blocks->spare != NULL) {
        struct write_block *block = blocks->spare;
        blocks->spare = block->next;
        block_free(blocks, block);
    }
    blocks->spare_count = 0;
}

/* Has more than half been taken? Then a queue that has something gets no more of deliveries, so
 * that those whose readers are slow leave room to those whose readers are not. */
static bool is_short(const struct write_blocks *blocks)
{
    return budget_available(blocks->budget, MEMORY_RANK_DELIVER) < blocks->budget->limit_bytes / 2;
}

static struct write_block *block_acquire(struct write_blocks *blocks, size_t size,
                                         enum write_kind kind)
{
    struct write_block *block = blocks->spare;
    if (block != NULL && size <= USUAL_CAPACITY) {
        blocks->spare = block->next;
        blocks->spare_count--;
        *block = (struct write_block){.capacity = USUAL_CAPACITY};
        return block;
    }
    const bool is_usual = size <= USUAL_CAPACITY && !is_short(blocks);
    const uint32_t capacity = is_usual ? USUAL_CAPACITY : (uint32_t)size;
    const enum memory_rank rank = kind == WRITE_ANSWER ? MEMORY_RANK_DRAIN : MEMORY_RANK_DELIVER;
    block = memory_acquire(blocks->budget, rank, sizeof(*block) + capacity);
    if (block != NULL) {
        *block = (struct write_block){.capacity = capacity};
    }
    return block;
}

static void block_release(struct write_blocks *blocks, struct write_block *block)
{
    if (block->capacity != USUAL_CAPACITY || blocks->spare_count >= WRITE_BLOCKS_KEPT_MAX) {
        block_free(blocks, block);
        return;
    }
    block->next = blocks->spare;
    blocks->spare = block;
    blocks->spare_count++;
}

uint8_t *write_queue_reserve(struct write_blocks *blocks, struct write_queue *queue, size_t size,
                             enum write_kind kind)
{
    const size_t limit = kind == WRITE_ANSWER ? WRITE_QUEUE_ANSWERS_MAX : WRITE_QUEUE_BYTES_MAX;
    if (queue->size > 0 && queue->size + size > limit) {
        return NULL;
    }
    struct write_block *last = queue->last;
    if (last != NULL && last->capacity - last->end >= size) {
        return last->bytes + last->end;
    }
    if (queue->size > 0 && kind == WRITE_DELIVERY && is_short(blocks)) {
        return NULL;
    }
    struct write_block *block = block_acquire(blocks, size, kind);
    if (block == NULL) {
        return NULL;
    }
    if (last == NULL) {
        queue->first = block;
    } else {
        last->next = block;
    }
    queue->last = block;
    return block->bytes;
}

void write_queue_commit(struct write_queue *queue, size_t size)
{
    struct write_block *last = queue->last;
    ASSERT(size <= last->capacity - last->end);
    last->end += (uint32_t)size;
    queue->size += (uint32_t)size;
}

static void queue_pop(struct write_blocks *blocks, struct write_queue *queue)
{
    struct write_block *block = queue->first;
    queue->first = block->next;
    if (queue->first == NULL) {
        queue->last = NULL;
    }
    block_release(blocks, block);
}

static void queue_written(struct write_blocks *blocks, struct write_queue *queue, size_t size)
{
    queue->size -= (uint32_t)size;
    while (queue->first != NULL) {
        struct write_block *block = queue->first;
        const uint32_t part = block->end - block->begin;
        if (size < part) {
            block->begin += (uint32_t)size;
            return;
        }
        size -= part;
        queue_pop(blocks, queue);
    }
}

static enum err queue_write(struct write_queue *queue, int fd, struct tls *tls, size_t *out_size)
{
    struct bytes parts[SOCKET_PARTS_MAX];
    uint32_t count = 0;
    for (struct write_block *block = queue->first; block != NULL && count < SOCKET_PARTS_MAX;
         block = block->next) {
        if (block->end > block->begin) {
            parts[count++] = (struct bytes){.data = block->bytes + block->begin,
                                            .size = block->end - block->begin};
        }
    }
    if (count == 0) {
        *out_size = 0;
        return ERR_OK;
    }
    return tls != NULL ? tls_write(tls, parts[0], out_size)
                       : socket_write(fd, parts, count, out_size);
}

enum err write_queue_flush(struct write_blocks *blocks, struct write_queue *queue, int fd,
                           struct tls *tls, size_t *out_written)
{
    *out_written = 0;
    while (queue->size > 0) {
        size_t size = 0;
        const enum err err = queue_write(queue, fd, tls, &size);
        if (err != ERR_OK) {
            return err;
        }
        *out_written += size;
        queue_written(blocks, queue, size);
    }
    write_queue_clear(blocks, queue); /* a block that was reserved and not used */
    return ERR_OK;
}

void write_queue_clear(struct write_blocks *blocks, struct write_queue *queue)
{
    while (queue->first != NULL) {
        queue_pop(blocks, queue);
    }
    queue->size = 0;
}
