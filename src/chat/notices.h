/*
 * notices.h -- what the back end is to be told: events for its outbox, journalled with their cause.
 *
 * A message that is stored puts its events into the same entry as itself, so that a
 * crash loses neither or both (webhook 3, 4). Such an event is some forty bytes that
 * point into the log. Who of a channel's members is offline is found out later, by
 * the thread of the webhooks; here the message is only marked (OUTBOX_PENDING). What
 * is not stored travels in its event whole.
 *
 * With nothing configured nothing is collected: no record is written.
 */
#pragma once

#include "base/err.h"
#include "store/outbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct channel;
struct chat;
struct message;
struct send;
struct session;
struct temporary;

/* What is collected: a sum of these. */
enum notice {
    NOTICE_MESSAGES = 1 << 0, /* msg.notify */
    NOTICE_OFFLINE = 1 << 1,  /* msg.offline */
    NOTICE_STATUS = 1 << 2,   /* user.onlinestatus */
    NOTICE_AGENTS = 1 << 3,   /* msg.notify of agent channels goes to a place of its own */
};

/* The uids of an explicit list of recipients take at most so much, where msg.offline is wanted:
 * they are journalled with their message. */
#define NOTICES_UIDS_BYTES_MAX 1048576u
/* One event has at most so many bytes of uids; more are split. */
#define NOTICES_PART_BYTES_MAX 65536u

#define NOTICES_PART_UIDS_MAX 4096u

/* Is there anything to tell about this send? */
bool notices_want(const struct chat *chat, const struct send *send);

/* Copies an explicit list of recipients, or that of its temporary channel (NULL: it has none), if
 * it is needed: send->notice_uids. ERR_BUDGET: no room; ERR_LIMIT: it is longer than
 * NOTICES_UIDS_BYTES_MAX. */
MUST_USE enum err notices_take_recipients(struct chat *chat, struct send *send,
                                          const struct temporary *temporary);
void notices_forget_recipients(struct chat *chat, struct send *send);

/* What has to be reserved for the events of a send. `row_bytes` is the size of its message. */
size_t notices_reserve_bytes(const struct chat *chat, const struct send *send, size_t row_bytes);

/* Adds the events of a message to this turn's entry, with its record or instead of it. */
void notices_add_message(struct chat *chat, const struct send *send, const struct message *message);

/* A session has come, or goes; its user's counts are those after the change. */
void notices_add_session(struct chat *chat, const struct session *session, bool is_online);
