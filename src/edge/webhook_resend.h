/*
 * webhook_resend.h -- dead letters go back into the queue that they came from.
 *
 * Somebody asks with a letter; the thread of the webhooks moves the events, in one
 * commit, and sends the letter home with how many there were. One request at a time;
 * the others wait.
 *
 * Ownership: the asker's; the keys are borrowed from it until it has come home.
 */
#pragma once

#include "base/list.h"
#include "edge/outbox_writer.h"
#include "shard/mailbox.h"

struct webhook;

#define RESEND_EVENTS_MAX 1000u /* moved by one request */

struct resend {
    struct letter letter;
    struct mailbox *home; /* where it goes when it is done */
    letter_fn *on_home;   /* what happens there */
    void *context;        /* the asker's */

    /* Asked: these, at most RESEND_EVENTS_MAX; or with NULL the oldest. */
    const struct outbox_key *keys;
    uint32_t keys_count;

    /* Answered. */
    enum err result;
    uint32_t moved_count;
    bool has_more; /* there are more than were moved */

    /* Private to webhook_resend.c. */
    struct list link;
    bool is_under_way;
};

/* Private to webhook_resend.c. */
struct resends {
    struct webhook *webhook;
    struct list waiting; /* the first one is under way */
    struct outbox_writer writer;
    struct resend *current;               /* while events are read */
    uint64_t id_least[OUTBOX_QUEUES_END]; /* of what is moved, by queue */
};

void resends_init(struct resends *resends, struct webhook *webhook);
void resends_deinit(struct resends *resends);

/* Any thread whose mailer this is. */
void resend_post(struct resend *resend, struct mailer *mailer, struct webhook *webhook);
