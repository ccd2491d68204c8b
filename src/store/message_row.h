/*
 * message_row.h -- a message as it is stored: one self-contained run of bytes with its checksum.
 *
 * A row names its channel, its type and its sender, so that it can be read, sent and
 * exported without any other row. It begins with a format byte and a CRC-32C over
 * everything behind it; decoding checks both.
 *
 *   format u8 | crc32c u32 | message_id u64 | seq u64 | timestamp_s u32 | expire_s u32 |
 *   client_seq u32 | flags u8 | setting u8 | channel_type u8 | then as blocks (varint
 *   size, bytes): channel_id, from_uid, client_msg_no, topic, stream_no, payload
 *
 * Pure functions; any thread.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

/* What a payload may be at most, on whatever way it comes, and a row: that and its strings, with
 * room to spare. The journal takes for granted that a row is not larger. */
#define MESSAGE_PAYLOAD_BYTES_MAX (1024u * 1024u)
#define MESSAGE_ROW_BYTES_MAX     (2u * 1024u * 1024u)

struct message_view {
    uint64_t message_id;
    uint64_t seq;
    uint32_t timestamp_s; /* since 1970, when it was stored */
    uint32_t expire_s;    /* its life time; 0: for ever */
    uint32_t client_seq;
    uint8_t flags;   /* the header's flag bits (semantics 0.3) */
    uint8_t setting; /* the setting bits (semantics 0.4) */
    uint8_t channel_type;
    struct bytes channel_id; /* internal: "A@B" for a person channel */
    struct bytes from_uid;
    struct bytes client_msg_no;
    struct bytes topic;
    struct bytes stream_no;
    struct bytes payload;
};

/* The bytes that `view` takes as a row. */
size_t message_row_size(const struct message_view *view);

/* Writes the row into `area`, which has room for message_row_size. */
void message_row_encode(const struct message_view *view, uint8_t *area);

/* Does the row have our format, and does its checksum hold? */
bool message_row_is_intact(struct bytes row);

/* Reads a row; the strings of `out_view` are borrowed from `row`. ERR_CORRUPT: the row is damaged
 * or has a format that we do not know. */
MUST_USE enum err message_row_decode(struct bytes row, struct message_view *out_view);

/* The same of a row that this process has made a moment ago: its checksum is left to whoever writes
 * it to the disk. ERR_CORRUPT: it is no row. */
MUST_USE enum err message_row_split(struct bytes row, struct message_view *out_view);
