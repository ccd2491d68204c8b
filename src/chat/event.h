/*
 * event.h -- a back end tells something about a message that was sent: one event of its stream.
 *
 * An event is an op like a send: it stands in its channel's queue, changes its lane
 * of the stream, is answered when that is durable, and goes to everybody who is
 * online in the channel. So events and messages of a channel reach a session in the
 * order they were given.
 *
 * What an event means is in http-api 11.1. A stored event that repeats the id of the
 * lane's last one, and a stored event of a lane that has ended, change nothing, reach
 * nobody and are answered with what is (design promise 3). A delta of a lane that has
 * ended is refused.
 *
 * The work of a delta depends on its own size, not on what was said before: it is one
 * more piece of the content, or the last piece a little longer (stream.h).
 *
 * Ownership: acquired and released by the asker; what it names is borrowed from the asker
 * until it has come home.
 */
#pragma once

#include "chat/op.h"
#include "chat/stream.h"
#include "chat/waiter.h"
#include "shard/readers.h"

struct message;
struct shard;

enum event_kind {
    EVENT_OTHER = 0, /* stored; changes no status and no content */
    EVENT_DELTA,     /* opens the lane and adds to its content */
    EVENT_SNAPSHOT,  /* is the content from now on */
    EVENT_CLOSE,
    EVENT_ERROR,
    EVENT_CANCEL,
    EVENT_FINISH, /* a close of the lane that stands for the whole message */
};

enum event_result {
    EVENT_DONE = 0,  /* durable, and on its way to those who are online */
    EVENT_REPEATED,  /* it was, or its lane has ended: nothing has changed */
    EVENT_CLOSED,    /* a delta of a lane that has ended */
    EVENT_TOO_LARGE, /* the stream would be larger than it may be */
    EVENT_TOO_MANY,  /* the stream would have too many lanes */
    EVENT_BUSY,      /* no room now */
    EVENT_FAILED,    /* the store failed */
};

/* What an event brings for the content of its lane. */
struct event_content {
    enum lane_form form;
    struct bytes bytes;
};

struct event {
    struct op op;

    /* Asked. */
    struct channel_name channel; /* internal */
    struct bytes client_msg_no;
    enum event_kind kind;
    struct bytes key;
    struct bytes id;
    struct bytes type;      /* as it is told to clients */
    struct bytes type_kept; /* as it is stored */
    struct bytes visibility;
    int64_t timestamp_ms; /* as it is told to clients */
    int64_t occurred_ms;  /* as it is stored; 0: now */
    struct event_content content;
    uint8_t end_reason;
    struct bytes error;

    /* What clients get, once its number is known: at most data_bytes_max bytes. On the channel's
     * shard; touches nothing but the event. */
    void (*render)(const struct event *event, struct writer *writer);
    size_t data_bytes_max;

    /* Answered. */
    enum event_result result;
    uint64_t seq; /* of the lane's last stored event */
    enum lane_status status;
    bool is_over; /* no lane of the stream is open */

    /* On the channel's shard. Private to event.c. */
    struct chat *chat;
    struct channel_ref ref; /* for the reading */
    struct stream_image *image;
    struct reading reading;
    enum err read_result;
    bool is_reading;
    bool is_read;
    struct channel *at;
    struct stream *stream;
    struct message *message;
    struct waiter waiter;

    struct budget *budget;
};

/* An event to fill in, or NULL when the budget refuses. */
MUST_USE struct event *event_acquire(struct budget *budget);
void event_release(struct event *event);

/* Posts it to the shard that owns its channel; it comes home to op.home, where op.on_home is called
 * with its op's letter. */
void event_post(struct event *event, struct mailer *mailer, struct shard *const *shards,
                uint32_t shards_count);

/* ---- What becomes of a lane, for event.c and its tests. ---- */

enum content_change {
    CONTENT_STAYS = 0,
    CONTENT_GROWS,    /* the text, by the event's */
    CONTENT_REPLACED, /* by the event's */
};

struct event_plan {
    enum event_result result; /* EVENT_DONE: to be done */
    bool is_stored;           /* has a number of its own */
    bool has_lane_record;     /* the lane's row changes */
    enum lane_status status;
    enum content_change change;
    enum lane_form form;
    bool is_given;
};

/* Decides. `lane` is NULL for a lane that is not there yet. Pure. */
struct event_plan event_plan(const struct event *event, const struct lane *lane,
                             uint32_t lanes_count, uint64_t content_bytes,
                             uint64_t content_bytes_max);
