/*
 * forerunner.h -- a second reader for a long list of conversations.
 *
 * Who lists a user's conversations asks of each where its log ends. What is not remembered is a
 * search on the disk, and the first list after a start has thousands of them. A list that has met
 * some starts the forerunner: on another reader thread the same rows are gone through from the
 * other end, and it is only looked where each log ends, so that this is remembered, and the newest
 * messages lie in the cache, when the list comes there.
 *
 * It answers nothing and nobody waits for it: a list is the same without it. It ends where it meets
 * the list, which is where FORERUNNER_KNOWN ends are known one behind the other; after as many
 * searches as a list may have conversations; and when anybody else waits for a reader.
 *
 * One at a time. Started on reader threads; its letter comes home to the HTTP thread, which does
 * not end before.
 */
#pragma once

#include "base/bytes.h"
#include "chat/names.h"
#include "shard/readers.h"

struct store;

#define FORERUNNER_KNOWN    32u
#define FORERUNNER_WORTH_IT 64u /* searches of a list, before it starts one */

/* Private to forerunner.c. */
struct forerunner {
    struct reading reading;
    struct store *store;
    struct readers *readers;
    uint32_t searches_max;
    _Atomic bool is_away;
    _Atomic uint64_t searches_count; /* since the start */

    /* Of the run that is under way. */
    uint32_t searched;
    uint32_t known; /* one behind the other */
    uint16_t uid_size;
    uint8_t uid[NAME_BYTES_MAX];
};

/* `home` is the mailbox of the HTTP thread. What is given is borrowed and outlives it. */
void forerunner_init(struct forerunner *forerunner, struct store *store, struct readers *readers,
                     struct mailbox *home, uint32_t searches_max);

/* For a list of this user, on a reader thread. Nothing if it is away for somebody. */
void forerunner_start(struct forerunner *forerunner, struct bytes uid);

/* Is it with the readers, or on its way home? Any thread. */
bool forerunner_is_away(const struct forerunner *forerunner);

/* Ends of logs that it has searched. Any thread. */
uint64_t forerunner_searches(const struct forerunner *forerunner);
