#include "edge/jwt.h"

#include "base/assert.h"
#include "system/crypto.h"
#include "wire/base64.h"
#include "wire/json_text.h"
#include "wire/json_token.h"

#define HEADER            BYTES_OF("{\"alg\":\"HS256\",\"typ\":\"JWT\"}")
#define CLAIMS_BYTES_MAX  1024u /* an issuer and a name of nothing but quotes aside */
#define SIGNATURE_CHARS   43u   /* of 32 bytes, without padding */
#define BASE64_AREA_BYTES (JWT_BYTES_MAX + 4u)

/* ---- The URL alphabet, without padding (RFC 7515). ---- */

static void write_base64url(struct writer *writer, struct bytes bytes)
{
    uint8_t text[BASE64_AREA_BYTES];
    const size_t padded = base64_encoded_size(bytes.size);
    if (padded > sizeof(text)) {
        writer->is_full = true;
        return;
    }
    base64_encode(bytes, text);
    for (size_t i = 0; i < padded && text[i] != '='; i++) {
        writer_u8(writer, text[i] == '+' ? '-' : (text[i] == '/' ? '_' : text[i]));
    }
}

/* Decodes into `area` of BASE64_AREA_BYTES. */
static enum err read_base64url(struct bytes text, uint8_t *area, struct bytes *out_bytes)
{
    if (text.size > JWT_BYTES_MAX) {
        return ERR_PROTOCOL;
    }
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t byte = text.data[i];
        if (byte == '+' || byte == '/' || byte == '=') {
            return ERR_PROTOCOL;
        }
        area[i] = byte == '-' ? '+' : (byte == '_' ? '/' : byte);
    }
    size_t size = text.size;
    while (size % 4 != 0) {
        area[size++] = '=';
    }
    size_t decoded = 0;
    const enum err err = base64_decode((struct bytes){.data = area, .size = size}, area, &decoded);
    *out_bytes = (struct bytes){.data = area, .size = decoded};
    return err;
}

static void sign(struct bytes signed_part, struct bytes secret, uint8_t out_text[SIGNATURE_CHARS])
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    crypto_hmac_sha256(secret, signed_part, digest);
    struct writer writer = writer_of(out_text, SIGNATURE_CHARS);
    write_base64url(&writer, (struct bytes){.data = digest, .size = sizeof(digest)});
    ASSERT(!writer.is_full);
}

/* ---- Writing. ---- */

void jwt_write(struct writer *writer, const struct jwt_claims *claims, struct bytes secret)
{
    uint8_t area[CLAIMS_BYTES_MAX];
    struct writer body = writer_of(area, sizeof(area));
    struct json_text json = json_text_of(&body);
    json_text_object_begin(&json);
    json_text_key(&json, "exp");
    json_text_unsigned(&json, claims->expires_s);
    json_text_key(&json, "iat");
    json_text_unsigned(&json, claims->issued_s);
    json_text_key(&json, "iss");
    json_text_string(&json, claims->issuer);
    json_text_key(&json, "username");
    json_text_string(&json, claims->username);
    json_text_object_end(&json);

    const size_t begin = writer_size(writer);
    write_base64url(writer, HEADER);
    writer_u8(writer, '.');
    write_base64url(writer, writer_bytes(&body));
    writer->is_full |= body.is_full;
    if (writer->is_full) {
        return;
    }
    uint8_t signature[SIGNATURE_CHARS];
    sign(bytes_skip(writer_bytes(writer), begin), secret, signature);
    writer_u8(writer, '.');
    writer_bytes_add(writer, (struct bytes){.data = signature, .size = sizeof(signature)});
}

/* ---- Reading. ---- */

/* The part before the next dot of `rest`, which is shortened by both. */
static enum err take_part(struct bytes *rest, struct bytes *out_part)
{
    const uint8_t *dot = rest->size > 0 ? memchr(rest->data, '.', rest->size) : NULL;
    if (dot == NULL) {
        return ERR_PROTOCOL;
    }
    *out_part = (struct bytes){.data = rest->data, .size = (size_t)(dot - rest->data)};
    *rest = bytes_skip(*rest, out_part->size + 1);
    return ERR_OK;
}

