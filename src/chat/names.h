/*
 * names.h -- the words that uids and channel ids are made of.
 *
 * The chat layer is the domain: what the server is for. It knows sessions,
 * users, channels and messages, and neither bytes on a wire nor sockets; the
 * edge translates, and is called through the port in session.h. Everything here
 * belongs to one shard and runs on its thread.
 *
 * This header holds the reserved names (semantics 0.7), the channel types
 * (semantics 0.6), the reasons (semantics 0.1), and the internal id of the
 * channel between two users (semantics 2.2).
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define NAME_SYSTEM_UID         BYTES_OF("____system")
#define NAME_COMMAND_SUFFIX     BYTES_OF("____cmd")
#define NAME_BYTES_MAX          512 /* of a uid, a channel id, a device id */
#define NAME_PAIR_BYTES_MAX     (2 * NAME_BYTES_MAX + 1)
#define CLIENT_MSG_NO_BYTES_MAX 512

enum channel_type {
    CHANNEL_PERSON = 1,
    CHANNEL_GROUP = 2,
    CHANNEL_CUSTOMER_SERVICE = 3,
    CHANNEL_COMMUNITY = 4,
    CHANNEL_COMMUNITY_TOPIC = 5,
    CHANNEL_INFO = 6,
    CHANNEL_DATA = 7,
    CHANNEL_TEMP = 8,
    CHANNEL_LIVE = 9,
    CHANNEL_VISITORS = 10,
    CHANNEL_AGENT = 11,
    CHANNEL_AGENT_GROUP = 12,
};

/* What a client is told, in CONNACK, SENDACK and DISCONNECT. */
enum chat_reason {
    CHAT_REASON_UNKNOWN = 0,
    CHAT_REASON_SUCCESS = 1,
    CHAT_REASON_AUTH_FAIL = 2,
    CHAT_REASON_NOT_SUBSCRIBER = 3,
    CHAT_REASON_IN_BLACKLIST = 4,
    CHAT_REASON_PAYLOAD_DECODE = 9,
    CHAT_REASON_NOT_ALLOW_SEND = 11,
    CHAT_REASON_CONNECT_KICK = 12,
    CHAT_REASON_NOT_IN_WHITELIST = 13,
    CHAT_REASON_SYSTEM_ERROR = 15,
    CHAT_REASON_CHANNEL_ID = 16,
    CHAT_REASON_BUSY = 18, /* no room now; the SDK may try again */
    CHAT_REASON_BAN = 19,
    CHAT_REASON_RATE_LIMIT = 22,
    CHAT_REASON_DISBAND = 24,
    CHAT_REASON_SEND_BAN = 25,
};

/* The header flags of a message (semantics 0.3) and its setting bits (0.4). */
enum message_flag {
    MESSAGE_NO_PERSIST = 0x01,
    MESSAGE_RED_DOT = 0x02,
    MESSAGE_SYNC_ONCE = 0x04,
    MESSAGE_DUP = 0x08,
};

/* A uid or a plain channel id: not blank, not too long, none of @ # & (semantics 0.7), valid
 * UTF-8, no control characters. */
bool name_is_plain(struct bytes name);

/* Has `name` one of the characters @ # &? */
bool name_is_special(struct bytes name);

/* Empty, or nothing but blanks, those of Unicode included. */
bool name_is_blank(struct bytes name);

/* Writes the internal id of the channel between two users: the uid with the larger CRC-32 first
 * (semantics 2.2); equal hashes are ordered by their bytes. Returns its size. `area` has room for
 * NAME_PAIR_BYTES_MAX. */
size_t name_pair(struct bytes uid_a, struct bytes uid_b, uint8_t *area);

/* Splits `first@second`. ERR_PROTOCOL: there is not exactly one @. */
MUST_USE enum err name_split_pair(struct bytes pair, struct bytes *out_first,
                                  struct bytes *out_second);

/* Are the members of this type of channel the two uids of its id? */
static inline bool channel_type_is_pair(uint8_t type)
{
    return type == CHANNEL_PERSON || type == CHANNEL_AGENT;
}

/* The internal id of the channel that `uid` means by `channel_id` (semantics 2.1, 2.2).
 * ERR_PROTOCOL: that is no channel id. `area` has room for NAME_PAIR_BYTES_MAX. */
MUST_USE enum err name_internal(struct bytes uid, struct bytes channel_id, uint8_t type,
                                uint8_t *area, struct bytes *out_internal);

/* The visitor whom a channel is about, who gets its messages without being on its list: the part of
 * the id of a customer service before the bar, the id of a visitors' channel (semantics 2.1).
 * Empty: there is none. */
struct bytes name_visitor(struct bytes internal_id, uint8_t type);

/* How `uid` calls the channel with this internal id: the other one of a pair; the agent of an agent
 * channel; otherwise the id itself. */
struct bytes name_as_seen(struct bytes internal_id, uint8_t type, struct bytes uid);
