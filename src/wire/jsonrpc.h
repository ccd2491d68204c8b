/*
 * jsonrpc.h -- the JSON-RPC dialect: the same packets, written as JSON objects (jsonrpc.md).
 *
 * The stream is cut into objects with jsonrpc_object_size; each object is decoded
 * into a request that holds a struct packet; what the server says is encoded from
 * a struct packet too.
 *
 * Nothing is allocated: strings are borrowed from the object, or, where they have
 * to be changed (escapes, base64), from an area of the caller.
 *
 * The extensions of jsonrpc 13 are in: snake-case names, object payloads, recvack
 * as a request, numbers as ids, `header` always in recv, `timeDiff` always in the
 * answer to connect, `"result":null` for ping.
 *
 * Bounds: an object is at most JSONRPC_OBJECT_BYTES_MAX long and
 * JSON_TOKEN_DEPTH_MAX deep; a string that goes into a packet is at most
 * PACKET_STRING_BYTES_MAX long.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "wire/json_token.h"
#include "wire/packet.h"

#define JSONRPC_OBJECT_BYTES_MAX (1u << 21)
#define JSONRPC_ID_BYTES_MAX     32767u /* quotes and escapes included */
#define JSONRPC_VERSION_DEFAULT  5u     /* of a connect without a version (jsonrpc 4.1) */

/* How far an incomplete object was looked at. Zeroed memory is the beginning. Private to
 * jsonrpc.c. */
struct jsonrpc_scan {
    uint64_t arrays; /* a bit a level: is it an array? */
    uint32_t offset; /* the bytes before this one were looked at */
    uint8_t depth;
    bool is_in_string;
    bool is_escaped;
};

/* The size of the first complete object in `input`, blanks before it included. `input` begins with
 * the same byte each time until it is found (the scan then begins anew); only bytes that are new
 * are looked at. ERR_AGAIN: incomplete. ERR_LIMIT: too long. ERR_PROTOCOL: no object can come of
 * it. */
MUST_USE enum err jsonrpc_object_size(struct bytes input, struct jsonrpc_scan *scan,
                                      size_t *out_size);

/* Why an object was refused. */
enum jsonrpc_fault {
    JSONRPC_FAULT_NONE = 0,
    JSONRPC_FAULT_SYNTAX,   /* not JSON; whoever sends this does not speak the protocol */
    JSONRPC_FAULT_VERSION,  /* `jsonrpc` is there and not "2.0" */
    JSONRPC_FAULT_ID,       /* no string and no integer, or missing where it is needed */
    JSONRPC_FAULT_REQUEST,  /* neither a request nor a notification */
    JSONRPC_FAULT_RESPONSE, /* a response; we ask nothing */
    JSONRPC_FAULT_METHOD,   /* none that we know */
    JSONRPC_FAULT_PARAMS,   /* missing, of the wrong type, or out of range */
    JSONRPC_FAULT_PAYLOAD,  /* not standard base64 with padding */
};

struct jsonrpc_request {
    struct bytes id;        /* the JSON text of it, as it came; empty: answer without an id */
    bool is_request;        /* it came with an id, be it empty */
    bool is_object_payload; /* the payload is a JSON object; its text is packet.send.payload */
    struct packet packet;   /* CONNECT, SEND, RECVACK, PING or DISCONNECT */
};

/* Decodes one object. `area` has room for object.size bytes and may be the object's own place,
 * which is then destroyed. The request borrows from both. On a fault its `id` and `is_request` are
 * set as far as they could be told, and nothing else. client_seq is 0; without a version it is
 * JSONRPC_VERSION_DEFAULT; a send's client_msg_no may be empty. */
MUST_USE enum jsonrpc_fault jsonrpc_decode(struct bytes object, uint8_t *area,
                                           struct jsonrpc_request *out_request);

/* The code of the JSON-RPC specification, and a text for people. Never NULL. */
int32_t jsonrpc_fault_code(enum jsonrpc_fault fault);
const char *jsonrpc_fault_text(enum jsonrpc_fault fault);

/* How a packet is to be encoded. */
struct jsonrpc_answer {
    const struct packet *packet;
    struct bytes id;   /* the request's; empty for notifications */
    bool wants_object; /* RECV: payload as an object if it is the text of one */
};

/* What jsonrpc_encode writes is not larger. */
size_t jsonrpc_size_max(const struct jsonrpc_answer *answer);

/* Writes one object, or nothing.
 *   CONNACK                 the result of connect; a refusal is an error with its reason as code
 *   SENDACK                 the result of send, whatever its reason
 *   PONG, RECVACK           the empty answer to ping and to recvack
 *   RECV, DISCONNECT, EVENT notifications
 * `id` is not used for notifications. Other types are a bug. ERR_FULL: no room. */
MUST_USE enum err jsonrpc_encode(const struct jsonrpc_answer *answer, struct writer *writer);

/* What jsonrpc_error_encode writes is not larger. */
size_t jsonrpc_error_size_max(struct bytes id, struct bytes text);

/* Writes an error object. ERR_FULL: no room. */
MUST_USE enum err jsonrpc_error_encode(struct bytes id, int32_t code, struct bytes text,
                                       struct writer *writer);
