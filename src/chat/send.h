/*
 * send.h -- somebody wants to send a message: the request, its way, its result.
 *
 * The three steps of design 4 are the same wherever the channel lives:
 *
 *   ask      the asker (a session's shard, or the HTTP edge) makes the request
 *            and posts it to the shard that owns the channel;
 *   commit   that shard checks permission, finds a duplicate or gives id and seq,
 *            and journals the message; nothing is answered before it is durable;
 *   deliver  it posts a part of the message to each shard with members, and the
 *            request goes home with its result.
 *
 * Ownership: the asker acquires the request and releases it when it has come
 * home. In between it belongs to the channel's shard.
 */
#pragma once

#include "chat/facts.h"
#include "chat/op.h"
#include "chat/session.h"
#include "chat/waiter.h"
#include "memory/budget.h"
#include "shard/readers.h"
#include "store/row.h"

struct chat;
struct first_rows;
struct message;
struct shard;

/* A shard counts the sends that are being committed by the low bits of their hashes: most of them
 * are the only one, and need not be compared with all others of their channel. */
#define SEND_HASHES_COUNT 16384u

struct send {
    struct op op; /* its place in the channel's queue */

    /* Asked. The bytes lie behind the struct, but for the recipients. */
    struct session_id origin; /* none for the API */
    bool is_alone;            /* its connection has no other under way (intake.h) */
    bool is_privileged;       /* from the API: no checks of the sender (semantics 2.6, check 10) */
    uint8_t flags;            /* enum message_flag, as sent */
    uint8_t setting;
    uint8_t channel_type;
    uint32_t client_seq;
    uint32_t expire_s;
    struct bytes from_uid;
    struct bytes channel_id; /* internal (names.h) */
    struct bytes client_msg_no;
    struct bytes topic;
    struct bytes stream_no;
    struct bytes payload;
    struct bytes tag;               /* the asker's: what it needs to answer */
    const struct bytes *recipients; /* an explicit list of uids instead of members; or NULL */
    uint32_t recipients_count;

    /* Answered. */
    enum chat_reason reason;
    uint64_t message_id; /* also when refused */
    uint64_t seq;        /* 0 when refused or not stored */

    /* On the channel's shard. */
    struct chat *chat;
    struct channel *channel;
    struct reading reading; /* of what is not in memory */
    struct facts_question question;
    struct facts facts;     /* of the sender; with has_facts */
    uint32_t facts_version; /* the member version they were read under; 0: not read */
    bool is_reading;        /* a reading is under way: nothing else can be done */
    bool is_inquired;       /* the data source has been asked, as far as it is (inquiry.h) */
    bool is_searched;       /* the log was searched for a first result */
    enum err read_result;
    struct first_rows *first_rows; /* the rows it writes besides itself; NULL: none */
    bool has_read_rows;
    enum err rows_result;
    struct message *message; /* while it is journalled */
    uint8_t *notice_uids;    /* the recipients, for their events (notices.h); or NULL */
    size_t notice_uids_size;
    uint32_t notice_uids_count;
    struct waiter waiter;    /* for the commit */
    struct list in_flight;   /* in the channel's sends that are being committed */
    uint64_t duplicate_hash; /* of sender and client_msg_no; 0: without idempotence */
    struct send *twin;       /* a repeat that waits for this one's result */

    struct budget *budget; /* charged for this */
    size_t size_bytes;     /* of the allocation */
};

/* What to put into a new request; everything is copied. */
struct send_input {
    struct bytes from_uid;
    struct bytes channel_id; /* internal */
    struct bytes client_msg_no;
    struct bytes topic;
    struct bytes stream_no;
    struct bytes tag;
    size_t payload_size; /* its place is left for the asker to fill: send_payload */
};

/* A request with room for its strings, or NULL when the budget refuses. */
MUST_USE struct send *send_acquire(struct budget *budget, const struct send_input *input);
void send_release(struct send *send);

/* Where the payload goes, `payload_size` bytes; may be shortened by send->payload.size. */
uint8_t *send_payload(struct send *send);

/* Posts a new request to the shard that owns its channel; it comes home to `home`, where `on_home`
 * is called with its op's letter. The asker's mailer wakes the shard. */
void send_post(struct send *send, struct mailer *mailer, struct shard *const *shards,
               uint32_t shards_count);
