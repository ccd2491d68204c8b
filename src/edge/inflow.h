/*
 * inflow.h -- the bytes of one connection that are being consumed now.
 *
 * They lie in the shard's scratch area, behind what the connection had held, for as long as it is
 * being read; what is left at the end is held again (conn_read.c).
 */
#pragma once

#include "wire/jsonrpc.h"

#include <stddef.h>
#include <stdint.h>

/* [ stream bytes | raw bytes | room ]: raw bytes are as they came from the socket; stream bytes are
 * what is left when PROXY and WebSocket are taken off. */
struct inflow {
    uint8_t *area;
    size_t capacity;
    size_t stream_size;
    size_t raw_size;
    struct jsonrpc_scan scan; /* how far the object at the front was looked at */
};

/* What becomes of a frame. */
enum flow {
    FLOW_NEXT = 0, /* done; go on */
    FLOW_HOLD,     /* incomplete, or it has to wait: keep it */
    FLOW_MOVE,     /* keep it and move the connection to conn->move_to */
    FLOW_STOP,     /* the connection is closing */
};
