#include "cli/bench_seal.h"

#include "base/assert.h"
#include "wire/base64.h"

#define GROUP_BYTES   48u  /* whole blocks of the cipher and whole groups of base64 at once */
#define DECIMAL_CHARS 128u /* more than all numbers of a signature */

static void write_hex(const uint8_t *digest, size_t size, uint8_t *out_text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        out_text[2 * i] = (uint8_t)digits[digest[i] >> 4];
        out_text[2 * i + 1] = (uint8_t)digits[digest[i] & 15];
    }
}

enum err bench_seal_begin(struct bench_seal *seal, uint8_t out_client_key[BENCH_KEY_CHARS])
{
    uint8_t public_key[CRYPTO_POINT_BYTES];
    const enum err err = crypto_key_pair(seal->private_key, public_key);
    if (err == ERR_OK) {
        base64_encode((struct bytes){.data = public_key, .size = sizeof(public_key)},
                      out_client_key);
    }
    return err;
}

enum err bench_seal_agree(struct bench_seal *seal, struct bytes server_key, struct bytes salt)
{
    uint8_t peer[BENCH_KEY_CHARS];
    size_t peer_size = 0;
    uint8_t shared[CRYPTO_POINT_BYTES];
    if (server_key.size != BENCH_KEY_CHARS || salt.size != BENCH_SALT_CHARS ||
        base64_decode(server_key, peer, &peer_size) != ERR_OK || peer_size != CRYPTO_POINT_BYTES ||
        crypto_agree(seal->private_key, peer, shared) != ERR_OK) {
        return ERR_PROTOCOL;
    }
    /* The key is the first half of the hex MD5 of the base64 of the secret. */
    uint8_t text[BENCH_KEY_CHARS];
    base64_encode((struct bytes){.data = shared, .size = sizeof(shared)}, text);
    uint8_t digest[CRYPTO_MD5_BYTES];
    crypto_md5((struct bytes){.data = text, .size = sizeof(text)}, digest);
    write_hex(digest, CRYPTO_KEY_BYTES / 2, seal->secret.key);
    memcpy(seal->secret.iv, salt.data, CRYPTO_BLOCK_BYTES);
    return ERR_OK;
}

static size_t front_capacity(const struct bench_seal *seal)
{
    return (size_t)seal->front_text_chars + seal->front_rest_bytes;
}

void bench_seal_release(struct bench_seal *seal, struct budget *budget)
{
    memory_release(budget, seal->front, front_capacity(seal));
    *seal = (struct bench_seal){.front = NULL};
}

bool bench_seal_has_front(const struct bench_seal *seal)
{
    return seal->front != NULL;
}

enum err bench_seal_set_front(struct bench_seal *seal, struct budget *budget, struct bytes front)
{
    ASSERT(seal->front == NULL);
    const size_t whole = front.size / GROUP_BYTES * GROUP_BYTES;
    const size_t text_chars = base64_encoded_size(whole);
    const size_t cipher_size = crypto_padded_size(whole);
    uint8_t *kept = memory_acquire(budget, MEMORY_RANK_READ, text_chars + front.size - whole);
    uint8_t *cipher = memory_acquire(budget, MEMORY_RANK_READ, cipher_size);
    if (kept == NULL || cipher == NULL) {
        memory_release(budget, kept, text_chars + front.size - whole);
        memory_release(budget, cipher, cipher_size);
        return ERR_BUDGET;
    }
    crypto_encrypt(&seal->secret, (struct bytes){.data = front.data, .size = whole}, cipher);
    base64_encode((struct bytes){.data = cipher, .size = whole}, kept);
    memcpy(kept + text_chars, front.data + whole, front.size - whole);
    seal->rest_secret = seal->secret;
    if (whole > 0) {
        /* In CBC a block is mixed with the cipher of the one before it. */
        memcpy(seal->rest_secret.iv, cipher + whole - CRYPTO_BLOCK_BYTES, CRYPTO_BLOCK_BYTES);
    }
    memory_release(budget, cipher, cipher_size);
    seal->front = kept;
    seal->front_text_chars = (uint32_t)text_chars;
    seal->front_rest_bytes = (uint32_t)(front.size - whole);
    return ERR_OK;
}

