/*
 * aes_lanes.h -- AES-128-CBC of several blocks side by side.
 *
 * To encrypt, in CBC each block waits for the one before it, and the processor's AES
 * instructions take several at a time: eight texts, each with a key of its own, take hardly
 * longer than one. To decrypt, the blocks of one text do not wait for each other. Where the
 * processor has no such instructions, crypto.h does it as it can.
 *
 * Pure; any thread.
 */
#pragma once

#include "system/crypto.h"

#include <stdbool.h>

#define AES_LANES 8u

struct aes_lane {
    const struct crypto_secret *secret;
    struct bytes plain;
    uint8_t *cipher; /* crypto_padded_size(plain.size) bytes; may be the place of `plain` */
};

/* Does for each of 1 to AES_LANES texts what crypto_encrypt does. It takes as long as the longest
 * of them. */
void aes_lanes(const struct aes_lane *lanes, uint32_t count);

/* Decrypts `blocks_count` blocks, without a look at their padding; `area` has room for them and may
 * be their place. False: nothing was done, the processor cannot. */
MUST_USE bool aes_lanes_decrypt(const struct crypto_secret *secret, const uint8_t *cipher,
                                size_t blocks_count, uint8_t *area);
