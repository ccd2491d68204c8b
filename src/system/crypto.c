#include "system/crypto.h"

#include "base/assert.h"
#include "system/aes_lanes.h"

#include <nettle/aes.h>
#include <nettle/cbc.h>
#include <nettle/md5.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sodium.h>

void crypto_random(uint8_t *area, size_t size)
{
    ASSERT(RAND_bytes(area, (int)size) == 1);
}

/* The whole blocks first, then what is left of the last with its padding (PKCS#7). */
void crypto_encrypt(const struct crypto_secret *secret, struct bytes plain, uint8_t *area)
{
    const size_t whole = plain.size / CRYPTO_BLOCK_BYTES * CRYPTO_BLOCK_BYTES;
    const size_t rest = plain.size - whole;
    uint8_t last[CRYPTO_BLOCK_BYTES];
    memset(last, (int)(CRYPTO_BLOCK_BYTES - rest), sizeof(last));
    if (rest > 0) {
        memcpy(last, plain.data + whole, rest);
    }
    struct aes128_ctx aes;
    uint8_t iv[CRYPTO_BLOCK_BYTES];
    aes128_set_encrypt_key(&aes, secret->key);
    memcpy(iv, secret->iv, sizeof(iv));
    if (whole > 0) {
        cbc_aes128_encrypt(&aes, iv, whole, area, plain.data);
    }
    cbc_aes128_encrypt(&aes, iv, sizeof(last), area + whole, last);
}

void crypto_encrypt_part(struct crypto_secret *secret, struct bytes blocks, uint8_t *area)
{
    ASSERT(blocks.size % CRYPTO_BLOCK_BYTES == 0);
    struct aes128_ctx aes;
    aes128_set_encrypt_key(&aes, secret->key);
    cbc_aes128_encrypt(&aes, secret->iv, blocks.size, area, blocks.data);
}

/* PKCS#7: the last byte tells how many there are, and all of them say the same. */
static enum err padding_check(const uint8_t *area, size_t size, size_t *out_size)
{
    const uint8_t padding = area[size - 1];
    if (padding == 0 || padding > CRYPTO_BLOCK_BYTES) {
        return ERR_PROTOCOL;
    }
    uint8_t difference = 0;
    for (size_t i = size - padding; i < size; i++) {
        difference |= area[i] ^ padding;
    }
    *out_size = size - padding;
    return difference == 0 ? ERR_OK : ERR_PROTOCOL;
}

/* As cbc_decrypt calls it. */
static void decrypt_block(const void *context, size_t size, uint8_t *to, const uint8_t *from)
{
    aes128_decrypt(context, size, to, from);
}

static void decrypt_slowly(const struct crypto_secret *secret, struct bytes cipher, uint8_t *area)
{
    struct aes128_ctx aes;
    uint8_t iv[CRYPTO_BLOCK_BYTES];
    aes128_set_decrypt_key(&aes, secret->key);
    memcpy(iv, secret->iv, sizeof(iv));
    cbc_decrypt(&aes, decrypt_block, sizeof(iv), iv, cipher.size, area, cipher.data);
}

enum err crypto_decrypt(const struct crypto_secret *secret, struct bytes cipher, uint8_t *area,
                        size_t *out_size)
{
    if (cipher.size == 0 || cipher.size % CRYPTO_BLOCK_BYTES != 0) {
        return ERR_PROTOCOL;
    }
    if (!aes_lanes_decrypt(secret, cipher.data, cipher.size / CRYPTO_BLOCK_BYTES, area)) {
        decrypt_slowly(secret, cipher, area);
    }
    return padding_check(area, cipher.size, out_size);
}

void crypto_md5(struct bytes bytes, uint8_t out_digest[CRYPTO_MD5_BYTES])
{
    struct md5_ctx md5;
    md5_init(&md5);
    md5_update(&md5, bytes.size, bytes.data);
    md5_digest(&md5, CRYPTO_MD5_BYTES, out_digest);
}

_Static_assert(sizeof(struct md5_ctx) <= CRYPTO_MD5_CONTEXT_BYTES, "Nettle's context has grown");

static struct md5_ctx *md5_of(struct crypto_md5_sum *sum)
{
    return (struct md5_ctx *)(void *)sum->context;
}

void crypto_md5_begin(struct crypto_md5_sum *sum)
{
    md5_init(md5_of(sum));
}

void crypto_md5_add(struct crypto_md5_sum *sum, struct bytes bytes)
{
    md5_update(md5_of(sum), bytes.size, bytes.data);
}

void crypto_md5_end(struct crypto_md5_sum *sum, uint8_t out_digest[CRYPTO_MD5_BYTES])
{
    md5_digest(md5_of(sum), CRYPTO_MD5_BYTES, out_digest);
}

void crypto_sha1(struct bytes bytes, uint8_t out_digest[CRYPTO_SHA1_BYTES])
{
    ASSERT(EVP_Digest(bytes.data, bytes.size, out_digest, NULL, EVP_sha1(), NULL) == 1);
}

void crypto_sha256(struct bytes bytes, uint8_t out_digest[CRYPTO_SHA256_BYTES])
{
    ASSERT(EVP_Digest(bytes.data, bytes.size, out_digest, NULL, EVP_sha256(), NULL) == 1);
}

void crypto_hmac_sha256(struct bytes key, struct bytes bytes,
                        uint8_t out_digest[CRYPTO_SHA256_BYTES])
{
    unsigned int size = 0;
    ASSERT(HMAC(EVP_sha256(), key.data, (int)key.size, bytes.data, bytes.size, out_digest, &size) !=
           NULL);
}

/* Chooses the fastest code for this processor, once. */
static bool sodium_is_ready(void)
{
    return sodium_init() >= 0;
}

enum err crypto_key_pair(uint8_t out_private[CRYPTO_POINT_BYTES],
                         uint8_t out_public[CRYPTO_POINT_BYTES])
{
    crypto_random(out_private, CRYPTO_POINT_BYTES);
    return sodium_is_ready() && crypto_scalarmult_base(out_public, out_private) == 0 ? ERR_OK
                                                                                     : ERR_IO;
}

enum err crypto_agree(const uint8_t private_key[CRYPTO_POINT_BYTES],
                      const uint8_t peer_public[CRYPTO_POINT_BYTES],
                      uint8_t out_shared[CRYPTO_POINT_BYTES])
{
    if (!sodium_is_ready()) {
        return ERR_IO;
    }
    /* libsodium refuses an all-zero secret, which is what a low-order point gives. */
    return crypto_scalarmult(out_shared, private_key, peer_public) == 0 ? ERR_OK : ERR_PROTOCOL;
}

bool crypto_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || CRYPTO_memcmp(a.data, b.data, a.size) == 0);
}
