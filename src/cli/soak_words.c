#include "cli/soak_words.h"

#include "base/assert.h"
#include "cli/bench_seal.h"
#include "wire/packet.h"
#include "wire/websocket.h"

#include <stdio.h>

#define HEAD_CHARS 256u

void soak_words_upgrade(struct writer *writer)
{
    websocket_request_encode(BYTES_OF("127.0.0.1"), BYTES_OF("/"),
                             BYTES_OF("dGhlIHNhbXBsZSBub25jZQ=="), writer);
}

void soak_words_frame(struct writer *writer, uint64_t size)
{
    static const uint8_t no_mask[WEBSOCKET_MASK_BYTES] = {0};
    websocket_masked_header_encode(WEBSOCKET_OPCODE_BINARY, size, no_mask, writer);
}

void soak_words_connect(struct writer *writer, const char *uid)
{
    static uint8_t client_key[BENCH_KEY_CHARS]; /* one for all: nothing is decrypted */
    if (client_key[0] == 0) {
        struct bench_seal seal = {.front = NULL};
        const enum err err = bench_seal_begin(&seal, client_key);
        ASSERT(err == ERR_OK);
    }
    const struct packet packet = {
        .type = PACKET_CONNECT,
        .connect = {.version = 5,
                    .device_flag = PACKET_DEVICE_WEB,
                    .device_id = bytes_of_string(uid),
                    .uid = bytes_of_string(uid),
                    .client_key = {.data = client_key, .size = sizeof(client_key)}},
    };
    ERR_IGNORE(packet_encode(&packet, 5, writer), "a full writer remembers");
}

void soak_words_packet(struct writer *writer, uint8_t type_and_flags, uint32_t length)
{
    writer_u8(writer, type_and_flags);
    writer_varint(writer, length);
}

void soak_words_client_hello(struct writer *writer)
{
    static const uint8_t hello[] = {
        0x16, 0x03, 0x01, 0x02, 0x00,       /* a handshake record of 512 bytes */
        0x01, 0x00, 0x01, 0xfc, 0x03, 0x03, /* ClientHello, 508 bytes, TLS 1.2 */
    };
    writer_bytes_add(writer, (struct bytes){.data = hello, .size = sizeof(hello)});
}

void soak_words_client_hello_whole(struct writer *writer)
{
    static const uint8_t begin[] = {
        0x16, 0x03, 0x01, 0x00, 0x7e,       /* a handshake record of 126 bytes */
        0x01, 0x00, 0x00, 0x7a, 0x03, 0x03, /* ClientHello, 122 bytes */
    };
    static const uint8_t end[] = {
        0x00,                                           /* no session */
        0x00, 0x02, 0x13, 0x01,                         /* one cipher suite */
        0x01, 0x00,                                     /* no compression */
        0x00, 0x4f,                                     /* extensions: 79 bytes */
        0x00, 0x2b, 0x00, 0x03, 0x02, 0x03, 0x04,       /* versions: 1.3 */
        0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x1d, /* groups: x25519 */
        0x00, 0x0d, 0x00, 0x12, 0x00, 0x10, 0x04, 0x03, 0x05, 0x03, 0x06, 0x03, /* signatures */
        0x08, 0x07, 0x08, 0x04, 0x08, 0x05, 0x04, 0x01, 0x05, 0x01, 0x00, 0x33,
        0x00, 0x26, 0x00, 0x24, 0x00, 0x1d, 0x00, 0x20, /* a key share; 32 bytes follow */
    };
    writer_bytes_add(writer, (struct bytes){.data = begin, .size = sizeof(begin)});
    for (uint32_t i = 0; i < 32; i++) {
        writer_u8(writer, (uint8_t)(i * 7 + 1)); /* "random" */
    }
    writer_bytes_add(writer, (struct bytes){.data = end, .size = sizeof(end)});
    for (uint32_t i = 0; i < 32; i++) {
        writer_u8(writer, (uint8_t)(i * 11 + 9)); /* any 32 bytes are a public key */
    }
}

void soak_words_post(struct writer *writer, const char *path, uint64_t length)
{
    char head[HEAD_CHARS];
    const int size = snprintf(head, sizeof(head),
                              "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                              "Content-Type: application/json\r\nContent-Length: %llu\r\n\r\n",
                              path, (unsigned long long)length);
    ASSERT(size > 0);
    ASSERT((size_t)size < sizeof(head));
    writer_bytes_add(writer, bytes_of_string(head));
}
