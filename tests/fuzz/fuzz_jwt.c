/*
 * Any bytes as a JSON Web Token: it is refused, whatever it is, unless it was signed with the key;
 * and any bytes as an entry of auth.users.
 */
#include "base/assert.h"
#include "edge/api_access.h"
#include "edge/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_own_token(struct bytes name, const struct jwt_key *key)
{
    uint8_t area[4096];
    struct writer writer = writer_of(area, sizeof(area));
    const struct jwt_claims claims = {
        .issuer = BYTES_OF("us"), .username = name, .issued_s = 1, .expires_s = key->now_s + 1};
    jwt_write(&writer, &claims, key->secret);
    if (writer.is_full || writer_size(&writer) > JWT_BYTES_MAX) {
        return; /* escapes have made it too long */
    }
    struct jwt_name read;
    const enum err err = jwt_read(writer_bytes(&writer), key, &read);
    ASSERT(err == ERR_OK || err == ERR_PROTOCOL); /* the latter: names of bytes that are no text */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bytes input = {.data = data, .size = size};
    const struct jwt_key key = {.secret = BYTES_OF("a key that no input knows"), .now_s = 1000};
    struct jwt_name name;
    ASSERT(jwt_read(input, &key, &name) != ERR_OK);
    if (size > 0 && size <= JWT_NAME_BYTES_MAX) {
        check_own_token(input, &key);
    }
    struct api_user user;
    if (api_user_parse(input, &user) == ERR_OK) {
        ASSERT(user.name.size > 0 && user.password.size > 0 && user.rights.size > 0);
    }
    return 0;
}
