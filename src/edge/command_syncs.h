/*
 * command_syncs.h -- what /message/sync has handed out and waits to be acknowledged.
 *
 * An acknowledgement says little: a user and a seq (http-api 10.2). So each sync leaves
 * behind which logs it told of, and up to where in each. Two devices of a user may sync
 * at once: each has a sync of its own here, told apart by the seq that clients send back,
 * that of the last message or the largest one. So what is acknowledged was told to who
 * acknowledges it: a seq at which no kept sync ended a log acknowledges nothing, and
 * where several syncs did, only what all of these told.
 *
 * Bounds: COMMAND_SYNCS_MAX syncs, COMMAND_SYNCS_USER_MAX a user, COMMAND_SYNC_LIFE_NS
 * old, and the budget. What is forgotten is not lost: those commands are not
 * acknowledged, and come again with the next sync.
 *
 * One thread.
 */
#pragma once

#include "base/bytes.h"
#include "base/list.h"
#include "memory/budget.h"
#include "store/row.h"

#include <stdbool.h>

#define COMMAND_SYNCS_MAX      4096u
#define COMMAND_SYNCS_USER_MAX 4u
#define COMMAND_SYNC_LIFE_NS   (5ull * 60 * 1000 * 1000 * 1000)

/* How far one log was told. */
struct command_place {
    struct channel_name channel; /* internal */
    uint64_t seq;
};

struct command_sync {
    struct list link;
    uint64_t until_ns;
    struct bytes uid;
    uint32_t places_count;
    size_t size_bytes;
    struct command_place places[]; /* then the strings */
};

/* Private to command_syncs.c. */
struct command_syncs {
    struct list oldest_first;
    uint32_t count;
    struct budget *budget;
};

void command_syncs_init(struct command_syncs *syncs, struct budget *budget);
void command_syncs_deinit(struct command_syncs *syncs);

/* What a user was told: of these places (at least one), always in the same order. */
struct command_told {
    struct bytes uid;
    const struct command_place *places;
    uint32_t places_count;
};

/* Remembers it; everything is copied. ERR_BUDGET: there is no room, and nothing is remembered. */
MUST_USE enum err command_syncs_add(struct command_syncs *syncs, const struct command_told *told,
                                    uint64_t now_ns);

/* Takes out what is acknowledged: the user's sync that ended a log with `last_seq`; of several the
 * oldest, without what the others did not tell (it may have no places then). NULL: there is none.
 * The caller gives it back or releases it. */
MUST_USE struct command_sync *command_syncs_take(struct command_syncs *syncs, struct bytes uid,
                                                 uint64_t last_seq, uint64_t now_ns);

/* It could not be done: it may be acknowledged again. */
void command_syncs_give(struct command_syncs *syncs, struct command_sync *sync);

void command_syncs_release(struct command_syncs *syncs, struct command_sync *sync);
