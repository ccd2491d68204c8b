#include "edge/webhook_body.h"

#include "base/assert.h"
#include "chat/names.h"
#include "edge/api_message_json.h"
#include "edge/courier.h"
#include "memory/allocator.h"
#include "wire/json_text.h"

#include <zlib.h>

#define BODY_FIRST_BYTES    4096u
#define MESSAGE_FIXED_BYTES 512u /* names and numbers of a message, generously */
#define GZIP_WINDOW_BITS    (15 + 16)
#define GZIP_MEMORY_LEVEL   8
#define SHOWN_BYTES_MAX     (NAME_PAIR_BYTES_MAX + 16)

void webhook_body_init(struct webhook_body *body, struct budget *budget)
{
    *body = (struct webhook_body){.budget = budget, .size = COURIER_HEADROOM};
}

void webhook_body_clear(struct webhook_body *body)
{
    memory_release(body->budget, body->buffer, body->capacity);
    webhook_body_init(body, body->budget);
}

struct bytes webhook_body_text(const struct webhook_body *body)
{
    return (struct bytes){.data = body->buffer + COURIER_HEADROOM,
                          .size = body->size - COURIER_HEADROOM};
}

/* Makes room for `size` more bytes and the end of the array. */
static enum err body_reserve(struct webhook_body *body, size_t size)
{
    const size_t needed = body->size + size + 1;
    if (needed <= body->capacity) {
        return ERR_OK;
    }
    size_t capacity = body->capacity == 0 ? BODY_FIRST_BYTES : body->capacity;
    while (capacity < needed) {
        capacity += capacity / 2;
    }
    uint8_t *buffer = memory_acquire(body->budget, MEMORY_RANK_DELIVER, capacity);
    if (buffer == NULL && capacity > needed) {
        capacity = needed;
        buffer = memory_acquire(body->budget, MEMORY_RANK_DELIVER, capacity);
    }
    if (buffer == NULL) {
        return ERR_BUDGET;
    }
    if (body->buffer != NULL) {
        memcpy(buffer, body->buffer, body->size);
    }
    memory_release(body->budget, body->buffer, body->capacity);
    body->buffer = buffer;
    body->capacity = capacity;
    return ERR_OK;
}

static struct writer body_writer(const struct webhook_body *body)
{
    return writer_of(body->buffer + body->size, body->capacity - body->size);
}

/* Room for one more item of the array, of `size` bytes at most, and its comma. */
static enum err body_item(struct webhook_body *body, size_t size, size_t bytes_max)
{
    if (body->items > 0 && body->size + size + 2 > bytes_max) {
        return ERR_LIMIT;
    }
    const enum err err = body_reserve(body, size + 1);
    if (err == ERR_OK) {
        body->buffer[body->size++] = body->items == 0 ? '[' : ',';
        body->items++;
    }
    return err;
}

static void body_take(struct webhook_body *body, const struct writer *writer)
{
    ASSERT(!writer->is_full);
    body->size += writer_size(writer);
}

static size_t message_size_max(const struct message_view *view)
{
    return MESSAGE_FIXED_BYTES + json_text_string_size(view->client_msg_no) +
           json_text_string_size(view->from_uid) + json_text_string_size(view->channel_id) +
           json_text_string_size(view->topic) + (view->payload.size + 2) / 3 * 4;
}

/* A command's channel is shown with the suffix of the command log (3.2). `area` has room for
 * SHOWN_BYTES_MAX. */
static struct bytes with_suffix(struct bytes channel_id, uint8_t *area)
{
    struct writer writer = writer_of(area, SHOWN_BYTES_MAX);
    writer_bytes_add(&writer, channel_id);
    writer_bytes_add(&writer, NAME_COMMAND_SUFFIX);
    ASSERT(!writer.is_full);
    return writer_bytes(&writer);
}

/* Of a person channel the uid that is not the sender's, also when the sender is the system. */
static struct bytes receiving_channel(const struct message_view *view)
{
    return view->channel_type == CHANNEL_PERSON
               ? name_as_seen(view->channel_id, view->channel_type, view->from_uid)
               : view->channel_id;
}

