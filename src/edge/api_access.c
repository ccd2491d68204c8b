#include "edge/api_access.h"

#define EVERYTHING BYTES_OF("*")

void api_access_set_token(struct api_access *access, struct bytes token)
{
    access->has_token = token.size > 0;
    crypto_sha256(token, access->token_hash);
}

static bool hashes_equal(struct bytes text, const uint8_t hash[CRYPTO_SHA256_BYTES])
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    crypto_sha256(text, digest);
    return crypto_equal((struct bytes){.data = digest, .size = sizeof(digest)},
                        (struct bytes){.data = hash, .size = sizeof(digest)});
}

bool api_access_is_token(const struct api_access *access, struct bytes token)
{
    return hashes_equal(token, access->token_hash) && access->has_token;
}

/* ---- Users. ---- */

/* What stands before the next `separator` of `text`, which is shortened by both. Without one: all
 * of it. */
static struct bytes take_until(struct bytes *text, uint8_t separator)
{
    const uint8_t *found = text->size > 0 ? memchr(text->data, separator, text->size) : NULL;
    const size_t size = found != NULL ? (size_t)(found - text->data) : text->size;
    const struct bytes taken = {.data = text->data, .size = size};
    *text = bytes_skip(*text, found != NULL ? size + 1 : size);
    return taken;
}

/* "res:acts,res:acts", each act `r`, `w` or `*`. */
static bool rights_are_good(struct bytes rights)
{
    if (rights.size == 0) {
        return false;
    }
    while (rights.size > 0) {
        struct bytes acts = take_until(&rights, ',');
        const struct bytes resource = take_until(&acts, ':');
        if (resource.size == 0 || acts.size == 0) {
            return false;
        }
        for (size_t i = 0; i < acts.size; i++) {
            if (acts.data[i] != 'r' && acts.data[i] != 'w' && acts.data[i] != '*') {
                return false;
            }
        }
    }
    return true;
}

enum err api_user_parse(struct bytes entry, struct api_user *out_user)
{
    struct api_user user;
    user.name = take_until(&entry, ':');
    user.password = take_until(&entry, ':');
    user.rights = entry;
    if (user.name.size == 0 || user.password.size == 0) {
        return ERR_PROTOCOL;
    }
    if (!bytes_equal(user.rights, EVERYTHING)) {
        if (!bytes_begin_with(user.rights, BYTES_OF("[")) ||
            !bytes_end_with(user.rights, BYTES_OF("]")) || user.rights.size < 2) {
            return ERR_PROTOCOL;
        }
        user.rights = (struct bytes){.data = entry.data + 1, .size = entry.size - 2};
        if (!rights_are_good(user.rights)) {
            return ERR_PROTOCOL;
        }
    }
    *out_user = user;
    return ERR_OK;
}

const struct api_user *api_access_find(const struct api_access *access, struct bytes name,
                                       struct bytes password)
{
    const struct api_user *found = NULL;
    for (uint32_t i = 0; i < access->users_count; i++) {
        const struct api_user *user = &access->users[i];
        uint8_t hash[CRYPTO_SHA256_BYTES];
        crypto_sha256(user->password, hash);
        if (hashes_equal(password, hash) && bytes_equal(name, user->name)) {
            found = user;
        }
    }
    return found;
}

/* ---- Rights. ---- */

static bool rights_allow(struct bytes rights, struct bytes resource, uint8_t action)
{
    if (bytes_equal(rights, EVERYTHING)) {
        return true;
    }
    while (rights.size > 0) {
        struct bytes acts = take_until(&rights, ',');
        const struct bytes name = take_until(&acts, ':');
        const bool is_meant = bytes_equal(name, EVERYTHING) || bytes_equal(name, resource);
        if (is_meant && (bytes_contain(acts, action) || bytes_contain(acts, '*'))) {
            return true;
        }
    }
    return false;
}

bool api_access_may(const struct api_access *access, struct bytes name, struct bytes resource,
                    uint8_t action)
{
    if (name.size == 0) {
        return false;
    }
    for (uint32_t i = 0; i < access->users_count; i++) {
        if (bytes_equal(name, access->users[i].name)) {
            return rights_allow(access->users[i].rights, resource, action);
        }
    }
    return bytes_equal(name, access->manager_uid);
}
