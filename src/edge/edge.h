/*
 * edge.h -- how the world reaches the domain: one shard's connections and what they share.
 *
 * The edge layer turns bytes into what the chat layer understands and back:
 * listeners, connections (TCP, TLS, WebSocket, PROXY), both dialects of the
 * client protocol, and the HTTP API. One `struct edge` a shard; nothing in it is
 * touched by another thread.
 *
 * A turn of the edge: what is readable is read and handed on (edge_read), then
 * what strangers want (strangers.h), later everything that became writable or has
 * something to say is written (edge_write), and at the very end the doomed are buried
 * (edge_bury), when nobody up the stack holds a pointer to them any more.
 */
#pragma once

#include "chat/session.h"
#include "edge/checking.h"
#include "edge/conn.h"
#include "edge/signing.h"
#include "edge/strangers.h"
#include "edge/write_queue.h"
#include "shard/shard.h"
#include "system/crypto.h"

struct tls_context;

#define EDGE_LISTENERS_MAX 8
#define EDGE_FRAMES_FAIR   32 /* of a connection, when there is enough to do (edge_is_crowded) */
#define EDGE_SCRATCH_BYTES 65536u
#define EDGE_DIRTY_MAX     256     /* written at once when more have something to say */
#define EDGE_BURY_NS       500000u /* of a turn: to close is as dear as to accept (strangers.h) */

enum transport {
    TRANSPORT_TCP = 0,
    TRANSPORT_WEBSOCKET,
};

/* A port that clients connect to, shared by all shards. */
struct listener {
    int fd;
    enum transport transport;
    _Atomic(struct tls_context *) *tls; /* its newest certificate; borrowed; NULL: it is plain */
};

/* How many connections all shards have together. Users live where their uid says, so a shard's
 * table is larger than its part of `maxConnections`, and only this keeps the sum. */
struct edge_crowd {
    _Atomic(uint32_t) count; /* those on their way from shard to shard among them */
    uint32_t max;
};

/* What the operator decided; the same for all shards. */
struct edge_settings {
    bool is_encryption_off; /* disableEncryption */
    bool is_jsonrpc_off;    /* disableJSONRPC */
    uint32_t idle_ms;       /* connIdleTime */
    uint64_t node_id;       /* in CONNACK */
    uint32_t conns_max;     /* of one shard */
};

/* Private to the edge layer. */
struct edge {
    struct shard *shard;
    struct chat *chat;
    const struct edge_settings *settings;
    struct listener *listeners; /* shared and still; borrowed */
    uint32_t listeners_count;
    struct edge_crowd *crowd; /* shared; borrowed */
    bool is_accepting;

    struct budget conns_budget;
    struct budget writes_budget;
    struct budget reads_budget; /* incomplete frames, and sends under way */
    size_t packet_bytes_max; /* of WKProto: with little memory less than the wire allows, since */
    size_t object_bytes_max; /* what never fits would wait for ever; of JSON-RPC */

    struct conns conns;
    struct write_blocks blocks;
    struct list dirty;          /* conns with something to write */
    struct list readable;       /* sessions with more to read than their part of the last turn */
    struct strangers strangers; /* who has no session yet */
    struct list stalled;        /* conns that wait for memory to be free, or for the next turn */
    struct list doomed;         /* conns to be buried at the end of a turn */
    bool is_burying;            /* some of `doomed` are of an earlier turn */
    uint32_t dirty_count;
    bool has_read_on;         /* of `stalled` somebody waits for the next turn only */
    uint8_t *scratch;         /* EDGE_SCRATCH_BYTES: what is being read now */
    uint8_t *sealing;         /* SEAL_SCRATCH_BYTES; several at once have their texts there, too */
    struct signing signing;   /* payloads and keys that are due before the next write */
    struct checking checking; /* SENDs whose keys are due before the end of the turn's reading */
    uint32_t sends;           /* requests that have not come home */
    uint32_t posted;          /* of them: posted since edge_read was over last */
    uint32_t moving;          /* connections whose letters have not come home */
};

struct edge_options {
    struct shard *shard;
    struct chat *chat;
    const struct edge_settings *settings;
    struct listener *listeners;
    uint32_t listeners_count;
    struct edge_crowd *crowd;
};

MUST_USE enum err edge_init(struct edge *edge, const struct edge_options *options);
void edge_deinit(struct edge *edge);

/* The port through which the chat layer speaks to sessions. */
const struct session_port *edge_session_port(void);

/* One more connection in all, and one less. False: there are as many as there may be. */
bool edge_crowd_enter(struct edge *edge);
void edge_crowd_leave(struct edge *edge);

/* Handles one event of the shard's loop. */
void edge_on_event(struct edge *edge, const struct loop_event *event);

/* Reads what is left from the last turn. True: there is still more. */
bool edge_read(struct edge *edge);

/* Writes what waits. True: there is more to read because of that. */
bool edge_write(struct edge *edge);

/* Gives up spare buffers and the unused end of the table, for quiet times. */
void edge_rest(struct edge *edge);

/* Closes the doomed, for as long as EDGE_BURY_NS. The last phase of a turn. True: there are more.
 */
bool edge_bury(struct edge *edge);

/* Have connections asked for more than a turn has time for? Then one is read a few frames at a
 * time, in turn with all others, so that who asks once does not stand behind hundreds of questions
 * of those who ask as fast as they can. */
bool edge_is_crowded(const struct edge *edge);

/* Is no connection here, and nothing under way that must come home? */
bool edge_is_idle(const struct edge *edge);

/* No new connections from now on. */
void edge_stop_accepting(struct edge *edge);

/* Closes every connection without a word, so that SDKs connect again. */
void edge_close_all(struct edge *edge);

static inline struct edge *edge_of(void *receiver)
{
    struct shard *shard = receiver;
    return shard->edge;
}