void webhook_json_message(struct json_text *json, const struct message_view *view)
{
    uint8_t area[SHOWN_BYTES_MAX];
    struct bytes channel_id = receiving_channel(view);
    if ((view->flags & MESSAGE_SYNC_ONCE) != 0) {
        channel_id = with_suffix(channel_id, area);
    }
    json_text_object_begin(json);
    const struct api_message_names names = {.sender = api_message_sender(view),
                                            .channel_id = channel_id};
    api_message_fields(json, view, &names);
    json_text_object_end(json);
}

enum err webhook_body_add_message(struct webhook_body *body, const struct message_view *view,
                                  size_t bytes_max)
{
    const enum err err = body_item(body, message_size_max(view), bytes_max);
    if (err != ERR_OK) {
        return err;
    }
    struct writer writer = body_writer(body);
    struct json_text json = json_text_of(&writer);
    webhook_json_message(&json, view);
    body_take(body, &writer);
    return ERR_OK;
}

enum err webhook_body_add_status(struct webhook_body *body, struct bytes line, size_t bytes_max)
{
    const enum err err = body_item(body, json_text_string_size(line), bytes_max);
    if (err == ERR_OK) {
        struct writer writer = body_writer(body);
        struct json_text json = json_text_of(&writer);
        json_text_string(&json, line);
        body_take(body, &writer);
    }
    return err;
}

void webhook_body_end(struct webhook_body *body)
{
    ASSERT(body->items > 0);
    ASSERT(body->size < body->capacity);
    body->buffer[body->size++] = ']';
}

/* ---- msg.offline. ---- */

/* The channel as its sender named it (4.2). */
static struct bytes addressed_channel(const struct webhook_offline *offline, uint8_t *area)
{
    const struct message_view *view = offline->view;
    const struct bytes channel_id = receiving_channel(view);
    const bool is_stored_command =
        (view->flags & MESSAGE_SYNC_ONCE) != 0 && (view->flags & MESSAGE_NO_PERSIST) == 0;
    return offline->is_explicit && is_stored_command ? with_suffix(channel_id, area) : channel_id;
}

static uint32_t count_uids(struct bytes uids, size_t *out_json_size)
{
    struct reader reader = reader_of(uids);
    uint32_t count = 0;
    *out_json_size = 2;
    while (reader_left(&reader) > 0) {
        *out_json_size += json_text_string_size(reader_bytes(&reader, reader_u16(&reader))) + 1;
        count++;
    }
    return count;
}

static void write_uids(struct json_text *json, struct bytes uids)
{
    struct reader reader = reader_of(uids);
    json_text_array_begin(json);
    while (reader_left(&reader) > 0) {
        json_text_string(json, reader_bytes(&reader, reader_u16(&reader)));
    }
    json_text_array_end(json);
}

/* zlib asks its budget as everybody does; the size goes in front, for when it is given back. */
static void *gzip_acquire(void *context, unsigned count, unsigned size)
{
    const size_t bytes = (size_t)count * size + sizeof(max_align_t);
    size_t *memory = memory_acquire(context, MEMORY_RANK_DELIVER, bytes);
    if (memory == NULL) {
        return NULL;
    }
    *memory = bytes;
    return (uint8_t *)memory + sizeof(max_align_t);
}

static void gzip_release(void *context, void *memory)
{
    uint8_t *begin = (uint8_t *)memory - sizeof(max_align_t);
    size_t bytes;
    memcpy(&bytes, begin, sizeof(bytes));
    memory_release(context, begin, bytes);
}

