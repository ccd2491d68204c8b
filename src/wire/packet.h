/*
 * packet.h -- the packets of WKProto, from bytes and back (wire-protocol 2 to 6 and 15).
 *
 * The wire layer is pure: it turns bytes into structs and structs into bytes, keeps
 * nothing between two calls, allocates nothing and performs no I/O.
 *
 * The stream is cut into frames with packet_size, each frame is decoded with
 * packet_decode. Both directions are here, so that a client (the load generator,
 * a test) uses the same code as the server.
 *
 * Promises:
 *   (1) a decoder reads nothing outside of the frame it was given;
 *   (2) whatever a decoder accepts can be encoded again for the same version;
 *   (3) an encoder writes packet_encoded_size bytes, with the shortest remaining
 *       length, or nothing (Android and Flutter reject padded lengths).
 *
 * Bounds: a body that is read is at most PACKET_BODY_BYTES_MAX, a string at most
 * PACKET_STRING_BYTES_MAX. A body that is written may be larger: a RECV has more
 * fields than the SEND it comes from, and a payload that came in clear grows by a
 * third when it is encrypted; the reference writes such frames too. The strings of
 * a decoded packet are borrowed from the frame; they are not checked for UTF-8.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define PACKET_VERSION_MAX       6u /* the latest we speak; WuKongIM 2.2.5 speaks 5 */
#define PACKET_HEADER_BYTES_MAX  5u
#define PACKET_BODY_BYTES_MAX    (1u << 20)
#define PACKET_BYTES_MAX         (PACKET_HEADER_BYTES_MAX + PACKET_BODY_BYTES_MAX)
#define PACKET_WRITTEN_BYTES_MAX ((1u << 28) - 1) /* of a body: what four length bytes can say */
#define PACKET_STRING_BYTES_MAX  32767u           /* lengths are signed 16-bit numbers */
#define PACKET_SENDACK_BYTES     23u              /* at most, without client_msg_no */
#define PACKET_PONG_BYTES        1u

enum packet_type {
    PACKET_INVALID = 0,
    PACKET_CONNECT = 1,
    PACKET_CONNACK = 2,
    PACKET_SEND = 3,
    PACKET_SENDACK = 4,
    PACKET_RECV = 5,
    PACKET_RECVACK = 6,
    PACKET_PING = 7,
    PACKET_PONG = 8,
    PACKET_DISCONNECT = 9,
    PACKET_SUB = 10,
    PACKET_SUBACK = 11,
    PACKET_EVENT = 12,
};

/* Bits of struct packet.flags (wire-protocol 3.1). */
enum packet_flag {
    PACKET_FLAG_NO_PERSIST = 0x01,
    PACKET_FLAG_RED_DOT = 0x02,
    PACKET_FLAG_SYNC_ONCE = 0x04,
    PACKET_FLAG_DUP = 0x08,
    PACKET_FLAG_END = 0x10,                /* JSON-RPC has it; WKProto has no bit for it */
    PACKET_FLAG_HAS_SERVER_VERSION = 0x01, /* of CONNACK */
};
#define PACKET_FLAGS_ON_WIRE 0x0f

/* Bits of the setting byte of SEND and RECV (wire-protocol 4.4). */
enum packet_setting {
    PACKET_SETTING_STREAM = 0x02,
    PACKET_SETTING_STREAM_OLD = 0x04, /* servers up to 2.1.2; no meaning since */
    PACKET_SETTING_TOPIC = 0x08,
    PACKET_SETTING_NO_ENCRYPT = 0x10,
    PACKET_SETTING_SIGNAL = 0x20,
    PACKET_SETTING_RECEIPT = 0x80,
};

