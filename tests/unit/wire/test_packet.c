#include "wire/packet.h"

#include "hex.h"
#include "packet_equal.h"
#include "support/test.h"
#include "wire_vectors.h"

#include <stdlib.h>

#define AREA_BYTES 4096u
#define STEPS      20000u

/* ---- The reference's frames. ---- */

TEST(every_reference_frame_decodes_to_its_fields)
{
    for (size_t i = 0; i < COUNT_OF(wire_vectors); i++) {
        const struct wire_vector *vector = &wire_vectors[i];
        uint8_t area[AREA_BYTES];
        const struct bytes frame = hex_bytes(vector->hex, area, sizeof(area));
        size_t size = 0;
        CHECK_OK(packet_size(frame, &size));
        CHECK_EQ(size, frame.size);
        for (uint8_t version = vector->version_first; version <= vector->version_last; version++) {
            struct packet packet;
            CHECK_OK(packet_decode(frame, version, &packet));
            check_packet_equal(&packet, &vector->packet);
        }
    }
}

TEST(every_reference_frame_is_encoded_byte_for_byte)
{
    for (size_t i = 0; i < COUNT_OF(wire_vectors); i++) {
        const struct wire_vector *vector = &wire_vectors[i];
        uint8_t expected_area[AREA_BYTES];
        const struct bytes expected = hex_bytes(vector->hex, expected_area, sizeof(expected_area));
        for (uint8_t version = vector->version_first; version <= vector->version_last; version++) {
            uint8_t area[AREA_BYTES];
            struct writer writer = writer_of(area, sizeof(area));
            CHECK_EQ(packet_encoded_size(&vector->packet, version), expected.size);
            CHECK_OK(packet_encode(&vector->packet, version, &writer));
            CHECK_BYTES(writer_bytes(&writer), expected);
        }
    }
}

/* ---- Cutting the stream (wire-protocol 3.2, 17.4). ---- */

static enum err size_of(const char *hex, size_t *out_size)
{
    uint8_t area[16];
    return packet_size(hex_bytes(hex, area, sizeof(area)), out_size);
}

TEST(a_frame_is_measured_as_soon_as_its_header_is_there)
{
    size_t size = 0;
    CHECK_OK(size_of("3001", &size));
    CHECK_EQ(size, 3);
    CHECK_OK(size_of("307f", &size));
    CHECK_EQ(size, 129);
    CHECK_OK(size_of("308001", &size));
    CHECK_EQ(size, 131);
    CHECK_OK(size_of("30d909", &size));
    CHECK_EQ(size, 1244);
    CHECK_OK(size_of("30808040", &size));
    CHECK_EQ(size, 1048580);
    CHECK_OK(size_of("7f", &size));
    CHECK_EQ(size, 1);
    CHECK_OK(size_of("80ffffff", &size));
    CHECK_EQ(size, 1);
}

TEST(an_incomplete_header_asks_for_more_bytes)
{
    size_t size = 12345;
    CHECK_EQ(packet_size(BYTES_EMPTY, &size), ERR_AGAIN);
    CHECK_EQ(size_of("30", &size), ERR_AGAIN);
    CHECK_EQ(size_of("3080", &size), ERR_AGAIN);
    CHECK_EQ(size_of("308080", &size), ERR_AGAIN);
    CHECK_EQ(size_of("30808080", &size), ERR_AGAIN);
    CHECK_EQ(size, 12345);
}

TEST(unknown_types_and_endless_lengths_are_refused_at_once)
{
    size_t size = 0;
    CHECK_EQ(size_of("00", &size), ERR_PROTOCOL);
    CHECK_EQ(size_of("0000", &size), ERR_PROTOCOL);
    CHECK_EQ(size_of("d00100", &size), ERR_PROTOCOL);
    CHECK_EQ(size_of("e0", &size), ERR_PROTOCOL);
    CHECK_EQ(size_of("f00100", &size), ERR_PROTOCOL);
    CHECK_EQ(size_of("3080808080", &size), ERR_PROTOCOL);
    CHECK_EQ(size_of("30ffffffff", &size), ERR_PROTOCOL);
}

TEST(a_frame_above_the_limit_is_refused_by_its_header)
{
    size_t size = 0;
    CHECK_EQ(size_of("30818040", &size), ERR_LIMIT);
    CHECK_EQ(size_of("30ffffff7f", &size), ERR_LIMIT);
    CHECK_EQ(size_of("3080808001", &size), ERR_LIMIT);
}

