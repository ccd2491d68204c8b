/*
 * bench_tally.h -- what became of the messages of a run, in numbers.
 *
 * A message is counted by the time it was meant to be sent: in the warm-up, or measured. Faults
 * make the run end with a status other than 0.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* TALLY(id, JSON key, words, is_fault). */
#define BENCH_TALLY_LIST(TALLY)                                                                    \
    TALLY(SENT, "sent", "sent", false)                                                             \
    TALLY(ACKED, "acked", "acknowledged", false)                                                   \
    TALLY(DELIVERED, "delivered", "delivered", false)                                              \
    TALLY(LOST, "lost", "lost: acknowledged, not delivered by the end", true)                      \
    TALLY(DOUBLED, "doubled", "doubled: delivered to a session again", true)                       \
    TALLY(OUT_OF_ORDER, "out_of_order", "out of order: below an earlier message_seq", true)        \
    TALLY(UNANSWERED, "unanswered", "unanswered: no SENDACK", true)                                \
    TALLY(REFUSED, "refused", "refused: SENDACK says no", true)                                    \
    TALLY(UNSENT, "unsent", "unsent: due, but no socket took it", true)                            \
    TALLY(ACKS_DOUBLED, "acks_doubled", "SENDACKs nobody waited for", true)                        \
    TALLY(ACKS_OUT_OF_ORDER, "acks_out_of_order", "SENDACKs with a falling message_seq", true)     \
    TALLY(STRAY, "stray", "stray: delivered to the wrong session", true)                           \
    TALLY(INCONSISTENT, "inconsistent", "told different ids or sequence numbers", true)            \
    TALLY(BAD_KEY, "bad_key", "delivered with a wrong msgKey", true)                               \
    TALLY(BAD_CONTENT, "bad_content", "delivered with another content", true)

enum bench_tally_id {
#define TALLY(id, key, words, is_fault) BENCH_TALLY_##id,
    BENCH_TALLY_LIST(TALLY)
#undef TALLY
        BENCH_TALLIES_COUNT
};

#define BENCH_REASONS_COUNT 256u

struct bench_tally {
    uint64_t counts[BENCH_TALLIES_COUNT];
    uint64_t reasons[BENCH_REASONS_COUNT]; /* of SENDACK */
};
