/*
 * delivery.h -- from a committed message to every session that should see it.
 *
 * On the channel's shard a message is sent out in parts, one to each shard with
 * members. On that shard the part is walked: each hash is looked up among the
 * users online here, and each of their sessions is pushed to. A session without
 * room is not waited for: it gets a cursor and reads the log later (design 7).
 *
 * Messages of a channel that wait for the same walk make it together: a member gets them in
 * one write, and answers them in one.
 *
 * A channel whose list is too long to be held sends a part to every shard, which
 * knows, or finds out, who of the members is online there (audience.h).
 *
 * Promises:
 *   (1) a session sees the persisted messages of a log in ascending seq, none
 *       twice but by a resend, none left out while it is a member;
 *   (2) the session that sent a message does not get it (semantics 4.2);
 *   (3) a walk takes no more than DELIVERY_STEPS_MAX steps a turn, and walks of
 *       different channels take turns, so that a large group delays nobody;
 *   (4) a message goes to the members before or after a change of the list, never
 *       to half of them: while a roster is read or a part goes by an audience, the
 *       list does not change (change.h waits for `undelivered` and `walks`).
 */
#pragma once

#include "base/err.h"
#include "base/list.h"
#include "shard/mailbox.h"

#include <stdbool.h>
#include <stdint.h>

struct channel;
struct chat;
struct delivery;
struct message;
struct session;
struct user;

#define DELIVERY_STEPS_MAX  512 /* per channel and turn; to look for a member is one */
#define DELIVERY_PUSH_STEPS 8   /* to push to a session, which encrypts and writes, is as many */
#define DELIVERY_COMPANY_MAX                                                                       \
    15 /* messages that are walked with another: a session's fit a few blocks of its queue */

/* The parts that are being walked on a shard, a queue for each channel. Private to delivery.c. */
struct deliveries {
    struct list walks; /* of struct delivery: the first part of each channel's queue */
    uint32_t count;
};

void deliveries_init(struct deliveries *deliveries);

/* Sends a committed (or never to be stored) message out; takes the reference. */
void delivery_begin(struct chat *chat, struct channel *channel, struct message *message);

/* Goes on with the walks; true while there is something left to do. A phase of the turn. */
bool deliveries_run(struct chat *chat);

/* The channel's roster has come, or will not: sends out what waited for it. */
void delivery_resume(struct chat *chat, struct channel *channel);

/* Everybody was looked up whom the part's audience did not know: it can be walked. */
void delivery_found(struct chat *chat, struct delivery *part);

/* Pushes the message to each session of a user that should get it. */
void delivery_to_user(struct chat *chat, struct user *user, const struct message *message);
