#include "edge/seal.h"

#include "base/assert.h"
#include "wire/base64.h"

static const char hex_digits[] = "0123456789abcdef";

static void write_hex(const uint8_t *digest, size_t size, uint8_t *out_text)
{
    for (size_t i = 0; i < size; i++) {
        out_text[2 * i] = (uint8_t)hex_digits[digest[i] >> 4];
        out_text[2 * i + 1] = (uint8_t)hex_digits[digest[i] & 15];
    }
}

/* The AES key is the first 16 characters of the hex MD5 of the base64 of the shared secret
 * (wire-protocol 7.1, steps 5 to 7). */
static void derive_key(const uint8_t shared[CRYPTO_POINT_BYTES], uint8_t out_key[CRYPTO_KEY_BYTES])
{
    uint8_t text[SEAL_SERVER_KEY_CHARS];
    base64_encode((struct bytes){.data = shared, .size = CRYPTO_POINT_BYTES}, text);
    uint8_t digest[CRYPTO_MD5_BYTES];
    crypto_md5((struct bytes){.data = text, .size = sizeof(text)}, digest);
    write_hex(digest, CRYPTO_KEY_BYTES / 2, out_key);
}

/* 16 characters of 62; the bias of the remainder is of no use to anybody: the salt is public. */
static void draw_salt(uint8_t out_salt[SEAL_SALT_CHARS])
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    crypto_random(out_salt, SEAL_SALT_CHARS);
    for (size_t i = 0; i < SEAL_SALT_CHARS; i++) {
        out_salt[i] = (uint8_t)letters[out_salt[i] % (sizeof(letters) - 1)];
    }
}

enum err seal_agree(struct bytes client_key, struct crypto_secret *out_secret,
                    struct seal_offer *out_offer)
{
    uint8_t peer[SEAL_SERVER_KEY_CHARS];
    size_t peer_size = 0;
    if (client_key.size != SEAL_SERVER_KEY_CHARS ||
        base64_decode(client_key, peer, &peer_size) != ERR_OK || peer_size != CRYPTO_POINT_BYTES) {
        return ERR_PROTOCOL;
    }
    uint8_t private_key[CRYPTO_POINT_BYTES];
    uint8_t public_key[CRYPTO_POINT_BYTES];
    uint8_t shared[CRYPTO_POINT_BYTES];
    enum err err = crypto_key_pair(private_key, public_key);
    if (err == ERR_OK) {
        err = crypto_agree(private_key, peer, shared);
    }
    if (err != ERR_OK) {
        return err;
    }
    derive_key(shared, out_secret->key);
    draw_salt(out_offer->salt);
    memcpy(out_secret->iv, out_offer->salt, CRYPTO_BLOCK_BYTES);
    base64_encode((struct bytes){.data = public_key, .size = sizeof(public_key)},
                  out_offer->server_key);
    return ERR_OK;
}

#define DECIMALS_BYTES 128u

size_t seal_text_bytes(size_t size)
{
    return base64_encoded_size(crypto_padded_size(size + DECIMALS_BYTES));
}

size_t seal_scratch_bytes(size_t size)
{
    const size_t sign = size + DECIMALS_BYTES;
    return sign + crypto_padded_size(sign) + seal_text_bytes(size);
}

void seal_write_key(const uint8_t digest[CRYPTO_MD5_BYTES], uint8_t *out_msg_key)
{
    write_hex(digest, CRYPTO_MD5_BYTES, out_msg_key);
}

/* The base64 of the encrypted signature; the key is its MD5. `sign` lies at the front of the
 * scratch. */
static size_t sign_text(const struct crypto_secret *secret, struct bytes sign, uint8_t *scratch,
                        uint8_t *text)
{
    const struct bytes cipher = {.data = scratch + sign.size,
                                 .size = crypto_padded_size(sign.size)};
    crypto_encrypt(secret, sign, scratch + sign.size);
    base64_encode(cipher, text);
    return base64_encoded_size(cipher.size);
}

