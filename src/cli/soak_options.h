/*
 * soak_options.h -- what the command line of `jingu soak` asks for.
 *
 *   jingu soak [--name VALUE | --name=VALUE | --flag]…
 *
 * Without --target it starts a server of its own, from the same binary, and judges that. Addresses
 * other than loopback are refused, always: what this tool does is done to one's own server only.
 */
#pragma once

#include "base/err.h"
#include "system/socket.h"

#define SOAK_PAYLOAD_BYTES 1024u /* of what attackers send */

struct soak_options {
    /* Whom to play against. */
    const char *tcp; /* NULL: a server of our own */
    const char *ws;
    const char *http;
    const char *tls;
    const char *api_token;
    struct address tcp_address;
    struct address ws_address;
    struct address http_address;
    struct address tls_address;
    uint32_t pid;
    const char *own_disk; /* a directory on the server's small disk; our own sets it; or NULL */
    const char *hook;     /* where the server sends webhooks; our own sets it; or NULL */
    struct address hook_address;

    /* What to play. */
    const char *scenario; /* NULL: all */
    const char *seed_text;
    uint64_t seed;
    uint32_t attack_s;
    uint32_t rest_s;
    uint32_t settle_s; /* from a part's beginning; growth is not judged within them */
    uint32_t back_s;
    uint32_t drain_s;
    uint32_t cycles;
    uint32_t hours;
    bool is_together;
    bool is_quick;
    bool is_listing;

    /* What to hold it to. */
    uint32_t budget_mib; /* 0: not judged */
    uint32_t memory_mib; /* our own server's */
    uint32_t back_percent;
    uint32_t p99_ms;

    /* What is said about it. */
    const char *json_file;
    const char *html_file;
    bool is_quiet;
};

/* Reads `argv`, which begins behind the word "soak". ERR_PROTOCOL: there is a fault, which was
 * printed. ERR_ABSENT: nothing but help was asked for, and given. */
MUST_USE enum err soak_options_parse(int argc, char **argv, struct soak_options *out_options);
