/*
 * soak_server.h -- a server of our own to play against: this binary, in a directory that is thrown
 * away, on free loopback ports.
 *
 * With a small disk its data lie on a file system in memory that is easily filled; with one that
 * stalls, on a file that is mounted and can be frozen. Only root may make these.
 */
#pragma once

#include "cli/soak_options.h"

#include <sys/types.h>

#define SOAK_PATH_CHARS 160u

enum soak_server_kind {
    SOAK_SERVER_PLAIN = 0,
    SOAK_SERVER_SMALL_DISK,
    SOAK_SERVER_STALLING_DISK,
    SOAK_SERVER_HOOK, /* it sends webhooks to options->hook */
};

/* Private to soak_server.c, but for what is marked. */
struct soak_server {
    char directory[SOAK_PATH_CHARS];
    char data[SOAK_PATH_CHARS + 8]; /* readable */
    char tcp[32];
    char ws[32];
    char http[32];
    char tls[32];
    char hook[32];
    pid_t pid; /* readable; 0: none */
    bool has_tls;
    bool is_mounted;
};

/* Starts it and makes `options` point to it. ERR_DENIED: such a disk cannot be had. ERR_IO: it did
 * not start; it was printed why. Without the program `openssl` there is no port for TLS. */
MUST_USE enum err soak_server_start(struct soak_server *server, struct soak_options *options,
                                    enum soak_server_kind kind);

/* Ends it and removes its directory. ERR_CLOSED: it had ended by itself, or ended badly; how is in
 * `out_status`, as waitpid has it. */
MUST_USE enum err soak_server_stop(struct soak_server *server, int *out_status);

/* Makes the disk that `path` is on stall, and answer again. ERR_IO: it cannot be made to. */
MUST_USE enum err soak_server_freeze(const char *path);
void soak_server_thaw(const char *path);

/* Does it still run? */
bool soak_server_is_running(struct soak_server *server);
