/*
 * shard.h -- one thread with a loop: its turn's time, its mailbox, its timers, its memory.
 *
 * A shard owns connections, users and channels and shares nothing: what belongs
 * to one is reached through `struct shard *`, and everybody else writes to its
 * mailbox. The time is read once a turn and is the same for all that happens in
 * it. The order of the turn is in server/turn.c.
 */
#pragma once

#include "memory/budget.h"
#include "shard/intake.h"
#include "shard/mailbox.h"
#include "shard/routing.h"
#include "shard/timers.h"
#include "system/loop.h"
#include "telemetry/metric.h"

struct chat;
struct edge;

struct shard {
    uint32_t index;
    uint32_t shards_count;
    uint64_t now_ns;   /* of this turn; never steps back */
    uint64_t now_ms;   /* the same in milliseconds */
    uint64_t asked_ms; /* when it last asked the sockets: what deadlines are judged by */
    uint64_t wall_ms;  /* of this turn; may step */
    struct loop loop;
    struct mailbox mailbox; /* its receiver is this shard */
    struct mailer mailer;
    struct intake intake;         /* what it was asked to do and has not begun */
    struct timers timers;         /* their context is this shard */
    struct budget budget;         /* the root of all that this shard holds */
    struct shard **shards;        /* all of them, by index; borrowed */
    struct metrics_slot *metrics; /* borrowed */
    struct chat *chat;            /* what this shard owns of the domain; borrowed */
    struct edge *edge;            /* what it owns of the connections; borrowed */
};

MUST_USE enum err shard_open(struct shard *shard, uint32_t index, struct shard **shards,
                             uint32_t shards_count, uint64_t memory_bytes);
void shard_close(struct shard *shard);

/* Says that the calling thread is the shard's own, from now on. */
void shard_enter(struct shard *shard);

/* Is the calling thread the shard's own? For assertions at doors. */
bool shard_is_current(const struct shard *shard);

/* Reads the clocks for this turn. */
void shard_tick(struct shard *shard);

/* For the receiver of a letter that asks for something: it is begun in its turn (intake.h). */
static inline void shard_take_in(void *receiver, enum intake_line line, struct letter *letter,
                                 letter_fn *begin)
{
    struct shard *shard = receiver;
    intake_add(&shard->intake, line, letter, begin);
}

/* Posts to another shard, or to this one; see mailbox.h. */
static inline void shard_post(struct shard *shard, uint32_t index, struct letter *letter)
{
    mailer_post(&shard->mailer, &shard->shards[index]->mailbox, letter);
}
