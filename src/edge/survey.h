/*
 * survey.h -- the connections, users and channels that hold the most memory.
 *
 * A letter visits every shard, which walks its own tables and puts what is larger than
 * what the letter has into its lists: SURVEY_TOP of each kind. The figures are exact
 * and of the moment of the visit: the object, its buffers, its windows and cursors,
 * its member list. A visit is one walk, a few nanoseconds an object.
 *
 * Ownership: acquired and released by the asker.
 */
#pragma once

#include "base/bytes.h"
#include "memory/budget.h"
#include "shard/mailbox.h"

struct shard;

#define SURVEY_TOP            50u
#define SURVEY_NAME_BYTES_MAX 100u /* longer names are cut */

enum survey_kind {
    SURVEY_CONNECTIONS = 0,
    SURVEY_USERS,
    SURVEY_CHANNELS,
    SURVEY_KINDS_COUNT,
};

struct survey_entry {
    uint64_t bytes;
    uint8_t shard;
    uint8_t detail; /* of a connection: its device flag; of a channel: its type */
    uint8_t name_size;
    uint8_t name[SURVEY_NAME_BYTES_MAX]; /* uid or channel id; empty before login */
};

/* Largest first. */
struct survey_list {
    uint32_t count;
    struct survey_entry entries[SURVEY_TOP];
};

struct survey {
    struct letter letter;
    struct mailbox *home;
    letter_fn *on_home; /* with `letter` */
    void *context;      /* the asker's */
    struct budget *budget;
    struct survey_list lists[SURVEY_KINDS_COUNT];
};

/* NULL: the budget refuses. */
MUST_USE struct survey *survey_acquire(struct budget *budget);
void survey_release(struct survey *survey);

/* Sends it around. The asker's mailer wakes the first shard. */
void survey_post(struct survey *survey, struct mailer *mailer, struct shard *const *shards);
