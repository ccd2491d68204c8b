/*
 * mark.h -- a user's place in a channel moves: what he has read, deleted, received.
 *
 * A mark changes the one conversation row (uid, channel), so it is an op of the
 * channel (ADR 6): "up to the last message" means the last that was sent before it.
 * Marks of different users are journalled together and wait for nobody; one waits for
 * those of the same user before it, and for a first message that writes rows.
 *
 * Positions only advance (semantics 5.4). Who moves them: the back end (clearUnread,
 * setUnread, delete, message/syncack), and the RECVACK of a master device for a
 * command (semantics 4.4.5).
 *
 * Ownership: acquired by the asker with the names copied, and released by it when it
 * has come home to op.home, where op.on_home is called with its op's letter.
 */
#pragma once

#include "chat/op.h"
#include "chat/waiter.h"
#include "memory/budget.h"
#include "shard/readers.h"
#include "store/row.h"

struct chat;
struct shard;

enum mark_kind {
    MARK_INVALID = 0,
    MARK_READ,     /* everything: clearUnread */
    MARK_UNREAD,   /* everything but the newest `value`: setUnread */
    MARK_DELETED,  /* the conversation is not shown until there is a newer message */
    MARK_COMMANDS, /* the commands up to seq `value` have been received */
    MARK_LISTED,   /* the conversation exists, with everything unread, if it did not */
};

struct mark {
    struct op op;

    /* Asked. */
    enum mark_kind kind;
    int64_t value;
    struct bytes uid;
    struct channel_name name; /* internal */
    struct channel_ref ref;   /* with a number: instead of the name */

    /* Answered: ERR_OK, also when nothing had to move; ERR_BUDGET (no room now), others (the store
     * failed). */
    enum err result;

    /* On the channel's shard. Private to mark.c. */
    struct chat *chat;
    struct channel *channel;
    struct reading reading;
    bool is_reading;
    bool is_read;
    bool has_row;
    struct directory_row row;
    struct waiter waiter;
    struct list in_flight; /* in the channel's marks */

    struct budget *budget;
    size_t size_bytes;
};

/* A mark of `uid` in the channel, to fill in; or NULL when the budget refuses. The name may be
 * empty if `ref` is set instead. */
MUST_USE struct mark *mark_acquire(struct budget *budget, struct bytes uid,
                                   struct channel_name name);
void mark_release(struct mark *mark);

/* Posts it to the shard that owns its channel. */
void mark_post(struct mark *mark, struct mailer *mailer, struct shard *const *shards,
               uint32_t shards_count);

/* ---- The arithmetic, for its tests. ---- */

enum mark_effect {
    MARK_STAYS = 0, /* nothing to move */
    MARK_PUTS,
    MARK_DROPS, /* nothing is left of the row */
};

/* What a mark does to a row, which is changed in place; zeros stand for a row that is absent.
 * `last_seq` is by enum log_kind. */
enum mark_effect mark_apply(enum mark_kind kind, int64_t value,
                            const uint64_t last_seq[LOG_KINDS_COUNT], struct directory_row *row);
