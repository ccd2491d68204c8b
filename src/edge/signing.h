/*
 * signing.h -- the payloads and keys of the messages that a turn writes, several at a time.
 *
 * What is dear about a RECV is that it is encrypted twice and summed once, and eight of them
 * side by side take hardly longer than one (seal.h). So a frame is built with room for its
 * payload and its key, what they are made of is kept here, and when there are eight, or
 * before a connection is written to, they are put into their places.
 *
 * Promises:
 *   (1) no connection is written to while something of it is due: conn_flush finishes first;
 *   (2) places and secrets are there until then: what is in a queue goes only by being
 *       written, and with its connection, at the end of a turn, after edge_write.
 *
 * One for each shard; private to it.
 */
#pragma once

#include "edge/seal.h"
#include "memory/budget.h"

/* A message that is due. */
struct signing_due {
    const struct crypto_secret *secret; /* borrowed, as the places are */
    uint8_t *payload;
    uint8_t *msg_key;
    size_t plain_size; /* of what lies in its area */
    size_t sign_size;  /* of what lies there but for the payload */
};

/* Private to signing.c. */
struct signing {
    uint32_t count;
    struct signing_due dues[SEAL_LANES];
    uint8_t *area;
    uint8_t *texts; /* borrowed: SEAL_LANES_TEXT_BYTES */
};

/* ERR_BUDGET: no room. */
MUST_USE enum err signing_open(struct signing *signing, struct budget *budget, uint8_t *texts);
void signing_close(struct signing *signing, struct budget *budget); /* zeroed memory is allowed */

/* `plain` is put into `place` sooner or later, and copied until then. Strings and payload fit as
 * seal_sign_fits says; of `place` no scratch is needed. */
void signing_add(struct signing *signing, const struct crypto_secret *secret,
                 const struct seal_recv *recv, struct bytes plain, const struct seal_place *place);

/* Puts everything into its place. */
void signing_finish(struct signing *signing);
