/*
 * prng.h -- repeatable random numbers, for tests, jitter and load; not for secrets.
 *
 * splitmix64: any seed is good, the whole state is one number that can be
 * printed and typed in again. Secrets come from system/crypto.h.
 */
#pragma once

#include <stdint.h>

struct prng {
    uint64_t state;
};

static inline void prng_init(struct prng *prng, uint64_t seed)
{
    prng->state = seed;
}

static inline uint64_t prng_next(struct prng *prng)
{
    uint64_t z = (prng->state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* A number below `bound`, which is not 0. The bias is below bound / 2^64. */
static inline uint64_t prng_below(struct prng *prng, uint64_t bound)
{
    return prng_next(prng) % bound;
}
