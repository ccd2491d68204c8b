/*
 * crypto.h -- the arithmetic of secrets: X25519, AES-128-CBC, MD5, SHA, random bytes.
 *
 * Behind this door stand Nettle, for what every message needs (ADR 23), and OpenSSL,
 * for all else. Nothing is kept between calls; what every message needs allocates nothing.
 * Any thread.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define CRYPTO_KEY_BYTES         16
#define CRYPTO_BLOCK_BYTES       16
#define CRYPTO_POINT_BYTES       32
#define CRYPTO_MD5_BYTES         16
#define CRYPTO_MD5_CONTEXT_BYTES 128
#define CRYPTO_SHA1_BYTES        20
#define CRYPTO_SHA256_BYTES      32

/* The key and the first block of a session; both directions use the same (wire-protocol 7.1). */
struct crypto_secret {
    uint8_t key[CRYPTO_KEY_BYTES];
    uint8_t iv[CRYPTO_BLOCK_BYTES];
};

/* Bytes nobody can guess. Aborts if the system has none. */
void crypto_random(uint8_t *area, size_t size);

/* `size` becomes this many after padding: 1 to 16 bytes more. */
static inline size_t crypto_padded_size(size_t size)
{
    return size / CRYPTO_BLOCK_BYTES * CRYPTO_BLOCK_BYTES + CRYPTO_BLOCK_BYTES;
}

/* AES-128-CBC with PKCS#7 padding; `area` has room for the padded size and may be the place of
 * `plain`. */
void crypto_encrypt(const struct crypto_secret *secret, struct bytes plain, uint8_t *area);

/* The same for one part of a longer text: whole blocks, and no padding. The secret's first block
 * becomes what the next part goes on from; the last part is for crypto_encrypt. `area` may be the
 * place of `blocks`. */
void crypto_encrypt_part(struct crypto_secret *secret, struct bytes blocks, uint8_t *area);

/* The inverse; `area` has room for `cipher.size` and may be its place. ERR_PROTOCOL: the size or
 * the padding is wrong. */
MUST_USE enum err crypto_decrypt(const struct crypto_secret *secret, struct bytes cipher,
                                 uint8_t *area, size_t *out_size);

void crypto_md5(struct bytes bytes, uint8_t out_digest[CRYPTO_MD5_BYTES]);

/* The MD5 of what comes in parts. */
struct crypto_md5_sum {
    _Alignas(8) uint8_t context[CRYPTO_MD5_CONTEXT_BYTES]; /* Nettle's */
};

void crypto_md5_begin(struct crypto_md5_sum *sum);
void crypto_md5_add(struct crypto_md5_sum *sum, struct bytes bytes);
void crypto_md5_end(struct crypto_md5_sum *sum, uint8_t out_digest[CRYPTO_MD5_BYTES]);
void crypto_sha1(struct bytes bytes, uint8_t out_digest[CRYPTO_SHA1_BYTES]);
void crypto_sha256(struct bytes bytes, uint8_t out_digest[CRYPTO_SHA256_BYTES]);
void crypto_hmac_sha256(struct bytes key, struct bytes bytes,
                        uint8_t out_digest[CRYPTO_SHA256_BYTES]);

/* A new key pair. */
MUST_USE enum err crypto_key_pair(uint8_t out_private[CRYPTO_POINT_BYTES],
                                  uint8_t out_public[CRYPTO_POINT_BYTES]);

/* X25519 of our private and the peer's public key. ERR_PROTOCOL: the peer's key is a point of low
 * order, which would make the secret known to everybody. */
MUST_USE enum err crypto_agree(const uint8_t private_key[CRYPTO_POINT_BYTES],
                               const uint8_t peer_public[CRYPTO_POINT_BYTES],
                               uint8_t out_shared[CRYPTO_POINT_BYTES]);

/* Are they equal? Takes the same time wherever they differ; the sizes are no secret. */
bool crypto_equal(struct bytes a, struct bytes b);
