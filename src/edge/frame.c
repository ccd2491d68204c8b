#include "edge/frame.h"

#include "base/assert.h"
#include "edge/conn.h"
#include "edge/edge.h"
#include "telemetry/metric.h"
#include "wire/websocket.h"

static uint8_t frame_opcode(const struct conn *conn)
{
    return conn->dialect == DIALECT_JSONRPC ? WEBSOCKET_OPCODE_TEXT : WEBSOCKET_OPCODE_BINARY;
}

struct packet_metrics {
    enum metric count;
    enum metric bytes;
};

/* By type; those that are not named count as PACKET_INVALID: other. */
static const struct packet_metrics taken[] = {
    [PACKET_INVALID] = {METRIC_IN_OTHER, METRIC_IN_OTHER_BYTES},
    [PACKET_CONNECT] = {METRIC_IN_CONNECT, METRIC_IN_CONNECT_BYTES},
    [PACKET_SEND] = {METRIC_IN_SEND, METRIC_IN_SEND_BYTES},
    [PACKET_RECVACK] = {METRIC_IN_RECVACK, METRIC_IN_RECVACK_BYTES},
    [PACKET_PING] = {METRIC_IN_PING, METRIC_IN_PING_BYTES},
};
static const struct packet_metrics given[] = {
    [PACKET_INVALID] = {METRIC_OUT_OTHER, METRIC_OUT_OTHER_BYTES},
    [PACKET_CONNACK] = {METRIC_OUT_CONNACK, METRIC_OUT_CONNACK_BYTES},
    [PACKET_SENDACK] = {METRIC_OUT_SENDACK, METRIC_OUT_SENDACK_BYTES},
    [PACKET_RECV] = {METRIC_OUT_RECV, METRIC_OUT_RECV_BYTES},
    [PACKET_PONG] = {METRIC_OUT_PONG, METRIC_OUT_PONG_BYTES},
    [PACKET_DISCONNECT] = {METRIC_OUT_DISCONNECT, METRIC_OUT_DISCONNECT_BYTES},
    [PACKET_EVENT] = {METRIC_OUT_EVENT, METRIC_OUT_EVENT_BYTES},
};

static void count_packet(struct metrics_slot *slot, const struct packet_metrics *metrics,
                         size_t size)
{
    metric_add(slot, metrics->count, 1);
    metric_add(slot, metrics->bytes, size);
}

/* The line of this type, or that of the others. A gap is all zero, and METRIC 0 counts no bytes. */
static enum packet_type named(const struct packet_metrics *metrics, size_t count,
                              enum packet_type type)
{
    return type < count && metrics[type].bytes != 0 ? type : PACKET_INVALID;
}

void frame_taken(struct edge *edge, struct conn *conn, enum packet_type type, size_t size)
{
    count_packet(edge->shard->metrics, &taken[named(taken, COUNT_OF(taken), type)], size);
    conn->traffic.in_packets++;
}

static void frame_given(struct edge *edge, struct conn *conn, enum packet_type type, size_t size)
{
    count_packet(edge->shard->metrics, &given[named(given, COUNT_OF(given), type)], size);
    conn->traffic.out_packets++;
    conn_mark_dirty(edge, conn);
}

bool frame_begin(struct edge *edge, struct conn *conn, size_t size, enum write_kind kind,
                 struct writer *out_writer)
{
    const bool is_wrapped = conn->transport == TRANSPORT_WEBSOCKET;
    const size_t head = is_wrapped ? websocket_header_size(size) : 0;
    uint8_t *room = write_queue_reserve(&edge->blocks, &conn->queue, head + size, kind);
    if (room == NULL) {
        return false;
    }
    if (is_wrapped) {
        struct writer header = writer_of(room, head);
        websocket_header_encode(frame_opcode(conn), size, &header);
    }
    *out_writer = writer_of(room + head, size);
    return true;
}

void frame_end(struct edge *edge, struct conn *conn, enum packet_type type,
               const struct writer *writer)
{
    ASSERT(!writer->is_full);
    const size_t size = writer_size(writer);
    ASSERT(writer->at == writer->end);
    const bool is_wrapped = conn->transport == TRANSPORT_WEBSOCKET;
    write_queue_commit(&conn->queue, size + (is_wrapped ? websocket_header_size(size) : 0));
    frame_given(edge, conn, type, size);
}

bool frame_begin_loose(struct edge *edge, struct conn *conn, size_t size_max, enum write_kind kind,
                       struct writer *out_writer)
{
    const size_t head =
        conn->transport == TRANSPORT_WEBSOCKET ? websocket_header_size(size_max) : 0;
    uint8_t *room = write_queue_reserve(&edge->blocks, &conn->queue, head + size_max, kind);
    if (room == NULL) {
        return false;
    }
    *out_writer = writer_of(room + head, size_max);
    return true;
}

void frame_end_loose(struct edge *edge, struct conn *conn, enum packet_type type,
                     const struct writer *writer)
{
    ASSERT(!writer->is_full);
    const size_t size = writer_size(writer);
    size_t head = 0;
    if (conn->transport == TRANSPORT_WEBSOCKET) {
        /* The header for what was written may be shorter than the one room was left for. */
        const size_t left = websocket_header_size((size_t)(writer->end - writer->begin));
        head = websocket_header_size(size);
        uint8_t *room = writer->begin - left;
        memmove(room + head, writer->begin, size);
        struct writer header = writer_of(room, head);
        websocket_header_encode(frame_opcode(conn), size, &header);
    }
    write_queue_commit(&conn->queue, head + size);
    frame_given(edge, conn, type, size);
}
