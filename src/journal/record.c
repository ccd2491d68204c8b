#include "journal/record.h"

#include "base/assert.h"

#define RECORD_HEAD_BYTES 5 /* kind u8, size u32 */
#define RECORD_FIXED_BYTES                                                                         \
    128 /* more than the fixed fields of any kind, sizes of strings included */

static void write_name(struct writer *writer, struct bytes name)
{
    writer_u16(writer, (uint16_t)name.size);
    writer_bytes_add(writer, name);
}

static struct bytes read_name(struct reader *reader)
{
    return reader_bytes(reader, reader_u16(reader));
}

static void write_ref(struct writer *writer, struct channel_ref ref)
{
    writer_u16(writer, ref.slot);
    writer_u32(writer, ref.number);
}

static struct channel_ref read_ref(struct reader *reader)
{
    const uint16_t slot = reader_u16(reader);
    return (struct channel_ref){.slot = slot, .number = reader_u32(reader)};
}

static void write_list(struct writer *writer, struct list_ref list)
{
    write_ref(writer, list.channel);
    writer_u8(writer, (uint8_t)list.kind);
}

static struct list_ref read_list(struct reader *reader)
{
    const struct channel_ref channel = read_ref(reader);
    return (struct list_ref){.channel = channel, .kind = (enum list_kind)reader_u8(reader)};
}

static void write_channel_name(struct writer *writer, struct channel_name name)
{
    writer_u8(writer, name.type);
    write_name(writer, name.id);
}

static struct channel_name read_channel_name(struct reader *reader)
{
    const uint8_t type = reader_u8(reader);
    return (struct channel_name){.type = type, .id = read_name(reader)};
}

#define MESSAGE_IS_REMEMBERED 1u /* of a message's one byte of flags */
#define MESSAGE_IS_SOLE       2u

static void write_message(struct writer *writer, const struct record_message *message)
{
    const uint32_t flags = (message->is_remembered ? MESSAGE_IS_REMEMBERED : 0) |
                           (message->is_sole ? MESSAGE_IS_SOLE : 0);
    write_ref(writer, message->log.channel);
    writer_u8(writer, (uint8_t)message->log.kind);
    writer_u64(writer, message->seq);
    writer_u8(writer, (uint8_t)flags);
    writer_bytes_add(writer, message->row);
}

static void read_message(struct reader *reader, struct record_message *out_message)
{
    out_message->log.channel = read_ref(reader);
    out_message->log.kind = (enum log_kind)reader_u8(reader);
    out_message->seq = reader_u64(reader);
    const uint8_t flags = reader_u8(reader);
    out_message->is_remembered = (flags & MESSAGE_IS_REMEMBERED) != 0;
    out_message->is_sole = (flags & MESSAGE_IS_SOLE) != 0;
    out_message->row = reader_rest(reader);
}

static void write_channel(struct writer *writer, const struct record_channel *channel)
{
    write_channel_name(writer, channel->name);
    writer_u32(writer, channel->row.number);
    writer_u32(writer, channel->row.flags);
    writer_u64(writer, channel->row.created_ms);
    writer_u64(writer, channel->row.updated_ms);
}

static void read_channel(struct reader *reader, struct record_channel *out_channel)
{
    out_channel->name = read_channel_name(reader);
    out_channel->row.number = reader_u32(reader);
    out_channel->row.flags = reader_u32(reader);
    out_channel->row.created_ms = reader_u64(reader);
    out_channel->row.updated_ms = reader_u64(reader);
}

static void write_member(struct writer *writer, const struct record_member *member)
{
    write_list(writer, member->list);
    write_name(writer, member->uid);
    writer_u64(writer, member->row.joined_seq);
    writer_u64(writer, member->row.created_ms);
}

static void read_member(struct reader *reader, struct record_member *out_member)
{
    out_member->list = read_list(reader);
    out_member->uid = read_name(reader);
    out_member->row.joined_seq = reader_u64(reader);
    out_member->row.created_ms = reader_u64(reader);
}

