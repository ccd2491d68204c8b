/*
 * key.h -- where each row is stored: the keys of all families.
 *
 * Every key of a channel or a user begins with the slot (design 5), so that a slot is
 * a set of contiguous ranges; integers are big-endian, so that keys sort by them.
 *
 *   channels   channel slot u16 | type u8 | channel id
 *   numbers    channel slot u16 | number u32
 *   messages   channel slot u16 | number u32 | log u8 | first seq u64
 *   sends      channel slot u16 | number u32 | log u8 | page u64
 *   owns       channel slot u16 | number u32 | log u8 | hash of the sender u64
 *   members    channel slot u16 | number u32 | list u8 | uid
 *   directory  user slot u16 | uid size u16 | uid | type u8 | channel id
 *   users      user slot u16 | uid size u16 | uid | 'u', or 'd' and device flag u8
 *   events     channel slot u16 | number u32 | size u16 | client_msg_no | 'l' and key of the lane,
 *              or 'p' | lane u16 | piece u32
 *   meta       'i' | 'l' | 's' and uid | 'n' and name
 *
 * The hash is keyed with a secret of the database; keys of one size make the row that a
 * message costs as cheap as it can be.
 *
 * Private to the store layer. Building a key gives ERR_LIMIT for a name that is longer
 * than row.h allows.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "store/row.h"

#define KEY_CHANNEL_PREFIX_BYTES 6 /* slot and number */
#define KEY_LOG_PREFIX_BYTES     7 /* and log, or list */
#define KEY_MESSAGES_BYTES       15
#define KEY_PAGE_BYTES           15
#define KEY_OWN_BYTES            15
#define KEY_BYTES_MAX            (2 + 2 + STORE_UID_BYTES_MAX + 1 + STORE_CHANNEL_ID_BYTES_MAX)

/* A key being built, or a bound of a range. */
struct key {
    size_t size;
    uint8_t data[KEY_BYTES_MAX];
};

MUST_USE enum err key_of_channel(struct key *key, struct channel_name name);
void key_of_number(struct key *key, struct channel_ref channel);
/* The beginning of all numbers of a slot. */
void key_of_slot(struct key *key, uint16_t slot);

/* The beginning of all chunks of a log, and one chunk. */
void key_of_log(struct key *key, struct log_ref log);
void key_of_chunk(struct key *key, struct log_ref log, uint64_t first_seq);

/* Pages of sends are between the bounds that key_of_log gives. */
void key_of_page(struct key *key, struct log_ref log, uint64_t page);
void key_of_own(uint8_t key[KEY_OWN_BYTES], struct log_ref log, uint64_t sender_hash);

/* The beginning of all members of a list, and one member. */
void key_of_list(struct key *key, struct list_ref list);
MUST_USE enum err key_of_member(struct key *key, struct list_ref list, struct bytes uid);

/* The beginning of a user's conversations, and one. */
MUST_USE enum err key_of_directory_user(struct key *key, struct bytes uid);
MUST_USE enum err key_of_directory(struct key *key, const struct directory_key *directory);

MUST_USE enum err key_of_user(struct key *key, struct bytes uid);
MUST_USE enum err key_of_device(struct key *key, struct device_key device);

/* The beginning of all rows of a stream, one lane, the pieces of a lane, and one of them. */
MUST_USE enum err key_of_stream(struct key *key, const struct stream_ref *stream);
MUST_USE enum err key_of_lane(struct key *key, const struct stream_ref *stream, struct bytes lane);
MUST_USE enum err key_of_pieces(struct key *key, const struct stream_ref *stream, uint16_t lane);
MUST_USE enum err key_of_piece(struct key *key, const struct stream_ref *stream, uint16_t lane,
                               uint32_t index);

#define KEY_LANE_MARK  'l'
#define KEY_PIECE_MARK 'p'

enum meta_kind {
    META_KIND_IDENTITY = 'i',
    META_KIND_LAST_MS = 'l',
    META_KIND_SYSTEM_UID = 's',
    META_KIND_NAMED = 'n',
};
MUST_USE enum err key_of_meta(struct key *key, enum meta_kind kind, struct bytes name);

/* Makes `key`, which is not all 0xff, the first key behind all that begin with it. */
void key_pass_prefix(struct key *key);

/* inline definitions */

static inline struct bytes key_bytes(const struct key *key)
{
    return (struct bytes){.data = key->data, .size = key->size};
}
