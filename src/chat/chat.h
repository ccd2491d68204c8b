/*
 * chat.h -- what one shard owns of the domain, and how its parts find each other.
 *
 * One `struct chat` a shard: the users that are online here, the channels that
 * are owned and active here, the entry that gathers this turn's records. Nothing
 * in it is touched by another thread.
 */
#pragma once

#include "chat/audience.h"
#include "chat/channel.h"
#include "chat/delivery.h"
#include "chat/facts.h"
#include "chat/inquiry.h"
#include "chat/session.h"
#include "chat/shelf.h"
#include "chat/stream.h"
#include "chat/temporary.h"
#include "chat/user.h"
#include "chat/waiter.h"
#include "journal/journal.h"
#include "shard/readers.h"
#include "shard/shard.h"

struct bell;
struct message;
struct newcomers;

/* What the operator decided; the same for all shards. Others may take its place while they run
 * (server/settings.h), with the same key. */
struct chat_settings {
    bool is_token_required;        /* tokenAuthOn */
    bool is_visitor_free;          /* customerService.visitorsOn: visitors need no token */
    bool is_person_allow_list_off; /* whitelistOffOfPerson */
    struct bytes manager_uid;
    struct bytes manager_token_hash; /* SHA-256, or empty: any token will do */
    struct bytes visitor_suffix;
    uint32_t retry_interval_ms; /* messageRetry.interval */
    uint32_t retry_scan_ms;     /* messageRetry.scanInterval */
    uint32_t retry_count_max;   /* messageRetry.maxCount */
    uint64_t streams_bytes;     /* memory of a shard's event streams */
    uint64_t stream_bytes_max;  /* contents of one event stream */
    struct hash_key hash_key;   /* drawn at start */
};

#define CHAT_ENTRIES_IDLE_MAX 4 /* empty entries kept for the next turns */

/* Private to the chat layer. */
struct chat {
    struct shard *shard;
    struct store *store;                  /* borrowed */
    struct journal *journal;              /* borrowed */
    struct readers *readers;              /* borrowed */
    const struct chat_settings *settings; /* the shard's thread's alone */
    struct hash_key hash_key;             /* theirs; readers hash, too */
    const struct session_port *port;
    uint32_t notices;  /* a sum of enum notice: what the back end is told, while this runs */
    struct bell *bell; /* rung when events are committed; borrowed; NULL without notices */

    struct budget sessions_budget; /* users, logins, windows, cursors */
    struct budget channels_budget;
    struct budget rosters_budget;
    struct budget messages_budget; /* messages on their way, and entries */
    struct budget readings_budget; /* pages being read */
    struct budget streams_budget;  /* event streams, without their contents */
    struct budget temporaries_budget;
    struct budget shelf_budget;

    struct users users;
    struct channels channels;
    struct shelf shelf; /* of channels that had to go */
    struct facts_cache facts;
    uint16_t *commits_by_hash; /* SEND_HASHES_COUNT: how many sends are being committed (send.h) */
    struct inquiries inquiries;
    struct streams streams;
    struct temporaries temporaries;
    struct deliveries deliveries;
    struct audiences audiences;
    struct newcomers *newcomers;
    struct timer aging; /* the next time to give back what nobody wants */

    struct entry *entry;      /* this turn's; NULL until something is journalled */
    struct list entries_idle; /* empty ones, to be used again */
    uint32_t entries_idle_count;
    uint32_t entries_away; /* with the committer */
    uint32_t parts_away;   /* of messages that are being delivered */
    uint32_t marks_away;   /* for commands that sessions here have received */
    uint32_t epoch;        /* see journal.h (3) */
    bool is_stopping;      /* sessions end because the server does: nobody is told (webhook 5.2) */

    uint64_t *ids_last;      /* by slot: the newest message_id given out */
    uint32_t *numbers_last;  /* by slot: the largest channel number; UINT32_MAX: not read yet */
    uint64_t clock_floor_ms; /* ids of before this start may have times up to here */
    uint64_t clock_limit_ms; /* ids up to here are covered by a journalled RECORD_CLOCK */
    uint32_t version_last;   /* of member versions; see channel.h */

    uint64_t *system_hashes; /* of the system accounts, besides ____system */
    uint32_t system_count;
    uint32_t system_capacity;

    struct list device_changes; /* under way or waiting; see device.h */
    struct list system_changes; /* likewise; see system_accounts.h */
};

struct chat_options {
    struct shard *shard;
    struct store *store;
    struct journal *journal;
    struct readers *readers;
    const struct chat_settings *settings;
    const struct session_port *port;
    uint64_t clock_floor_ms;         /* store_last_ms at start */
    uint32_t notices;                /* a sum of enum notice */
    struct bell *bell;               /* NULL without notices */
    const struct inquiry_desk *desk; /* NULL: no data source is asked for lists */
};

MUST_USE enum err chat_init(struct chat *chat, const struct chat_options *options);

/* Everything has been answered and closed (chat_is_idle). */
void chat_deinit(struct chat *chat);

/* Is nothing in flight? */
bool chat_is_idle(const struct chat *chat);

/* Gives up what can be made or read again, for quiet times: channels that nothing is in flight for,
 * and spare entries. */
void chat_rest(struct chat *chat);

/* Sends this turn's entry to the journal. The last of chat's phases in a turn. */
void chat_turn_end(struct chat *chat);

/* Makes room for records of `size` bytes in this turn's entry; adding them then cannot fail.
 * ERR_BUDGET: no memory. */
MUST_USE enum err chat_reserve(struct chat *chat, size_t size);

/* Adds a record for which room was reserved. */
void chat_add(struct chat *chat, const struct record *record);

/* `waiter` is called when the entry that holds the records added so far is home. */
void chat_wait(struct chat *chat, struct waiter *waiter);

/* A new message_id of this slot: above all before it, across restarts (design 5). Journals the
 * clock when needed; room for RECORD_CLOCK must be reserved: CHAT_ID_RESERVE bytes. */
#define CHAT_ID_RESERVE 160
uint64_t chat_next_id(struct chat *chat, uint16_t slot);

/* An id for something that is not stored, such as a refusal. */
uint64_t chat_passing_id(struct chat *chat, uint16_t slot);

/* A version of lists that nothing was read under yet; never 0. */
uint32_t chat_next_version(struct chat *chat);

uint64_t chat_hash(const struct chat *chat, struct bytes uid);
bool chat_is_system(const struct chat *chat, struct bytes uid);

/* The system accounts have changed: all of them, as hashes. ERR_BUDGET: no room. */
MUST_USE enum err chat_set_system(struct chat *chat, const uint64_t *hashes, uint32_t count);

/* The chat of the shard that a letter was received by. */
static inline struct chat *chat_of(void *receiver)
{
    struct shard *shard = receiver;
    return shard->chat;
}