/* wire-protocol 4.1; 26 to 29 come from the v3 line. */
enum packet_reason {
    PACKET_REASON_UNKNOWN = 0,
    PACKET_REASON_SUCCESS = 1,
    PACKET_REASON_AUTH_FAIL = 2,
    PACKET_REASON_SUBSCRIBER_NOT_EXIST = 3,
    PACKET_REASON_IN_BLACKLIST = 4,
    PACKET_REASON_CHANNEL_NOT_EXIST = 5,
    PACKET_REASON_USER_NOT_ON_NODE = 6,
    PACKET_REASON_SENDER_OFFLINE = 7,
    PACKET_REASON_MSG_KEY_ERROR = 8,
    PACKET_REASON_PAYLOAD_DECODE_ERROR = 9,
    PACKET_REASON_FORWARD_SEND_PACKET_ERROR = 10,
    PACKET_REASON_NOT_ALLOW_SEND = 11,
    PACKET_REASON_CONNECT_KICK = 12,
    PACKET_REASON_NOT_IN_WHITELIST = 13,
    PACKET_REASON_QUERY_TOKEN_ERROR = 14,
    PACKET_REASON_SYSTEM_ERROR = 15,
    PACKET_REASON_CHANNEL_ID_ERROR = 16,
    PACKET_REASON_NODE_MATCH_ERROR = 17,
    PACKET_REASON_NODE_NOT_MATCH = 18,
    PACKET_REASON_BAN = 19,
    PACKET_REASON_NOT_SUPPORT_HEADER = 20,
    PACKET_REASON_CLIENT_KEY_IS_EMPTY = 21,
    PACKET_REASON_RATE_LIMIT = 22,
    PACKET_REASON_NOT_SUPPORT_CHANNEL_TYPE = 23,
    PACKET_REASON_DISBAND = 24,
    PACKET_REASON_SEND_BAN = 25,
    PACKET_REASON_CHANNEL_DELETING = 26,
    PACKET_REASON_PROTOCOL_UPGRADE_REQUIRED = 27,
    PACKET_REASON_IDEMPOTENCY_CONFLICT = 28,
    PACKET_REASON_MESSAGE_SEQ_EXHAUSTED = 29,
};

/* Other values of the device flag are accepted and compared as numbers (wire-protocol 4.2). */
enum packet_device {
    PACKET_DEVICE_APP = 0,
    PACKET_DEVICE_WEB = 1,
    PACKET_DEVICE_PC = 2,
    PACKET_DEVICE_SYSTEM = 99,
};

/* wire-protocol 4.3. */
enum packet_channel {
    PACKET_CHANNEL_PERSON = 1,
    PACKET_CHANNEL_GROUP = 2,
    PACKET_CHANNEL_CUSTOMER_SERVICE = 3,
    PACKET_CHANNEL_COMMUNITY = 4,
    PACKET_CHANNEL_COMMUNITY_TOPIC = 5,
    PACKET_CHANNEL_INFO = 6,
    PACKET_CHANNEL_DATA = 7,
    PACKET_CHANNEL_TEMP = 8,
    PACKET_CHANNEL_LIVE = 9,
    PACKET_CHANNEL_VISITORS = 10,
    PACKET_CHANNEL_AGENT = 11,
    PACKET_CHANNEL_AGENT_GROUP = 12,
};

enum packet_stream {
    PACKET_STREAM_START = 0,
    PACKET_STREAM_ONGOING = 1,
    PACKET_STREAM_END = 2,
};

enum packet_action {
    PACKET_ACTION_SUBSCRIBE = 0,
    PACKET_ACTION_UNSUBSCRIBE = 1,
};

/* The same layout in every version. */
struct packet_connect {
    uint8_t version;
    uint8_t device_flag;
    struct bytes device_id;
    struct bytes uid;
    struct bytes token;
    int64_t client_timestamp_ms; /* some clients send seconds */
    struct bytes client_key;
};

struct packet_connack {
    uint8_t server_version; /* with PACKET_FLAG_HAS_SERVER_VERSION only */
    int64_t time_diff_ms;
    uint8_t reason;
    struct bytes server_key;
    struct bytes salt;
    uint64_t node_id; /* from version 4 */
};

struct packet_send {
    uint8_t setting;
    uint8_t channel_type;
    uint32_t client_seq;
    uint32_t expire_s; /* from version 3 */
    struct bytes client_msg_no;
    struct bytes stream_no; /* versions 2 to 4 with PACKET_SETTING_STREAM */
    struct bytes channel_id;
    struct bytes msg_key;
    struct bytes topic; /* with PACKET_SETTING_TOPIC */
    struct bytes payload;
};

