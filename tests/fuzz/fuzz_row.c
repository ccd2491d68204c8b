/*
 * Any bytes as a stored value, of a kind that the first byte chooses: what decodes is encoded, and
 * says the same when it is decoded again. A message's checksum is made right first, or no input
 * would come behind it.
 */
#include "base/assert.h"
#include "base/hash.h"
#include "store/chunk.h"
#include "store/key.h"
#include "store/message_row.h"
#include "store/row_codec.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decodes, encodes, decodes and encodes; the two encodings are the same. */
#define CHECK_ROW(kind, value)                                                                     \
    do {                                                                                           \
        struct kind##_row first_;                                                                  \
        struct kind##_row second_;                                                                 \
        struct row_area area_ = {.size = 0};                                                       \
        struct row_area again_ = {.size = 0};                                                      \
        if (kind##_row_decode((value), &first_) == ERR_OK) {                                       \
            kind##_row_encode(&area_, &first_);                                                    \
            const enum err err_ = kind##_row_decode(row_bytes(&area_), &second_);                  \
            ASSERT(err_ == ERR_OK);                                                                \
            kind##_row_encode(&again_, &second_);                                                  \
            ASSERT(bytes_equal(row_bytes(&area_), row_bytes(&again_)));                            \
        }                                                                                          \
    } while (0)

static struct channel_name name_of(const struct channel_identity *identity)
{
    return (struct channel_name){.type = identity->type,
                                 .id = {.data = identity->id, .size = identity->id_size}};
}

static void check_number(struct bytes value)
{
    struct channel_identity first;
    struct channel_identity second;
    if (number_row_decode(value, &first) != ERR_OK) {
        return;
    }
    struct row_area area = {.size = 0};
    number_row_encode(&area, name_of(&first));
    const enum err err = number_row_decode(row_bytes(&area), &second);
    ASSERT(err == ERR_OK);
    ASSERT(first.type == second.type);
    ASSERT(bytes_equal(name_of(&first).id, name_of(&second).id));
}

static void check_seq(struct bytes value)
{
    uint64_t first = 0;
    uint64_t second = 0;
    if (seq_row_decode(value, &first) == ERR_OK) {
        struct row_area area = {.size = 0};
        seq_row_encode(&area, first);
        const enum err err = seq_row_decode(row_bytes(&area), &second);
        ASSERT(err == ERR_OK);
        ASSERT(first == second);
    }
}

/* The row as it would be if its bytes had not been damaged but written. */
static void check_message(struct bytes value)
{
    struct message_view view;
    uint8_t *row = malloc(value.size + 1);
    ASSERT(row != NULL);
    if (value.size > 0) {
        memcpy(row, value.data, value.size);
    }
    struct bytes bytes = {.data = row, .size = value.size};
    if (value.size > 5) {
        struct writer checksum = writer_of(row + 1, sizeof(uint32_t));
        writer_u32(&checksum, hash_crc32c(0, bytes_skip(bytes, 5)));
    }
    if (message_row_decode(bytes, &view) == ERR_OK) {
        const size_t size = message_row_size(&view);
        ASSERT(size <= value.size); /* padded varints shrink */
        uint8_t *again = malloc(size);
        ASSERT(again != NULL);
        message_row_encode(&view, again);
        struct message_view second;
        const enum err err =
            message_row_decode((struct bytes){.data = again, .size = size}, &second);
        ASSERT(err == ERR_OK);
        ASSERT(second.message_id == view.message_id && second.seq == view.seq);
        ASSERT(bytes_equal(second.payload, view.payload));
        ASSERT(bytes_equal(second.from_uid, view.from_uid));
        free(again);
    }
    free(row);
}

/* Every row of a chunk lies inside of its value. */
static void check_chunk(struct bytes input)
{
    static struct chunk chunk; /* large; it is filled anew for each input */
    const size_t key_size = input.size < KEY_MESSAGES_BYTES ? input.size : KEY_MESSAGES_BYTES;
    const struct bytes key = {.data = input.data, .size = key_size};
    const struct bytes value = bytes_skip(input, key_size);
    if (chunk_decode(key, value, &chunk) != ERR_OK) {
        return;
    }
    ASSERT(chunk.count > 0 && chunk.first_seq > 0);
    ASSERT(chunk_last_seq(&chunk) >= chunk.first_seq);
    size_t size = 0;
    for (uint32_t i = 0; i < chunk.count; i++) {
        const struct bytes row = chunk_row(&chunk, i);
        ASSERT(row.size == 0 || row.data >= value.data);
        ASSERT(row.size == 0 || row.data + row.size <= value.data + value.size);
        size += row.size;
        (void)chunk_send(&chunk, i);
        (void)message_row_is_intact(row);
    }
    ASSERT(size < value.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const struct bytes value = {.data = data + 1, .size = size - 1};
    switch (data[0] % 10) {
    case 0:
        CHECK_ROW(channel, value);
        break;
    case 1:
        check_number(value);
        break;
    case 2:
        check_seq(value);
        break;
    case 3:
        CHECK_ROW(member, value);
        break;
    case 4:
        CHECK_ROW(directory, value);
        break;
    case 5:
        CHECK_ROW(user, value);
        break;
    case 6:
        CHECK_ROW(device, value);
        break;
    case 7:
        CHECK_ROW(identity, value);
        break;
    case 8:
        check_message(value);
        break;
    default:
        check_chunk(value);
        break;
    }
    return 0;
}
