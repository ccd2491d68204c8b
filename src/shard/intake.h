/*
 * intake.h -- what a shard was asked to do and has not begun.
 *
 * A mailbox brings two kinds of letters. Answers end what was begun: they are received at
 * once, every turn. Questions begin something, and who asks fast brings hundreds of them
 * in one turn. Were they all begun before the turn ends, it would be long, and everybody
 * else would wait for it again at each step of his message: to be read, to be asked, to be
 * committed, to be delivered. So a question is put into the intake when it is received, and
 * a turn begins what it has time for.
 *
 * There are two lines. Whoever has nothing else under way, and so waits for each answer before
 * he asks again, stands in the first: he does not wait for those who ask without waiting. Of four
 * that are begun one is of the second line, so that it moves whatever comes; but never before what
 * was in the first line when it came: what its asker asked just before may stand there.
 *
 * While much waits here, connections are read a little at a time (edge.h): what cannot be
 * begun is better left in the socket of the one who sent it than in front of others.
 *
 * Promises:
 *   (1) in each line, what was added first begins first, and nothing of the second line overtakes
 *       one of the first; so the questions of one asker are begun in their order, because only one
 *       whose others have been answered stands in the first line;
 *   (2) each turn begins something, however late it is, and what comes into the first line later
 *       cannot keep what waits in the second from moving.
 *
 * For its shard's thread. It holds letters, which their askers' budgets bound (mailbox.h), and no
 * memory of its own.
 */
#pragma once

#include "shard/mailbox.h"

#define INTAKE_NS      1000000u /* a turn's time for it: as long as a busy shard rests (pace.h) */
#define INTAKE_CROWDED 64u      /* more than a turn can begin, for most questions */

enum intake_line {
    INTAKE_ALONE = 0, /* its asker has nothing else under way */
    INTAKE_OTHER,
    INTAKE_LINES_COUNT,
};

/* Zeroed memory is an empty intake. Private to intake.c, but for what is marked. */
struct intake {
    struct intake_queue {
        struct letter *first; /* oldest first */
        struct letter *last;
    } queues[INTAKE_LINES_COUNT];
    uint32_t count;       /* readable */
    uint32_t alone_added; /* in all, modulo 2^32 */
    uint32_t alone_begun;
};

/* `begin` is called with the letter when its time has come. */
void intake_add(struct intake *intake, enum intake_line line, struct letter *letter,
                letter_fn *begin);

/* Begins what waits until `until_ns` by clock_now_ns has come. True: there is more. */
bool intake_run(struct intake *intake, void *receiver, uint64_t until_ns);
