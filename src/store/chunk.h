/*
 * chunk.h -- consecutive messages of one log as one stored value.
 *
 *   key    … | first seq u64        (key.h)
 *   value  format u8 | count u8 | count times size u32 | count times send u64 |
 *          the rows, one behind the other
 *
 * `send` is the hash of a message's sender and client_msg_no, 0 if it is not to be found
 * by them (sends.h). The rows carry their own checksums; decoding checks that the sizes
 * add up to the value.
 *
 * Private to the store layer; pure functions.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "store/batch.h"

#define CHUNK_HEADER_BYTES_MAX (2 + (4 + 8) * STORE_CHUNK_MESSAGES_MAX)

/* A message that is to be written. */
struct chunk_message {
    struct bytes row;
    uint64_t send;
};

/* A chunk as it is read; borrows the value. */
struct chunk {
    uint64_t first_seq;
    uint32_t count; /* at least 1 */
    const uint8_t *sends;
    const uint8_t *rows;
    uint32_t offsets[STORE_CHUNK_MESSAGES_MAX + 1]; /* where each row begins, and the last ends */
};

/* Writes the header of a chunk of these messages; gives its size. */
size_t chunk_header_encode(const struct chunk_message *messages, uint32_t count,
                           uint8_t area[CHUNK_HEADER_BYTES_MAX]);

/* ERR_CORRUPT: key and value are no chunk. */
MUST_USE enum err chunk_decode(struct bytes key, struct bytes value, struct chunk *out_chunk);

/* inline definitions */

static inline uint64_t chunk_last_seq(const struct chunk *chunk)
{
    return chunk->first_seq + chunk->count - 1;
}

/* The row of the message at `index`, which is below the count. */
static inline struct bytes chunk_row(const struct chunk *chunk, uint32_t index)
{
    return (struct bytes){.data = chunk->rows + chunk->offsets[index],
                          .size = chunk->offsets[index + 1] - chunk->offsets[index]};
}

static inline uint64_t chunk_send(const struct chunk *chunk, uint32_t index)
{
    return bytes_u64_be(chunk->sends + sizeof(uint64_t) * index);
}