/* The object that `part` encodes, in `area`. */
static enum err take_object(struct bytes part, uint8_t *area, struct json_token *out_object)
{
    struct bytes text;
    enum err err = read_base64url(part, area, &text);
    if (err == ERR_OK) {
        err = json_token_take(&text, out_object);
    }
    return err == ERR_OK && out_object->kind == JSON_TOKEN_OBJECT ? ERR_OK : ERR_PROTOCOL;
}

/* The member of that name, or a token of kind INVALID; of two the last. */
static struct json_token member_of(struct json_token object, struct bytes name)
{
    struct json_token found = {.kind = JSON_TOKEN_INVALID};
    struct json_token_walk walk = json_token_walk_of(object);
    struct json_token key;
    struct json_token value;
    while (json_token_walk_member(&walk, &key, &value)) {
        if (json_token_is(key, name)) {
            found = value;
        }
    }
    return found;
}

/* `nbf`: until then the token is good for nothing; it may be left out (RFC 7519, 4.1.5). */
static enum err check_begin(struct json_token claims, uint64_t now_s)
{
    const struct json_token begins = member_of(claims, BYTES_OF("nbf"));
    if (begins.kind == JSON_TOKEN_INVALID || begins.kind == JSON_TOKEN_NULL) {
        return ERR_OK;
    }
    uint64_t begins_s = 0;
    if (begins.kind != JSON_TOKEN_NUMBER || json_token_unsigned(begins, &begins_s) != ERR_OK) {
        return ERR_PROTOCOL;
    }
    return begins_s <= now_s ? ERR_OK : ERR_DENIED;
}

static enum err read_claims(struct json_token claims, const struct jwt_key *key,
                            struct jwt_name *out_name)
{
    const struct json_token expires = member_of(claims, BYTES_OF("exp"));
    uint64_t expires_s = 0;
    if (expires.kind != JSON_TOKEN_NUMBER || json_token_unsigned(expires, &expires_s) != ERR_OK) {
        return ERR_PROTOCOL;
    }
    if (expires_s <= key->now_s) {
        return ERR_CLOSED;
    }
    const enum err err = check_begin(claims, key->now_s);
    if (err != ERR_OK) {
        return err;
    }
    const struct json_token username = member_of(claims, BYTES_OF("username"));
    uint8_t area[BASE64_AREA_BYTES];
    if (username.kind != JSON_TOKEN_STRING) {
        return ERR_PROTOCOL;
    }
    const struct bytes name = json_token_string(username, area);
    if (name.size == 0 || name.size > JWT_NAME_BYTES_MAX) {
        return ERR_PROTOCOL;
    }
    memcpy(out_name->text, name.data, name.size);
    out_name->size = name.size;
    return ERR_OK;
}

enum err jwt_read(struct bytes token, const struct jwt_key *key, struct jwt_name *out_name)
{
    if (token.size > JWT_BYTES_MAX) {
        return ERR_PROTOCOL;
    }
    struct bytes rest = token;
    struct bytes header_part;
    struct bytes claims_part;
    if (take_part(&rest, &header_part) != ERR_OK || take_part(&rest, &claims_part) != ERR_OK) {
        return ERR_PROTOCOL;
    }
    uint8_t area[BASE64_AREA_BYTES];
    struct json_token object;
    if (take_object(header_part, area, &object) != ERR_OK ||
        !json_token_is(member_of(object, BYTES_OF("alg")), BYTES_OF("HS256"))) {
        return ERR_PROTOCOL;
    }
    uint8_t signature[SIGNATURE_CHARS];
    sign((struct bytes){.data = token.data, .size = header_part.size + 1 + claims_part.size},
         key->secret, signature);
    if (!crypto_equal(rest, (struct bytes){.data = signature, .size = sizeof(signature)})) {
        return ERR_DENIED;
    }
    if (take_object(claims_part, area, &object) != ERR_OK) {
        return ERR_PROTOCOL;
    }
    return read_claims(object, key, out_name);
}
