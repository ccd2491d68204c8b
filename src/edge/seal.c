#include "edge/seal.h"

#include "base/assert.h"
#include "system/aes_lanes.h"
#include "system/md5_lanes.h"
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

#define DECIMALS_BYTES    128u /* all numbers of a signature */
#define DECIMAL_BYTES_MAX 20u  /* of 64 bits */

static struct bytes write_send(const struct seal_send *send, uint8_t *area, size_t size)
{
    struct writer writer = writer_of(area, size);
    writer_decimal(&writer, send->client_seq);
    writer_bytes_add(&writer, send->client_msg_no);
    writer_bytes_add(&writer, send->channel_id);
    writer_decimal(&writer, send->channel_type);
    writer_bytes_add(&writer, send->payload);
    ASSERT(!writer.is_full);
    return writer_bytes(&writer);
}

/* A signature on its way through the scratch, a piece at a time, so that a message of any size
 * takes no more of it. Pieces are whole blocks, and whole groups of base64. */
#define PIECE_BYTES 6912u

_Static_assert(PIECE_BYTES % CRYPTO_BLOCK_BYTES == 0 && PIECE_BYTES % 3 == 0,
               "a piece ends where a block and a group do");
_Static_assert(PIECE_BYTES + CRYPTO_BLOCK_BYTES + (PIECE_BYTES + CRYPTO_BLOCK_BYTES + 2) / 3 * 4 <=
                   SEAL_SCRATCH_BYTES,
               "the last piece, padded, and its base64");

struct signature {
    struct crypto_secret chain; /* as the next piece goes on */
    struct crypto_md5_sum sum;  /* of the text so far */
    uint8_t *piece;             /* what is gathered; its cipher takes its place */
    size_t size;
    uint8_t *text; /* the base64 of the cipher */
};

static void signature_begin(struct signature *signature, const struct crypto_secret *secret,
                            uint8_t *scratch)
{
    signature->chain = *secret;
    crypto_md5_begin(&signature->sum);
    signature->piece = scratch;
    signature->size = 0;
    signature->text = scratch + PIECE_BYTES + CRYPTO_BLOCK_BYTES;
}

static void sum_text(struct signature *signature, size_t cipher_size)
{
    base64_encode((struct bytes){.data = signature->piece, .size = cipher_size}, signature->text);
    crypto_md5_add(&signature->sum, (struct bytes){.data = signature->text,
                                                   .size = base64_encoded_size(cipher_size)});
}

static void signature_add(struct signature *signature, struct bytes bytes)
{
    while (bytes.size > PIECE_BYTES - signature->size) {
        const size_t taken = PIECE_BYTES - signature->size;
        memcpy(signature->piece + signature->size, bytes.data, taken);
        bytes = (struct bytes){.data = bytes.data + taken, .size = bytes.size - taken};
        const struct bytes piece = {.data = signature->piece, .size = PIECE_BYTES};
        crypto_encrypt_part(&signature->chain, piece, signature->piece);
        sum_text(signature, PIECE_BYTES);
        signature->size = 0;
    }
    if (bytes.size > 0) {
        memcpy(signature->piece + signature->size, bytes.data, bytes.size);
        signature->size += bytes.size;
    }
}

static void signature_add_decimal(struct signature *signature, uint64_t number)
{
    uint8_t digits[DECIMAL_BYTES_MAX];
    struct writer writer = writer_of(digits, sizeof(digits));
    writer_decimal(&writer, number);
    signature_add(signature, writer_bytes(&writer));
}

/* The key is the MD5 of the base64 of the encrypted signature. */
static void signature_end(struct signature *signature, uint8_t *out_msg_key)
{
    const struct bytes last = {.data = signature->piece, .size = signature->size};
    crypto_encrypt(&signature->chain, last, signature->piece);
    sum_text(signature, crypto_padded_size(signature->size));
    uint8_t digest[CRYPTO_MD5_BYTES];
    crypto_md5_end(&signature->sum, digest);
    write_hex(digest, CRYPTO_MD5_BYTES, out_msg_key);
}

