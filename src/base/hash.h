/*
 * hash.h -- the hashes that are part of the behaviour, and the one for tables.
 *
 * crc32c places keys in slots (design 5); crc32 (IEEE) orders the two uids of a
 * person channel (semantics 2.2); fnv1a64 names temporary channels (semantics
 * 2.4). siphash is keyed: tables whose keys a peer may choose use it, so that
 * nobody can choose collisions.
 */
#pragma once

#include "base/bytes.h"

struct hash_key {
    uint64_t k0;
    uint64_t k1;
};

/* SipHash-1-3 of `bytes` under `key`. */
uint64_t hash_siphash(const struct hash_key *key, struct bytes bytes);

/* CRC-32C (Castagnoli), of short ids and of whole rows. `seed` is 0, or the result over the bytes
 * before. */
uint32_t hash_crc32c(uint32_t seed, struct bytes bytes);

/* CRC-32 (IEEE 802.3), as zip and WuKongIM use it. */
uint32_t hash_crc32(struct bytes bytes);

/* FNV-1a, 64 bits. */
uint64_t hash_fnv1a64(struct bytes bytes);