TEST(the_largest_frame_is_accepted)
{
    uint8_t *frame = calloc(1, PACKET_BYTES_MAX);
    CHECK(frame != NULL);
    memcpy(frame, "\x30\x80\x80\x40", 4);
    struct packet packet;
    CHECK_OK(packet_decode((struct bytes){.data = frame, .size = PACKET_BODY_BYTES_MAX + 4}, 5,
                           &packet));
    CHECK_EQ(packet.type, PACKET_SEND);
    CHECK_EQ(packet.send.payload.size, PACKET_BODY_BYTES_MAX - 16);
    free(frame);
}

/* ---- Bodies (wire-protocol 2, 17.4). ---- */

static enum err decode_hex(const char *hex, struct packet *out_packet)
{
    static uint8_t area[64]; /* the packet borrows from it */
    return packet_decode(hex_bytes(hex, area, sizeof(area)), 5, out_packet);
}

TEST(a_string_must_lie_within_its_frame_and_have_a_positive_length)
{
    struct packet packet;
    CHECK_EQ(decode_hex("9003800001", &packet), ERR_PROTOCOL); /* one past the end */
    CHECK_EQ(decode_hex("9003000001", &packet), ERR_PROTOCOL);
    CHECK_EQ(decode_hex("90040c800000", &packet), ERR_PROTOCOL); /* negative */
}

TEST(a_body_too_short_for_its_fields_is_refused)
{
    struct packet packet;
    CHECK_EQ(decode_hex("100105", &packet), ERR_PROTOCOL);
    CHECK_EQ(decode_hex("600400000001", &packet), ERR_PROTOCOL);
    CHECK_EQ(decode_hex("3000", &packet), ERR_PROTOCOL);
}

TEST(bytes_behind_the_last_field_are_ignored)
{
    struct packet packet;
    CHECK_OK(decode_hex("600e000000000000002a00000007ffff", &packet));
    CHECK_EQ(packet.recvack.message_id, 42);
    CHECK_EQ(packet.recvack.message_seq, 7);
    CHECK_OK(decode_hex("4013000000000000002a000000070000000101ffff", &packet));
    CHECK_EQ(packet.sendack.message_id, 42);
    CHECK_EQ(packet.sendack.client_seq, 7);
    CHECK_EQ(packet.sendack.message_seq, 1);
    CHECK_EQ(packet.sendack.reason, PACKET_REASON_SUCCESS);
    CHECK_EQ(packet.sendack.client_msg_no.size, 0);
    CHECK_OK(decode_hex("90050c0000ffff", &packet));
    CHECK_EQ(packet.disconnect.text.size, 0);
}

TEST(a_frame_of_another_size_than_it_says_is_refused)
{
    struct packet packet;
    CHECK_EQ(decode_hex("600c000000000000002a000000", &packet), ERR_PROTOCOL);
    CHECK_EQ(decode_hex("600c000000000000002a0000000700", &packet), ERR_PROTOCOL);
    CHECK_EQ(decode_hex("60", &packet), ERR_PROTOCOL);
    CHECK_EQ(decode_hex("7070", &packet), ERR_PROTOCOL);
}

TEST(a_refused_packet_leaves_the_result_untouched)
{
    struct packet packet = {.type = PACKET_EVENT, .flags = 99};
    CHECK_EQ(decode_hex("600400000001", &packet), ERR_PROTOCOL);
    CHECK_EQ(packet.type, PACKET_EVENT);
    CHECK_EQ(packet.flags, 99);
}

/* The Go client's stream bit at version 5 announces more bytes than it sends: what it sends next is
 * taken for payload (wire-protocol 19, trap 24). */
TEST(at_version_5_the_stream_bit_adds_no_field)
{
    struct packet packet;
    CHECK_OK(decode_hex("301b020000000300066d2d303030330002753201000000000000616263", &packet));
    CHECK_EQ(packet.send.setting, PACKET_SETTING_STREAM);
    CHECK_BYTES(packet.send.channel_id, BYTES_OF("u2"));
    CHECK_BYTES(packet.send.payload, BYTES_OF("abc"));
}

/* ---- Version 6 (wire-protocol 15). ---- */

