/*
 * wk.h -- the binary dialect of a client: frames in, frames out (wire-protocol 6 to 12).
 *
 * Frames are read where they were received and written where they leave from: nothing is kept but
 * what becomes a request. Without room for an answer the connection ends, since the client asks
 * more than it reads (write_queue.h); without room for a message the session is behind.
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

/* Takes the first frame of `stream`; `out_size` is what it took, also of a frame that was refused.
 * FLOW_HOLD: it is not complete, or has to wait. */
enum flow wk_take(struct edge *edge, struct conn *conn, struct bytes stream, size_t *out_size);

/* Answers the CONNECT at the beginning of `stream` with conn->login_reason; opens or closes the
 * connection. Returns the size of the frame. */
size_t wk_finish_login(struct edge *edge, struct conn *conn, struct bytes stream);

/* Ends the connection when there is no room. */
void wk_write_sendack(struct edge *edge, struct conn *conn, const struct send *send);

/* False: there is no room, and nothing was written. */
bool wk_write_recv(struct edge *edge, struct conn *conn, const struct push *push);

/* An EVENT; nothing for clients that do not know the packet (wire-protocol 6.11). False: no room.
 */
bool wk_write_event(struct edge *edge, struct conn *conn, const struct session_event *event);

/* Ends the connection when there is no room. */
void wk_write_disconnect(struct edge *edge, struct conn *conn, enum chat_reason reason,
                         struct bytes text);