enum err seal_check(const struct crypto_secret *secret, const struct seal_send *send,
                    struct bytes msg_key, uint8_t *scratch)
{
    struct signature signature;
    signature_begin(&signature, secret, scratch);
    signature_add_decimal(&signature, send->client_seq);
    signature_add(&signature, send->client_msg_no);
    signature_add(&signature, send->channel_id);
    signature_add_decimal(&signature, send->channel_type);
    signature_add(&signature, send->payload);
    uint8_t expected[SEAL_MSG_KEY_CHARS];
    signature_end(&signature, expected);
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

static struct bytes write_recv(const struct seal_recv *recv, struct bytes payload, uint8_t *area,
                               size_t size)
{
    struct writer writer = writer_of(area, size);
    writer_decimal(&writer, recv->message_id);
    writer_decimal(&writer, recv->seq);
    writer_bytes_add(&writer, recv->client_msg_no);
    writer_decimal(&writer, recv->timestamp_s);
    writer_bytes_add(&writer, recv->from_uid);
    writer_bytes_add(&writer, recv->channel_id);
    writer_decimal(&writer, recv->channel_type);
    writer_bytes_add(&writer, payload);
    ASSERT(!writer.is_full);
    return writer_bytes(&writer);
}

/* Encrypts the payload into its place, a piece at a time. */
static struct bytes seal_payload(const struct crypto_secret *secret, struct bytes plain,
                                 const struct seal_place *place)
{
    struct crypto_secret chain = *secret;
    struct bytes left = plain;
    uint8_t *at = place->payload;
    while (left.size > PIECE_BYTES) {
        const struct bytes piece = {.data = left.data, .size = PIECE_BYTES};
        crypto_encrypt_part(&chain, piece, place->scratch);
        base64_encode((struct bytes){.data = place->scratch, .size = PIECE_BYTES}, at);
        at += base64_encoded_size(PIECE_BYTES);
        left = (struct bytes){.data = left.data + PIECE_BYTES, .size = left.size - PIECE_BYTES};
    }
    crypto_encrypt(&chain, left, place->scratch);
    const size_t last_size = crypto_padded_size(left.size);
    base64_encode((struct bytes){.data = place->scratch, .size = last_size}, at);
    return (struct bytes){.data = place->payload, .size = seal_payload_size(plain.size)};
}

void seal_recv(const struct crypto_secret *secret, const struct seal_recv *recv, struct bytes plain,
               const struct seal_place *place)
{
    const struct bytes payload = seal_payload(secret, plain, place);
    struct signature signature;
    signature_begin(&signature, secret, place->scratch);
    signature_add_decimal(&signature, recv->message_id);
    signature_add_decimal(&signature, recv->seq);
    signature_add(&signature, recv->client_msg_no);
    signature_add_decimal(&signature, recv->timestamp_s);
    signature_add(&signature, recv->from_uid);
    signature_add(&signature, recv->channel_id);
    signature_add_decimal(&signature, recv->channel_type);
    signature_add(&signature, payload);
    signature_end(&signature, place->msg_key);
}

/* ---- Several at once. ---- */

_Static_assert(SEAL_LANES == AES_LANES, "one lane for each message");
_Static_assert(SEAL_LANES == MD5_LANES, "one lane for each message");
_Static_assert(SEAL_TEXT_BYTES == SEAL_SIGN_BYTES / 3 * 4, "what is encrypted fits as base64");
_Static_assert(SEAL_LANES_TEXT_BYTES <= SEAL_SCRATCH_BYTES, "a shard has one area for both");

#define WORTH_LANES 3u /* fewer are done sooner one by one */

bool seal_sign_fits(size_t size)
{
    return size + DECIMALS_BYTES + CRYPTO_BLOCK_BYTES <= SEAL_SIGN_BYTES;
}

size_t seal_sign_send(const struct seal_send *send, uint8_t area[SEAL_SIGN_BYTES])
{
    return write_send(send, area, SEAL_SIGN_BYTES).size;
}

size_t seal_sign_recv(const struct seal_recv *recv, uint8_t area[SEAL_SIGN_BYTES])
{
    return write_recv(recv, BYTES_EMPTY, area, SEAL_SIGN_BYTES).size;
}

void seal_keys(const struct seal_sign *signs, uint32_t count, uint8_t *texts,
               uint8_t (*out_keys)[SEAL_MSG_KEY_CHARS])
{
    ASSERT(count > 0 && count <= SEAL_LANES);
    struct aes_lane lanes[SEAL_LANES];
    for (uint32_t i = 0; i < count; i++) {
        ASSERT(crypto_padded_size(signs[i].size) <= SEAL_SIGN_BYTES);
        lanes[i] = (struct aes_lane){.secret = signs[i].secret,
                                     .plain = {.data = signs[i].area, .size = signs[i].size},
                                     .cipher = signs[i].area};
    }
    aes_lanes(lanes, count);
    struct bytes parts[SEAL_LANES];
    for (uint32_t i = 0; i < count; i++) {
        const struct bytes cipher = {.data = signs[i].area,
                                     .size = crypto_padded_size(signs[i].size)};
        uint8_t *text = texts + (size_t)i * SEAL_TEXT_BYTES;
        base64_encode(cipher, text);
        parts[i] = (struct bytes){.data = text, .size = base64_encoded_size(cipher.size)};
    }
    uint8_t digests[SEAL_LANES][CRYPTO_MD5_BYTES];
    if (count >= WORTH_LANES) {
        md5_lanes(parts, count, digests);
    } else {
        for (uint32_t i = 0; i < count; i++) {
            crypto_md5(parts[i], digests[i]);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        write_hex(digests[i], CRYPTO_MD5_BYTES, out_keys[i]);
    }
}
