/*
 * http_shares.h -- how much of something each peer address holds.
 *
 * Addresses fall into HTTP_SHARES buckets, by a hash under a key that nobody outside knows; two
 * that fall into one are taken for one, which costs them a little of their share and nothing else.
 * Of IPv6 it is the network of 64 bits that counts: a host has all of it.
 *
 * Belongs to one thread.
 */
#pragma once

#include "base/hash.h"
#include "system/socket.h"

#define HTTP_SHARES 256u

struct http_shares {
    uint32_t held[HTTP_SHARES];
    uint32_t holders_count; /* buckets that hold something */
    uint32_t total;
};

/* The bucket of an address. */
uint8_t http_share_of(const struct hash_key *key, const struct address *address);

void http_share_take(struct http_shares *shares, uint8_t share);
void http_share_give(struct http_shares *shares, uint8_t share);

/* Does it hold more than each would if all held the same? Where there is one address (a proxy's)
 * nobody does. */
bool http_share_is_over(const struct http_shares *shares, uint8_t share);
