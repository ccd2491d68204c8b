/*
 * proxy.h -- the PROXY protocol header that a load balancer may put before a connection
 * (wire-protocol 1.3).
 *
 * Versions 1 (a line of text) and 2 (binary). What looks like a header and is not
 * one is ordinary data, as the header is optional.
 *
 * Bound: no header is longer than PROXY_BYTES_MAX; a longer one is not recognised.
 */
#pragma once

#include "base/bytes.h"

#define PROXY_BYTES_MAX 4096u /* addresses take 232 at most, the rest is for type-length-values */

enum proxy_result {
    PROXY_INCOMPLETE = 0, /* it may become a header with more bytes */
    PROXY_ABSENT,         /* this is no header: ordinary data */
    PROXY_FOUND,
};

struct proxy_header {
    size_t size;           /* of the header; the connection's own bytes follow */
    bool has_source;       /* false: LOCAL, UNKNOWN, or an address of another family */
    uint8_t source_ip[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint16_t source_port;
};

/* Looks at the first bytes of a connection. `out_header` is set when one was found. */
enum proxy_result proxy_decode(struct bytes input, struct proxy_header *out_header);
