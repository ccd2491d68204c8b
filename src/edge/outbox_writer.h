/*
 * outbox_writer.h -- changes of the outbox, journalled by the thread of the webhooks.
 *
 *   put, drop          send                committed
 *  ───────────▶ OPEN ─────────▶ AWAY ─────────────────▶ OPEN, empty; `done` is called
 *                                │ refused      ▲
 *                                └──▶ WAITING ──┘ the same again, after a second
 *
 * One entry at a time: what an owner has taken from the outbox is gone from the disk
 * before it takes more, so nothing is sent twice but after a crash.
 */
#pragma once

#include "base/list.h"
#include "journal/entry.h"
#include "journal/journal.h"
#include "store/outbox.h"

struct outbox_writer;
typedef void outbox_done_fn(struct outbox_writer *writer);

/* What all writers of the thread share. */
struct outbox_office {
    struct journal *journal; /* borrowed, as is all that follows */
    struct mailbox *mailbox;
    struct mailer *mailer;
    struct budget *budget;
    uint32_t epoch;
    uint64_t now_ns;     /* of this turn */
    uint64_t bytes;      /* in the outbox, as far as is known */
    struct list writers; /* that wait to try again */
    uint32_t entries_away;
};

void outbox_office_init(struct outbox_office *office);

struct outbox_writer {
    struct outbox_office *office;
    outbox_done_fn *done;
    void *context;
    struct entry entry;
    uint64_t bytes_dropped;
    uint64_t retry_at_ns;
    struct list waiting; /* in the office's writers, while it waits to try again */
    bool is_away;        /* or waits */
};

void outbox_writer_init(struct outbox_writer *writer, struct outbox_office *office);
/* Nothing is away. */
void outbox_writer_deinit(struct outbox_writer *writer);

/* Makes room for so many changes more, with so many bytes of strings in all, so that adding them
 * cannot fail. ERR_FULL: send what is there first. ERR_BUDGET: no room now. */
MUST_USE enum err outbox_writer_reserve(struct outbox_writer *writer, uint32_t count, size_t bytes);

/* Adds to the entry, which is not away. ERR_FULL, ERR_BUDGET: more than was reserved,
 * and there is no room for more. */
MUST_USE enum err outbox_writer_put(struct outbox_writer *writer, const struct outbox_key *key,
                                    const struct outbox_row *row);
/* `cost` is what the event counted, of outbox_cost. */
MUST_USE enum err outbox_writer_drop(struct outbox_writer *writer, const struct outbox_key *key,
                                     uint64_t cost);

/* Forgets what was added and not sent. */
void outbox_writer_forget(struct outbox_writer *writer);

/* Gives up the room that nothing is in, what was reserved included. */
void outbox_writer_rest(struct outbox_writer *writer);

/* Sends what was added, which is something; `done` follows. */
void outbox_writer_send(struct outbox_writer *writer);

/* Sends again what was refused and is due; gives the time of the next, or UINT64_MAX. */
uint64_t outbox_office_run(struct outbox_office *office);
