/*
 * channel.h -- an active channel, on the shard that owns it.
 *
 * A channel object is a cache of what is stored, plus what is in flight. It is
 * made by the first thing that is asked of the channel, loaded from the store,
 * and evicted when nobody has wanted it for longest and nothing is in flight.
 *
 *   channels_get        loaded              evicted
 *  ─────────────▶ LOADING ──────▶ READY ───────────▶ gone, but for what is on the shelf
 *                    │ the store failed
 *                    └──────────▶ gone; what waited is answered with a failure
 *
 *   LOADING  ops wait in the queue.
 *   READY    row, last seqs are true; ops run in order.
 *
 * A channel that is not stored yet is READY with number 0; the first message or
 * change gives it a number in the same entry.
 *
 * Both logs of a channel (semantics 2.3) live in it: last_seq[log] is the newest
 * that was given out, also when it is not committed yet.
 */
#pragma once

#include "base/list.h"
#include "chat/facts.h"
#include "chat/op.h"
#include "memory/budget.h"
#include "shard/readers.h"
#include "store/read.h"
#include "store/row.h"

struct chat;
struct roster;

enum channel_object_state {
    CHANNEL_OBJECT_LOADING = 0,
    CHANNEL_OBJECT_READY,
};

struct channel {
    struct list recency; /* in the cache, most recent first */
    struct channel *next_in_bucket;
    uint64_t hash;
    enum channel_object_state state;
    uint8_t type;
    bool is_stale;          /* must be loaded (again) before its next op */
    bool is_advancing;      /* its queue is being worked on up the stack */
    struct channel_ref ref; /* number 0: not stored */
    struct channel_row row;
    uint64_t last_seq[LOG_KINDS_COUNT];
    uint32_t member_version; /* raised when a list has changed; what was read before is stale */
    uint32_t roster_version; /* the same for the subscribers alone */
    uint32_t in_flight;      /* ops whose entries are not home yet */
    uint32_t readings;       /* readings under way that will come back to this object */
    struct list queue;       /* ops that wait */
    struct op *ahead;        /* goes before the queue; NULL: nothing does */
    bool is_begun;           /* the queue's first has done a part: nothing passes it */
    bool is_inquiring;       /* the queue's first waits for the data source (inquiry.h) */
    uint32_t row_sends;      /* of those in flight: sends that write conversation rows */
    struct list sends;       /* sends in flight, for repeats that come meanwhile */
    struct list marks;       /* marks in flight */
    struct list undelivered; /* committed messages that wait for the roster */
    struct roster *roster;   /* who gets its messages; NULL: not known now */
    bool is_roster_loading;
    bool is_large;          /* the list is too long for a roster: see audience.h */
    uint32_t walks;         /* parts that go by the list of members: it must not change meanwhile */
    uint64_t touched_ms;    /* when it was wanted last */
    struct reading reading; /* LOADING: of the channel itself; and what it found: */
    struct chat *chat;
    enum err loaded;
    struct channel_state loaded_state;
    bool wants_number;      /* the slot's largest number was not known when it began to load: */
    uint32_t loaded_number; /* read then, if the channel is not stored */
    /* Of those who sent first since member_version was raised. */
    struct facts_kept facts[FACTS_KEPT];
    uint16_t id_size;
    uint8_t id[]; /* internal */
};

/* Private to channel.c. */
struct channels {
    struct channel **buckets;
    uint32_t buckets_count; /* a power of two */
    uint32_t count;
    struct list recency;
    struct budget *budget;
};

MUST_USE enum err channels_init(struct channels *channels, struct budget *budget);

/* Nothing is in flight any more. */
void channels_deinit(struct chat *chat);

/* The object of a channel, made and asked from the store if absent. NULL: no room. Valid until the
 * end of this turn, and as long as something of it is in flight or queued. */
MUST_USE struct channel *channels_get(struct chat *chat, struct channel_name name);

/* A hash of a channel's name, the same on all shards. */
uint64_t channel_name_hash(const struct chat *chat, struct channel_name name);

/* The object if there is one, or NULL. */
struct channel *channels_find(struct chat *chat, struct channel_name name);

/* Puts an op behind those that wait, and does what can be done. */
void channel_enqueue(struct chat *chat, struct channel *channel, struct op *op);

/* The same for what the queue may be waiting for: what the data source has answered, and the
 * conversation that its answer waits for (mark.c). It is done before all that has not been begun.
 * There is one at a time. */
void channel_go_ahead(struct chat *chat, struct channel *channel, struct op *op);

/* Goes on with the queue; to be called when what its first op waited for has come. */
void channel_advance(struct chat *chat, struct channel *channel);

/* Decided but refused by the journal: whatever was built on it is forgotten, for every channel of
 * this shard: each is loaded again before its next op. */
void channels_forget_uncommitted(struct chat *chat);

/* How long a channel, or an audience, is kept that nobody wants. */
#define CHANNEL_IDLE_MS 45000

/* Gives up to `count_max` channels back that were not wanted for CHANNEL_IDLE_MS. True: there may
 * be more. */
bool channels_age(struct chat *chat, uint32_t count_max);

/* Evicts what has not been wanted longest until the budget has room, or nothing can go. What goes
 * is put on the shelf. */
void channels_shrink(struct chat *chat, uint64_t wanted_bytes);

/* Evicts all that can go, and what was put on the shelf. */
void channels_rest(struct chat *chat);

/* Gives the channel a number if it has none, and adds its row as it is now to the shard's entry,
 * where room for it must be reserved: channel_reserve_bytes. */
void channel_establish(struct chat *chat, struct channel *channel);
size_t channel_reserve_bytes(const struct channel *channel);

static inline struct channel_name channel_name(const struct channel *channel)
{
    return (struct channel_name){.type = channel->type,
                                 .id = {.data = channel->id, .size = channel->id_size}};
}
