/*
 * bench_answer.h -- whether an answer of the API holds what was asked for, all of it, once, in
 * order.
 *
 * The server's own words about itself are not believed: what a page must hold follows from what was
 * acknowledged and from where the page ends. A page of history is the run of message_seqs that ends
 * at its last one; a conversation list holds each conversation of the user once, as new as the last
 * acknowledgement.
 */
#pragma once

#include "cli/bench_fill.h"

/* ANSWER(id, JSON key, words). All are faults. */
#define BENCH_ANSWER_LIST(ANSWER)                                                                  \
    ANSWER(FAILED, "failed", "requests without an answer, or with a status other than 200")        \
    ANSWER(MALFORMED, "malformed", "answers that cannot be read")                                  \
    ANSWER(LOST, "lost", "lost: missing in an answer")                                             \
    ANSWER(DOUBLED, "doubled", "doubled: twice in an answer")                                      \
    ANSWER(OUT_OF_ORDER, "out_of_order", "out of order: below an earlier message_seq")             \
    ANSWER(STRAY, "stray", "stray: not what was asked for")                                        \
    ANSWER(STALE, "stale", "stale: older than what was acknowledged")

enum bench_answer_id {
#define ANSWER(id, key, words) BENCH_ANSWER_##id,
    BENCH_ANSWER_LIST(ANSWER)
#undef ANSWER
        BENCH_ANSWERS_COUNT
};

#define BENCH_PAGE_MAX 10000u /* messages of a page */

/* A page of history that was asked for. */
struct bench_page {
    uint32_t channel;
    uint32_t limit;
    uint64_t start_seq; /* 0: the newest */
};

/* What went wrong, by bench_answer_id. */
struct bench_answers {
    uint64_t counts[BENCH_ANSWERS_COUNT];
};

/* Counts what is wrong with the page, and remembers how far the channel reaches. */
void bench_answer_page(struct bench_answers *answers, struct bench_fill *fill,
                       const struct bench_page *page, struct bytes body);

/* The conversations of a user that were asked for: all of them or, with `is_changed`, those that
 * the writers have just written in. */
struct bench_list {
    uint32_t user;
    bool is_changed;
};

/* The same for a list of conversations. `seen` has a byte for each conversation of a user. */
void bench_answer_conversations(struct bench_answers *answers, const struct bench_fill *fill,
                                const struct bench_list *list, struct bytes body, uint8_t *seen);
