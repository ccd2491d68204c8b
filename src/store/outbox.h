/*
 * outbox.h -- events for the back end that wait on the disk until it has taken them.
 *
 * The outbox is a node's own: its keys begin with the queue and not with a slot, so
 * that each queue is read from its oldest event on. An event is named by an id of
 * the kind that messages have (message_id.h): a channel's events ascend with its
 * messages, all of them roughly with time, and no id comes twice, also after a
 * restart. What has to keep its order stands in one lane of a queue.
 *
 *   outbox   queue u8 | lane u8 | id u64 | part u16
 *   row      format u8 | crc32c u32 over what follows | queued_ms u64 | status u16 | flags u8 |
 *            log: slot u16, number u32, kind u8 | seq u64 | message (varint size, bytes) |
 *            with OUTBOX_NAMED: channel type u8, channel id, sender (varint size, bytes each) |
 * data
 *
 * Most events only point to a message in its log; `message` is there when the log
 * has none of it. What is to be known of a message before it is sent is named, so
 * that it need not be read for that.
 *
 * Encoding is pure; reading may be done by any thread and blocks.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "store/row.h"

#include <stddef.h>

struct store;

enum outbox_queue {
    OUTBOX_INVALID = 0,
    OUTBOX_NOTIFY = 1,  /* messages that were stored */
    OUTBOX_AGENT = 2,   /* the same, for the back end of agents */
    OUTBOX_PENDING = 3, /* messages whose offline members are to be found */
    OUTBOX_OFFLINE = 4, /* messages with offline members: `data` is their uids */
    OUTBOX_STATUS = 5,  /* who came online or went: `data` is the text */
    OUTBOX_DEAD = 6,    /* refused for good; the lane is the queue they were in */
};
#define OUTBOX_QUEUES_END 7

/* Lanes of OUTBOX_OFFLINE: a channel's events stand in one of them. */
#define OUTBOX_LANES_MAX 16u

struct outbox_key {
    uint8_t queue; /* enum outbox_queue */
    uint8_t lane;
    uint64_t id;
    uint16_t part; /* an event that is split has several */
};

#define OUTBOX_KEY_BYTES 12u

enum outbox_flag {
    OUTBOX_EXPLICIT = 1 << 0, /* the message went to a list of uids, not to the channel's members */
    OUTBOX_NAMED = 1 << 1,    /* the row has the channel's name and the sender of its message */
};

struct outbox_row {
    uint64_t queued_ms; /* since 1970: when it came into this queue */
    uint16_t status;    /* OUTBOX_DEAD: the last HTTP status; 0: there was no answer */
    uint8_t flags;      /* a sum of enum outbox_flag */
    struct log_ref log; /* number 0: none */
    uint64_t seq;
    struct bytes message; /* of message_row_encode; empty: it is in the log */
    uint8_t channel_type; /* these three with OUTBOX_NAMED only */
    struct bytes channel_id;
    struct bytes from_uid;
    struct bytes data;
};

/* What is around the strings of a row, at most. */
#define OUTBOX_ROW_EXTRA_BYTES 48u

/* An estimate of what a row takes on the disk: what the bound of the outbox counts. */
static inline uint64_t outbox_cost(size_t row_bytes)
{
    return OUTBOX_KEY_BYTES + row_bytes + 16;
}

void outbox_key_encode(const struct outbox_key *key, uint8_t area[OUTBOX_KEY_BYTES]);
MUST_USE enum err outbox_key_decode(struct bytes bytes, struct outbox_key *out_key);

/* Its strings, without what is around them. */
size_t outbox_row_strings_size(const struct outbox_row *row);

/* `writer` has room for OUTBOX_ROW_EXTRA_BYTES and the strings. */
void outbox_row_encode(const struct outbox_row *row, struct writer *writer);

/* The strings are borrowed from `bytes`. ERR_CORRUPT: that is no row, or it is damaged. */
MUST_USE enum err outbox_row_decode(struct bytes bytes, struct outbox_row *out_row);

/* Gives false to stop. `row_bytes` is the size of the row. Everything is borrowed for the call. */
typedef bool store_outbox_fn(void *context, const struct outbox_key *key,
                             const struct outbox_row *row, size_t row_bytes);

struct outbox_range {
    struct outbox_key from; /* the first that is wanted */
    bool is_all_lanes;      /* goes on into the next lanes of the queue */
    uint32_t count_max;     /* above 0 */
    store_outbox_fn *visit;
    void *context;
};

/* Visits a lane's events, the oldest first. They stay out of the block cache: they are read once,
 * and again only after the target has failed; but whoever asks for one event at a time comes back
 * for those beside it. ERR_CORRUPT: a row is damaged; `out_bad`, which may be NULL, is then its
 * key. */
MUST_USE enum err store_read_outbox(struct store *store, const struct outbox_range *range,
                                    struct outbox_key *out_bad);
