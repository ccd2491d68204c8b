/*
 * row_codec.h -- the values of all rows but messages: a format byte, then the fields.
 *
 * Decoding gives ERR_CORRUPT for a value that is short or of another format. Bytes behind
 * the fields are not looked at, so that a later version may add some.
 *
 * Private to the store layer; pure functions.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "store/read.h"
#include "store/row.h"

/* The first byte of a value of meta, but for the identity and the last time. */
#define META_FORMAT 1

/* Room for the value of any row here, but of named values. */
#define ROW_BYTES_MAX (16 + STORE_CHANNEL_ID_BYTES_MAX)

/* A value being built. */
struct row_area {
    size_t size;
    uint8_t data[ROW_BYTES_MAX];
};

void channel_row_encode(struct row_area *area, const struct channel_row *row);
MUST_USE enum err channel_row_decode(struct bytes value, struct channel_row *out_row);

/* The row that leads from a number to the name; the name has been checked to fit. */
void number_row_encode(struct row_area *area, struct channel_name name);
MUST_USE enum err number_row_decode(struct bytes value, struct channel_identity *out_identity);

void seq_row_encode(struct row_area *area, uint64_t seq);
MUST_USE enum err seq_row_decode(struct bytes value, uint64_t *out_seq);

void member_row_encode(struct row_area *area, const struct member_row *row);
MUST_USE enum err member_row_decode(struct bytes value, struct member_row *out_row);

void directory_row_encode(struct row_area *area, const struct directory_row *row);
MUST_USE enum err directory_row_decode(struct bytes value, struct directory_row *out_row);

void user_row_encode(struct row_area *area, const struct user_row *row);
MUST_USE enum err user_row_decode(struct bytes value, struct user_row *out_row);

void device_row_encode(struct row_area *area, const struct device_row *row);
MUST_USE enum err device_row_decode(struct bytes value, struct device_row *out_row);

/* The strings of `out_row` are borrowed from `value`. */
void lane_row_encode(struct row_area *area, const struct lane_row *row);
MUST_USE enum err lane_row_decode(struct bytes value, struct lane_row *out_row);

/* A piece is a format byte and its bytes. */
MUST_USE enum err piece_row_decode(struct bytes value, struct bytes *out_bytes);
#define PIECE_FORMAT 1

/* What makes a database this one. */
struct identity_row {
    uint32_t format_version;
    uint8_t uuid[STORE_UUID_BYTES];
    struct hash_key hash_key; /* of the sends; secret, so that nobody can choose collisions */
};

void identity_row_encode(struct row_area *area, const struct identity_row *row);
MUST_USE enum err identity_row_decode(struct bytes value, struct identity_row *out_row);

/* inline definitions */

static inline struct bytes row_bytes(const struct row_area *area)
{
    return (struct bytes){.data = area->data, .size = area->size};
}
