#include "edge/seal.h"

#include "support/test.h"
#include "wire/base64.h"

#include <stdio.h>

#define SIZE_MAX_TRIED 50000u

/* A plain way to the same: everything in one piece, as wire-protocol 7.2 and 7.4 say it. */
struct plain_way {
    uint8_t sign[2 * SIZE_MAX_TRIED];
    uint8_t cipher[2 * SIZE_MAX_TRIED + CRYPTO_BLOCK_BYTES];
    uint8_t text[3 * SIZE_MAX_TRIED];
    uint8_t payload[2 * SIZE_MAX_TRIED];
    size_t payload_size;
    char msg_key[SEAL_MSG_KEY_CHARS + 1];
};

static const struct crypto_secret secret = {.key = "d8e6474fb0ec4b66", .iv = "Xk3dP9mQ2vL7wZ1n"};

static size_t encrypt_to_text(struct bytes plain, uint8_t *cipher, uint8_t *text)
{
    crypto_encrypt(&secret, plain, cipher);
    const struct bytes all = {.data = cipher, .size = crypto_padded_size(plain.size)};
    base64_encode(all, text);
    return base64_encoded_size(all.size);
}

/* Signs `front` and then the payload. */
static void go_plain_way(struct plain_way *way, const char *front, struct bytes plain)
{
    way->payload_size = encrypt_to_text(plain, way->cipher, way->payload);
    const size_t front_size = strlen(front);
    memcpy(way->sign, front, front_size);
    memcpy(way->sign + front_size, way->payload, way->payload_size);
    const struct bytes sign = {.data = way->sign, .size = front_size + way->payload_size};
    const size_t text_size = encrypt_to_text(sign, way->cipher, way->text);
    uint8_t digest[CRYPTO_MD5_BYTES];
    crypto_md5((struct bytes){.data = way->text, .size = text_size}, digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        snprintf(way->msg_key + 2 * i, 3, "%02x", digest[i]);
    }
}

static struct plain_way way;
static uint8_t plain[SIZE_MAX_TRIED];
static uint8_t payload[2 * SIZE_MAX_TRIED];
static uint8_t opened[2 * SIZE_MAX_TRIED];
static uint8_t msg_key[SEAL_MSG_KEY_CHARS];
static uint8_t scratch[SEAL_SCRATCH_BYTES];

/* Into `payload` and `msg_key`, with the names and numbers of wire-protocol 17.2. */
static void seal_as_documented(struct bytes bytes)
{
    const struct seal_recv recv = {
        .message_id = 1788923456789012345u,
        .seq = 7,
        .timestamp_s = 1700000001,
        .channel_type = 1,
        .client_msg_no = BYTES_OF("m-0001"),
        .from_uid = BYTES_OF("u1"),
        .channel_id = BYTES_OF("u1"),
    };
    const struct seal_place place = {.payload = payload, .msg_key = msg_key, .scratch = scratch};
    seal_recv(&secret, &recv, bytes, &place);
}

static void check_size(size_t size)
{
    for (size_t i = 0; i < size; i++) {
        plain[i] = (uint8_t)(i * 31 + size);
    }
    const struct bytes bytes = {.data = plain, .size = size};
    go_plain_way(&way, "17889234567890123457m-00011700000001u1u11", bytes);
    seal_as_documented(bytes);
    CHECK_EQ(seal_payload_size(size), way.payload_size);
    CHECK(memcmp(payload, way.payload, way.payload_size) == 0);
    CHECK(memcmp(msg_key, way.msg_key, sizeof(msg_key)) == 0);

    go_plain_way(&way, "1m-0001u21", bytes);
    const struct seal_send send = {
        .client_seq = 1,
        .client_msg_no = BYTES_OF("m-0001"),
        .channel_id = BYTES_OF("u2"),
        .channel_type = 1,
        .payload = {.data = way.payload, .size = way.payload_size},
    };
    struct bytes key = {.data = (const uint8_t *)way.msg_key, .size = SEAL_MSG_KEY_CHARS};
    CHECK_OK(seal_check(&secret, &send, key, scratch));
    way.msg_key[SEAL_MSG_KEY_CHARS - 1] ^= 1;
    CHECK_EQ(seal_check(&secret, &send, key, scratch), ERR_PROTOCOL);
    size_t opened_size = 0;
    CHECK_OK(seal_open(&secret, send.payload, opened, &opened_size));
    CHECK_EQ(opened_size, size);
    CHECK(size == 0 || memcmp(opened, plain, size) == 0);
}

/* Around the ends of the pieces, which depend on what stands before the payload, and some more. */
TEST(a_message_of_any_size_is_sealed_as_if_in_one_piece)
{
    for (size_t size = 0; size <= 64; size++) {
        check_size(size);
    }
    for (size_t size = 5100; size <= 5250; size++) {
        check_size(size);
    }
    for (size_t size = 6880; size <= 6944; size++) {
        check_size(size);
    }
    for (size_t size = 10280; size <= 10430; size++) {
        check_size(size);
    }
    for (size_t size = 6912; size <= SIZE_MAX_TRIED; size += 6912) {
        check_size(size);
        check_size(size + 1);
    }
}

/* wire-protocol 17.2. */
TEST(the_documented_exchange_is_sealed_as_documented)
{
    const struct bytes bytes = BYTES_OF("{\"type\":1,\"content\":\"hello\"}");
    seal_as_documented(bytes);
    CHECK(memcmp(payload, "L22F3sfCJqDvX/0m7Z35wSg4FJUAFD10pxV56GunljM=", 44) == 0);
    CHECK(memcmp(msg_key, "4ec81143d588b93ae29e4e5681d61912", SEAL_MSG_KEY_CHARS) == 0);
}
