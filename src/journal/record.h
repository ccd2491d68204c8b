/*
 * record.h -- one durable change, as bytes: the unit of the journal.
 *
 * The journal layer makes changes durable, in order, and nothing else changes
 * state. Every record carries results, never "compute this": ids, sequence
 * numbers and times are decided before it is journalled. So applying a record
 * is a pure function of it, the same on every engine and on every holder of a
 * shard (design 5).
 *
 * Records are encoded one behind the other into an entry, whose records are
 * committed together: a kind, a size, and the fields, big-endian.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "store/outbox.h"
#include "store/row.h"

enum record_kind {
    RECORD_INVALID = 0,
    RECORD_MESSAGE = 1,        /* one more message in a log */
    RECORD_CHANNEL = 2,        /* a channel as it is now */
    RECORD_MEMBER_ADD = 3,     /* a uid is on a list */
    RECORD_MEMBER_REMOVE = 4,  /* a uid is not on a list any more */
    RECORD_MEMBERS_CLEAR = 5,  /* a list is empty */
    RECORD_DIRECTORY_PUT = 6,  /* what a user has of a channel */
    RECORD_DIRECTORY_DROP = 7, /* a user has nothing of a channel any more */
    RECORD_DEVICE = 8,         /* a user's token for a class of devices */
    RECORD_USER = 9,           /* a user exists */
    RECORD_SYSTEM_UID = 10,    /* a uid is, or is not, a system account */
    RECORD_CLOCK = 11,         /* no message id so far has a later time */
    RECORD_OUTBOX_PUT = 30,    /* an event waits for the back end */
    RECORD_OUTBOX_DROP = 31,   /* an event does not wait any more */
    RECORD_LANE = 40,          /* a lane of an event stream as it is now */
    RECORD_LANE_PIECE = 41,    /* one piece of its content as it is now */
    RECORD_LANE_CUT = 42,      /* its content ends before this piece */
};

/* One more message. */
struct record_message {
    struct log_ref log;
    uint64_t seq;
    bool is_remembered; /* sender and client_msg_no are kept for idempotence */
    bool is_sole;       /* the channel's other log is empty */
    struct bytes row;   /* of message_row_encode */
};

struct record_channel {
    struct channel_name name;
    struct channel_row row;
};

struct record_member {
    struct list_ref list;
    struct bytes uid;
    struct member_row row; /* RECORD_MEMBER_ADD only */
};

struct record_directory {
    struct directory_key key;
    struct directory_row row; /* RECORD_DIRECTORY_PUT only */
};

struct record_device {
    struct device_key key;
    struct device_row row;
};

struct record_user {
    struct bytes uid;
    uint64_t created_ms;
    struct bytes plugin_no;
};

struct record_system_uid {
    struct bytes uid;
    bool is_system;
};

/* What a record has around its row. */
#define RECORD_OUTBOX_EXTRA_BYTES (5u + OUTBOX_KEY_BYTES)

struct record_outbox {
    struct outbox_key key;
    const struct outbox_row *made; /* RECORD_OUTBOX_PUT: what is encoded; or NULL, and `row` is */
    struct bytes row;              /* of outbox_row_encode; when it is decoded, this one is set */
};

/* Its strings are as long as store/row.h allows. */
struct record_lane {
    struct stream_ref stream;
    struct bytes key;
    struct lane_row row;
};

struct record_lane_piece {
    struct stream_ref stream;
    struct lane_piece piece; /* RECORD_LANE_CUT: without bytes; the first that is no more */
};

/* The bytes are borrowed: from the asker when it is encoded, from the entry when it is decoded. */
struct record {
    enum record_kind kind;
    union {
        struct record_message message;
        struct record_channel channel;
        struct record_member member;
        struct list_ref list; /* RECORD_MEMBERS_CLEAR */
        struct record_directory directory;
        struct record_device device;
        struct record_user user;
        struct record_system_uid system_uid;
        struct record_outbox outbox;
        uint64_t clock_ms;
        struct record_lane lane;
        struct record_lane_piece lane_piece;
    };
};

/* No more bytes than this are needed to encode it. */
size_t record_size_max(const struct record *record);

/* Writes it; the writer has room for record_size_max. */
void record_encode(const struct record *record, struct writer *writer);

/* Reads the next record. ERR_CORRUPT: these are not the bytes of one. */
MUST_USE enum err record_decode(struct reader *reader, struct record *out_record);
