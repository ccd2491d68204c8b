/*
 * soak_api.h -- an attack's back end: posts to the HTTP API, one request after the other.
 */
#pragma once

#include "cli/bench_http.h"
#include "cli/soak_attack.h"

/* Private to soak_api.c, but for what is marked. */
struct soak_api {
    struct soak_attack *attack;
    struct budget budget;
    struct bench_http http;
    uint8_t area[BENCH_HTTP_BYTES_MAX]; /* the caller's, to write bodies in */
};

MUST_USE enum err soak_api_open(struct soak_api *api, struct soak_attack *attack);

/* Posts what was written, and counts what came of it. */
void soak_api_post(struct soak_api *api, const char *path, const struct writer *writer);