TEST(from_version_6_on_a_message_seq_has_64_bits)
{
    uint8_t area[64];
    struct writer writer = writer_of(area, sizeof(area));
    const struct packet sendack = {
        .type = PACKET_SENDACK,
        .sendack = {.message_id = 1, .client_seq = 2, .message_seq = 0x100000003, .reason = 1}};
    CHECK_OK(packet_encode(&sendack, 6, &writer));
    uint8_t expected[64];
    CHECK_BYTES(writer_bytes(&writer),
                hex_bytes("4015 0000000000000001 00000002 0000000100000003 01", expected,
                          sizeof(expected)));
    const struct packet recvack = {.type = PACKET_RECVACK,
                                   .recvack = {.message_id = 1, .message_seq = 0x100000003}};
    writer = writer_of(area, sizeof(area));
    CHECK_OK(packet_encode(&recvack, 6, &writer));
    CHECK_BYTES(writer_bytes(&writer),
                hex_bytes("6010 0000000000000001 0000000100000003", expected, sizeof(expected)));
}

TEST(a_message_seq_that_an_old_version_cannot_say_is_refused)
{
    uint8_t area[64];
    struct writer writer = writer_of(area, sizeof(area));
    const struct packet sendack = {.type = PACKET_SENDACK,
                                   .sendack = {.message_seq = UINT64_C(1) << 32}};
    CHECK_EQ(packet_encode(&sendack, 5, &writer), ERR_LIMIT);
    CHECK_EQ(writer_size(&writer), 0);
}

TEST(a_sendack_carries_the_client_msg_no_only_if_asked)
{
    uint8_t area[64];
    struct writer writer = writer_of(area, sizeof(area));
    const struct packet with = {
        .type = PACKET_SENDACK,
        .sendack = {.message_id = 1, .reason = 1, .client_msg_no = TEXT("m-1")}};
    CHECK_OK(packet_encode(&with, 5, &writer));
    CHECK_EQ(writer_size(&writer), PACKET_SENDACK_BYTES - 4 + 2 + 3);
    struct packet packet;
    CHECK_OK(packet_decode(writer_bytes(&writer), 5, &packet));
    check_packet_equal(&packet, &with);
}

/* ---- Encoding. ---- */

TEST(flags_that_the_wire_does_not_have_are_not_written)
{
    uint8_t area[64];
    struct writer writer = writer_of(area, sizeof(area));
    struct packet packet = {.type = PACKET_SENDACK, .flags = PACKET_FLAG_RED_DOT | PACKET_FLAG_END};
    CHECK_OK(packet_encode(&packet, 5, &writer));
    CHECK_EQ(area[0], 0x42);
    packet = (struct packet){.type = PACKET_CONNACK, .flags = 0x0f};
    writer = writer_of(area, sizeof(area));
    CHECK_OK(packet_encode(&packet, 5, &writer));
    CHECK_EQ(area[0], 0x21);
}

TEST(strings_longer_than_the_wire_can_say_are_refused)
{
    static uint8_t text[PACKET_STRING_BYTES_MAX + 1];
    static uint8_t area[2 * sizeof(text)];
    struct packet packet = {.type = PACKET_DISCONNECT,
                            .disconnect = {.text = {.data = text, .size = sizeof(text)}}};
    struct writer writer = writer_of(area, sizeof(area));
    CHECK_EQ(packet_encode(&packet, 5, &writer), ERR_LIMIT);
    CHECK_EQ(writer_size(&writer), 0);
    packet.disconnect.text.size--;
    CHECK_OK(packet_encode(&packet, 5, &writer));
}

TEST(a_body_may_be_written_that_is_larger_than_one_that_may_be_read)
{
    uint8_t *area = calloc(2, PACKET_BYTES_MAX);
    CHECK(area != NULL);
    struct packet packet = {.type = PACKET_EVENT,
                            .event = {.data = {.data = area, .size = PACKET_BODY_BYTES_MAX - 12}}};
    struct writer writer = writer_of(area + PACKET_BYTES_MAX, PACKET_BYTES_MAX);
    CHECK_OK(packet_encode(&packet, 5, &writer));
    CHECK_EQ(writer_size(&writer), PACKET_BODY_BYTES_MAX + 4);
    packet.event.data.size++;
    writer = writer_of(area + PACKET_BYTES_MAX, PACKET_BYTES_MAX);
    CHECK_OK(packet_encode(&packet, 5, &writer));
    CHECK_EQ(writer_size(&writer), PACKET_BODY_BYTES_MAX + 5);
    size_t size = 0;
    CHECK_EQ(packet_size(writer_bytes(&writer), &size), ERR_LIMIT);
    free(area);
}

