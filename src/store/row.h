/*
 * row.h -- what is stored besides messages: channels, members, conversations, users.
 *
 * Plain data, as the domain sees it; how it becomes keys and values is the business
 * of this layer alone. Strings are borrowed: in a row that is written, from the
 * caller, for the call; in a row that is read, from the store, as each reading
 * function says.
 *
 * A channel has two logs beside each other, each with its own seq 1, 2, 3 …: chat,
 * and the command log that WuKongIM keeps as a channel "….____cmd" (semantics 2.3).
 */
#pragma once

#include "store/slot.h"

#include <stdbool.h>
#include <stdint.h>

/* Longer names are refused with ERR_LIMIT wherever they come in. */
#define STORE_UID_BYTES_MAX        1024u
#define STORE_CHANNEL_ID_BYTES_MAX (2u * STORE_UID_BYTES_MAX + 1u) /* "A@B" */
#define STORE_META_NAME_BYTES_MAX  255u
#define STORE_META_VALUE_BYTES_MAX (64u * 1024u)
#define STORE_PLUGIN_NO_BYTES_MAX  255u

/* A channel by its number, which is unique in its slot, above 0, and given at creation. */
struct channel_ref {
    uint16_t slot;
    uint32_t number;
};

enum log_kind {
    LOG_CHAT = 0,
    LOG_COMMAND = 1,
};
#define LOG_KINDS_COUNT 2

/* One log of a channel. */
struct log_ref {
    struct channel_ref channel;
    enum log_kind kind;
};

enum list_kind {
    LIST_INVALID = 0,
    LIST_SUBSCRIBER = 1,
    LIST_DENY = 2,
    LIST_ALLOW = 3,
};

/* One list of a channel. */
struct list_ref {
    struct channel_ref channel;
    enum list_kind kind;
};

/* Flags of a channel (semantics 2.5). */
enum channel_flag {
    CHANNEL_FLAG_BAN = 1 << 0,
    CHANNEL_FLAG_DISBAND = 1 << 1,
    CHANNEL_FLAG_SEND_BAN = 1 << 2,
    CHANNEL_FLAG_ALLOW_STRANGER = 1 << 3,
    CHANNEL_FLAG_LARGE = 1 << 4,
};

struct channel_row {
    uint32_t number;
    uint32_t flags; /* a sum of enum channel_flag */
    uint64_t created_ms;
    uint64_t updated_ms;
};

/* A channel as a shard wants it when it becomes active. */
struct channel_state {
    struct channel_ref ref;
    struct channel_row row;
    uint64_t last_seq[LOG_KINDS_COUNT]; /* by enum log_kind; 0: the log is empty */
};

struct member_row {
    uint64_t joined_seq;
    uint64_t created_ms;
};

/* What a conversation row stands for. */
enum directory_flag {
    DIRECTORY_FLAG_CHAT = 1 << 0,    /* the channel is in the user's conversation list */
    DIRECTORY_FLAG_COMMAND = 1 << 1, /* the user gets the channel's commands */
};

struct directory_key {
    struct bytes uid;
    struct channel_name channel;
};

struct directory_row {
    uint32_t flags; /* a sum of enum directory_flag */
    struct channel_ref channel;
    uint64_t read_seq;
    uint64_t command_read_seq;
    uint64_t command_end_seq; /* the last that is for him, who has left; 0: he gets what comes */
    uint64_t deleted_to_seq;
    uint64_t joined_seq;
    uint64_t activated_ms;
    uint64_t created_ms;
    uint64_t updated_ms;
};

#define STORE_TOKEN_HASH_BYTES 32

struct device_key {
    struct bytes uid;
    uint8_t device_flag;
};

struct device_row {
    bool has_token;
    uint8_t token_hash[STORE_TOKEN_HASH_BYTES]; /* SHA-256; zeros without a token */
    uint8_t level;
    uint64_t updated_ms;
};

struct user_row {
    uint64_t created_ms;
    uint8_t plugin_no_size;
    uint8_t plugin_no[STORE_PLUGIN_NO_BYTES_MAX];
};

/* ---- Event streams: what is told about a message after it was sent (http-api 11). ---- */

#define STREAM_MSG_NO_BYTES_MAX 512u /* of the client_msg_no that names a stream */
#define STREAM_NAME_BYTES_MAX   128u /* of a lane's key, of an event's id */
#define STREAM_WORD_BYTES_MAX   64u  /* of an event's type and visibility */
#define STREAM_ERROR_BYTES_MAX  1024u
#define STREAM_LANES_MAX        64u    /* of one stream */
#define STREAM_PIECE_BYTES_MAX  16384u /* of a content's row */

/* The stream of one message. */
struct stream_ref {
    struct channel_ref channel;
    struct bytes client_msg_no;
};

enum lane_status {
    LANE_UNSET = 0, /* it has events that do not open it */
    LANE_OPEN = 1,
    LANE_CLOSED = 2, /* this and the next two are final */
    LANE_ERROR = 3,
    LANE_CANCELLED = 4,
};

/* What the content of a lane is. */
enum lane_form {
    LANE_EMPTY = 0,
    LANE_TEXT = 1, /* the text that was gathered */
    LANE_JSON = 2, /* one JSON value, as text */
};

/* One lane of a stream as it is now; its content lies in pieces beside it, numbered from 0. */
struct lane_row {
    uint16_t number; /* within the stream, from 0 */
    enum lane_status status;
    enum lane_form form;
    bool is_given;       /* the content came as a whole, with a snapshot */
    uint8_t end_reason;  /* LANE_CLOSED */
    uint64_t seq;        /* msg_event_seq of its last stored event; 0: none yet */
    int64_t occurred_ms; /* of that event, as the next three */
    struct bytes event_id;
    struct bytes event_type;
    struct bytes visibility;
    struct bytes error; /* LANE_ERROR */
};

/* One piece of a lane's content. */
struct lane_piece {
    uint16_t lane; /* its number */
    uint32_t index;
    struct bytes bytes;
};

static inline bool lane_status_is_final(enum lane_status status)
{
    return status >= LANE_CLOSED;
}