struct packet_sendack {
    uint64_t message_id;
    uint64_t message_seq; /* 32 bits before version 6 */
    uint32_t client_seq;
    uint8_t reason;
    struct bytes client_msg_no; /* the v3 line appends it; left out when empty */
};

struct packet_recv {
    uint8_t setting;
    uint8_t channel_type;
    uint8_t stream_flag;  /* the three stream fields: versions 2 to 4 with PACKET_SETTING_STREAM */
    uint32_t expire_s;    /* from version 3 */
    uint32_t timestamp_s; /* signed on the wire */
    uint64_t stream_id;
    uint64_t message_id;
    uint64_t message_seq; /* 32 bits before version 6 */
    struct bytes msg_key;
    struct bytes from_uid;
    struct bytes channel_id;
    struct bytes client_msg_no;
    struct bytes stream_no;
    struct bytes topic; /* with PACKET_SETTING_TOPIC */
    struct bytes payload;
};

struct packet_recvack {
    uint64_t message_id;
    uint64_t message_seq; /* 32 bits before version 6 */
};

struct packet_disconnect {
    uint8_t reason;
    struct bytes text;
};

struct packet_sub {
    uint8_t setting;
    uint8_t channel_type;
    uint8_t action;
    struct bytes sub_no;
    struct bytes channel_id;
    struct bytes param;
};

struct packet_suback {
    uint8_t channel_type;
    uint8_t action;
    uint8_t reason;
    struct bytes sub_no;
    struct bytes channel_id;
};

struct packet_event {
    struct bytes id;
    struct bytes type;
    int64_t timestamp_ms;
    struct bytes data;
};

/* PING and PONG have no body. */
struct packet {
    enum packet_type type;
    uint8_t flags; /* a sum of enum packet_flag */
    union {
        struct packet_connect connect;
        struct packet_connack connack;
        struct packet_send send;
        struct packet_sendack sendack;
        struct packet_recv recv;
        struct packet_recvack recvack;
        struct packet_disconnect disconnect;
        struct packet_sub sub;
        struct packet_suback suback;
        struct packet_event event;
    };
};

/* The size of the frame that `input` begins with, as soon as its header is there; the body may not
 * be. ERR_AGAIN: the header is incomplete. ERR_PROTOCOL: no such type, or a fifth length byte is
 * announced. ERR_LIMIT: the body is larger than PACKET_BODY_BYTES_MAX. */
MUST_USE enum err packet_size(struct bytes input, size_t *out_size);

/* Decodes one complete frame, of packet_size bytes. Bytes behind the last field are ignored.
 * `version` is the negotiated one; CONNECT does not depend on it. ERR_PROTOCOL: the body is too
 * short for its fields, or the type unknown. */
MUST_USE enum err packet_decode(struct bytes frame, uint8_t version, struct packet *out_packet);

/* The size of the frame that packet_encode writes. */
size_t packet_encoded_size(const struct packet *packet, uint8_t version);

/* Writes one frame, or nothing. Fields that this version does not have are left out. ERR_LIMIT: a
 * string, the body or a message_seq is larger than the wire can say. ERR_FULL: no room. */
MUST_USE enum err packet_encode(const struct packet *packet, uint8_t version,
                                struct writer *writer);

/* Where the parts of a RECV go that are only known when the rest is written. */
struct packet_recv_room {
    uint8_t *msg_key;
    uint8_t *payload;
};

/* As packet_encode, for a RECV whose key and payload the caller writes into their places in the
 * frame afterwards (encryption goes straight there): only their sizes are looked at. */
MUST_USE enum err packet_encode_recv(const struct packet *packet, uint8_t version,
                                     struct writer *writer, struct packet_recv_room *out_room);

/* "AuthFail" and so on; "Unknown" for numbers without a name. Never NULL. */
const char *packet_reason_name(uint8_t reason);
