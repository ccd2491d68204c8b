#include "store/outbox.h"

#include "base/assert.h"
#include "base/hash.h"
#include "store/store_private.h"

#define ROW_FORMAT     1
#define ROW_HEAD_BYTES 5 /* format and checksum */

void outbox_key_encode(const struct outbox_key *key, uint8_t area[OUTBOX_KEY_BYTES])
{
    ASSERT(key->queue != OUTBOX_INVALID);
    struct writer writer = writer_of(area, OUTBOX_KEY_BYTES);
    writer_u8(&writer, key->queue);
    writer_u8(&writer, key->lane);
    writer_u64(&writer, key->id);
    writer_u16(&writer, key->part);
    ASSERT(!writer.is_full);
}

enum err outbox_key_decode(struct bytes bytes, struct outbox_key *out_key)
{
    struct reader reader = reader_of(bytes);
    struct outbox_key key;
    key.queue = reader_u8(&reader);
    key.lane = reader_u8(&reader);
    key.id = reader_u64(&reader);
    key.part = reader_u16(&reader);
    if (reader.is_short || reader_left(&reader) > 0 || key.queue == OUTBOX_INVALID ||
        key.queue >= OUTBOX_QUEUES_END) {
        return ERR_CORRUPT;
    }
    *out_key = key;
    return ERR_OK;
}

size_t outbox_row_strings_size(const struct outbox_row *row)
{
    const bool is_named = (row->flags & OUTBOX_NAMED) != 0;
    return row->message.size + row->data.size +
           (is_named ? row->channel_id.size + row->from_uid.size : 0);
}

void outbox_row_encode(const struct outbox_row *row, struct writer *writer)
{
    writer_u8(writer, ROW_FORMAT);
    uint8_t *checksum_at = writer->at;
    writer_u32(writer, 0);
    const uint8_t *begin = writer->at;
    writer_u64(writer, row->queued_ms);
    writer_u16(writer, row->status);
    writer_u8(writer, row->flags);
    writer_u16(writer, row->log.channel.slot);
    writer_u32(writer, row->log.channel.number);
    writer_u8(writer, (uint8_t)row->log.kind);
    writer_u64(writer, row->seq);
    writer_block(writer, row->message);
    if ((row->flags & OUTBOX_NAMED) != 0) {
        writer_u8(writer, row->channel_type);
        writer_block(writer, row->channel_id);
        writer_block(writer, row->from_uid);
    }
    writer_bytes_add(writer, row->data);
    ASSERT(!writer->is_full);
    struct writer checksum = writer_of(checksum_at, sizeof(uint32_t));
    writer_u32(&checksum,
               hash_crc32c(0, (struct bytes){.data = begin, .size = (size_t)(writer->at - begin)}));
}

enum err outbox_row_decode(struct bytes bytes, struct outbox_row *out_row)
{
    struct reader reader = reader_of(bytes);
    const uint8_t format = reader_u8(&reader);
    const uint32_t checksum = reader_u32(&reader);
    if (reader.is_short || format != ROW_FORMAT ||
        checksum != hash_crc32c(0, bytes_skip(bytes, ROW_HEAD_BYTES))) {
        return ERR_CORRUPT;
    }
    struct outbox_row row = {.flags = 0};
    row.queued_ms = reader_u64(&reader);
    row.status = reader_u16(&reader);
    row.flags = reader_u8(&reader);
    row.log.channel.slot = reader_u16(&reader);
    row.log.channel.number = reader_u32(&reader);
    const uint8_t kind = reader_u8(&reader);
    row.log.kind = (enum log_kind)kind;
    row.seq = reader_u64(&reader);
    row.message = reader_block(&reader);
    if ((row.flags & OUTBOX_NAMED) != 0) {
        row.channel_type = reader_u8(&reader);
        row.channel_id = reader_block(&reader);
        row.from_uid = reader_block(&reader);
    }
    row.data = reader_rest(&reader);
    if (reader.is_short || kind >= LOG_KINDS_COUNT || row.log.channel.slot >= SLOTS_COUNT ||
        row.from_uid.size > STORE_UID_BYTES_MAX) {
        return ERR_CORRUPT;
    }
    *out_row = row;
    return ERR_OK;
}

static enum err visit_rows(struct scan *scan, const struct outbox_range *range,
                           struct outbox_key *bad)
{
    for (uint32_t i = 0; i < range->count_max && scan_has_row(scan); i++) {
        struct outbox_key key;
        struct outbox_row row;
        const struct bytes value = scan_value(scan);
        enum err err = outbox_key_decode(scan_key(scan), &key);
        if (err != ERR_OK) {
            return err;
        }
        err = outbox_row_decode(value, &row);
        if (err != ERR_OK) {
            *bad = key;
            return err;
        }
        if (!range->visit(range->context, &key, &row, value.size)) {
            break;
        }
        rocksdb_iter_next(scan->rows);
    }
    return ERR_OK;
}

enum err store_read_outbox(struct store *store, const struct outbox_range *range,
                           struct outbox_key *out_bad)
{
    ASSERT(range->count_max > 0);
    struct outbox_key unknown;
    struct scan scan;
    outbox_key_encode(&range->from, scan.begin.data);
    scan.begin.size = OUTBOX_KEY_BYTES;
    scan.end.size = range->is_all_lanes ? 1 : 2;
    memcpy(scan.end.data, scan.begin.data, scan.end.size);
    key_pass_prefix(&scan.end);
    const enum store_wait wait = range->count_max == 1 ? STORE_MAY_BLOCK : STORE_PASSING;
    const enum err err = scan_open(&scan, store, wait, FAMILY_OUTBOX);
    if (err != ERR_OK) {
        return err;
    }
    rocksdb_iter_seek_to_first(scan.rows);
    return scan_close(&scan, visit_rows(&scan, range, out_bad != NULL ? out_bad : &unknown));
}
