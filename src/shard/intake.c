#include "shard/intake.h"

#include "system/clock.h"

#define BEGUN_PER_ROUND 4u /* the last of them is of the second line; then time is looked at */

void intake_add(struct intake *intake, enum intake_line line, struct letter *letter,
                letter_fn *begin)
{
    struct intake_queue *queue = &intake->queues[line];
    letter->receive = begin;
    letter->next = NULL;
    if (queue->first == NULL) {
        queue->first = letter;
    } else {
        queue->last->next = letter;
    }
    queue->last = letter;
    intake->count++;
}

/* Begins the first of `line`, or of the other one if there is none. */
static void begin_one(struct intake *intake, enum intake_line line, void *receiver)
{
    const enum intake_line other = line == INTAKE_ALONE ? INTAKE_OTHER : INTAKE_ALONE;
    struct intake_queue *queue = &intake->queues[line];
    queue = queue->first != NULL ? queue : &intake->queues[other];
    struct letter *letter = queue->first;
    queue->first = letter->next; /* before it begins, which may add another or release it */
    letter->next = NULL;
    intake->count--;
    letter->receive(letter, receiver);
}

bool intake_run(struct intake *intake, void *receiver, uint64_t until_ns)
{
    for (uint32_t begun = 1; intake->count > 0; begun++) {
        const bool is_last = begun % BEGUN_PER_ROUND == 0;
        begin_one(intake, is_last ? INTAKE_OTHER : INTAKE_ALONE, receiver);
        if (is_last && clock_now_ns() >= until_ns) {
            break;
        }
    }
    return intake->count > 0;
}
