/*
 * bench_client.h -- one user of the load generator: a connection that speaks WKProto over TCP.
 *
 *   FREE --bench_client_open--> CONNECTING --> LOGGING_IN --CONNACK--> ONLINE
 *     ^                              |              |                     |
 *     +------ bench_client_close, or the connection ends ----------------+
 *
 * It does what a shipped client does, no more: a key pair of its own for every login, RECVACK for
 * each RECV, PONGs are only counted. What it writes leaves with bench_engine_flush, so that the
 * packets of one turn share a system call. The scenario learns of packets through the engine's
 * handler; when that closes the client, nothing more is read for it.
 *
 * A client may be told to have a vice (`jingu soak`); none is the honest client.
 */
#pragma once

#include "base/list.h"
#include "cli/bench_buffer.h"
#include "cli/bench_seal.h"

#define BENCH_UID_CHARS_MAX 40u
#define BENCH_OUT_BYTES_MAX                                                                        \
    (1u << 20)                        /* a client with more than that unwritten sends nothing new */
#define BENCH_FRAME_BYTES_MAX 131072u /* what a client accepts; the largest payload needs half */

struct bench_engine;

enum bench_client_state {
    BENCH_CLIENT_FREE = 0,
    BENCH_CLIENT_CONNECTING,
    BENCH_CLIENT_LOGGING_IN,
    BENCH_CLIENT_ONLINE,
};

/* How a connection ended without our doing. */
enum bench_end {
    BENCH_END_CLOSED = 0, /* by the server, or it never came to be */
    BENCH_END_KICKED,     /* DISCONNECT, then closed or not */
    BENCH_END_REFUSED,    /* CONNACK said no */
    BENCH_END_PROTOCOL,   /* the server sent what it must not */
    BENCH_END_MEMORY,     /* ours gave out */
    BENCH_ENDS_COUNT,
};

enum bench_vice {
    BENCH_VICE_NONE = 0,
    BENCH_VICE_DEAF,      /* once online it reads nothing more */
    BENCH_VICE_MUTE,      /* it acknowledges nothing */
    BENCH_VICE_WRONG_ACK, /* it acknowledges what it was not sent */
    BENCH_VICE_SLOW,      /* once online it is read only by bench_client_read */
};

/* Private to bench_client.c and bench_engine.c, but for what is marked. */
struct bench_client {
    struct list dirty;      /* linked while there may be something to write */
    struct bench_buffer in; /* an incomplete frame */
    struct bench_buffer out;
    struct bench_seal seal;
    uint64_t began_ns;        /* readable: when it began to connect */
    uint32_t index;           /* readable */
    uint32_t generation;      /* tells the events of an earlier connection apart */
    uint32_t client_seq_last; /* readable: of the last SEND */
    int fd;
    enum bench_client_state state; /* readable */
    uint8_t version;               /* readable, once online: the negotiated one */
    bool is_encrypted;             /* readable, once online */
    enum bench_vice vice;          /* the scenario's */
    char uid[BENCH_UID_CHARS_MAX]; /* the scenario's, before it is opened */
};

/* A SEND; its payload is the client's own front and `tail`. */
struct bench_send {
    uint8_t channel_type;
    struct bytes channel_id;
    struct bytes client_msg_no;
    struct bytes tail;
};

/* Begins to connect. ERR_IO: the system refused at once; the client is still free. */
MUST_USE enum err bench_client_open(struct bench_engine *engine, struct bench_client *client);

/* Ends the connection, whatever its state; the handler is not told. */
void bench_client_close(struct bench_engine *engine, struct bench_client *client);

/* Can it take a SEND now? */
bool bench_client_can_send(const struct bench_client *client);

/* Encrypts if the server does, and queues. ERR_BUDGET: no memory. */
MUST_USE enum err bench_client_send(struct bench_engine *engine, struct bench_client *client,
                                    const struct bench_send *send);
MUST_USE enum err bench_client_ping(struct bench_engine *engine, struct bench_client *client);

/* Does what an event asks for. */
struct loop_event;
void bench_client_on_event(struct bench_engine *engine, struct bench_client *client,
                           const struct loop_event *event);

/* Reads what is there, up to `size` bytes, for a client whose vice keeps it from reading. */
void bench_client_read(struct bench_engine *engine, struct bench_client *client, size_t size);

/* Writes what the socket takes. */
void bench_client_flush(struct bench_engine *engine, struct bench_client *client);

/* "closed" and so on. */
const char *bench_end_name(enum bench_end end);
