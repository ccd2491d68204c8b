/*
 * bench_http.h -- a client for the server's HTTP API, just large enough to prepare a run and to
 * time one request.
 *
 * HTTP/1.1, one request at a time on a kept connection, answers with Content-Length, in chunks, or
 * up to the end of the connection. It waits: a scenario that measures requests measures what a back
 * end meets that asks them one after the other.
 */
#pragma once

#include "cli/bench_buffer.h"
#include "system/loop.h"
#include "system/socket.h"

#define BENCH_HTTP_MS_MAX     30000u
#define BENCH_HTTP_BYTES_MAX  65536u /* of a request's body */
#define BENCH_HTTP_ANSWER_MAX (64u << 20)
#define BENCH_HTTP_HEAD_BYTES 1024u

/* Private to bench_http.c. */
struct bench_http {
    struct address address;
    const char *token; /* borrowed; NULL: none */
    struct budget *budget;
    struct loop loop;
    struct bench_buffer in;
    struct bytes answer; /* the body of the last one; in `in` */
    uint64_t took_ns;
    int fd;
};

MUST_USE enum err bench_http_open(struct bench_http *http, const struct address *address,
                                  const char *token, struct budget *budget);
void bench_http_close(struct bench_http *http);

/* Posts a JSON body of at most BENCH_HTTP_BYTES_MAX. ERR_CLOSED: no answer; else `out_status` is
 * the answer's. */
MUST_USE enum err bench_http_post(struct bench_http *http, const char *path, struct bytes body,
                                  uint32_t *out_status);

/* The body of the last answer, until the next request. */
struct bytes bench_http_answer(const struct bench_http *http);

/* From the first byte of the last request that went to the last byte of the answer that came. */
uint64_t bench_http_took_ns(const struct bench_http *http);
