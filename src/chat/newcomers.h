/*
 * newcomers.h -- looks up which of those who came online lately are members of a large channel.
 *
 * A part of a message that goes to an audience waits here, until everybody who
 * has come online since the audience was complete has been looked up in the
 * channel's list, NEWCOMERS_MAX a reading. Whoever is found joins the audience;
 * if there is no room for that, he gets the message at once, and is looked up again
 * for the next part. Parts are served one after the other: one reading
 * a shard is under way, in memory that is there from the start.
 *
 * A list that cannot be read is asked again for a while; then the part goes to those
 * who are known, and is counted (METRIC_DELIVERIES_WITHOUT_ROSTER).
 */
#pragma once

#include <stdint.h>

struct chat;
struct delivery;
struct newcomers;

#define NEWCOMERS_MAX       256   /* looked up in one reading */
#define NEWCOMERS_BYTES_MAX 16384 /* of their uids, together */

/* A shard's, or NULL when the budget refuses. */
struct newcomers *newcomers_acquire(struct chat *chat);
void newcomers_release(struct newcomers *newcomers); /* no part is left */

/* Looks up those whom the part's audience does not know, up to `arrival_max`; delivery_found is
 * called with the part at the end. */
void newcomers_look_up(struct newcomers *newcomers, struct delivery *part);

/* The part of this channel that waits here, or NULL. */
struct delivery *newcomers_find(const struct newcomers *newcomers, uint64_t channel_hash);
