#include "edge/http_shares.h"

#include "base/assert.h"

#define V4_MAPPED_BYTES 12u
#define V6_NET_BYTES    8u

uint8_t http_share_of(const struct hash_key *key, const struct address *address)
{
    static const uint8_t mapped[V4_MAPPED_BYTES] = {[10] = 0xff, [11] = 0xff};
    const bool is_v4 = memcmp(address->ip, mapped, sizeof(mapped)) == 0;
    const struct bytes whose = {.data = address->ip,
                                .size = is_v4 ? sizeof(address->ip) : V6_NET_BYTES};
    return (uint8_t)(hash_siphash(key, whose) % HTTP_SHARES);
}

void http_share_take(struct http_shares *shares, uint8_t share)
{
    shares->holders_count += shares->held[share] == 0;
    shares->held[share]++;
    shares->total++;
}

void http_share_give(struct http_shares *shares, uint8_t share)
{
    ASSERT(shares->held[share] > 0);
    shares->held[share]--;
    shares->total--;
    shares->holders_count -= shares->held[share] == 0;
}

bool http_share_is_over(const struct http_shares *shares, uint8_t share)
{
    return (uint64_t)shares->held[share] * shares->holders_count > shares->total;
}
