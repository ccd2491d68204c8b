/*
 * message.h -- a message on its way: the body that everybody shares, counted on its channel's
 * shard.
 *
 * A message is made once, by the shard that owns its channel: its row (the very
 * bytes that the store keeps) and the view into them. The journal copies the
 * row, every delivery reads it, nobody changes it. What each other shard needs
 * to deliver it travels inside it as a part, so that the room for the whole
 * fan-out is there before anything is done (design 4.1).
 *
 * An event of a stream goes the same way, so that it keeps its place among the
 * messages of its channel; its strings lie where the row would be.
 *
 * Ownership: counted, on the channel's shard only. A part that was posted holds
 * one reference and comes home to drop it.
 */
#pragma once

#include "chat/session.h"
#include "memory/budget.h"
#include "shard/mailbox.h"
#include "store/message_row.h"
#include "store/row.h"

struct audience;
struct channel;
struct message;
struct roster;

/* The delivery of one message to the members that live on one shard. */
struct delivery {
    struct letter letter;
    struct list link;                 /* on the delivering shard: among the walks or look-ups */
    struct delivery *next_of_channel; /* there: the parts of its channel behind it */
    struct message *message;          /* borrowed while the part is away */
    const uint64_t *hashes; /* whom to look for; borrowed from the message or its roster */
    uint32_t hashes_count;
    uint32_t hashes_done;      /* how far the walk is */
    uint32_t company;          /* so many parts behind it walk with it */
    uint32_t hashes_kept;      /* of an audience: those of them who are still online */
    struct audience *audience; /* to whom, if the message is to audiences; NULL: no room for it */
    uint64_t arrival_max;      /* who comes online later is not looked up */
    bool is_audience_complete; /* everybody who was found is in it */
};

struct message {
    struct message_view view; /* into `row`; of an event only the flags and the channel */
    bool is_event;
    struct session_event event;
    struct log_ref log;
    uint64_t sent_ns;         /* when it was asked for; of an event 0 */
    struct session_id origin; /* gets no RECV; none for the API */
    struct channel *channel;  /* its shard only; there while `is_to_audiences` and a part is away */
    uint64_t channel_hash;    /* names the channel on every shard */
    bool is_to_audiences;     /* the shards find out for whom it is (audience.h) */
    uint32_t roster_version;  /* of the channel's members, with is_to_audiences */
    struct roster *roster;    /* its shard only: keeps `hashes` alive; NULL for a pair */
    struct budget *budget;    /* charged for this */
    uint32_t size_bytes;      /* of the whole allocation */
    uint32_t references;      /* its shard only */
    uint64_t pair[2];         /* the hashes of the two uids of a pair */
    struct list link;         /* its channel's undelivered messages */
    uint16_t home;            /* the shard that owns the channel */
    uint16_t parts_count;
    struct delivery parts[]; /* one a shard; the row lies behind them */
};

/* Room for a message whose row takes `row_bytes`, or NULL when the budget refuses. */
MUST_USE struct message *message_acquire(struct budget *budget, uint32_t shards_count,
                                         size_t row_bytes);

/* Where its row goes. */
uint8_t *message_row(struct message *message);

/* The row itself. */
static inline struct bytes message_row_bytes(const struct message *message)
{
    return (struct bytes){.data = (const uint8_t *)&message->parts[message->parts_count],
                          .size = message_row_size(&message->view)};
}

void message_ref(struct message *message);

/* Drops a reference; with the last one the message goes, and its reference to its roster. */
void message_unref(struct message *message);