static void write_directory(struct writer *writer, const struct record_directory *directory)
{
    const struct directory_row *row = &directory->row;
    write_name(writer, directory->key.uid);
    write_channel_name(writer, directory->key.channel);
    writer_u32(writer, row->flags);
    write_ref(writer, row->channel);
    writer_u64(writer, row->read_seq);
    writer_u64(writer, row->command_read_seq);
    writer_u64(writer, row->deleted_to_seq);
    writer_u64(writer, row->joined_seq);
    writer_u64(writer, row->activated_ms);
    writer_u64(writer, row->created_ms);
    writer_u64(writer, row->updated_ms);
    writer_u64(writer, row->command_end_seq);
}

static void read_directory(struct reader *reader, struct record_directory *out_directory)
{
    struct directory_row *row = &out_directory->row;
    out_directory->key.uid = read_name(reader);
    out_directory->key.channel = read_channel_name(reader);
    row->flags = reader_u32(reader);
    row->channel = read_ref(reader);
    row->read_seq = reader_u64(reader);
    row->command_read_seq = reader_u64(reader);
    row->deleted_to_seq = reader_u64(reader);
    row->joined_seq = reader_u64(reader);
    row->activated_ms = reader_u64(reader);
    row->created_ms = reader_u64(reader);
    row->updated_ms = reader_u64(reader);
    row->command_end_seq = reader_u64(reader);
}

static void write_device(struct writer *writer, const struct record_device *device)
{
    write_name(writer, device->key.uid);
    writer_u8(writer, device->key.device_flag);
    writer_u8(writer, device->row.has_token ? 1 : 0);
    writer_bytes_add(writer, (struct bytes){.data = device->row.token_hash,
                                            .size = sizeof(device->row.token_hash)});
    writer_u8(writer, device->row.level);
    writer_u64(writer, device->row.updated_ms);
}

static void read_device(struct reader *reader, struct record_device *out_device)
{
    out_device->key.uid = read_name(reader);
    out_device->key.device_flag = reader_u8(reader);
    out_device->row.has_token = reader_u8(reader) != 0;
    const struct bytes hash = reader_bytes(reader, sizeof(out_device->row.token_hash));
    if (hash.size > 0) {
        memcpy(out_device->row.token_hash, hash.data, hash.size);
    }
    out_device->row.level = reader_u8(reader);
    out_device->row.updated_ms = reader_u64(reader);
}

static void write_outbox(struct writer *writer, const struct record_outbox *outbox)
{
    uint8_t key[OUTBOX_KEY_BYTES];
    outbox_key_encode(&outbox->key, key);
    writer_bytes_add(writer, (struct bytes){.data = key, .size = sizeof(key)});
    if (outbox->made != NULL) {
        outbox_row_encode(outbox->made, writer);
    } else {
        writer_bytes_add(writer, outbox->row);
    }
}

/* What is dropped has a key and no row. */
static enum err read_outbox(struct reader *reader, bool has_row, struct record_outbox *out_outbox)
{
    const struct bytes key = reader_bytes(reader, OUTBOX_KEY_BYTES);
    if (has_row) {
        out_outbox->row = reader_rest(reader);
    }
    return outbox_key_decode(key, &out_outbox->key);
}

static void write_stream(struct writer *writer, const struct stream_ref *stream)
{
    write_ref(writer, stream->channel);
    write_name(writer, stream->client_msg_no);
}

static struct stream_ref read_stream(struct reader *reader)
{
    const struct channel_ref channel = read_ref(reader);
    return (struct stream_ref){.channel = channel, .client_msg_no = read_name(reader)};
}

static void write_lane(struct writer *writer, const struct record_lane *lane)
{
    const struct lane_row *row = &lane->row;
    write_stream(writer, &lane->stream);
    write_name(writer, lane->key);
    writer_u16(writer, row->number);
    writer_u8(writer, (uint8_t)row->status);
    writer_u8(writer, (uint8_t)row->form);
    writer_u8(writer, row->is_given ? 1 : 0);
    writer_u8(writer, row->end_reason);
    writer_u64(writer, row->seq);
    writer_u64(writer, (uint64_t)row->occurred_ms);
    write_name(writer, row->event_id);
    write_name(writer, row->event_type);
    write_name(writer, row->visibility);
    write_name(writer, row->error);
}

