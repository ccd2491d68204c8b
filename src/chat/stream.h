/*
 * stream.h -- the event streams that are being written to: what a shard must know to decide.
 *
 * A stream belongs to a message by its client_msg_no and has lanes, each with a
 * status and a content that grows (http-api 11). Everything of it is in the store:
 * what is here is the state of each lane without its content, so an open stream
 * costs a few hundred bytes and the last bytes of its text, however much was said.
 * What is here may be forgotten and read again.
 *
 *              delta            close, finish
 *     UNSET ──────────▶ OPEN ─────────────────▶ CLOSED
 *       │                ├──────── error ─────▶ ERROR
 *       │                └──────── cancel ────▶ CANCELLED
 *       └── close, finish, error, cancel: likewise
 *
 *   UNSET      only events that change no status: a snapshot, an unknown type.
 *   the right  final: later events change nothing.
 *
 * Bounds: STREAM_LANES_MAX lanes a stream, chat_settings.stream_bytes_max of
 * contents a stream, and the streams budget in all. Under pressure streams that
 * nobody has written to for STREAM_SPARED_MS are forgotten; if there are none, a new
 * stream is refused. After STREAM_IDLE_MS a stream is forgotten in any case.
 *
 * One shard, the channel's.
 */
#pragma once

#include "base/list.h"
#include "memory/budget.h"
#include "shard/timers.h"
#include "store/row.h"

struct channel;
struct chat;
struct store;

#define STREAM_IDLE_MS    600000u
#define STREAM_SPARED_MS  10000u
#define STREAM_TAIL_BYTES 512u /* the last piece of a text is rewritten until it has so many */

/* One lane, without its content. */
struct lane {
    struct lane *next;
    uint64_t seq;
    int64_t occurred_ms;
    uint8_t *tail; /* the last piece, while it may grow: STREAM_TAIL_BYTES; or NULL */
    uint32_t tail_size;
    uint32_t content_size;
    uint32_t pieces_count;
    uint16_t number;
    enum lane_status status;
    enum lane_form form;
    bool is_given;
    uint8_t key_size;
    uint8_t id_size;
    uint8_t type_size;
    uint8_t visibility_size;
    uint8_t key[STREAM_NAME_BYTES_MAX];
    uint8_t id[STREAM_NAME_BYTES_MAX]; /* of the last stored event, as the next two */
    uint8_t type[STREAM_WORD_BYTES_MAX];
    uint8_t visibility[STREAM_WORD_BYTES_MAX];
};

struct stream {
    struct list recency; /* in the table, most recent first */
    struct stream *next_in_bucket;
    uint64_t channel_hash; /* its channel's, keyed */
    uint64_t hash;         /* with its own name */
    uint64_t used_ms;
    uint64_t seq; /* msg_event_seq: the last that was given */
    struct lane *lanes;
    uint32_t lanes_count;
    uint32_t content_bytes; /* of all lanes */
    uint32_t in_flight;     /* events that are being committed */
    bool is_stale;          /* to be forgotten when nothing is in flight */
    uint16_t name_size;
    uint8_t name[]; /* client_msg_no */
};

/* Private to stream.c. */
struct streams {
    struct stream **buckets; /* acquired with the first stream */
    struct list recency;
    uint32_t count;
    struct budget *budget;
    struct timer idle;
};

#define STREAM_IMAGE_LANES 4u /* room that is enough for nearly all streams */

/* What a reader finds of a stream in the store. */
struct stream_image {
    uint32_t lanes_count;
    uint32_t lanes_max;
    bool is_short;       /* it has more than lanes_max */
    struct lane lanes[]; /* without tails */
};

static inline size_t stream_image_bytes(uint32_t lanes_max)
{
    return sizeof(struct stream_image) + lanes_max * sizeof(struct lane);
}

void streams_init(struct streams *streams, struct budget *budget);

/* Nothing is in flight any more. */
void streams_deinit(struct chat *chat);

/* The stream if it is held here, or NULL. Valid until the end of the turn, and as long as something
 * of it is in flight. */
struct stream *streams_find(struct chat *chat, const struct channel *channel,
                            struct bytes client_msg_no);

/* Makes a stream that is not held yet, as the image says. NULL: no room. */
MUST_USE struct stream *streams_add(struct chat *chat, const struct channel *channel,
                                    struct bytes client_msg_no, const struct stream_image *image);

/* Fills the image, whose lanes_max is set. May wait for the disk. */
MUST_USE enum err stream_image_read(struct stream_image *image, struct store *store,
                                    const struct stream_ref *ref);

struct lane *stream_find_lane(const struct stream *stream, struct bytes key);

/* A new lane, last of the stream. NULL: no room. There are fewer than STREAM_LANES_MAX. */
MUST_USE struct lane *stream_add_lane(struct chat *chat, struct stream *stream, struct bytes key);

/* Takes back the lane that was added last. */
void stream_drop_lane(struct chat *chat, struct stream *stream, struct lane *lane);

/* Room for a growing last piece. ERR_BUDGET: none. */
MUST_USE enum err lane_open_tail(struct chat *chat, struct lane *lane);
void lane_close_tail(struct chat *chat, struct lane *lane);

/* An event of it is home, or will not leave. */
void stream_landed(struct chat *chat, struct stream *stream);

/* What was decided may have been refused by the journal: all streams are read again. */
void streams_forget_uncommitted(struct chat *chat);

/* inline definitions */

static inline struct bytes lane_key(const struct lane *lane)
{
    return (struct bytes){.data = lane->key, .size = lane->key_size};
}

static inline struct bytes lane_event_id(const struct lane *lane)
{
    return (struct bytes){.data = lane->id, .size = lane->id_size};
}
