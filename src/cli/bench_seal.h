/*
 * bench_seal.h -- the encryption of one connection, from the client's side (wire-protocol 7).
 *
 * Written apart from the server's edge/seal.h on purpose: the two check each other, and the vectors
 * of the protocol check both. Key and first block stay the same for all messages of a connection
 * (wire-protocol 7.1), so the cipher of the unchanging front of the payloads is worked out once;
 * what is sent is bit for bit what encrypting the whole payload gives.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "memory/allocator.h"
#include "system/crypto.h"
#include "wire/packet.h"

#define BENCH_KEY_CHARS     44u
#define BENCH_SALT_CHARS    16u
#define BENCH_MSG_KEY_CHARS 32u

/* Zeroed memory is one that agreed on nothing. Private to bench_seal.c. */
struct bench_seal {
    uint8_t private_key[CRYPTO_POINT_BYTES];
    struct crypto_secret secret;
    struct crypto_secret rest_secret; /* goes on behind the front */
    uint8_t *front;                   /* the base64 of its cipher, then what did not fill a group */
    uint32_t front_text_chars;
    uint32_t front_rest_bytes;
};

/* A new key pair; `out_client_key` is for CONNECT. */
MUST_USE enum err bench_seal_begin(struct bench_seal *seal,
                                   uint8_t out_client_key[BENCH_KEY_CHARS]);

/* Agrees on the secret with what CONNACK says. ERR_PROTOCOL: that is no key or no salt. */
MUST_USE enum err bench_seal_agree(struct bench_seal *seal, struct bytes server_key,
                                   struct bytes salt);
void bench_seal_release(struct bench_seal *seal, struct budget *budget);

/* All payloads of this connection will begin with `front`. ERR_BUDGET: no memory. */
MUST_USE enum err bench_seal_set_front(struct bench_seal *seal, struct budget *budget,
                                       struct bytes front);
bool bench_seal_has_front(const struct bench_seal *seal);

/* A SEND whose payload is the front and `tail`. */
struct bench_seal_send {
    uint32_t client_seq;
    uint8_t channel_type;
    struct bytes client_msg_no;
    struct bytes channel_id;
    struct bytes tail;
};

/* Encrypts and signs. The payload's text lies in `scratch`, of bench_seal_scratch_bytes, until that
 * is used again. */
struct bytes bench_seal_send(const struct bench_seal *seal, const struct bench_seal_send *send,
                             uint8_t *scratch, uint8_t out_msg_key[BENCH_MSG_KEY_CHARS]);

/* Checks the key of a RECV and decrypts its payload, which then lies in `scratch`. ERR_DENIED: the
 * key is wrong. ERR_PROTOCOL: it cannot be decrypted. */
MUST_USE enum err bench_seal_recv(const struct bench_seal *seal, const struct packet_recv *recv,
                                  uint8_t *scratch, struct bytes *out_plain);

/* Enough for strings and payload of `size` bytes in all, as they are on the wire. */
size_t bench_seal_scratch_bytes(size_t size);
