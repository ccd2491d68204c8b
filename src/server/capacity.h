/*
 * capacity.h -- limits into bytes: what each part of the server may use of the one budget.
 *
 * The operator gives one number of bytes. This is where it is divided, one line a
 * holder, and where a number that is too small is refused with the smallest that
 * would do. The lines are printed at start; their sum is the number.
 */
#pragma once

#include "edge/http.h"
#include "server/config.h"

#include <stdio.h>

#define CAPACITY_LINES_MAX 16

/* What the kernel may keep for one connection, as it counts: beside the budget, because it is not
 * our memory, but bounded. Larger ones help only a peer that is far away and takes megabytes. */
#define CAPACITY_SOCKET_SEND_BYTES    131072u
#define CAPACITY_SOCKET_RECEIVE_BYTES 65536u

struct capacity_line {
    const char *holder;
    uint64_t bytes;
    const char *reason;
};

/* What the parts are given. */
struct capacity {
    uint64_t memory_bytes;
    uint32_t shards_count;
    uint32_t readers_count;
    uint32_t conns_per_shard;
    uint32_t conns_all;        /* of all shards together */
    uint64_t shard_bytes;      /* each */
    uint64_t streams_bytes;    /* each shard, beside shard_bytes */
    uint64_t stream_bytes_max; /* contents of one event stream, on disk */
    uint64_t http_bytes;
    struct http_limits http;
    uint64_t webhook_bytes; /* 0: there are none */
    uint64_t source_bytes;  /* 0: there is no data source */
    uint64_t committer_bytes;
    uint32_t batch_bytes;
    uint32_t batch_messages;
    uint64_t cache_bytes;
    uint64_t memtables_bytes;
    uint64_t filters_bytes;
    uint32_t files_open_max;
    uint64_t kernel_bytes; /* socket memory, beside the budget: conns x their buffers */
    struct capacity_line lines[CAPACITY_LINES_MAX];
    uint32_t lines_count;
};

/* Why a configuration does not fit: what would. */
struct capacity_refusal {
    uint64_t smallest_bytes;  /* of memory, for all else that was asked */
    uint32_t connections_max; /* with the memory that was given; 0: it is too little anyway */
};

/* Divides. ERR_BUDGET: it does not fit, and `out_refusal` says what would. */
MUST_USE enum err capacity_plan(const struct config *config, uint64_t descriptors_max,
                                struct capacity *out_capacity,
                                struct capacity_refusal *out_refusal);

/* The table, for people. */
void capacity_print(const struct capacity *capacity, FILE *out);
