/*
 * api_access.h -- who may do what over HTTP: the manager's token, users, their rights.
 *
 * The API's port knows one secret, the manager's token; without one configured it is
 * open (http-api 2.2). The manager's port (16.2) takes that token, or a JSON Web Token
 * that `/manager/login` gave to a configured user. A user's rights are pairs of a
 * resource and the letters of what he may do with it; they are asked for by the few
 * endpoints that change more than chat (2.3).
 *
 * Plain data, filled before it is handed to the HTTP thread and only read by it. The
 * texts are borrowed.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "system/crypto.h"

#define API_USERS_MAX 64u /* as many as a list of the configuration has */

struct api_user {
    struct bytes name;
    struct bytes password;
    struct bytes rights; /* "*", or "res:acts,res:acts" */
};

struct api_access {
    bool has_token;
    uint8_t token_hash[CRYPTO_SHA256_BYTES];
    struct bytes manager_uid; /* whom the token stands for */
    struct api_user users[API_USERS_MAX];
    uint32_t users_count;
    struct bytes jwt_secret;
    struct bytes jwt_issuer;
    uint64_t jwt_expire_ms;
};

/* Sets the manager's token; empty: there is none. */
void api_access_set_token(struct api_access *access, struct bytes token);

/* Takes `entry`, "name:password:*" or "name:password:[res:acts,…]", apart (configuration 12).
 * ERR_PROTOCOL: it is neither. */
MUST_USE enum err api_user_parse(struct bytes entry, struct api_user *out_user);

/* Is it the manager's token? Never, when there is none. Takes the same time for all. */
bool api_access_is_token(const struct api_access *access, struct bytes token);

/* The user with this name and password, or NULL. */
const struct api_user *api_access_find(const struct api_access *access, struct bytes name,
                                       struct bytes password);

/* Do the user's rights, or those of the manager, allow `action`, a letter, on `resource`? `name`
 * is empty for nobody. */
bool api_access_may(const struct api_access *access, struct bytes name, struct bytes resource,
                    uint8_t action);
