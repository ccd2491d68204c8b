/*
 * checking.h -- the keys of the SENDs that a turn reads, checked several at a time.
 *
 * A SEND's key is as dear as a RECV's (signing.h). So a SEND that was read and decrypted
 * waits here, and when there are eight, or all that is there has been read, the keys of all
 * are computed; who has a right one is posted, in the order in which they came.
 *
 * Promises:
 *   (1) it waits no longer than to the end of the turn's reading (edge_read), or of its
 *       writing, if that has led to more reading;
 *   (2) nothing of a connection overtakes what waits here: who posts anything without this
 *       finishes it first;
 *   (3) whether it was the key or the payload that was wrong makes no difference that a
 *       client could see.
 *
 * One for each shard; private to it.
 */
#pragma once

#include "edge/seal.h"
#include "memory/budget.h"

struct conn;
struct edge;
struct send;

/* A SEND that was read, and what its key is said to be. */
struct checking_send {
    struct send *send;
    bool is_readable; /* its payload was decrypted */
    struct seal_send signed_over;
    struct bytes msg_key;
};

/* One that waits. */
struct checking_due {
    struct send *send;
    const struct crypto_secret *secret; /* the connection's, which is there until the turn ends */
    size_t sign_size;
    bool is_readable;                    /* its payload was decrypted */
    uint8_t msg_key[SEAL_MSG_KEY_CHARS]; /* zeros, which no key is, if it had another size */
};

/* Private to checking.c. */
struct checking {
    uint32_t count;
    struct checking_due dues[SEAL_LANES];
    uint8_t *area;
    uint8_t *texts; /* borrowed: SEAL_LANES_TEXT_BYTES */
};

/* ERR_BUDGET: no room. */
MUST_USE enum err checking_open(struct checking *checking, struct budget *budget, uint8_t *texts);
void checking_close(struct checking *checking, struct budget *budget); /* zeroed is allowed */

/* Of `conn`, and counted by gate_count. Its strings fit as seal_sign_fits says. */
void checking_add(struct edge *edge, const struct conn *conn, const struct checking_send *read);

/* Posts or refuses all that wait. */
void checking_finish(struct edge *edge);