/* The key of `sign`, which lies at the front of `scratch` (wire-protocol 7.4). */
static void sign_key(const struct bench_seal *seal, struct bytes sign, uint8_t *scratch,
                     uint8_t out_msg_key[BENCH_MSG_KEY_CHARS])
{
    const size_t cipher_size = crypto_padded_size(sign.size);
    uint8_t *cipher = scratch + sign.size;
    uint8_t *text = cipher + cipher_size;
    crypto_encrypt(&seal->secret, sign, cipher);
    base64_encode((struct bytes){.data = cipher, .size = cipher_size}, text);
    uint8_t digest[CRYPTO_MD5_BYTES];
    crypto_md5((struct bytes){.data = text, .size = base64_encoded_size(cipher_size)}, digest);
    write_hex(digest, sizeof(digest), out_msg_key);
}

/* Writes the text of the front and `tail`, encrypted, and returns its size. */
static size_t write_payload(const struct bench_seal *seal, struct bytes tail, uint8_t *out_text)
{
    uint8_t rest[GROUP_BYTES + 2 * CRYPTO_BLOCK_BYTES * 8];
    uint8_t cipher[sizeof(rest) + CRYPTO_BLOCK_BYTES];
    const size_t rest_size = seal->front_rest_bytes + tail.size;
    ASSERT(rest_size <= sizeof(rest));
    memcpy(out_text, seal->front, seal->front_text_chars);
    memcpy(rest, seal->front + seal->front_text_chars, seal->front_rest_bytes);
    memcpy(rest + seal->front_rest_bytes, tail.data, tail.size);
    crypto_encrypt(&seal->rest_secret, (struct bytes){.data = rest, .size = rest_size}, cipher);
    const struct bytes last = {.data = cipher, .size = crypto_padded_size(rest_size)};
    base64_encode(last, out_text + seal->front_text_chars);
    return seal->front_text_chars + base64_encoded_size(last.size);
}

struct bytes bench_seal_send(const struct bench_seal *seal, const struct bench_seal_send *send,
                             uint8_t *scratch, uint8_t out_msg_key[BENCH_MSG_KEY_CHARS])
{
    ASSERT(seal->front != NULL);
    struct writer writer = writer_of(scratch, send->client_msg_no.size + send->channel_id.size +
                                                  (size_t)DECIMAL_CHARS);
    writer_decimal(&writer, send->client_seq);
    writer_bytes_add(&writer, send->client_msg_no);
    writer_bytes_add(&writer, send->channel_id);
    writer_decimal(&writer, send->channel_type);
    ASSERT(!writer.is_full);
    /* The payload is the end of what is signed: it is made right there. */
    const size_t head_size = writer_size(&writer);
    const size_t payload_size = write_payload(seal, send->tail, scratch + head_size);
    sign_key(seal, (struct bytes){.data = scratch, .size = head_size + payload_size}, scratch,
             out_msg_key);
    return (struct bytes){.data = scratch + head_size, .size = payload_size};
}

enum err bench_seal_recv(const struct bench_seal *seal, const struct packet_recv *recv,
                         uint8_t *scratch, struct bytes *out_plain)
{
    struct writer writer =
        writer_of(scratch, recv->client_msg_no.size + recv->from_uid.size + recv->channel_id.size +
                               recv->payload.size + DECIMAL_CHARS);
    writer_decimal(&writer, recv->message_id);
    writer_decimal(&writer, recv->message_seq);
    writer_bytes_add(&writer, recv->client_msg_no);
    writer_decimal(&writer, recv->timestamp_s);
    writer_bytes_add(&writer, recv->from_uid);
    writer_bytes_add(&writer, recv->channel_id);
    writer_decimal(&writer, recv->channel_type);
    writer_bytes_add(&writer, recv->payload);
    ASSERT(!writer.is_full);
    uint8_t msg_key[BENCH_MSG_KEY_CHARS];
    sign_key(seal, writer_bytes(&writer), scratch, msg_key);
    if (!bytes_equal((struct bytes){.data = msg_key, .size = sizeof(msg_key)}, recv->msg_key)) {
        return ERR_DENIED;
    }
    size_t cipher_size = 0;
    size_t plain_size = 0;
    if (base64_decode(recv->payload, scratch, &cipher_size) != ERR_OK ||
        crypto_decrypt(&seal->secret, (struct bytes){.data = scratch, .size = cipher_size}, scratch,
                       &plain_size) != ERR_OK) {
        return ERR_PROTOCOL;
    }
    *out_plain = (struct bytes){.data = scratch, .size = plain_size};
    return ERR_OK;
}

size_t bench_seal_scratch_bytes(size_t size)
{
    const size_t sign = size + DECIMAL_CHARS;
    const size_t cipher = crypto_padded_size(sign);
    return sign + cipher + base64_encoded_size(cipher);
}
