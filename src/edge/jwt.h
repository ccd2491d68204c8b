/*
 * jwt.h -- JSON Web Tokens of the one kind we give out: signed with HMAC-SHA256.
 *
 * A token says who it was given to and until when, and one of somebody else's making may
 * say from when; nothing is kept about it here. Other algorithms are not taken, `none`
 * least of all (http-api 2.3, 15.1).
 *
 * Pure functions; nothing allocates.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define JWT_BYTES_MAX      2048u /* of a token that is looked at */
#define JWT_NAME_BYTES_MAX 255u

struct jwt_claims {
    struct bytes issuer;
    struct bytes username; /* at most JWT_NAME_BYTES_MAX */
    uint64_t issued_s;     /* since 1970 */
    uint64_t expires_s;
};

/* Whom a token is from, and the time now. */
struct jwt_key {
    struct bytes secret;
    uint64_t now_s;
};

/* Writes a token. It is full when there is no room. */
void jwt_write(struct writer *writer, const struct jwt_claims *claims, struct bytes secret);

struct jwt_name {
    uint8_t text[JWT_NAME_BYTES_MAX];
    size_t size;
};

/* Checks a token; who it was given to. ERR_PROTOCOL: it is no such token; ERR_DENIED: the
 * signature is wrong, or its time has not begun; ERR_CLOSED: it has expired. */
MUST_USE enum err jwt_read(struct bytes token, const struct jwt_key *key,
                           struct jwt_name *out_name);
