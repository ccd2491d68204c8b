/*
 * signing.h -- the keys of the messages that a turn writes, several at a time.
 *
 * What is dear about a RECV is the MD5 of its signature, and eight of them side by side
 * take hardly longer than one (md5_lanes.h). So a frame is built with room for its key, its
 * signature is kept here, and when there are eight, or before a connection is written to,
 * the keys are put into their places.
 *
 * Promises:
 *   (1) no connection is written to while a key is due: conn_flush finishes first;
 *   (2) a place is there until then: what is in a queue goes only by being written, and
 *       with its connection, at the end of a turn, after edge_write.
 *
 * One for each shard; private to it.
 */
#pragma once

#include "base/err.h"
#include "memory/budget.h"
#include "system/md5_lanes.h"

#define SIGNING_TEXT_BYTES 2048u /* a longer signature is made at once */

/* Private to signing.c. */
struct signing {
    uint32_t count; /* that are due */
    struct bytes texts[MD5_LANES];
    uint8_t *places[MD5_LANES];
    uint8_t *area; /* SIGNING_TEXT_BYTES for each */
};

/* ERR_BUDGET: no room. */
MUST_USE enum err signing_open(struct signing *signing, struct budget *budget);
void signing_close(struct signing *signing, struct budget *budget); /* zeroed memory is allowed */

/* Where the next text goes, up to SIGNING_TEXT_BYTES of it. */
uint8_t *signing_room(struct signing *signing);

/* The key of the first `size` bytes there belongs to `place`, SEAL_MSG_KEY_CHARS of it. */
void signing_add(struct signing *signing, size_t size, uint8_t *place);

/* Puts all keys into their places. */
void signing_finish(struct signing *signing);