TEST(a_body_that_four_length_bytes_cannot_say_is_not_written)
{
    uint8_t area[64]; /* the data is not looked at before its size */
    struct packet packet = {
        .type = PACKET_EVENT,
        .event = {.data = {.data = area, .size = PACKET_WRITTEN_BYTES_MAX - 12 + 1}}};
    struct writer writer = writer_of(area, sizeof(area));
    CHECK_EQ(packet_encode(&packet, 5, &writer), ERR_LIMIT);
    packet.event.data.size--;
    CHECK_EQ(packet_encode(&packet, 5, &writer), ERR_FULL);
}

TEST(a_frame_without_room_is_not_begun)
{
    uint8_t area[19] = {0};
    const struct packet packet = {.type = PACKET_SENDACK};
    struct writer writer = writer_of(area, 18);
    CHECK_EQ(packet_encode(&packet, 5, &writer), ERR_FULL);
    CHECK_EQ(writer_size(&writer), 0);
    CHECK_EQ(area[0], 0);
    writer = writer_of(area, 19);
    CHECK_OK(packet_encode(&packet, 5, &writer));
}

TEST(a_recv_can_be_filled_in_where_it_lies)
{
    struct packet packet = {.type = PACKET_RECV,
                            .flags = PACKET_FLAG_RED_DOT,
                            .recv = {.from_uid = TEXT("u1"),
                                     .channel_id = TEXT("g1"),
                                     .msg_key = TEXT(RECV_KEY),
                                     .topic = TEXT("t"),
                                     .setting = PACKET_SETTING_TOPIC,
                                     .payload = TEXT(CIPHER_TEXT)}};
    uint8_t whole_area[256];
    struct writer whole = writer_of(whole_area, sizeof(whole_area));
    CHECK_OK(packet_encode(&packet, 5, &whole));

    const struct bytes msg_key = packet.recv.msg_key;
    const struct bytes payload = packet.recv.payload;
    packet.recv.msg_key.data = NULL;
    packet.recv.payload.data = NULL;
    uint8_t area[256];
    struct writer writer = writer_of(area, sizeof(area));
    struct packet_recv_room room;
    CHECK_OK(packet_encode_recv(&packet, 5, &writer, &room));
    memcpy(room.payload, payload.data, payload.size);
    memcpy(room.msg_key, msg_key.data, msg_key.size);
    CHECK_BYTES(writer_bytes(&writer), writer_bytes(&whole));

    writer = writer_of(area, writer_size(&whole) - 1);
    CHECK_EQ(packet_encode_recv(&packet, 5, &writer, &room), ERR_FULL);
}

TEST(reasons_have_the_names_of_the_reference)
{
    CHECK_STRING(packet_reason_name(PACKET_REASON_SUCCESS), "Success");
    CHECK_STRING(packet_reason_name(PACKET_REASON_SEND_BAN), "SendBan");
    CHECK_STRING(packet_reason_name(PACKET_REASON_MESSAGE_SEQ_EXHAUSTED), "MessageSeqExhausted");
    CHECK_STRING(packet_reason_name(30), "Unknown");
    CHECK_STRING(packet_reason_name(255), "Unknown");
}

/* ---- Properties. ---- */

/* Up to 40 bytes anywhere in a text of 200, sometimes none. */
static struct bytes random_string(struct prng *prng)
{
    static uint8_t text[240];
    for (size_t i = 0; i < 8; i++) {
        text[prng_below(prng, sizeof(text))] = (uint8_t)prng_next(prng);
    }
    return (struct bytes){.data = text + prng_below(prng, 200),
                          .size = prng_below(prng, 3) == 0 ? 0 : prng_below(prng, 41)};
}

static uint64_t random_seq(struct prng *prng, uint8_t version)
{
    return version >= 6 ? prng_next(prng) : prng_next(prng) & UINT32_MAX;
}

static struct packet_send random_send(struct prng *prng, uint8_t version)
{
    struct packet_send send = {
        .setting = (uint8_t)prng_next(prng),
        .channel_type = (uint8_t)prng_next(prng),
        .client_seq = (uint32_t)prng_next(prng),
        .client_msg_no = random_string(prng),
        .channel_id = random_string(prng),
        .msg_key = random_string(prng),
        .payload = random_string(prng),
    };
    if (version >= 3) {
        send.expire_s = (uint32_t)prng_next(prng);
    }
    if (version >= 2 && version <= 4 && (send.setting & PACKET_SETTING_STREAM) != 0) {
        send.stream_no = random_string(prng);
    }
    if ((send.setting & PACKET_SETTING_TOPIC) != 0) {
        send.topic = random_string(prng);
    }
    return send;
}

