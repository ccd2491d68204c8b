#include "store/key.h"

#include "base/assert.h"

static struct writer key_begin(struct key *key)
{
    return writer_of(key->data, sizeof(key->data));
}

static void key_end(struct key *key, const struct writer *writer)
{
    ASSERT(!writer->is_full);
    key->size = writer_size(writer);
}

static void put_channel(struct writer *writer, struct channel_ref channel)
{
    ASSERT(channel.slot < SLOTS_COUNT);
    ASSERT(channel.number > 0);
    writer_u16(writer, channel.slot);
    writer_u32(writer, channel.number);
}

static bool channel_name_fits(struct channel_name name)
{
    return name.id.size > 0 && name.id.size <= STORE_CHANNEL_ID_BYTES_MAX;
}

static bool uid_fits(struct bytes uid)
{
    return uid.size > 0 && uid.size <= STORE_UID_BYTES_MAX;
}

enum err key_of_channel(struct key *key, struct channel_name name)
{
    if (!channel_name_fits(name)) {
        return ERR_LIMIT;
    }
    struct writer writer = key_begin(key);
    writer_u16(&writer, slot_of_channel(name));
    writer_u8(&writer, name.type);
    writer_bytes_add(&writer, name.id);
    key_end(key, &writer);
    return ERR_OK;
}

void key_of_number(struct key *key, struct channel_ref channel)
{
    struct writer writer = key_begin(key);
    put_channel(&writer, channel);
    key_end(key, &writer);
}

void key_of_slot(struct key *key, uint16_t slot)
{
    ASSERT(slot < SLOTS_COUNT);
    struct writer writer = key_begin(key);
    writer_u16(&writer, slot);
    key_end(key, &writer);
}

void key_of_log(struct key *key, struct log_ref log)
{
    struct writer writer = key_begin(key);
    put_channel(&writer, log.channel);
    writer_u8(&writer, (uint8_t)log.kind);
    key_end(key, &writer);
}

void key_of_chunk(struct key *key, struct log_ref log, uint64_t first_seq)
{
    struct writer writer = key_begin(key);
    put_channel(&writer, log.channel);
    writer_u8(&writer, (uint8_t)log.kind);
    writer_u64(&writer, first_seq);
    key_end(key, &writer);
}

void key_of_page(struct key *key, struct log_ref log, uint64_t page)
{
    key_of_chunk(key, log, page);
}

void key_of_own(uint8_t key[KEY_OWN_BYTES], struct log_ref log, uint64_t sender_hash)
{
    struct writer writer = writer_of(key, KEY_OWN_BYTES);
    put_channel(&writer, log.channel);
    writer_u8(&writer, (uint8_t)log.kind);
    writer_u64(&writer, sender_hash);
    ASSERT(!writer.is_full);
}

void key_of_list(struct key *key, struct list_ref list)
{
    ASSERT(list.kind != LIST_INVALID);
    struct writer writer = key_begin(key);
    put_channel(&writer, list.channel);
    writer_u8(&writer, (uint8_t)list.kind);
    key_end(key, &writer);
}

enum err key_of_member(struct key *key, struct list_ref list, struct bytes uid)
{
    if (!uid_fits(uid)) {
        return ERR_LIMIT;
    }
    ASSERT(list.kind != LIST_INVALID);
    struct writer writer = key_begin(key);
    put_channel(&writer, list.channel);
    writer_u8(&writer, (uint8_t)list.kind);
    writer_bytes_add(&writer, uid);
    key_end(key, &writer);
    return ERR_OK;
}

static void put_user(struct writer *writer, struct bytes uid)
{
    writer_u16(writer, slot_of_user(uid));
    writer_u16(writer, (uint16_t)uid.size);
    writer_bytes_add(writer, uid);
}

enum err key_of_directory_user(struct key *key, struct bytes uid)
{
    if (!uid_fits(uid)) {
        return ERR_LIMIT;
    }
    struct writer writer = key_begin(key);
    put_user(&writer, uid);
    key_end(key, &writer);
    return ERR_OK;
}

