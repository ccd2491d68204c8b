#include "store/row_codec.h"

#include "base/assert.h"

#define ROW_FORMAT 1

static struct writer row_begin(struct row_area *area)
{
    struct writer writer = writer_of(area->data, sizeof(area->data));
    writer_u8(&writer, ROW_FORMAT);
    return writer;
}

static void row_end(struct row_area *area, const struct writer *writer)
{
    ASSERT(!writer->is_full);
    area->size = writer_size(writer);
}

/* A reader behind the format byte; short if the format is another. */
static struct reader row_reader(struct bytes value)
{
    struct reader reader = reader_of(value);
    if (reader_u8(&reader) != ROW_FORMAT) {
        reader.is_short = true;
    }
    return reader;
}

static void row_take(struct reader *reader, uint8_t *area, size_t size)
{
    const struct bytes bytes = reader_bytes(reader, size);
    if (size > 0 && bytes.size == size) {
        memcpy(area, bytes.data, size);
    }
}

void channel_row_encode(struct row_area *area, const struct channel_row *row)
{
    struct writer writer = row_begin(area);
    writer_u32(&writer, row->number);
    writer_u32(&writer, row->flags);
    writer_u64(&writer, row->created_ms);
    writer_u64(&writer, row->updated_ms);
    row_end(area, &writer);
}

enum err channel_row_decode(struct bytes value, struct channel_row *out_row)
{
    struct reader reader = row_reader(value);
    struct channel_row row;
    row.number = reader_u32(&reader);
    row.flags = reader_u32(&reader);
    row.created_ms = reader_u64(&reader);
    row.updated_ms = reader_u64(&reader);
    if (reader.is_short || row.number == 0) {
        return ERR_CORRUPT;
    }
    *out_row = row;
    return ERR_OK;
}

void number_row_encode(struct row_area *area, struct channel_name name)
{
    struct writer writer = row_begin(area);
    writer_u8(&writer, name.type);
    writer_u16(&writer, (uint16_t)name.id.size);
    writer_bytes_add(&writer, name.id);
    row_end(area, &writer);
}

enum err number_row_decode(struct bytes value, struct channel_identity *out_identity)
{
    struct reader reader = row_reader(value);
    const uint8_t type = reader_u8(&reader);
    const uint16_t size = reader_u16(&reader);
    const struct bytes id = reader_bytes(&reader, size);
    if (reader.is_short || size == 0 || size > STORE_CHANNEL_ID_BYTES_MAX) {
        return ERR_CORRUPT;
    }
    out_identity->type = type;
    out_identity->id_size = size;
    memcpy(out_identity->id, id.data, size);
    return ERR_OK;
}

void seq_row_encode(struct row_area *area, uint64_t seq)
{
    struct writer writer = row_begin(area);
    writer_u64(&writer, seq);
    row_end(area, &writer);
}

enum err seq_row_decode(struct bytes value, uint64_t *out_seq)
{
    struct reader reader = row_reader(value);
    const uint64_t seq = reader_u64(&reader);
    if (reader.is_short) {
        return ERR_CORRUPT;
    }
    *out_seq = seq;
    return ERR_OK;
}

void member_row_encode(struct row_area *area, const struct member_row *row)
{
    struct writer writer = row_begin(area);
    writer_u64(&writer, row->joined_seq);
    writer_u64(&writer, row->created_ms);
    row_end(area, &writer);
}

enum err member_row_decode(struct bytes value, struct member_row *out_row)
{
    struct reader reader = row_reader(value);
    struct member_row row;
    row.joined_seq = reader_u64(&reader);
    row.created_ms = reader_u64(&reader);
    if (reader.is_short) {
        return ERR_CORRUPT;
    }
    *out_row = row;
    return ERR_OK;
}

void directory_row_encode(struct row_area *area, const struct directory_row *row)
{
    struct writer writer = row_begin(area);
    writer_u32(&writer, row->flags);
    writer_u16(&writer, row->channel.slot);
    writer_u32(&writer, row->channel.number);
    writer_u64(&writer, row->read_seq);
    writer_u64(&writer, row->command_read_seq);
    writer_u64(&writer, row->deleted_to_seq);
    writer_u64(&writer, row->joined_seq);
    writer_u64(&writer, row->activated_ms);
    writer_u64(&writer, row->created_ms);
    writer_u64(&writer, row->updated_ms);
    writer_u64(&writer, row->command_end_seq);
    row_end(area, &writer);
}

enum err directory_row_decode(struct bytes value, struct directory_row *out_row)
{
    struct reader reader = row_reader(value);
    struct directory_row row;
    row.flags = reader_u32(&reader);
    row.channel.slot = reader_u16(&reader);
    row.channel.number = reader_u32(&reader);
    row.read_seq = reader_u64(&reader);
    row.command_read_seq = reader_u64(&reader);
    row.deleted_to_seq = reader_u64(&reader);
    row.joined_seq = reader_u64(&reader);
    row.activated_ms = reader_u64(&reader);
    row.created_ms = reader_u64(&reader);
    row.updated_ms = reader_u64(&reader);
    row.command_end_seq = reader_left(&reader) > 0 ? reader_u64(&reader) : 0;
    if (reader.is_short || row.channel.slot >= SLOTS_COUNT) {
        return ERR_CORRUPT;
    }
    *out_row = row;
    return ERR_OK;
}

