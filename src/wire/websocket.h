/*
 * websocket.h -- RFC 6455 without I/O: the upgrade, frame headers, masking, and the stream inside.
 *
 * Data messages are not boundaries here (wire-protocol 1.2): their payloads, text
 * or binary, whole or in fragments, form one byte stream. websocket_consume turns
 * raw bytes into that stream in place, and hands out control frames one at a time.
 *
 * Between two reads a connection keeps a struct websocket_state and less than
 * WEBSOCKET_RAW_BYTES_MAX raw bytes (part of a header or of a control frame): a
 * large data frame is passed on as it comes, whatever length it announces.
 *
 * Extensions and subprotocols are never negotiated. SHA-1 belongs to the caller:
 * the digest of a key followed by WEBSOCKET_GUID is an argument.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define WEBSOCKET_GUID                    "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define WEBSOCKET_KEY_CHARS               24u
#define WEBSOCKET_ACCEPT_CHARS            28u
#define WEBSOCKET_DIGEST_BYTES            20u
#define WEBSOCKET_HEAD_BYTES_MAX          8192u /* of an upgrade request or its response */
#define WEBSOCKET_ACCEPT_BYTES_MAX        160u  /* of what websocket_accept_encode writes */
#define WEBSOCKET_MASK_BYTES              4u
#define WEBSOCKET_HEADER_BYTES_MAX        10u /* unmasked, as a server sends */
#define WEBSOCKET_MASKED_HEADER_BYTES_MAX 14u /* as a client sends */
#define WEBSOCKET_CONTROL_BYTES_MAX       125u
/* One masked control frame: what websocket_consume leaves unconsumed is less than that. */
#define WEBSOCKET_RAW_BYTES_MAX (2u + WEBSOCKET_MASK_BYTES + WEBSOCKET_CONTROL_BYTES_MAX)

#define WEBSOCKET_CODE_PROTOCOL 1002u /* of a close: the peer broke the rules */

enum websocket_opcode {
    WEBSOCKET_OPCODE_CONTINUATION = 0x0,
    WEBSOCKET_OPCODE_TEXT = 0x1,
    WEBSOCKET_OPCODE_BINARY = 0x2,
    WEBSOCKET_OPCODE_CLOSE = 0x8,
    WEBSOCKET_OPCODE_PING = 0x9,
    WEBSOCKET_OPCODE_PONG = 0xa,
};

/* ---- The upgrade. ---- */

/* What an upgrade request says; borrowed from it. The addresses are those a proxy has written, as
 * they came, and empty if absent. */
struct websocket_upgrade {
    size_t size; /* of the request's head; frames may follow at once */
    struct bytes key;
    struct bytes forwarded_for; /* X-Forwarded-For */
    struct bytes real_ip;       /* X-Real-IP */
    struct bytes real_port;     /* X-Real-Port */
};

/* Decodes an upgrade request (wire-protocol 1.1). ERR_AGAIN: the head is incomplete. ERR_LIMIT: it
 * is longer than WEBSOCKET_HEAD_BYTES_MAX. ERR_PROTOCOL: it is none that we accept. */
MUST_USE enum err websocket_upgrade_decode(struct bytes input,
                                           struct websocket_upgrade *out_upgrade);

/* The text that answers a key: base64 of the SHA-1 of the key and WEBSOCKET_GUID. */
void websocket_accept_text(const uint8_t digest[WEBSOCKET_DIGEST_BYTES],
                           uint8_t out_text[WEBSOCKET_ACCEPT_CHARS]);

/* Writes the 101 response, at most WEBSOCKET_ACCEPT_BYTES_MAX bytes. */
void websocket_accept_encode(const uint8_t digest[WEBSOCKET_DIGEST_BYTES], struct writer *writer);

/* Client: writes the request. `key` is base64 of 16 random bytes. */
void websocket_request_encode(struct bytes host, struct bytes path, struct bytes key,
                              struct writer *writer);

/* Client: decodes a 101 response whose accept text is that of `digest`. The errors are those of
 * websocket_upgrade_decode. `out_size`: of the response's head; frames may follow at once. */
MUST_USE enum err websocket_response_decode(struct bytes input,
                                            const uint8_t digest[WEBSOCKET_DIGEST_BYTES],
                                            size_t *out_size);

/* ---- Frames. ---- */

struct websocket_header {
    uint64_t payload_size;
    uint8_t size;   /* of this header */
    uint8_t opcode; /* enum websocket_opcode */
    bool is_final;
    bool is_masked;
    uint8_t mask[WEBSOCKET_MASK_BYTES];
};

/* Decodes a frame's header. ERR_AGAIN: it is incomplete. ERR_PROTOCOL: reserved bits or opcode, a
 * control frame that is fragmented or too long, a length that is not in its shortest form or has
 * its top bit set. Masked or not is the caller's to judge. */
MUST_USE enum err websocket_header_decode(struct bytes input, struct websocket_header *out_header);

/* The size of the header that websocket_header_encode writes. */
static inline size_t websocket_header_size(uint64_t payload_size)
{
    return payload_size < 126 ? 2 : (payload_size <= UINT16_MAX ? 4 : 10);
}

/* Writes the header of a whole (FIN) unmasked frame. `opcode` is an enum websocket_opcode. */
void websocket_header_encode(uint8_t opcode, uint64_t payload_size, struct writer *writer);

/* Client: the same for a masked frame; the payload behind it is masked by the caller. */
void websocket_masked_header_encode(uint8_t opcode, uint64_t payload_size,
                                    const uint8_t mask[WEBSOCKET_MASK_BYTES],
                                    struct writer *writer);

/* Masks or unmasks `size` bytes in place; `offset` bytes of the payload came before them. */
void websocket_mask(uint8_t *data, size_t size, const uint8_t mask[WEBSOCKET_MASK_BYTES],
                    uint64_t offset);

/* ---- The stream. ---- */

/* How far a connection is in its frames. Zeroed memory is the beginning of the server's side, which
 * wants masked frames; a client sets `is_client` and wants unmasked ones. Private to websocket.c
 * but for that. */
struct websocket_state {
    uint64_t payload_left; /* of the data frame being received */
    uint8_t mask[WEBSOCKET_MASK_BYTES];
    uint8_t mask_offset; /* 0 to 3: the next byte of the mask */
    bool is_in_message;  /* a fragmented message has begun and not ended */
    bool is_client;
};

_Static_assert(sizeof(struct websocket_state) <= 24, "each WebSocket connection has one");

enum websocket_event_kind {
    WEBSOCKET_EVENT_NONE = 0,
    WEBSOCKET_EVENT_PING,
    WEBSOCKET_EVENT_PONG,
    WEBSOCKET_EVENT_CLOSE, /* the payload is empty, or a code of two bytes and a text */
};

struct websocket_event {
    enum websocket_event_kind kind;
    struct bytes payload; /* unmasked; lies in the consumed bytes, behind the produced ones */
    size_t consumed;      /* raw bytes that are done with */
    size_t produced;      /* stream bytes, now at the front of `data`; at most `consumed` */
};

/* Turns raw bytes into stream bytes, in place. ERR_OK: stopped behind a control frame; call again
 * with what is left. ERR_AGAIN: all that could be consumed was, and there is no event.
 * ERR_PROTOCOL: the peer breaks the rules, and nothing behind this is to be looked at; the
 * connection is to be closed. In all cases `out_event` says how much was consumed and produced
 * before. */
MUST_USE enum err websocket_consume(struct websocket_state *state, uint8_t *data, size_t size,
                                    struct websocket_event *out_event);
