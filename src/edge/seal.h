/*
 * seal.h -- the encryption of a session: agreed at CONNECT, used for every SEND and RECV.
 *
 * wire-protocol 7: X25519, AES-128-CBC, base64, and an MD5 key over the encrypted
 * signature of a message. A RECV is encrypted straight into the place where it
 * will be written from; its key may follow later, with others (signing.h).
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "system/crypto.h"

#define SEAL_MSG_KEY_CHARS    32
#define SEAL_SERVER_KEY_CHARS 44
#define SEAL_SALT_CHARS       16

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

/* Checks the key in constant time; `scratch` has room for seal_scratch_bytes. ERR_PROTOCOL: wrong.
 */
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
    uint8_t *scratch; /* seal_scratch_bytes */
};

/* Writes the encrypted payload and its key to their places. */
void seal_recv(const struct crypto_secret *secret, const struct seal_recv *recv, struct bytes plain,
               const struct seal_place *place);

/* The same in two steps, so that the second can be taken for several messages at once: the payload
 * goes to its place, and the text whose MD5 makes the key to `text`, which has room for
 * seal_text_bytes. Returns its size. */
size_t seal_recv_text(const struct crypto_secret *secret, const struct seal_recv *recv,
                      struct bytes plain, const struct seal_place *place, uint8_t *text);
void seal_write_key(const uint8_t digest[CRYPTO_MD5_BYTES], uint8_t *out_msg_key);

/* How much room the text needs for strings of `size` bytes in all. */
size_t seal_text_bytes(size_t size);

/* How much scratch the functions above need for strings of `size` bytes in all. */
size_t seal_scratch_bytes(size_t size);