void user_row_encode(struct row_area *area, const struct user_row *row)
{
    struct writer writer = row_begin(area);
    writer_u64(&writer, row->created_ms);
    writer_u8(&writer, row->plugin_no_size);
    writer_bytes_add(&writer, (struct bytes){.data = row->plugin_no, .size = row->plugin_no_size});
    row_end(area, &writer);
}

enum err user_row_decode(struct bytes value, struct user_row *out_row)
{
    struct reader reader = row_reader(value);
    struct user_row row = {0};
    row.created_ms = reader_u64(&reader);
    row.plugin_no_size = reader_u8(&reader);
    row_take(&reader, row.plugin_no, row.plugin_no_size);
    if (reader.is_short) {
        return ERR_CORRUPT;
    }
    *out_row = row;
    return ERR_OK;
}

void device_row_encode(struct row_area *area, const struct device_row *row)
{
    struct writer writer = row_begin(area);
    writer_u8(&writer, row->has_token ? 1 : 0);
    writer_bytes_add(&writer,
                     (struct bytes){.data = row->token_hash, .size = STORE_TOKEN_HASH_BYTES});
    writer_u8(&writer, row->level);
    writer_u64(&writer, row->updated_ms);
    row_end(area, &writer);
}

enum err device_row_decode(struct bytes value, struct device_row *out_row)
{
    struct reader reader = row_reader(value);
    struct device_row row = {0};
    row.has_token = reader_u8(&reader) != 0;
    row_take(&reader, row.token_hash, STORE_TOKEN_HASH_BYTES);
    row.level = reader_u8(&reader);
    row.updated_ms = reader_u64(&reader);
    if (reader.is_short) {
        return ERR_CORRUPT;
    }
    *out_row = row;
    return ERR_OK;
}

static void put_string(struct writer *writer, struct bytes string)
{
    writer_u16(writer, (uint16_t)string.size);
    writer_bytes_add(writer, string);
}

static struct bytes take_string(struct reader *reader)
{
    return reader_bytes(reader, reader_u16(reader));
}

void lane_row_encode(struct row_area *area, const struct lane_row *row)
{
    struct writer writer = row_begin(area);
    writer_u16(&writer, row->number);
    writer_u8(&writer, (uint8_t)row->status);
    writer_u8(&writer, (uint8_t)row->form);
    writer_u8(&writer, row->is_given ? 1 : 0);
    writer_u8(&writer, row->end_reason);
    writer_u64(&writer, row->seq);
    writer_u64(&writer, (uint64_t)row->occurred_ms);
    put_string(&writer, row->event_id);
    put_string(&writer, row->event_type);
    put_string(&writer, row->visibility);
    put_string(&writer, row->error);
    row_end(area, &writer);
}

static bool lane_row_is_sound(const struct lane_row *row)
{
    return row->number < STREAM_LANES_MAX && row->status <= LANE_CANCELLED &&
           row->form <= LANE_JSON && row->event_id.size <= STREAM_NAME_BYTES_MAX &&
           row->event_type.size <= STREAM_WORD_BYTES_MAX &&
           row->visibility.size <= STREAM_WORD_BYTES_MAX &&
           row->error.size <= STREAM_ERROR_BYTES_MAX;
}

enum err lane_row_decode(struct bytes value, struct lane_row *out_row)
{
    struct reader reader = row_reader(value);
    struct lane_row row = {.number = reader_u16(&reader)};
    row.status = (enum lane_status)reader_u8(&reader);
    row.form = (enum lane_form)reader_u8(&reader);
    row.is_given = reader_u8(&reader) != 0;
    row.end_reason = reader_u8(&reader);
    row.seq = reader_u64(&reader);
    row.occurred_ms = (int64_t)reader_u64(&reader);
    row.event_id = take_string(&reader);
    row.event_type = take_string(&reader);
    row.visibility = take_string(&reader);
    row.error = take_string(&reader);
    if (reader.is_short || !lane_row_is_sound(&row)) {
        return ERR_CORRUPT;
    }
    *out_row = row;
    return ERR_OK;
}

enum err piece_row_decode(struct bytes value, struct bytes *out_bytes)
{
    if (value.size == 0 || value.data[0] != PIECE_FORMAT) {
        return ERR_CORRUPT;
    }
    *out_bytes = bytes_skip(value, 1);
    return ERR_OK;
}

void identity_row_encode(struct row_area *area, const struct identity_row *row)
{
    struct writer writer = row_begin(area);
    writer_u32(&writer, row->format_version);
    writer_bytes_add(&writer, (struct bytes){.data = row->uuid, .size = sizeof(row->uuid)});
    writer_u64(&writer, row->hash_key.k0);
    writer_u64(&writer, row->hash_key.k1);
    row_end(area, &writer);
}

enum err identity_row_decode(struct bytes value, struct identity_row *out_row)
{
    struct reader reader = row_reader(value);
    struct identity_row row = {0};
    row.format_version = reader_u32(&reader);
    row_take(&reader, row.uuid, sizeof(row.uuid));
    row.hash_key.k0 = reader_u64(&reader);
    row.hash_key.k1 = reader_u64(&reader);
    if (reader.is_short || row.format_version == 0) {
        return ERR_CORRUPT;
    }
    *out_row = row;
    return ERR_OK;
}
