/*
 * socket.h -- TCP sockets that never block.
 *
 * Addresses are kept as 16 bytes (IPv4 mapped into IPv6) and a port, so that
 * one form serves the kernel, PROXY headers and forwarded headers.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

struct address {
    uint8_t ip[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint16_t port;
};

#define ADDRESS_TEXT_MAX 64

/* "127.0.0.1", without the port; always terminated. */
void address_text(const struct address *address, char out_text[ADDRESS_TEXT_MAX]);

/* An IPv4 or IPv6 address in text. ERR_PROTOCOL: it is none. */
MUST_USE enum err address_parse(struct bytes text, struct address *out_address);

/* "127.0.0.1", "::1" or "localhost" with a port, for listening and connecting. */
MUST_USE enum err address_resolve(const char *host, uint16_t port, struct address *out_address);

bool address_is_loopback(const struct address *address);

struct sockaddr;
struct sockaddr_storage;

/* The same for what a library got from the kernel. */
bool address_is_loopback_kernel(const struct sockaddr *address);

/* As a library wants it: fills `storage`, returns the size. */
uint32_t address_to_kernel(const struct address *address, struct sockaddr_storage *storage);

/* Listens with SO_REUSEADDR; what it accepts has TCP_NODELAY set. ERR_IO: the text of errno is the
 * reason. Port 0 takes a free one. */
MUST_USE enum err socket_listen(const struct address *address, int *out_fd);
uint16_t socket_port(int fd);

/* Takes one waiting connection, with the options of its listener. ERR_AGAIN: none is waiting.
 * ERR_FULL: no descriptor is left. ERR_CLOSED: this one has gone already; try again. */
MUST_USE enum err socket_accept(int listener, int *out_fd, struct address *out_peer);

/* Begins to connect; writable when done. */
MUST_USE enum err socket_connect(const struct address *address, int *out_fd);
/* Did it connect? */
MUST_USE enum err socket_connected(int fd);

/* The kernel memory a connection may take, set on purpose (design 8): send and receive buffer in
 * bytes as the kernel counts them. 0: leave it. Of the send buffer a quarter at most is data that
 * the network has not taken. Of a listener: what it accepts from now on has the same. */
void socket_limit(int fd, uint32_t send_bytes, uint32_t receive_bytes);

/* How long the kernel keeps what is not acknowledged, or is for a peer that does not read, until it
 * breaks the connection. A peer may be slow for as long as it lives: this is for one that is about
 * to be closed, whose last bytes would stay in the kernel for as long as it answers probes. */
void socket_keep_unread(int fd, uint32_t keep_ms);

/* ERR_AGAIN: nothing there now. ERR_CLOSED: the peer has closed or the connection broke. */
MUST_USE enum err socket_read(int fd, uint8_t *area, size_t size, size_t *out_size);

/* The same, and what was read stays there. */
MUST_USE enum err socket_peek(int fd, uint8_t *area, size_t size, size_t *out_size);

/* What the peer has sent, and what it has acknowledged, since it connected; in bytes. Two of these
 * tell whether anything moves. 0: the kernel does not know. */
uint64_t socket_moved_bytes(int fd);

/* What was written and the peer has not acknowledged. */
uint32_t socket_unsent_bytes(int fd);

/* Writes what the kernel takes of up to 16 parts. ERR_AGAIN: nothing now. */
#define SOCKET_PARTS_MAX 16
MUST_USE enum err socket_write(int fd, const struct bytes *parts, uint32_t count, size_t *out_size);

/* Nothing more is taken in: what has come can be read, then comes the end. Whoever waits for the
 * socket wakes. */
void socket_stop_reading(int fd);
/* Ends both directions; the descriptor stays. */
void socket_end(int fd);
/* When it is closed, nothing stays in the kernel of what the peer has not taken: it is told that
 * the connection broke. */
void socket_leave_nothing(int fd);
void socket_close(int fd);