static struct packet_recv random_recv(struct prng *prng, uint8_t version)
{
    struct packet_recv recv = {
        .setting = (uint8_t)prng_next(prng),
        .channel_type = (uint8_t)prng_next(prng),
        .timestamp_s = (uint32_t)prng_next(prng),
        .message_id = prng_next(prng),
        .message_seq = random_seq(prng, version),
        .msg_key = random_string(prng),
        .from_uid = random_string(prng),
        .channel_id = random_string(prng),
        .client_msg_no = random_string(prng),
        .payload = random_string(prng),
    };
    if (version >= 3) {
        recv.expire_s = (uint32_t)prng_next(prng);
    }
    if (version >= 2 && version <= 4 && (recv.setting & PACKET_SETTING_STREAM) != 0) {
        recv.stream_flag = (uint8_t)prng_next(prng);
        recv.stream_no = random_string(prng);
        recv.stream_id = prng_next(prng);
    }
    if ((recv.setting & PACKET_SETTING_TOPIC) != 0) {
        recv.topic = random_string(prng);
    }
    return recv;
}

static struct packet_connect random_connect(struct prng *prng)
{
    return (struct packet_connect){
        .version = (uint8_t)prng_next(prng),
        .device_flag = (uint8_t)prng_next(prng),
        .device_id = random_string(prng),
        .uid = random_string(prng),
        .token = random_string(prng),
        .client_timestamp_ms = (int64_t)prng_next(prng),
        .client_key = random_string(prng),
    };
}

static struct packet_connack random_connack(struct prng *prng, uint8_t version, uint8_t flags)
{
    return (struct packet_connack){
        .server_version = flags != 0 ? (uint8_t)prng_next(prng) : 0,
        .time_diff_ms = (int64_t)prng_next(prng),
        .reason = (uint8_t)prng_next(prng),
        .server_key = random_string(prng),
        .salt = random_string(prng),
        .node_id = version >= 4 ? prng_next(prng) : 0,
    };
}

static struct packet_sendack random_sendack(struct prng *prng, uint8_t version)
{
    return (struct packet_sendack){
        .message_id = prng_next(prng),
        .message_seq = random_seq(prng, version),
        .client_seq = (uint32_t)prng_next(prng),
        .reason = (uint8_t)prng_next(prng),
        .client_msg_no = random_string(prng),
    };
}

static struct packet_sub random_sub(struct prng *prng)
{
    return (struct packet_sub){
        .setting = (uint8_t)prng_next(prng),
        .channel_type = (uint8_t)prng_next(prng),
        .action = (uint8_t)prng_next(prng),
        .sub_no = random_string(prng),
        .channel_id = random_string(prng),
        .param = random_string(prng),
    };
}

static struct packet_suback random_suback(struct prng *prng)
{
    return (struct packet_suback){
        .channel_type = (uint8_t)prng_next(prng),
        .action = (uint8_t)prng_next(prng),
        .reason = (uint8_t)prng_next(prng),
        .sub_no = random_string(prng),
        .channel_id = random_string(prng),
    };
}

static struct packet_event random_event(struct prng *prng)
{
    return (struct packet_event){
        .id = random_string(prng),
        .type = random_string(prng),
        .timestamp_ms = (int64_t)prng_next(prng),
        .data = random_string(prng),
    };
}

static void random_body(struct prng *prng, uint8_t version, struct packet *packet)
{
    switch (packet->type) {
    case PACKET_CONNECT:
        packet->connect = random_connect(prng);
        break;
    case PACKET_CONNACK:
        packet->flags &= PACKET_FLAG_HAS_SERVER_VERSION;
        packet->connack = random_connack(prng, version, packet->flags);
        break;
    case PACKET_SEND:
        packet->send = random_send(prng, version);
        break;
    case PACKET_SENDACK:
        packet->sendack = random_sendack(prng, version);
        break;
    case PACKET_RECV:
        packet->recv = random_recv(prng, version);
        break;
    case PACKET_RECVACK:
        packet->recvack = (struct packet_recvack){.message_id = prng_next(prng),
                                                  .message_seq = random_seq(prng, version)};
        break;
    case PACKET_DISCONNECT:
        packet->disconnect = (struct packet_disconnect){.reason = (uint8_t)prng_next(prng),
                                                        .text = random_string(prng)};
        break;
    case PACKET_SUB:
        packet->sub = random_sub(prng);
        break;
    case PACKET_SUBACK:
        packet->suback = random_suback(prng);
        break;
    case PACKET_EVENT:
        packet->event = random_event(prng);
        break;
    case PACKET_PING:
    case PACKET_PONG:
    case PACKET_INVALID:
        break;
    }
}

