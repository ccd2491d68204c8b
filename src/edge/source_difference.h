/*
 * source_difference.h -- what has to change so that a stored list is what a data source answered.
 *
 * The stored list is read in its order beside the answer, which is in the same one; only
 * who is to go is kept, in room that grows within the budget. Who is on both is left
 * alone: neither his unread nor the time he joined may change because somebody asked.
 */
#pragma once

#include "edge/source_answer.h"
#include "store/read.h"

struct source_difference {
    struct budget *budget;
    struct source_uids *answer; /* becomes who is to be added */
    uint32_t answer_at;         /* the next of the answer */
    uint32_t added_count;       /* those before it that are not stored */
    uint8_t *names; /* who is to be removed: each with its size in two bytes before it */
    size_t names_size;
    size_t names_capacity;
    struct bytes *removed; /* into `names` */
    uint32_t removed_count;
    uint32_t removed_capacity;
    enum err result;
};

/* Compares `answer` with the list, which may be of a channel that does not exist (number 0);
 * blocks. Afterwards `answer` has who is to be added, and `removed` who is to go. ERR_BUDGET: no
 * room. ERR_IO and others: the store failed. */
MUST_USE enum err source_difference_make(struct source_difference *difference,
                                         struct source_uids *answer, struct store *store,
                                         struct list_ref list);
/* Gives back what it holds; the answer stays. An empty one is allowed. */
void source_difference_clear(struct source_difference *difference);
