#include "shard/intake.h"

#include "system/clock.h"

#define BEGUN_PER_ROUND 4u /* the last of them is of the second line; then time is looked at */

void intake_add(struct intake *intake, enum intake_line line, struct letter *letter,
                letter_fn *begin)
{
    struct intake_queue *queue = &intake->queues[line];
    letter->receive = begin;
    letter->next = NULL;
    intake->alone_added += line == INTAKE_ALONE ? 1 : 0;
    letter->place = intake->alone_added;
    if (queue->first == NULL) {
        queue->first = letter;
    } else {
        queue->last->next = letter;
    }
    queue->last = letter;
    intake->count++;
}

/* Has all that was in the first line before this one of the second been begun? */
static bool is_due(const struct intake *intake, const struct letter *letter)
{
    return (int32_t)(intake->alone_begun - letter->place) >= 0;
}

/* Begins the first of the second line if it is its turn, or nobody else is there. */
static void begin_one(struct intake *intake, bool is_turn_of_others, void *receiver)
{
    struct letter *alone = intake->queues[INTAKE_ALONE].first;
    struct letter *other = intake->queues[INTAKE_OTHER].first;
    const bool is_other =
        other != NULL && (alone == NULL || (is_turn_of_others && is_due(intake, other)));
    struct intake_queue *queue = &intake->queues[is_other ? INTAKE_OTHER : INTAKE_ALONE];
    struct letter *letter = queue->first;
    intake->alone_begun += is_other ? 0 : 1;
    queue->first = letter->next; /* before it begins, which may add another or release it */
    letter->next = NULL;
    intake->count--;
    letter->receive(letter, receiver);
}

bool intake_run(struct intake *intake, void *receiver, uint64_t until_ns)
{
    for (uint32_t begun = 1; intake->count > 0; begun++) {
        const bool is_last = begun % BEGUN_PER_ROUND == 0;
        begin_one(intake, is_last, receiver);
        if (is_last && clock_now_ns() >= until_ns) {
            break;
        }
    }
    return intake->count > 0;
}
