/*
 * tls.h -- TLS on a connection that never blocks (TLS 1.2 and 1.3, server side).
 *
 * A context holds the certificate and is shared by all connections of a
 * listener; a reload makes a new one, and the old one goes with its last
 * connection. Idle connections give their record buffers back.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

struct tls_context; /* opaque: counted */
struct tls;         /* opaque: one connection */

/* Reads a PEM certificate chain and key. ERR_IO: they cannot be read or do not belong together;
 * `out_why` says what, in words. */
MUST_USE enum err tls_context_open(const char *cert_file, const char *key_file,
                                   struct tls_context **out_context, char *out_why,
                                   size_t why_size);
void tls_context_close(struct tls_context *context); /* NULL is allowed */

/* A connection that is about to shake hands over `fd`. NULL: no memory. */
struct tls *tls_accept(struct tls_context *context, int fd);
void tls_close(struct tls *tls); /* NULL is allowed; does not close the descriptor */

/* ERR_AGAIN: the socket must be ready again. ERR_PROTOCOL: the peer cannot be understood. */
MUST_USE enum err tls_handshake(struct tls *tls);

/* As socket_read and socket_write; a write of one part. A read gives a record at most: only
 * ERR_AGAIN means that the socket is empty. */
MUST_USE enum err tls_read(struct tls *tls, uint8_t *area, size_t size, size_t *out_size);
MUST_USE enum err tls_write(struct tls *tls, struct bytes bytes, size_t *out_size);
