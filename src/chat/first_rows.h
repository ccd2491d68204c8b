/*
 * first_rows.h -- the conversation rows that the first message of a log makes.
 *
 * Members of a group have their rows since they joined. Those who are on no list get
 * theirs with the first message (semantics 5.1, http-api 12.1): the two of a pair, the
 * visitor of a customer service or a visitors' channel, and, for their command log,
 * the people of an explicit list. The rows are written with the message, in one entry;
 * later messages write nothing.
 *
 * A row that is there already (of the other log, or because a back end has listed the
 * conversation) is read before and kept, all but what is new.
 */
#pragma once

#include "memory/budget.h"
#include "shard/readers.h"
#include "store/read.h"

struct channel;
struct chat;
struct send;

/* Those whose rows are read before: two of a pair, or one visitor. */
#define FIRST_ROWS_PEOPLE_MAX 2

/* The rows of an explicit list must fit an entry: a longer one gets none, and its commands reach
 * only those who are online, which is counted. */
#define FIRST_ROWS_RECIPIENTS_MAX 512u

struct first_rows {
    struct store *store;
    struct budget *budget;
    struct channel_name channel;                      /* borrowed from the channel */
    struct bytes uids[FIRST_ROWS_PEOPLE_MAX];         /* parts of the channel's id */
    struct directory_row rows[FIRST_ROWS_PEOPLE_MAX]; /* zeros: there was none */
    uint32_t count;
};

/* Does the next message of this log write rows? */
bool first_rows_are_due(const struct chat *chat, const struct channel *channel,
                        const struct send *send);

/* Whose rows they are, for a reading of what is stored; NULL when the budget refuses. */
MUST_USE struct first_rows *first_rows_acquire(struct chat *chat, const struct channel *channel);

/* NULL is allowed. */
void first_rows_release(struct first_rows *rows);

/* Reads what is stored; from any thread. */
MUST_USE enum err first_rows_read(struct first_rows *rows, enum store_wait wait);

/* The bytes to reserve for them in the entry. */
size_t first_rows_bytes(const struct channel *channel, const struct send *send);

/* Adds the records, behind the message's own. */
void first_rows_add(struct chat *chat, const struct channel *channel, const struct send *send,
                    const struct first_rows *rows);
