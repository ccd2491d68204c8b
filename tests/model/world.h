/*
 * world.h -- a whole server but for sockets: store, readers, journal, shards, on one test thread.
 *
 * The committer and the readers are the real threads. The shards' turns are run by the test, one
 * after the other in any order, each as server/turn.c runs it. Time passes when the test says so.
 */
#pragma once

#include "base/prng.h"
#include "chat/chat.h"
#include "model/connection.h"
#include "model/snapshot.h"
#include "shard/readers.h"
#include "shard/shard.h"
#include "store/store.h"

#define WORLD_SHARDS_MAX 4u

/* One shard and what it owns. */
struct side {
    struct world *world;
    struct shard shard;
    struct chat chat;
    struct connection connections[CONNECTIONS_MAX];
};

struct world_options {
    const char *path;
    uint32_t shards_count;
    uint64_t shard_bytes;
    struct chat_settings settings;
    connection_pushed_fn *on_push;
    connection_login_fn *on_login;
    void *context;
};

struct world {
    struct world_options options;
    struct prng prng; /* for the order of turns and what clients do */
    uint64_t now_ms;  /* never steps back, also not from one opening to the next */
    uint64_t wall_ms;
    uint32_t step; /* raised with each turn: when something happened */

    struct budget budget; /* of all that belongs to no shard */
    struct metrics metrics;
    struct store *store;
    struct readers readers;
    struct journal journal;
    struct shard *shards[WORLD_SHARDS_MAX];
    struct side sides[WORLD_SHARDS_MAX];

    /* The back end, which asks from outside of the shards. */
    struct mailbox asker;
    struct mailer asker_mailer;
    uint32_t asked; /* requests of anybody that have not come home */

    uint32_t connections_made;
};

/* A store with the settings of a world. */
struct store *world_open_store(const char *path, struct budget *budget);

/* `world` is zeroed, or was closed. Sets nothing of the time but what has never been set. */
void world_open(struct world *world, const struct world_options *options);

/* Nothing is in flight and no connection is open. Checks that everything was given back. */
void world_close(struct world *world, bool is_flushed);

/* One turn of one shard. True: something happened in it. */
bool world_turn(struct world *world, uint32_t shard);

/* Some turns of shards in random order. */
void world_turns(struct world *world, uint32_t count);

/* Turns until nothing is in flight, and no client that reads lacks anything. */
void world_settle(struct world *world);

/* Likewise, but stops when a commit is held. */
void world_settle_or_hold(struct world *world);

/* The committer looks sooner than it would whether the store can be opened again; a moment for
 * that. */
void world_nudge(struct world *world);

/* Makes the calling thread that of the shard, for what is not done in a turn. */
struct side *world_enter(struct world *world, uint32_t shard);

/* The shard of a user. */
uint32_t world_home(const struct world *world, struct bytes uid);

static inline struct side *side_of_chat(struct chat *chat)
{
    return CONTAINER_OF(chat, struct side, chat);
}
