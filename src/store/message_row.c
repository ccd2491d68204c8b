#include "store/message_row.h"

#include "base/assert.h"
#include "base/hash.h"

#define MESSAGE_ROW_FORMAT      1
#define MESSAGE_ROW_PREFIX      5 /* format and checksum, which the checksum does not cover */
#define MESSAGE_ROW_FIXED_BYTES (MESSAGE_ROW_PREFIX + 8 + 8 + 4 + 4 + 4 + 3)
#define MESSAGE_ROW_BLOCKS      6

static size_t varint_size(uint64_t value)
{
    size_t size = 1;
    for (; value >= 0x80; value >>= 7) {
        size++;
    }
    return size;
}

static void blocks_of(const struct message_view *view, struct bytes blocks[MESSAGE_ROW_BLOCKS])
{
    blocks[0] = view->channel_id;
    blocks[1] = view->from_uid;
    blocks[2] = view->client_msg_no;
    blocks[3] = view->topic;
    blocks[4] = view->stream_no;
    blocks[5] = view->payload;
}

size_t message_row_size(const struct message_view *view)
{
    struct bytes blocks[MESSAGE_ROW_BLOCKS];
    blocks_of(view, blocks);
    size_t size = MESSAGE_ROW_FIXED_BYTES;
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        size += varint_size(blocks[i].size) + blocks[i].size;
    }
    return size;
}

void message_row_encode(const struct message_view *view, uint8_t *area)
{
    const size_t size = message_row_size(view);
    struct bytes blocks[MESSAGE_ROW_BLOCKS];
    blocks_of(view, blocks);

    struct writer writer = writer_of(area + MESSAGE_ROW_PREFIX, size - MESSAGE_ROW_PREFIX);
    writer_u64(&writer, view->message_id);
    writer_u64(&writer, view->seq);
    writer_u32(&writer, view->timestamp_s);
    writer_u32(&writer, view->expire_s);
    writer_u32(&writer, view->client_seq);
    writer_u8(&writer, view->flags);
    writer_u8(&writer, view->setting);
    writer_u8(&writer, view->channel_type);
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        writer_block(&writer, blocks[i]);
    }
    ASSERT(!writer.is_full);
    ASSERT(writer.at == writer.end);

    const uint32_t checksum = hash_crc32c(0, writer_bytes(&writer));
    struct writer prefix = writer_of(area, MESSAGE_ROW_PREFIX);
    writer_u8(&prefix, MESSAGE_ROW_FORMAT);
    writer_u32(&prefix, checksum);
}

bool message_row_is_intact(struct bytes row)
{
    if (row.size < MESSAGE_ROW_FIXED_BYTES || row.data[0] != MESSAGE_ROW_FORMAT) {
        return false;
    }
    return bytes_u32_be(row.data + 1) == hash_crc32c(0, bytes_skip(row, MESSAGE_ROW_PREFIX));
}

enum err message_row_decode(struct bytes row, struct message_view *out_view)
{
    return message_row_is_intact(row) ? message_row_split(row, out_view) : ERR_CORRUPT;
}

enum err message_row_split(struct bytes row, struct message_view *out_view)
{
    if (row.size < MESSAGE_ROW_FIXED_BYTES) {
        return ERR_CORRUPT;
    }
    struct reader reader = reader_of(bytes_skip(row, MESSAGE_ROW_PREFIX));
    struct message_view view;
    view.message_id = reader_u64(&reader);
    view.seq = reader_u64(&reader);
    view.timestamp_s = reader_u32(&reader);
    view.expire_s = reader_u32(&reader);
    view.client_seq = reader_u32(&reader);
    view.flags = reader_u8(&reader);
    view.setting = reader_u8(&reader);
    view.channel_type = reader_u8(&reader);
    view.channel_id = reader_block(&reader);
    view.from_uid = reader_block(&reader);
    view.client_msg_no = reader_block(&reader);
    view.topic = reader_block(&reader);
    view.stream_no = reader_block(&reader);
    view.payload = reader_block(&reader);
    if (reader.is_short || reader_left(&reader) != 0) {
        return ERR_CORRUPT;
    }
    *out_view = view;
    return ERR_OK;
}
