/*
 * entry.h -- records that are committed together, gathered by a shard during one turn.
 *
 * An entry belongs to its shard, travels to the committer and comes home with
 * its result. Whoever put a record in links what waits for it into `waiters`, in
 * order; the journal does not look at that list.
 */
#pragma once

#include "base/list.h"
#include "journal/record.h"
#include "memory/budget.h"
#include "shard/mailbox.h"

#define ENTRY_BYTES_MAX    1048576u /* a full entry leaves before its turn ends */
#define ENTRY_MESSAGES_MAX 4096u

/* Private to the journal layer, but for `waiters`, `result` and `context`. */
struct entry {
    struct letter letter; /* `receive` is set by the owner: called when it comes home */
    letter_fn *on_home;   /* keeps it while the entry is away */
    struct list link;     /* in its owner's or the committer's list */
    struct list waiters;  /* the owner's: what waits for the commit */
    void *context;        /* the owner's */
    struct mailbox *home;
    uint32_t shard;
    uint32_t epoch; /* of the owner when it was appended */
    uint64_t appended_ns;
    enum err result; /* ERR_OK: committed. Otherwise refused, as journal.h says */
    struct budget *budget;
    uint8_t *bytes;
    size_t size;
    size_t capacity;
    uint32_t records_count;
    uint32_t messages_count;
    uint64_t outbox_bytes;    /* of the events in it, as outbox_cost counts; 0: there is none */
    uint64_t outbox_id_least; /* the oldest of them */
    uint64_t rows_bytes;      /* an estimate of what the rows take in the store */
};

void entry_init(struct entry *entry, struct budget *budget);
void entry_deinit(struct entry *entry);

/* Makes room for records of `size` bytes in all, so that adding them cannot fail. ERR_FULL: the
 * entry has enough; append it and take another. ERR_BUDGET: no memory. */
MUST_USE enum err entry_reserve(struct entry *entry, size_t size);

/* Adds a record for which room was reserved. */
void entry_add(struct entry *entry, const struct record *record);

static inline bool entry_is_empty(const struct entry *entry)
{
    return entry->records_count == 0;
}

/* Forgets the records and keeps a little of the memory, for the next turn. */
void entry_clear(struct entry *entry);
