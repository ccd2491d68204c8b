/*
 * rpc.h -- the JSON-RPC dialect of a client: objects in, objects out (jsonrpc).
 *
 * Each call is the packet that it stands for, so everything behind the dialect is shared with wk.h,
 * which also says what happens without room. An object has at most JSONRPC_OBJECT_BYTES_MAX bytes.
 *
 * The thread of the connection's shard.
 */
#pragma once

#include "base/bytes.h"
#include "chat/send.h"
#include "chat/session.h"
#include "edge/inflow.h"

struct conn;
struct edge;

/* As wk_take, for JSON objects. `scan` is how far the object was looked at before. */
enum flow rpc_take(struct edge *edge, struct conn *conn, struct bytes stream,
                   struct jsonrpc_scan *scan, size_t *out_size);

/* As wk_finish_login, for `connect`: a result, or an error when refused (jsonrpc 4.3). */
size_t rpc_finish_login(struct edge *edge, struct conn *conn, struct bytes stream);

/* The answer of a `send`. */
void rpc_write_sent(struct edge *edge, struct conn *conn, const struct send *send);
/* A `recv` notification. False: there is no room. */
bool rpc_write_recv(struct edge *edge, struct conn *conn, const struct push *push);
/* An `event` notification. False: there is no room. */
bool rpc_write_event(struct edge *edge, struct conn *conn, const struct session_event *event);

void rpc_write_disconnect(struct edge *edge, struct conn *conn, enum chat_reason reason,
                          struct bytes text);