static void read_lane(struct reader *reader, struct record_lane *out_lane)
{
    struct lane_row *row = &out_lane->row;
    out_lane->stream = read_stream(reader);
    out_lane->key = read_name(reader);
    row->number = reader_u16(reader);
    row->status = (enum lane_status)reader_u8(reader);
    row->form = (enum lane_form)reader_u8(reader);
    row->is_given = reader_u8(reader) != 0;
    row->end_reason = reader_u8(reader);
    row->seq = reader_u64(reader);
    row->occurred_ms = (int64_t)reader_u64(reader);
    row->event_id = read_name(reader);
    row->event_type = read_name(reader);
    row->visibility = read_name(reader);
    row->error = read_name(reader);
}

static void write_lane_piece(struct writer *writer, const struct record_lane_piece *lane_piece)
{
    write_stream(writer, &lane_piece->stream);
    writer_u16(writer, lane_piece->piece.lane);
    writer_u32(writer, lane_piece->piece.index);
    writer_bytes_add(writer, lane_piece->piece.bytes);
}

static void read_lane_piece(struct reader *reader, struct record_lane_piece *out_lane_piece)
{
    out_lane_piece->stream = read_stream(reader);
    out_lane_piece->piece.lane = reader_u16(reader);
    out_lane_piece->piece.index = reader_u32(reader);
    out_lane_piece->piece.bytes = reader_rest(reader);
}

static size_t lane_strings_bytes(const struct record_lane *lane)
{
    const struct lane_row *row = &lane->row;
    return lane->stream.client_msg_no.size + lane->key.size + row->event_id.size +
           row->event_type.size + row->visibility.size + row->error.size;
}

static size_t record_strings_bytes(const struct record *record)
{
    switch (record->kind) {
    case RECORD_MESSAGE:
        return record->message.row.size;
    case RECORD_CHANNEL:
        return record->channel.name.id.size;
    case RECORD_MEMBER_ADD:
    case RECORD_MEMBER_REMOVE:
        return record->member.uid.size;
    case RECORD_DIRECTORY_PUT:
    case RECORD_DIRECTORY_DROP:
        return record->directory.key.uid.size + record->directory.key.channel.id.size;
    case RECORD_DEVICE:
        return record->device.key.uid.size;
    case RECORD_USER:
        return record->user.uid.size + record->user.plugin_no.size;
    case RECORD_SYSTEM_UID:
        return record->system_uid.uid.size;
    case RECORD_LANE:
        return lane_strings_bytes(&record->lane);
    case RECORD_LANE_PIECE:
    case RECORD_LANE_CUT:
        return record->lane_piece.stream.client_msg_no.size + record->lane_piece.piece.bytes.size;
    case RECORD_OUTBOX_PUT:
        return record->outbox.made != NULL ? outbox_row_strings_size(record->outbox.made)
                                           : record->outbox.row.size;
    case RECORD_OUTBOX_DROP:
    case RECORD_MEMBERS_CLEAR:
    case RECORD_CLOCK:
    case RECORD_INVALID:
        return 0;
    }
    return 0;
}

size_t record_size_max(const struct record *record)
{
    return RECORD_HEAD_BYTES + RECORD_FIXED_BYTES + record_strings_bytes(record);
}

