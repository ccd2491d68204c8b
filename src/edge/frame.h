/*
 * frame.h -- room for one outgoing frame in a connection's write queue, wrapped as its transport
 * asks.
 *
 * A frame is built where it will be written from. On a WebSocket it is one
 * message of its own: binary for WKProto, text for JSON (wire-protocol 1.2).
 *
 * A frame that was begun and not ended leaves nothing behind. The thread of the connection's shard.
 */
#pragma once

#include "base/bytes.h"
#include "edge/write_queue.h"
#include "wire/packet.h"

struct conn;
struct edge;

/* A writer over exactly `size` bytes for the frame; `out_writer` is untouched when there is no room
 * (false). */
bool frame_begin(struct edge *edge, struct conn *conn, size_t size, enum write_kind kind,
                 struct writer *out_writer);

/* The frame is complete: all of its bytes were written. It is counted as a packet of this type,
 * PACKET_INVALID as another. */
void frame_end(struct edge *edge, struct conn *conn, enum packet_type type,
               const struct writer *writer);

/* A frame whose size is not known before: at most `size_max`, at the end what was written. */
bool frame_begin_loose(struct edge *edge, struct conn *conn, size_t size_max, enum write_kind kind,
                       struct writer *out_writer);
void frame_end_loose(struct edge *edge, struct conn *conn, enum packet_type type,
                     const struct writer *writer);

/* Counts a packet that was read, without what wraps it; PACKET_INVALID as another. */
void frame_taken(struct edge *edge, struct conn *conn, enum packet_type type, size_t size);