enum err key_of_directory(struct key *key, const struct directory_key *directory)
{
    if (!uid_fits(directory->uid) || !channel_name_fits(directory->channel)) {
        return ERR_LIMIT;
    }
    struct writer writer = key_begin(key);
    put_user(&writer, directory->uid);
    writer_u8(&writer, directory->channel.type);
    writer_bytes_add(&writer, directory->channel.id);
    key_end(key, &writer);
    return ERR_OK;
}

enum err key_of_user(struct key *key, struct bytes uid)
{
    if (!uid_fits(uid)) {
        return ERR_LIMIT;
    }
    struct writer writer = key_begin(key);
    put_user(&writer, uid);
    writer_u8(&writer, 'u');
    key_end(key, &writer);
    return ERR_OK;
}

enum err key_of_device(struct key *key, struct device_key device)
{
    if (!uid_fits(device.uid)) {
        return ERR_LIMIT;
    }
    struct writer writer = key_begin(key);
    put_user(&writer, device.uid);
    writer_u8(&writer, 'd');
    writer_u8(&writer, device.device_flag);
    key_end(key, &writer);
    return ERR_OK;
}

static enum err begin_stream(struct key *key, const struct stream_ref *stream,
                             struct writer *out_writer)
{
    const struct bytes name = stream->client_msg_no;
    if (name.size == 0 || name.size > STREAM_MSG_NO_BYTES_MAX) {
        return ERR_LIMIT;
    }
    *out_writer = key_begin(key);
    put_channel(out_writer, stream->channel);
    writer_u16(out_writer, (uint16_t)name.size);
    writer_bytes_add(out_writer, name);
    return ERR_OK;
}

enum err key_of_stream(struct key *key, const struct stream_ref *stream)
{
    struct writer writer;
    const enum err err = begin_stream(key, stream, &writer);
    if (err == ERR_OK) {
        key_end(key, &writer);
    }
    return err;
}

enum err key_of_lane(struct key *key, const struct stream_ref *stream, struct bytes lane)
{
    struct writer writer;
    const bool fits = lane.size > 0 && lane.size <= STREAM_NAME_BYTES_MAX;
    const enum err err = fits ? begin_stream(key, stream, &writer) : ERR_LIMIT;
    if (err == ERR_OK) {
        writer_u8(&writer, KEY_LANE_MARK);
        writer_bytes_add(&writer, lane);
        key_end(key, &writer);
    }
    return err;
}

enum err key_of_pieces(struct key *key, const struct stream_ref *stream, uint16_t lane)
{
    struct writer writer;
    const enum err err = begin_stream(key, stream, &writer);
    if (err == ERR_OK) {
        writer_u8(&writer, KEY_PIECE_MARK);
        writer_u16(&writer, lane);
        key_end(key, &writer);
    }
    return err;
}

enum err key_of_piece(struct key *key, const struct stream_ref *stream, uint16_t lane,
                      uint32_t index)
{
    struct writer writer;
    const enum err err = begin_stream(key, stream, &writer);
    if (err == ERR_OK) {
        writer_u8(&writer, KEY_PIECE_MARK);
        writer_u16(&writer, lane);
        writer_u32(&writer, index);
        key_end(key, &writer);
    }
    return err;
}

enum err key_of_meta(struct key *key, enum meta_kind kind, struct bytes name)
{
    const size_t size_max =
        kind == META_KIND_SYSTEM_UID ? STORE_UID_BYTES_MAX : STORE_META_NAME_BYTES_MAX;
    if (name.size > size_max) {
        return ERR_LIMIT;
    }
    struct writer writer = key_begin(key);
    writer_u8(&writer, (uint8_t)kind);
    writer_bytes_add(&writer, name);
    key_end(key, &writer);
    return ERR_OK;
}

void key_pass_prefix(struct key *key)
{
    while (key->size > 0 && key->data[key->size - 1] == 0xff) {
        key->size--;
    }
    ASSERT(key->size > 0);
    key->data[key->size - 1]++;
}
