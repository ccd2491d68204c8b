/*
 * catch_up.h -- what one session has been sent, and how it gets what it could not take.
 *
 * A session that takes what it is pushed is live. When its connection has no
 * room it is behind: for each log a cursor remembers the first seq it lacks, and
 * nothing else is kept. When there is room again the messages are read from the
 * store, in order, and pushed; at the end of its cursors the session is live in
 * that log again (design 7). A cursor is a run of consecutive messages; a log has
 * another one when some in between are not for the session.
 *
 *            push refused                    log read to the end
 *   live ───────────────▶ behind (cursor) ───────────────────────▶ live
 *                            │ more runs than SESSION_CURSORS_MAX
 *                            └──▶ dropped, so that the SDK connects again and syncs
 */
#pragma once

#include "chat/session.h"
#include "store/message_row.h"
#include "store/row.h"

/* Pushes a persisted message, or leaves it to the cursor (false). */
bool catch_up_push(struct chat *chat, struct session *session, struct log_ref log,
                   const struct message_view *view);

/* There is room again: reads on where the oldest cursor stands. */
void catch_up_continue(struct chat *chat, struct session *session);

/* Gives back what a session held. */
void catch_up_forget(struct chat *chat, struct session *session);

/* Pushes one message as this session should see it (semantics 1.10). False: no room. */
MUST_USE bool session_push(struct chat *chat, struct session *session,
                           const struct message_view *view);

/* Sends again what has not been acknowledged for too long (semantics 4.4). The session's retry
 * timer fires it. */
void catch_up_retry(struct timer *timer, void *context);