static struct packet random_packet(struct prng *prng, uint8_t version)
{
    struct packet packet = {
        .type = (enum packet_type)(PACKET_CONNECT + prng_below(prng, PACKET_EVENT)),
        .flags = (uint8_t)prng_below(prng, 16),
    };
    random_body(prng, version, &packet);
    return packet;
}

TEST(what_is_encoded_decodes_to_the_same)
{
    for (uint32_t step = 0; step < STEPS; step++) {
        const uint8_t version = (uint8_t)prng_below(prng, PACKET_VERSION_MAX + 1);
        const struct packet packet = random_packet(prng, version);
        uint8_t area[1024];
        struct writer writer = writer_of(area, sizeof(area));
        CHECK_OK(packet_encode(&packet, version, &writer));
        CHECK_EQ(writer_size(&writer), packet_encoded_size(&packet, version));

        size_t size = 0;
        CHECK_OK(packet_size(writer_bytes(&writer), &size));
        CHECK_EQ(size, writer_size(&writer));
        struct packet decoded;
        CHECK_OK(packet_decode(writer_bytes(&writer), version, &decoded));
        check_packet_equal(&decoded, &packet);
    }
}

/* Each prefix lies in a heap block of its own size, so that a sanitizer sees a read past its end;
 * its length is made right, so that only the fields are cut. */
TEST(a_packet_cut_anywhere_is_refused_or_has_a_shorter_payload)
{
    for (uint32_t step = 0; step < STEPS / 20; step++) {
        const uint8_t version = (uint8_t)prng_below(prng, PACKET_VERSION_MAX + 1);
        const struct packet packet = random_packet(prng, version);
        uint8_t area[1024];
        struct writer writer = writer_of(area, sizeof(area));
        CHECK_OK(packet_encode(&packet, version, &writer));
        const struct bytes frame = writer_bytes(&writer);
        const size_t header = frame.size == 1 ? 1 : (frame.data[1] & 0x80 ? 3 : 2);
        for (size_t body = 0; body + header < frame.size && body < 128; body++) {
            uint8_t *cut = malloc(2 + body);
            CHECK(cut != NULL);
            cut[0] = frame.data[0];
            cut[1] = (uint8_t)body;
            memcpy(cut + 2, frame.data + header, body);
            struct packet decoded;
            const enum err err =
                packet_decode((struct bytes){.data = cut, .size = 2 + body}, version, &decoded);
            CHECK(err == ERR_OK || err == ERR_PROTOCOL);
            free(cut);
        }
    }
}

TEST(random_bytes_are_refused_or_say_the_same_when_encoded_again)
{
    for (uint32_t step = 0; step < STEPS; step++) {
        uint8_t frame[64];
        const size_t body = prng_below(prng, 62);
        for (size_t i = 0; i < sizeof(frame); i++) {
            frame[i] =
                prng_below(prng, 2) == 0 ? (uint8_t)prng_below(prng, 8) : (uint8_t)prng_next(prng);
        }
        frame[1] = (uint8_t)body;
        const uint8_t version = (uint8_t)prng_below(prng, PACKET_VERSION_MAX + 1);
        const bool has_body = frame[0] >> 4 != PACKET_PING && frame[0] >> 4 != PACKET_PONG;
        const struct bytes input = {.data = frame, .size = has_body ? 2 + body : 1};
        struct packet packet;
        if (packet_decode(input, version, &packet) != ERR_OK) {
            continue;
        }
        uint8_t area[128];
        struct writer writer = writer_of(area, sizeof(area));
        CHECK_OK(packet_encode(&packet, version, &writer));
        struct packet again;
        CHECK_OK(packet_decode(writer_bytes(&writer), version, &again));
        if (packet.type == PACKET_CONNACK) {
            packet.flags &= PACKET_FLAG_HAS_SERVER_VERSION;
        }
        check_packet_equal(&again, &packet);
    }
}
