/*
 * seal.h -- the encryption of a session: agreed at CONNECT, used for every SEND and RECV.
 *
 * wire-protocol 7: X25519, AES-128-CBC, base64, and an MD5 key over the encrypted
 * signature of a message. A RECV is encrypted straight into the place where it
 * will be written from. Several at once cost little more than one: of what is written
 * (signing.h) and of what is read (checking.h).
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "system/crypto.h"

#include <stdbool.h>

#define SEAL_MSG_KEY_CHARS    32
#define SEAL_SERVER_KEY_CHARS 44
#define SEAL_SALT_CHARS       16
#define SEAL_SCRATCH_BYTES    16384u /* for one encryption or check, of any size */

/* What CONNACK tells the client. */
struct seal_offer {
    uint8_t server_key[SEAL_SERVER_KEY_CHARS];
    uint8_t salt[SEAL_SALT_CHARS];
};

/* Agrees on a secret with the client's key, base64 of 32 bytes. ERR_PROTOCOL: that is no key. */
MUST_USE enum err seal_agree(struct bytes client_key, struct crypto_secret *out_secret,
                             struct seal_offer *out_offer);

/* What a SEND is signed over (wire-protocol 7.4); the payload as it is on the wire. */
struct seal_send {
    uint32_t client_seq;
    struct bytes client_msg_no;
    struct bytes channel_id;
    uint8_t channel_type;
    struct bytes payload;
};

/* Checks the key in constant time; `scratch` is SEAL_SCRATCH_BYTES. ERR_PROTOCOL: wrong. */
MUST_USE enum err seal_check(const struct crypto_secret *secret, const struct seal_send *send,
                             struct bytes msg_key, uint8_t *scratch);

/* Decodes and decrypts a payload into `area`, which has room for its size. ERR_PROTOCOL: it is not
 * base64, or not of whole blocks, or its padding is wrong. */
MUST_USE enum err seal_open(const struct crypto_secret *secret, struct bytes payload, uint8_t *area,
                            size_t *out_size);

/* What a RECV is signed over, besides its payload. */
struct seal_recv {
    uint64_t message_id;
    uint64_t seq;
    uint32_t timestamp_s;
    uint8_t channel_type;
    struct bytes client_msg_no;
    struct bytes from_uid;
    struct bytes channel_id;
};

/* The size of an encrypted payload on the wire. */
size_t seal_payload_size(size_t plain_size);

/* Where the parts of a sealed RECV go. */
struct seal_place {
    uint8_t *payload; /* seal_payload_size bytes */
    uint8_t *msg_key; /* SEAL_MSG_KEY_CHARS */
    uint8_t *scratch; /* SEAL_SCRATCH_BYTES */
};

/* Writes the encrypted payload and its key to their places. */
void seal_recv(const struct crypto_secret *secret, const struct seal_recv *recv, struct bytes plain,
               const struct seal_place *place);

/* Several messages at once (aes_lanes.h, md5_lanes.h): first what each is signed over, then the
 * keys of all. */

#define SEAL_LANES            8u
#define SEAL_SIGN_BYTES       1536u /* a signature, with room for its padding */
#define SEAL_TEXT_BYTES       2048u /* its base64, once it is encrypted */
#define SEAL_LANES_TEXT_BYTES (SEAL_LANES * SEAL_TEXT_BYTES)

/* Does what is signed over strings of `size` bytes in all fit into SEAL_SIGN_BYTES? */
bool seal_sign_fits(size_t size);

/* What a SEND is signed over. Returns its size. */
size_t seal_sign_send(const struct seal_send *send, uint8_t area[SEAL_SIGN_BYTES]);

/* What a RECV is signed over, but for its payload on the wire, which goes behind that. */
size_t seal_sign_recv(const struct seal_recv *recv, uint8_t area[SEAL_SIGN_BYTES]);

/* A signature that is to become a key; it is overwritten. */
struct seal_sign {
    const struct crypto_secret *secret;
    uint8_t *area; /* SEAL_SIGN_BYTES */
    size_t size;
};

/* The keys of 1 to SEAL_LANES signatures; `texts` has SEAL_LANES_TEXT_BYTES. */
void seal_keys(const struct seal_sign *signs, uint32_t count, uint8_t *texts,
               uint8_t (*out_keys)[SEAL_MSG_KEY_CHARS]);