static void write_key(const uint8_t *text, size_t size, uint8_t *out_msg_key)
{
    uint8_t digest[CRYPTO_MD5_BYTES];
    crypto_md5((struct bytes){.data = text, .size = size}, digest);
    seal_write_key(digest, out_msg_key);
}

/* Behind the signature and its cipher. */
static uint8_t *text_place(uint8_t *scratch, size_t sign_size)
{
    return scratch + sign_size + crypto_padded_size(sign_size);
}

enum err seal_check(const struct crypto_secret *secret, const struct seal_send *send,
                    struct bytes msg_key, uint8_t *scratch)
{
    const size_t strings = send->client_msg_no.size + send->channel_id.size + send->payload.size;
    struct writer writer = writer_of(scratch, strings + DECIMALS_BYTES);
    writer_decimal(&writer, send->client_seq);
    writer_bytes_add(&writer, send->client_msg_no);
    writer_bytes_add(&writer, send->channel_id);
    writer_decimal(&writer, send->channel_type);
    writer_bytes_add(&writer, send->payload);
    uint8_t expected[SEAL_MSG_KEY_CHARS];
    const struct bytes sign = writer_bytes(&writer);
    uint8_t *text = text_place(scratch, sign.size);
    write_key(text, sign_text(secret, sign, scratch, text), expected);
    const struct bytes right = {.data = expected, .size = sizeof(expected)};
    return crypto_equal(right, msg_key) ? ERR_OK : ERR_PROTOCOL;
}

enum err seal_open(const struct crypto_secret *secret, struct bytes payload, uint8_t *area,
                   size_t *out_size)
{
    size_t cipher_size = 0;
    if (base64_decode(payload, area, &cipher_size) != ERR_OK) {
        return ERR_PROTOCOL;
    }
    return crypto_decrypt(secret, (struct bytes){.data = area, .size = cipher_size}, area,
                          out_size);
}

size_t seal_payload_size(size_t plain_size)
{
    return base64_encoded_size(crypto_padded_size(plain_size));
}

/* Writes the payload to its place, and the signature to the front of the scratch. */
static struct bytes recv_sign(const struct crypto_secret *secret, const struct seal_recv *recv,
                              struct bytes plain, const struct seal_place *place)
{
    const size_t cipher_size = crypto_padded_size(plain.size);
    const size_t payload_size = base64_encoded_size(cipher_size);
    crypto_encrypt(secret, plain, place->scratch);
    base64_encode((struct bytes){.data = place->scratch, .size = cipher_size}, place->payload);

    const size_t strings = recv->client_msg_no.size + recv->from_uid.size + recv->channel_id.size;
    struct writer writer = writer_of(place->scratch, strings + payload_size + DECIMALS_BYTES);
    writer_decimal(&writer, recv->message_id);
    writer_decimal(&writer, recv->seq);
    writer_bytes_add(&writer, recv->client_msg_no);
    writer_decimal(&writer, recv->timestamp_s);
    writer_bytes_add(&writer, recv->from_uid);
    writer_bytes_add(&writer, recv->channel_id);
    writer_decimal(&writer, recv->channel_type);
    writer_bytes_add(&writer, (struct bytes){.data = place->payload, .size = payload_size});
    return writer_bytes(&writer);
}

size_t seal_recv_text(const struct crypto_secret *secret, const struct seal_recv *recv,
                      struct bytes plain, const struct seal_place *place, uint8_t *text)
{
    const struct bytes sign = recv_sign(secret, recv, plain, place);
    return sign_text(secret, sign, place->scratch, text);
}

void seal_recv(const struct crypto_secret *secret, const struct seal_recv *recv, struct bytes plain,
               const struct seal_place *place)
{
    const struct bytes sign = recv_sign(secret, recv, plain, place);
    uint8_t *text = text_place(place->scratch, sign.size);
    write_key(text, sign_text(secret, sign, place->scratch, text), place->msg_key);
}
