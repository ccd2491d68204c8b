#include "store/chunk.h"

#include "base/assert.h"
#include "store/key.h"

#define CHUNK_FORMAT 1

size_t chunk_header_encode(const struct chunk_message *messages, uint32_t count,
                           uint8_t area[CHUNK_HEADER_BYTES_MAX])
{
    ASSERT(count > 0);
    ASSERT(count <= STORE_CHUNK_MESSAGES_MAX);
    struct writer writer = writer_of(area, CHUNK_HEADER_BYTES_MAX);
    writer_u8(&writer, CHUNK_FORMAT);
    writer_u8(&writer, (uint8_t)count);
    for (uint32_t i = 0; i < count; i++) {
        writer_u32(&writer, (uint32_t)messages[i].row.size);
    }
    for (uint32_t i = 0; i < count; i++) {
        writer_u64(&writer, messages[i].send);
    }
    ASSERT(!writer.is_full);
    return writer_size(&writer);
}

enum err chunk_decode(struct bytes key, struct bytes value, struct chunk *out_chunk)
{
    if (key.size != KEY_MESSAGES_BYTES) {
        return ERR_CORRUPT;
    }
    struct reader reader = reader_of(value);
    const uint8_t format = reader_u8(&reader);
    const uint32_t count = reader_u8(&reader);
    const uint64_t first_seq = bytes_u64_be(key.data + KEY_LOG_PREFIX_BYTES);
    if (format != CHUNK_FORMAT || count == 0 || count > STORE_CHUNK_MESSAGES_MAX ||
        first_seq == 0 || first_seq > UINT64_MAX - count) {
        return ERR_CORRUPT;
    }
    uint64_t offset = 0;
    for (uint32_t i = 0; i < count; i++) {
        out_chunk->offsets[i] = (uint32_t)offset;
        offset += reader_u32(&reader);
        if (offset > UINT32_MAX) {
            return ERR_CORRUPT;
        }
    }
    const struct bytes sends = reader_bytes(&reader, sizeof(uint64_t) * count);
    if (reader.is_short || reader_left(&reader) != offset) {
        return ERR_CORRUPT;
    }
    out_chunk->offsets[count] = (uint32_t)offset;
    out_chunk->first_seq = first_seq;
    out_chunk->count = count;
    out_chunk->sends = sends.data;
    out_chunk->rows = reader.at;
    return ERR_OK;
}
