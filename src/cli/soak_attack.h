/*
 * soak_attack.h -- one scenario at work: a process of its own that misbehaves until it is stopped.
 *
 * A process, so that the honest clients and the clock that judges them are not held up by it, so
 * that several play at once, and so that all its connections end together, at once, whatever state
 * they are in. It runs at a lower priority than the server and the judge. What it counts lies in
 * memory that both processes see.
 *
 * All that is random comes from the seed of the run, the scenario and the cycle.
 */
#pragma once

#include "base/prng.h"
#include "cli/soak_options.h"

#include <stdatomic.h>
#include <sys/types.h>

/* COUNT(id, JSON key, words). */
#define SOAK_COUNT_LIST(COUNT)                                                                     \
    COUNT(CONNECTIONS, "connections", "connections begun")                                         \
    COUNT(ENDED, "ended", "connections that the server ended")                                     \
    COUNT(LOGINS, "logins", "logins")                                                              \
    COUNT(SENT, "sent", "messages sent")                                                           \
    COUNT(ACKED, "acked", "messages acknowledged")                                                 \
    COUNT(REFUSED, "refused", "messages refused, with a reason")                                   \
    COUNT(RECEIVED, "received", "messages received")                                               \
    COUNT(REQUESTS, "requests", "HTTP requests")                                                   \
    COUNT(REQUESTS_REFUSED, "requests_refused", "HTTP requests refused, with a status")            \
    COUNT(BYTES, "bytes", "bytes written")

enum soak_count_id {
#define COUNT(id, key, words) SOAK_COUNT_##id,
    SOAK_COUNT_LIST(COUNT)
#undef COUNT
        SOAK_COUNTS_COUNT
};

/* What an attack did, in all its cycles. */
struct soak_score {
    _Atomic uint64_t counts[SOAK_COUNTS_COUNT];
    _Atomic uint32_t failure; /* enum err: ours, the attack could not be played */
};

struct soak_attack {
    const struct soak_options *options; /* borrowed */
    struct soak_score *score;           /* borrowed */
    struct prng prng;
    uint32_t run;    /* names users and channels; no other cycle has it */
    uint32_t hand;   /* of soak_attack_fork: 0 for the first process */
    uint64_t end_ns; /* it may end then by itself */
};

/* Misbehaves until it is killed, or `end_ns`. Errors are ours, not the server's. */
typedef enum err (*soak_run_fn)(struct soak_attack *attack);

static inline void soak_count(struct soak_attack *attack, enum soak_count_id id, uint64_t count)
{
    atomic_fetch_add_explicit(&attack->score->counts[id], count, memory_order_relaxed);
}

/* Starts it. ERR_IO: no process could be made. */
MUST_USE enum err soak_attack_start(struct soak_attack *attack, soak_run_fn run, pid_t *out_pid);

/* Ends it and all its hands, at once. */
void soak_attack_stop(pid_t pid);

/* In the attack: becomes `hands` processes; attack->hand tells which. */
void soak_attack_fork(struct soak_attack *attack, uint32_t hands);

/* In the attack: has its time come? */
bool soak_attack_is_over(const struct soak_attack *attack);
