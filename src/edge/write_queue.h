/*
 * write_queue.h -- what a connection still has to be sent.
 *
 * A chain of blocks that frames are built into in place: reserve room, write the
 * frame there, commit. A connection with nothing to send has no block. Blocks of
 * the usual size are kept for the next one who needs one; there are many
 * connections and few that have something to send at the same moment.
 *
 * Bounds: deliveries may fill a queue up to WRITE_QUEUE_BYTES_MAX, and are then
 * refused, which makes a cursor of them (design 7). When half of all there is for
 * queues has been taken, a queue that has something is refused more at once: however
 * many readers are slow, there is room for those who are not. Answers (acks, pongs) may go
 * on: a client that asks more than it reads is not read on above
 * WRITE_QUEUE_ASKED_MAX, until it has read some. What it had asked by then may
 * fill the queue up to WRITE_QUEUE_ANSWERS_MAX; one that gets beyond is closed.
 * A frame that is larger than all that goes into an empty queue.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "memory/budget.h"

#define WRITE_QUEUE_BYTES_MAX     65536u
#define WRITE_QUEUE_DRAINED_BYTES (WRITE_QUEUE_BYTES_MAX / 4) /* a refused session is told then */
#define WRITE_QUEUE_ASKED_MAX     98304u
#define WRITE_QUEUE_ANSWERS_MAX   131072u
#define WRITE_BLOCK_BYTES         4096u /* the usual allocation, header included */
#define WRITE_BLOCKS_KEPT_MAX     64u   /* of a shard */

struct tls;

struct write_block {
    struct write_block *next;
    uint32_t begin; /* the first byte not yet written */
    uint32_t end;
    uint32_t capacity;
    uint8_t bytes[];
};

/* A shard's spare blocks. */
struct write_blocks {
    struct write_block *spare;
    uint32_t spare_count;
    struct budget *budget;
};

/* Zeroed memory is an empty queue. */
struct write_queue {
    struct write_block *first;
    struct write_block *last;
    uint32_t size; /* bytes that wait */
};

enum write_kind {
    WRITE_DELIVERY, /* may be refused: it comes again from the log */
    WRITE_ANSWER,   /* was promised */
};

void write_blocks_init(struct write_blocks *blocks, struct budget *budget);
void write_blocks_forget(struct write_blocks *blocks);

/* `size` bytes in one piece, or NULL: the queue is full or the budget refuses. Valid until the next
 * call for this queue. */
uint8_t *write_queue_reserve(struct write_blocks *blocks, struct write_queue *queue, size_t size,
                             enum write_kind kind);

/* The first `size` bytes of what was reserved are to be sent. */
void write_queue_commit(struct write_queue *queue, size_t size);

/* Writes what the kernel takes. ERR_OK: all of it; ERR_AGAIN: the socket must become writable;
 * ERR_CLOSED, ERR_PROTOCOL: the connection is gone. `tls` is NULL on a plain one. */
MUST_USE enum err write_queue_flush(struct write_blocks *blocks, struct write_queue *queue, int fd,
                                    struct tls *tls, size_t *out_written);

static inline bool write_queue_is_empty(const struct write_queue *queue)
{
    return queue->first == NULL;
}

/* Forgets everything. */
void write_queue_clear(struct write_blocks *blocks, struct write_queue *queue);