static void write_fields(struct writer *writer, const struct record *record)
{
    switch (record->kind) {
    case RECORD_MESSAGE:
        write_message(writer, &record->message);
        return;
    case RECORD_CHANNEL:
        write_channel(writer, &record->channel);
        return;
    case RECORD_MEMBER_ADD:
    case RECORD_MEMBER_REMOVE:
        write_member(writer, &record->member);
        return;
    case RECORD_MEMBERS_CLEAR:
        write_list(writer, record->list);
        return;
    case RECORD_DIRECTORY_PUT:
    case RECORD_DIRECTORY_DROP:
        write_directory(writer, &record->directory);
        return;
    case RECORD_DEVICE:
        write_device(writer, &record->device);
        return;
    case RECORD_USER:
        write_name(writer, record->user.uid);
        writer_u64(writer, record->user.created_ms);
        write_name(writer, record->user.plugin_no);
        return;
    case RECORD_SYSTEM_UID:
        write_name(writer, record->system_uid.uid);
        writer_u8(writer, record->system_uid.is_system ? 1 : 0);
        return;
    case RECORD_CLOCK:
        writer_u64(writer, record->clock_ms);
        return;
    case RECORD_OUTBOX_PUT:
    case RECORD_OUTBOX_DROP:
        write_outbox(writer, &record->outbox);
        return;
    case RECORD_LANE:
        write_lane(writer, &record->lane);
        return;
    case RECORD_LANE_PIECE:
    case RECORD_LANE_CUT:
        write_lane_piece(writer, &record->lane_piece);
        return;
    case RECORD_INVALID:
        break;
    }
    UNREACHABLE();
}

void record_encode(const struct record *record, struct writer *writer)
{
    writer_u8(writer, (uint8_t)record->kind);
    uint8_t *size_at = writer->at;
    writer_u32(writer, 0);
    write_fields(writer, record);
    ASSERT(!writer->is_full);
    struct writer size = writer_of(size_at, sizeof(uint32_t));
    writer_u32(&size, (uint32_t)(writer->at - size_at) - (uint32_t)sizeof(uint32_t));
}

static enum err read_fields(struct reader *reader, struct record *record)
{
    switch (record->kind) {
    case RECORD_MESSAGE:
        read_message(reader, &record->message);
        return ERR_OK;
    case RECORD_CHANNEL:
        read_channel(reader, &record->channel);
        return ERR_OK;
    case RECORD_MEMBER_ADD:
    case RECORD_MEMBER_REMOVE:
        read_member(reader, &record->member);
        return ERR_OK;
    case RECORD_MEMBERS_CLEAR:
        record->list = read_list(reader);
        return ERR_OK;
    case RECORD_DIRECTORY_PUT:
    case RECORD_DIRECTORY_DROP:
        read_directory(reader, &record->directory);
        return ERR_OK;
    case RECORD_DEVICE:
        read_device(reader, &record->device);
        return ERR_OK;
    case RECORD_USER:
        record->user.uid = read_name(reader);
        record->user.created_ms = reader_u64(reader);
        record->user.plugin_no = read_name(reader);
        return ERR_OK;
    case RECORD_SYSTEM_UID:
        record->system_uid.uid = read_name(reader);
        record->system_uid.is_system = reader_u8(reader) != 0;
        return ERR_OK;
    case RECORD_CLOCK:
        record->clock_ms = reader_u64(reader);
        return ERR_OK;
    case RECORD_OUTBOX_PUT:
    case RECORD_OUTBOX_DROP:
        return read_outbox(reader, record->kind == RECORD_OUTBOX_PUT, &record->outbox);
    case RECORD_LANE:
        read_lane(reader, &record->lane);
        return ERR_OK;
    case RECORD_LANE_PIECE:
    case RECORD_LANE_CUT:
        read_lane_piece(reader, &record->lane_piece);
        return ERR_OK;
    case RECORD_INVALID:
        break;
    }
    return ERR_CORRUPT;
}

enum err record_decode(struct reader *reader, struct record *out_record)
{
    struct record record = {.kind = (enum record_kind)reader_u8(reader)};
    const uint32_t size = reader_u32(reader);
    const struct bytes bytes = reader_bytes(reader, size);
    if (reader->is_short) {
        return ERR_CORRUPT;
    }
    struct reader fields = reader_of(bytes);
    const enum err err = read_fields(&fields, &record);
    if (err != ERR_OK || fields.is_short || reader_left(&fields) != 0) {
        return ERR_CORRUPT;
    }
    *out_record = record;
    return ERR_OK;
}
