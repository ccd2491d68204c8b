/* How bytes go out: at the end of the turn, in as few system calls as the connection allows. */
#include "base/assert.h"
#include "edge/conn.h"
#include "edge/edge.h"

void conn_mark_dirty(struct edge *edge, struct conn *conn)
{
    if (list_is_linked(&conn->dirty) || conn->state == CONN_DOOMED) {
        return;
    }
    list_push_back(&edge->dirty, &conn->dirty);
    edge->dirty_count++;
}

/* It has read enough of its answers to be read on, in the next turn: this one's records have left.
 */
static void conn_read_on(struct edge *edge, struct conn *conn)
{
    if (list_is_linked(&conn->waiting)) {
        list_remove(&conn->waiting);
    }
    list_push_back(&edge->stalled, &conn->waiting);
    edge->has_read_on = true;
}

void conn_flush(struct edge *edge, struct conn *conn)
{
    if (list_is_linked(&conn->dirty)) {
        list_remove(&conn->dirty);
        edge->dirty_count--;
    }
    if (conn->is_handshaking || !conn->is_writable) {
        return;
    }
    signing_finish(&edge->signing);
    const bool was_full = conn->queue.size > WRITE_QUEUE_ASKED_MAX;
    size_t written = 0;
    const enum err err =
        write_queue_flush(&edge->blocks, &conn->queue, conn->fd, conn->tls, &written);
    conn->traffic.out_bytes += written;
    metric_add(edge->shard->metrics, METRIC_CLIENT_BYTES_OUT, written);
    if (err == ERR_AGAIN) {
        conn->is_writable = false;
    } else if (err != ERR_OK) {
        conn_doom(edge, conn, CAUSE_PEER);
        return;
    }
    if (conn->state == CONN_CLOSING) {
        if (write_queue_is_empty(&conn->queue)) {
            conn_doom(edge, conn, (enum conn_cause)conn->cause);
        }
        return;
    }
    if (was_full && conn->queue.size <= WRITE_QUEUE_ASKED_MAX) {
        conn_read_on(edge, conn);
    }
    if (conn->session.is_behind && conn->queue.size <= WRITE_QUEUE_DRAINED_BYTES) {
        session_drained(edge->chat, &conn->session);
    }
}
