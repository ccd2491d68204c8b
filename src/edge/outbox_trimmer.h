/*
 * outbox_trimmer.h -- keeps the outbox within its bytes and its age: the oldest events go first.
 *
 * While the outbox is larger than `bytes_max` the oldest events of all queues are
 * dropped, dead letters included, and counted; once in a while those that are older
 * than `age_ms_max`. What is on its way to the back end at the moment is spared.
 *
 * What was dropped leaves its marks at the beginning of a lane until RocksDB merges them away, and
 * whoever reads the lane from there passes them all. So it is remembered how far each lane has been
 * dropped; an event that comes in below that later (a dead letter may) waits for the next look at
 * the age, or until there is nothing else to drop.
 *
 * Nothing is posted while a commit is under way that may be dropping just that. So between two
 * commits the others have a turn: however much there is to drop, lanes with none of it go on.
 *
 * The thread of the webhooks only.
 */
#pragma once

#include "edge/outbox_writer.h"

struct webhook;

#define TRIMMER_EVENTS_MAX 2048u /* dropped by one commit */

/* All lanes of all queues. */
#define TRIMMER_LANES_MAX (OUTBOX_LANES_MAX + 2 * OUTBOX_QUEUES_END)

/* Private to outbox_trimmer.c. */
struct outbox_trimmer {
    struct webhook *webhook;
    uint64_t bytes_max;
    uint64_t look_at_ns;   /* for what has become too old */
    bool has_more_expired; /* the last look did not come to its end */
    bool is_others_turn;   /* before it goes on */
    struct outbox_writer writer;
    uint64_t bytes_left;                        /* while it works: what is left to drop */
    uint32_t events_count;                      /* in the entry */
    struct outbox_key heads[TRIMMER_LANES_MAX]; /* nothing is left below, as far as is known */
    uint32_t lane;                              /* which has the oldest, of all */
    struct outbox_key oldest;                   /* and that one */
    bool has_oldest;
    enum err result;
};

void outbox_trimmer_init(struct outbox_trimmer *trimmer, struct webhook *webhook,
                         uint64_t bytes_max);
void outbox_trimmer_deinit(struct outbox_trimmer *trimmer);

/* Counts what was in the outbox before this start: events with ids up to `id_max`. Blocks. */
MUST_USE enum err outbox_trimmer_count(struct outbox_trimmer *trimmer, uint64_t id_max);

/* Does what is due; gives when to look again. */
uint64_t outbox_trimmer_run(struct outbox_trimmer *trimmer);
