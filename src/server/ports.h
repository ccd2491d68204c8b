/*
 * ports.h -- what a server listens on, and what its secure ports show their clients.
 *
 * All are opened before anything of the data is touched, so that a second server started by
 * mistake gets no further. The client ports are listened on by all shards; those of the API and of
 * the manager belong to HTTP from its start on. A certificate may be replaced while clients log
 * in: who has begun with the one before goes on with it.
 *
 * On the main thread; the shards read `listeners`, and through them the current certificates.
 */
#pragma once

#include "edge/edge.h"
#include "server/config.h"
#include "store/store.h"

#include <stdio.h>

struct tls_context;

/* What a secure port shows. */
struct certificate {
    _Atomic(struct tls_context *) current; /* NULL: there is no such port */
    struct tls_context *before; /* replaced by a reload; kept for the loops that still read it */
};

struct ports {
    struct listener listeners[EDGE_LISTENERS_MAX]; /* for clients */
    struct config_address addresses[EDGE_LISTENERS_MAX];
    const char *names[EDGE_LISTENERS_MAX];
    uint32_t listeners_count;
    struct certificate wss;
    struct certificate tls;
    int http_fd;    /* -1: not opened */
    int manager_fd; /* -1: the manager's port is not open */
};

/* Without any; what ports_close may be given. */
void ports_init(struct ports *ports);

/* Opens what is configured. After an error what is open is still to be closed. */
MUST_USE enum err ports_open(struct ports *ports, const struct config *config,
                             struct store_fault *out_why);

/* Reads the certificates again. One that cannot be read is told in the log and changes nothing.
 * Not again before all shards have made a turn. */
void ports_reload(struct ports *ports, const struct config *config);

/* `is_http_kept`: HTTP has closed its own, or will. */
void ports_close(struct ports *ports, bool is_http_kept);

/* One a line, for people. */
void ports_print(const struct ports *ports, FILE *out);