/* Compresses `plain` into `area`, all of it and its end. ERR_BUDGET: no room. */
static enum err gzip(struct budget *budget, struct bytes plain, struct writer *area)
{
    z_stream stream = {.zalloc = gzip_acquire, .zfree = gzip_release, .opaque = budget};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS,
                     GZIP_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        return ERR_BUDGET;
    }
    stream.next_in = (uint8_t *)(uintptr_t)plain.data; /* only read */
    stream.avail_in = (unsigned)plain.size;
    stream.next_out = area->at;
    stream.avail_out = (unsigned)(area->end - area->at);
    const int result = deflate(&stream, Z_FINISH);
    area->at = stream.next_out;
    deflateEnd(&stream);
    return result == Z_STREAM_END ? ERR_OK : ERR_BUDGET;
}

/* deflateBound without a stream, with the head and the end of gzip. */
static size_t gzip_size_max(size_t plain)
{
    return plain + (plain >> 12) + (plain >> 14) + (plain >> 25) + 13 + 32;
}

/* The uids as gzip of their JSON array, in `area` of gzip_size_max(json_size) bytes and json_size
 * more to work in. */
static enum err compress_uids(struct budget *budget, struct bytes uids, uint8_t *area,
                              size_t json_size, struct bytes *out_compressed)
{
    struct writer plain = writer_of(area, json_size);
    struct json_text json = json_text_of(&plain);
    write_uids(&json, uids);
    ASSERT(!plain.is_full);
    struct writer compressed = writer_of(area + json_size, gzip_size_max(json_size));
    const enum err err = gzip(budget, writer_bytes(&plain), &compressed);
    *out_compressed = writer_bytes(&compressed);
    return err;
}

/* The object; `compressed` is empty when the uids are written plainly. */
static void json_offline(struct json_text *json, const struct webhook_offline *offline,
                         struct bytes compressed)
{
    uint8_t area[SHOWN_BYTES_MAX];
    json_text_object_begin(json);
    const struct api_message_names names = {.sender = offline->view->from_uid,
                                            .channel_id = addressed_channel(offline, area)};
    api_message_fields(json, offline->view, &names);
    json_text_key(json, "to_uids");
    if (compressed.size > 0) {
        write_uids(json, BYTES_EMPTY);
        json_text_key(json, "compress");
        json_text_string(json, BYTES_OF("gzip"));
        json_text_key(json, "compress_to_uids");
        json_text_base64(json, compressed);
    } else {
        write_uids(json, offline->uids);
    }
    if (offline->source_id != 0) {
        json_text_key(json, "source_id");
        json_text_unsigned(json, offline->source_id);
    }
    json_text_object_end(json);
}

void webhook_json_offline(struct json_text *json, const struct webhook_offline *offline)
{
    json_offline(json, offline, BYTES_EMPTY);
}

static enum err write_offline(struct webhook_body *body, const struct webhook_offline *offline,
                              struct bytes compressed, size_t json_size)
{
    const size_t uids_size = compressed.size > 0 ? (compressed.size + 2) / 3 * 4 : json_size;
    const enum err err = body_reserve(body, message_size_max(offline->view) + uids_size);
    if (err != ERR_OK) {
        return err;
    }
    struct writer writer = body_writer(body);
    struct json_text json = json_text_of(&writer);
    json_offline(&json, offline, compressed);
    body_take(body, &writer);
    return ERR_OK;
}

enum err webhook_body_write_offline(struct webhook_body *body,
                                    const struct webhook_offline *offline)
{
    ASSERT(body->size == COURIER_HEADROOM);
    size_t json_size = 0;
    const uint32_t count = count_uids(offline->uids, &json_size);
    if (offline->compress_above == 0 || count <= offline->compress_above) {
        return write_offline(body, offline, BYTES_EMPTY, json_size);
    }
    const size_t area_size = json_size + gzip_size_max(json_size);
    uint8_t *area = memory_acquire(body->budget, MEMORY_RANK_DELIVER, area_size);
    if (area == NULL) {
        return ERR_BUDGET;
    }
    struct bytes compressed = BYTES_EMPTY;
    enum err err = compress_uids(body->budget, offline->uids, area, json_size, &compressed);
    if (err == ERR_OK) {
        err = write_offline(body, offline, compressed, json_size);
    }
    memory_release(body->budget, area, area_size);
    return err;
}
