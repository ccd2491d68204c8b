#include "store/checksum.h"

#include "base/hash.h"

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc32c_hardware(uint32_t seed, struct bytes bytes)
{
    uint64_t crc = ~seed;
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    for (; left >= sizeof(uint64_t); left -= sizeof(uint64_t), at += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        crc = _mm_crc32_u64(crc, word);
    }
    uint32_t last = (uint32_t)crc;
    for (; left > 0; left--, at++) {
        last = _mm_crc32_u8(last, *at);
    }
    return ~last;
}

uint32_t checksum_crc32c(uint32_t seed, struct bytes bytes)
{
    return __builtin_cpu_supports("sse4.2") ? crc32c_hardware(seed, bytes)
                                            : hash_crc32c(seed, bytes);
}

#else

uint32_t checksum_crc32c(uint32_t seed, struct bytes bytes)
{
    return hash_crc32c(seed, bytes);
}

#endif
