/* wslay is the independent oracle: what it encodes we decode, and the other way round. */
#include "wire/websocket.h"

#include "hex.h"
#include "support/test.h"

#include <stdlib.h>
#include <wslay/wslay.h>

/* RFC 6455, 1.3: of the key dGhlIHNhbXBsZSBub25jZQ==. */
#define SAMPLE_DIGEST "b37a4f2cc0624f1690f64606cf385945b2bec4ea"
#define SAMPLE_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define RAW_MAX       (1u << 20)

/* ---- The upgrade. ---- */

#define REQUEST                                                                                    \
    "GET /chat?x=1 HTTP/1.1\r\n"                                                                   \
    "Host: example.com:5200\r\n"                                                                   \
    "Upgrade: websocket\r\n"                                                                       \
    "Connection: keep-alive, Upgrade\r\n"                                                          \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"                                              \
    "Sec-WebSocket-Version: 13\r\n"                                                                \
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"                     \
    "Sec-WebSocket-Protocol: chat\r\n"                                                             \
    "Origin: http://elsewhere\r\n"

TEST(an_upgrade_request_gives_its_key_and_its_size)
{
    struct websocket_upgrade upgrade;
    const struct bytes input = BYTES_OF(REQUEST "\r\n\x82\x81");
    CHECK_OK(websocket_upgrade_decode(input, &upgrade));
    CHECK_EQ(upgrade.size, input.size - 2);
    CHECK_BYTES(upgrade.key, BYTES_OF("dGhlIHNhbXBsZSBub25jZQ=="));
    CHECK_EQ(upgrade.forwarded_for.size, 0);
    CHECK_EQ(upgrade.real_ip.size, 0);
    CHECK_EQ(upgrade.real_port.size, 0);
}

TEST(what_a_proxy_says_of_the_client_is_handed_on)
{
    struct websocket_upgrade upgrade;
    CHECK_OK(websocket_upgrade_decode(BYTES_OF(REQUEST "x-forwarded-for:  10.0.0.9 \r\n"
                                                       "X-Real-IP: 10.0.0.8\r\n"
                                                       "X-REAL-PORT: 4711\r\n\r\n"),
                                      &upgrade));
    CHECK_BYTES(upgrade.forwarded_for, BYTES_OF("10.0.0.9"));
    CHECK_BYTES(upgrade.real_ip, BYTES_OF("10.0.0.8"));
    CHECK_BYTES(upgrade.real_port, BYTES_OF("4711"));
}

TEST(an_incomplete_request_is_waited_for)
{
    const struct bytes whole = BYTES_OF(REQUEST "\r\n");
    for (size_t size = 0; size < whole.size; size++) {
        struct websocket_upgrade upgrade;
        CHECK_EQ(
            websocket_upgrade_decode((struct bytes){.data = whole.data, .size = size}, &upgrade),
            ERR_AGAIN);
    }
}

TEST(a_request_that_does_not_end_in_time_is_refused)
{
    static uint8_t input[WEBSOCKET_HEAD_BYTES_MAX + 100];
    memset(input, 'a', sizeof(input));
    memcpy(input, "GET / HTTP/1.1\r\n", 16);
    struct websocket_upgrade upgrade;
    CHECK_EQ(websocket_upgrade_decode(
                 (struct bytes){.data = input, .size = WEBSOCKET_HEAD_BYTES_MAX - 1}, &upgrade),
             ERR_AGAIN);
    CHECK_EQ(websocket_upgrade_decode(
                 (struct bytes){.data = input, .size = WEBSOCKET_HEAD_BYTES_MAX}, &upgrade),
             ERR_LIMIT);
    memcpy(input + WEBSOCKET_HEAD_BYTES_MAX - 3, "\r\n\r\n", 4);
    CHECK_EQ(
        websocket_upgrade_decode((struct bytes){.data = input, .size = sizeof(input)}, &upgrade),
        ERR_LIMIT);
}

#define FIELDS(line, host, upgrade, connection, key, version)                                      \
    line "\r\n" host upgrade connection key version "\r\n"
#define LINE       "GET / HTTP/1.1"
#define HOST       "Host: h\r\n"
#define UPGRADE    "Upgrade: WebSocket\r\n"
#define CONNECTION "connection: UPGRADE\r\n"
#define KEY        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION    "Sec-WebSocket-Version: 13\r\n"

TEST(only_what_the_protocol_demands_is_demanded)
{
    struct websocket_upgrade upgrade;
    CHECK_OK(websocket_upgrade_decode(
        BYTES_OF(FIELDS(LINE, HOST, UPGRADE, CONNECTION, KEY, VERSION)), &upgrade));
    CHECK_OK(websocket_upgrade_decode(
        BYTES_OF(FIELDS("GET /any%20path?q HTTP/1.2", HOST, UPGRADE, CONNECTION, KEY, VERSION)),
        &upgrade));
}

TEST(a_request_that_lacks_something_is_refused)
{
    static const char *const requests[] = {
        FIELDS("GET / HTTP/1.0", HOST, UPGRADE, CONNECTION, KEY, VERSION),
        FIELDS("GET / HTTP/2.0", HOST, UPGRADE, CONNECTION, KEY, VERSION),
        FIELDS("GET / HTTP/1.10", HOST, UPGRADE, CONNECTION, KEY, VERSION),
        FIELDS("GET  HTTP/1.1", HOST, UPGRADE, CONNECTION, KEY, VERSION),
        FIELDS("GET /", HOST, UPGRADE, CONNECTION, KEY, VERSION),
        FIELDS(LINE, "", UPGRADE, CONNECTION, KEY, VERSION),
        FIELDS(LINE, HOST HOST, UPGRADE, CONNECTION, KEY, VERSION),
        FIELDS(LINE, HOST, "", CONNECTION, KEY, VERSION),
        FIELDS(LINE, HOST, "Upgrade: h2c\r\n", CONNECTION, KEY, VERSION),
        FIELDS(LINE, HOST, UPGRADE, "", KEY, VERSION),
        FIELDS(LINE, HOST, UPGRADE, "Connection: keep-alive\r\n", KEY, VERSION),
        FIELDS(LINE, HOST, UPGRADE, CONNECTION, "", VERSION),
        FIELDS(LINE, HOST, UPGRADE, CONNECTION, KEY KEY, VERSION),
        FIELDS(LINE, HOST, UPGRADE, CONNECTION, "Sec-WebSocket-Key: short\r\n", VERSION),
        FIELDS(LINE, HOST, UPGRADE, CONNECTION, KEY, ""),
        FIELDS(LINE, HOST, UPGRADE, CONNECTION, KEY, "Sec-WebSocket-Version: 8\r\n"),
        FIELDS(LINE, HOST " folded\r\n", UPGRADE, CONNECTION, KEY, VERSION),
        FIELDS(LINE, HOST "no colon\r\n", UPGRADE, CONNECTION, KEY, VERSION),
        FIELDS(LINE, HOST "blank : x\r\n", UPGRADE, CONNECTION, KEY, VERSION),
        FIELDS(LINE, HOST "control: \x01\r\n", UPGRADE, CONNECTION, KEY, VERSION),
        FIELDS(LINE, HOST "bare: a\nb\r\n", UPGRADE, CONNECTION, KEY, VERSION),
        FIELDS("POST / HTTP/1.1", HOST, UPGRADE, CONNECTION, KEY, VERSION),
    };
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        struct websocket_upgrade upgrade;
        CHECK_EQ(websocket_upgrade_decode(bytes_of_string(requests[i]), &upgrade), ERR_PROTOCOL);
    }
}

TEST(somebody_who_does_not_speak_http_is_refused_at_the_first_byte)
{
    struct websocket_upgrade upgrade;
    CHECK_EQ(websocket_upgrade_decode(BYTES_OF("\x10"), &upgrade), ERR_PROTOCOL);
    CHECK_EQ(websocket_upgrade_decode(BYTES_OF("{"), &upgrade), ERR_PROTOCOL);
    CHECK_EQ(websocket_upgrade_decode(BYTES_OF("GEX"), &upgrade), ERR_PROTOCOL);
}

TEST(the_answer_carries_the_accept_text_and_offers_nothing)
{
    uint8_t digest[WEBSOCKET_DIGEST_BYTES];
    (void)hex_bytes(SAMPLE_DIGEST, digest, sizeof(digest));
    uint8_t area[WEBSOCKET_ACCEPT_BYTES_MAX];
    struct writer writer = writer_of(area, sizeof(area));
    websocket_accept_encode(digest, &writer);
    CHECK(!writer.is_full);
    CHECK_BYTES(writer_bytes(&writer), BYTES_OF("HTTP/1.1 101 Switching Protocols\r\n"
                                                "Upgrade: websocket\r\n"
                                                "Connection: Upgrade\r\n"
                                                "Sec-WebSocket-Accept: " SAMPLE_ACCEPT "\r\n\r\n"));
}

TEST(our_client_understands_our_server)
{
    uint8_t area[512];
    struct writer writer = writer_of(area, sizeof(area));
    websocket_request_encode(BYTES_OF("localhost:5200"), BYTES_OF("/"),
                             BYTES_OF("dGhlIHNhbXBsZSBub25jZQ=="), &writer);
    struct websocket_upgrade upgrade;
    CHECK_OK(websocket_upgrade_decode(writer_bytes(&writer), &upgrade));
    CHECK_EQ(upgrade.size, writer_size(&writer));

    uint8_t digest[WEBSOCKET_DIGEST_BYTES];
    (void)hex_bytes(SAMPLE_DIGEST, digest, sizeof(digest));
    writer = writer_of(area, sizeof(area));
    websocket_accept_encode(digest, &writer);
    const struct bytes response = writer_bytes(&writer);
    size_t size = 0;
    CHECK_EQ(websocket_response_decode((struct bytes){.data = area, .size = response.size - 1},
                                       digest, &size),
             ERR_AGAIN);
    CHECK_OK(websocket_response_decode(response, digest, &size));
    CHECK_EQ(size, response.size);
    digest[0] ^= 1;
    CHECK_EQ(websocket_response_decode(response, digest, &size), ERR_PROTOCOL);
    CHECK_EQ(websocket_response_decode(BYTES_OF("HTTP/1.1 400"), digest, &size), ERR_PROTOCOL);
}

/* ---- Headers. ---- */

static enum err header_of(const char *hex, struct websocket_header *out_header)
{
    uint8_t area[16];
    return websocket_header_decode(hex_bytes(hex, area, sizeof(area)), out_header);
}

TEST(the_three_forms_of_a_length_are_understood)
{
    struct websocket_header header;
    CHECK_OK(header_of("827d", &header));
    CHECK_EQ(header.payload_size, 125);
    CHECK_EQ(header.size, 2);
    CHECK_EQ(header.opcode, WEBSOCKET_OPCODE_BINARY);
    CHECK(header.is_final);
    CHECK(!header.is_masked);
    CHECK_OK(header_of("01fe007e 01020304", &header));
    CHECK_EQ(header.payload_size, 126);
    CHECK_EQ(header.size, 8);
    CHECK(!header.is_final);
    CHECK(header.is_masked);
    CHECK_EQ(header.mask[3], 4);
    CHECK_OK(header_of("827f0000000000010000", &header));
    CHECK_EQ(header.payload_size, 65536);
    CHECK_EQ(header.size, 10);
    CHECK_OK(header_of("82ff7fffffffffffffff 01020304", &header));
    CHECK(header.payload_size == INT64_MAX);
    CHECK_EQ(header.size, 14);
}

TEST(an_incomplete_frame_header_asks_for_more_bytes)
{
    struct websocket_header header;
    static const char *const headers[] = {"",
                                          "82",
                                          "81fe",
                                          "81fe00",
                                          "81fe007e",
                                          "81fe007e010203",
                                          "82ff00000000000100",
                                          "82ff0000000000010000",
                                          "8184010203"};
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        CHECK_EQ(header_of(headers[i], &header), ERR_AGAIN);
    }
}

TEST(a_frame_header_that_breaks_the_rules_is_refused)
{
    struct websocket_header header;
    static const char *const headers[] = {
        "c2",
        "a2",
        "92", /* reserved bits */
        "83",
        "84",
        "87", /* reserved opcodes */
        "8b",
        "8f",
        "09", /* ... and a fragmented ping */
        "08",
        "0a",
        "89fe", /* control frames with a long length */
        "887f",
        "827e007d",             /* not the shortest form */
        "827f000000000000ffff", /* likewise */
        "827f8000000000000000", /* top bit */
    };
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        CHECK_EQ(header_of(headers[i], &header), ERR_PROTOCOL);
    }
}

TEST(headers_are_written_in_the_shortest_form)
{
    static const uint64_t sizes[] = {0, 1, 125, 126, 65535, 65536, UINT64_C(1) << 40};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        uint8_t area[WEBSOCKET_MASKED_HEADER_BYTES_MAX];
        const uint8_t mask[4] = {1, 2, 3, 4};
        struct websocket_header header;
        struct writer writer = writer_of(area, WEBSOCKET_HEADER_BYTES_MAX);
        websocket_header_encode(WEBSOCKET_OPCODE_TEXT, sizes[i], &writer);
        CHECK_OK(websocket_header_decode(writer_bytes(&writer), &header));
        CHECK_EQ(header.size, websocket_header_size(sizes[i]));
        CHECK_EQ(header.size, writer_size(&writer));
        CHECK(header.payload_size == sizes[i]);
        CHECK_EQ(header.opcode, WEBSOCKET_OPCODE_TEXT);
        CHECK(header.is_final && !header.is_masked);

        writer = writer_of(area, sizeof(area));
        websocket_masked_header_encode(WEBSOCKET_OPCODE_BINARY, sizes[i], mask, &writer);
        CHECK_OK(websocket_header_decode(writer_bytes(&writer), &header));
        CHECK_EQ(header.size, writer_size(&writer));
        CHECK(header.payload_size == sizes[i]);
        CHECK(header.is_final && header.is_masked);
        assert_memory_equal(header.mask, mask, sizeof(mask));
    }
}

TEST(masking_in_parts_is_masking_as_a_whole)
{
    for (uint32_t step = 0; step < 2000; step++) {
        uint8_t data[100];
        uint8_t expected[100];
        const uint8_t mask[4] = {(uint8_t)prng_next(prng), (uint8_t)prng_next(prng),
                                 (uint8_t)prng_next(prng), (uint8_t)prng_next(prng)};
        const size_t size = prng_below(prng, sizeof(data) + 1);
        for (size_t i = 0; i < size; i++) {
            data[i] = (uint8_t)prng_next(prng);
            expected[i] = data[i] ^ mask[i % 4];
        }
        for (size_t done = 0; done < size;) {
            const size_t part = 1 + prng_below(prng, size - done);
            websocket_mask(data + done, part, mask, done);
            done += part;
        }
        assert_memory_equal(data, expected, size);
    }
}

/* ---- The stream, byte by byte (wire-protocol 17.5). ---- */

TEST(a_masked_binary_frame_becomes_stream)
{
    uint8_t data[16];
    const struct bytes raw = hex_bytes("8281 37fa213d 47", data, sizeof(data));
    struct websocket_state state = {0};
    struct websocket_event event;
    CHECK_EQ(websocket_consume(&state, data, raw.size, &event), ERR_AGAIN);
    CHECK_EQ(event.kind, WEBSOCKET_EVENT_NONE);
    CHECK_EQ(event.consumed, 7);
    CHECK_EQ(event.produced, 1);
    CHECK_EQ(data[0], 0x70);
}

TEST(a_client_takes_unmasked_frames_only)
{
    uint8_t data[16];
    struct bytes raw = hex_bytes("820180", data, sizeof(data));
    struct websocket_state state = {.is_client = true};
    struct websocket_event event;
    CHECK_EQ(websocket_consume(&state, data, raw.size, &event), ERR_AGAIN);
    CHECK_EQ(event.produced, 1);
    CHECK_EQ(data[0], 0x80);
    raw = hex_bytes("8281 37fa213d 47", data, sizeof(data));
    CHECK_EQ(websocket_consume(&state, data, raw.size, &event), ERR_PROTOCOL);
}

TEST(a_server_takes_masked_frames_only)
{
    uint8_t data[16];
    const struct bytes raw = hex_bytes("820180", data, sizeof(data));
    struct websocket_state state = {0};
    struct websocket_event event;
    CHECK_EQ(websocket_consume(&state, data, raw.size, &event), ERR_PROTOCOL);
}

TEST(an_empty_data_message_is_nothing)
{
    uint8_t data[16];
    const struct bytes raw = hex_bytes("8180 01020304 8280 01020304", data, sizeof(data));
    struct websocket_state state = {0};
    struct websocket_event event;
    CHECK_EQ(websocket_consume(&state, data, raw.size, &event), ERR_AGAIN);
    CHECK_EQ(event.consumed, 12);
    CHECK_EQ(event.produced, 0);
}

TEST(control_frames_come_between_fragments_one_at_a_time)
{
    uint8_t data[64];
    const struct bytes raw = hex_bytes(
        "0182 00000000 6162 8982 01010101 6969 8a80 00000000 8081 00000000 63", data, sizeof(data));
    struct websocket_state state = {0};
    struct websocket_event event;
    CHECK_OK(websocket_consume(&state, data, raw.size, &event));
    CHECK_EQ(event.kind, WEBSOCKET_EVENT_PING);
    CHECK_BYTES(event.payload, BYTES_OF("hh"));
    CHECK_EQ(event.produced, 2);
    CHECK_EQ(event.consumed, 16);
    size_t at = event.consumed;
    CHECK_OK(websocket_consume(&state, data + at, raw.size - at, &event));
    CHECK_EQ(event.kind, WEBSOCKET_EVENT_PONG);
    CHECK_EQ(event.payload.size, 0);
    CHECK_EQ(event.produced, 0);
    at += event.consumed;
    CHECK_EQ(websocket_consume(&state, data + at, raw.size - at, &event), ERR_AGAIN);
    CHECK_EQ(event.kind, WEBSOCKET_EVENT_NONE);
    CHECK_EQ(event.produced, 1);
    CHECK_EQ(data[at], 'c');
}

static enum err consume_hex(const char *hex, struct websocket_event *out_event)
{
    static uint8_t data[160]; /* the event borrows from it */
    struct websocket_state state = {0};
    return websocket_consume(&state, data, hex_bytes(hex, data, sizeof(data)).size, out_event);
}

TEST(fragments_out_of_order_are_refused)
{
    struct websocket_event event;
    CHECK_EQ(consume_hex("8081 00000000 61", &event), ERR_PROTOCOL);
    CHECK_EQ(consume_hex("0181 00000000 61 0181 00000000 61", &event), ERR_PROTOCOL);
    CHECK_EQ(consume_hex("0181 00000000 61 8181 00000000 61", &event), ERR_PROTOCOL);
    CHECK_EQ(consume_hex("8181 00000000 61 8081 00000000 61", &event), ERR_PROTOCOL);
}

TEST(what_stands_before_a_fault_is_told)
{
    struct websocket_event event;
    CHECK_EQ(consume_hex("8182 00000000 6162 8181 00000000 63 8381 00000000 64", &event),
             ERR_PROTOCOL);
    CHECK_EQ(event.produced, 3);
    CHECK_EQ(consume_hex("8181 00000000 61 8882 00000000 03ed", &event), ERR_PROTOCOL);
    CHECK_EQ(event.produced, 1);
    CHECK_EQ(event.kind, WEBSOCKET_EVENT_NONE);
}

TEST(a_close_frame_gives_its_code)
{
    struct websocket_event event;
    CHECK_OK(consume_hex("8882 00000000 03e8", &event));
    CHECK_EQ(event.kind, WEBSOCKET_EVENT_CLOSE);
    CHECK_BYTES(event.payload, BYTES_OF("\x03\xe8"));
    CHECK_OK(consume_hex("8880 00000000", &event));
    CHECK_EQ(event.kind, WEBSOCKET_EVENT_CLOSE);
    CHECK_EQ(event.payload.size, 0);
    CHECK_OK(consume_hex("8884 00000000 0bb9 6279", &event)); /* 3001, as EasyJS sends it */
    CHECK_EQ(event.payload.size, 4);
}

TEST(a_close_frame_with_a_code_that_may_not_be_sent_is_refused)
{
    struct websocket_event event;
    CHECK_EQ(consume_hex("8881 00000000 03", &event), ERR_PROTOCOL);
    CHECK_EQ(consume_hex("8882 00000000 03e7", &event), ERR_PROTOCOL); /* 999 */
    CHECK_EQ(consume_hex("8882 00000000 03ec", &event), ERR_PROTOCOL); /* 1004 */
    CHECK_EQ(consume_hex("8882 00000000 03ee", &event), ERR_PROTOCOL); /* 1006 */
    CHECK_EQ(consume_hex("8882 00000000 03f7", &event), ERR_PROTOCOL); /* 1015 */
    CHECK_EQ(consume_hex("8882 00000000 1388", &event), ERR_PROTOCOL); /* 5000 */
}

TEST(an_incomplete_control_frame_is_left_where_it_is)
{
    struct websocket_event event;
    CHECK_EQ(consume_hex("8181 00000000 61 8982 01010101 69", &event), ERR_AGAIN);
    CHECK_EQ(event.produced, 1);
    CHECK_EQ(event.consumed, 7);
}

/* ---- wslay. ---- */

/* Raw bytes that wslay writes to or reads from. */
struct wire {
    uint8_t *data;
    size_t size;
    size_t read;
    struct prng *prng;
};

static ssize_t wire_write(const uint8_t *data, size_t size, int flags, void *user_data)
{
    struct wire *wire = user_data;
    (void)flags;
    CHECK(wire->size + size <= RAW_MAX);
    memcpy(wire->data + wire->size, data, size);
    wire->size += size;
    return (ssize_t)size;
}

static ssize_t wire_read(uint8_t *data, size_t size, int flags, void *user_data)
{
    struct wire *wire = user_data;
    (void)flags;
    const size_t left = wire->size - wire->read;
    if (left == 0) {
        return -1;
    }
    const size_t part = size < left ? size : left;
    memcpy(data, wire->data + wire->read, part);
    wire->read += part;
    return (ssize_t)part;
}

static int draw_mask(uint8_t *data, size_t size, void *user_data)
{
    struct wire *wire = user_data;
    for (size_t i = 0; i < size; i++) {
        data[i] = (uint8_t)prng_next(wire->prng);
    }
    return 0;
}

static wslay_frame_context_ptr wslay_of(struct wire *wire)
{
    const struct wslay_frame_callbacks callbacks = {
        .send_callback = wire_write,
        .recv_callback = wire_read,
        .genmask_callback = draw_mask,
    };
    wslay_frame_context_ptr context = NULL;
    CHECK_EQ(wslay_frame_context_init(&context, &callbacks, wire), 0);
    return context;
}

static void wslay_send(wslay_frame_context_ptr context, bool is_final, uint8_t opcode,
                       struct bytes payload, bool is_masked)
{
    struct wslay_frame_iocb frame = {
        .fin = is_final,
        .opcode = opcode,
        .payload_length = payload.size,
        .mask = is_masked,
        .data = payload.data,
        .data_length = payload.size,
    };
    for (;;) {
        const ssize_t sent = wslay_frame_send(context, &frame);
        CHECK(sent >= 0);
        frame.data += sent;
        frame.data_length -= (size_t)sent;
        if (frame.data_length == 0) {
            return;
        }
    }
}

/* What the peer has said, as it should come out. */
struct script {
    uint8_t *stream;
    size_t stream_size;
    struct {
        enum websocket_event_kind kind;
        size_t stream_size; /* came before it */
        uint8_t payload[WEBSOCKET_CONTROL_BYTES_MAX];
        size_t payload_size;
    } events[64];
    size_t events_count;
};

static size_t random_size(struct prng *prng)
{
    switch (prng_below(prng, 8)) {
    case 0:
        return 0;
    case 1:
        return 120 + prng_below(prng, 12);
    case 2:
        return 65530 + prng_below(prng, 12);
    default:
        return prng_below(prng, 60);
    }
}

static void script_control(struct prng *prng, struct script *script,
                           wslay_frame_context_ptr context, bool is_masked)
{
    const bool is_ping = prng_below(prng, 2) == 0;
    const size_t i = script->events_count++;
    script->events[i].kind = is_ping ? WEBSOCKET_EVENT_PING : WEBSOCKET_EVENT_PONG;
    script->events[i].stream_size = script->stream_size;
    script->events[i].payload_size = prng_below(prng, WEBSOCKET_CONTROL_BYTES_MAX + 1);
    for (size_t j = 0; j < script->events[i].payload_size; j++) {
        script->events[i].payload[j] = (uint8_t)prng_next(prng);
    }
    wslay_send(
        context, true, is_ping ? WSLAY_PING : WSLAY_PONG,
        (struct bytes){.data = script->events[i].payload, .size = script->events[i].payload_size},
        is_masked);
}

static void script_message(struct prng *prng, struct script *script,
                           wslay_frame_context_ptr context, bool is_masked)
{
    const size_t fragments = 1 + prng_below(prng, 3);
    for (size_t i = 0; i < fragments; i++) {
        const size_t size = random_size(prng);
        uint8_t *payload = script->stream + script->stream_size;
        for (size_t j = 0; j < size; j++) {
            payload[j] = (uint8_t)prng_next(prng);
        }
        wslay_send(context, i + 1 == fragments,
                   i == 0 ? WSLAY_BINARY_FRAME : WSLAY_CONTINUATION_FRAME,
                   (struct bytes){.data = payload, .size = size}, is_masked);
        script->stream_size += size;
        if (prng_below(prng, 4) == 0 && script->events_count < COUNT_OF(script->events)) {
            script_control(prng, script, context, is_masked);
        }
    }
}

/* Feeds `wire` in random pieces, as a connection does: what is not consumed is kept in front of
 * what comes next. Checks every event, and at the end the stream. */
static void replay(struct prng *prng, const struct wire *wire, const struct script *script,
                   bool is_client)
{
    uint8_t *area = malloc(RAW_MAX);
    uint8_t *stream = malloc(RAW_MAX);
    CHECK(area != NULL && stream != NULL);
    struct websocket_state state = {.is_client = is_client};
    size_t stream_size = 0;
    size_t events_count = 0;
    size_t held = 0;
    for (size_t read = 0; read < wire->size;) {
        const size_t largest = prng_below(prng, 3) == 0 ? wire->size - read : 20;
        size_t piece = 1 + prng_below(prng, largest);
        piece = piece < wire->size - read ? piece : wire->size - read;
        memcpy(area + held, wire->data + read, piece);
        read += piece;
        size_t size = held + piece;
        uint8_t *at = area;
        enum err err = ERR_OK;
        while (err == ERR_OK) {
            struct websocket_event event;
            err = websocket_consume(&state, at, size, &event);
            CHECK(err == ERR_OK || err == ERR_AGAIN);
            CHECK(event.produced <= event.consumed);
            CHECK(event.consumed <= size);
            memcpy(stream + stream_size, at, event.produced);
            stream_size += event.produced;
            if (event.kind != WEBSOCKET_EVENT_NONE) {
                const size_t i = events_count++;
                CHECK_EQ(event.kind, script->events[i].kind);
                CHECK_EQ(stream_size, script->events[i].stream_size);
                CHECK_BYTES(event.payload,
                            ((struct bytes){.data = script->events[i].payload,
                                            .size = script->events[i].payload_size}));
            }
            at += event.consumed;
            size -= event.consumed;
        }
        CHECK(size < WEBSOCKET_RAW_BYTES_MAX);
        memmove(area, at, size);
        held = size;
    }
    CHECK_EQ(held, 0);
    CHECK_EQ(events_count, script->events_count);
    CHECK_EQ(stream_size, script->stream_size);
    assert_memory_equal(stream, script->stream, stream_size);
    free(area);
    free(stream);
}

static void play(struct prng *prng, bool is_client)
{
    for (uint32_t round = 0; round < 40; round++) {
        struct wire wire = {.data = malloc(RAW_MAX), .prng = prng};
        struct script script = {.stream = malloc(RAW_MAX)};
        CHECK(wire.data != NULL && script.stream != NULL);
        wslay_frame_context_ptr context = wslay_of(&wire);
        const size_t messages = 1 + prng_below(prng, 5);
        for (size_t i = 0; i < messages; i++) {
            script_message(prng, &script, context, !is_client);
        }
        replay(prng, &wire, &script, is_client);
        wslay_frame_context_free(context);
        free(script.stream);
        free(wire.data);
    }
}

TEST(what_wslay_says_as_a_client_comes_out_as_it_was_meant)
{
    play(prng, false);
}

TEST(what_wslay_says_as_a_server_comes_out_as_it_was_meant)
{
    play(prng, true);
}

static void wslay_expect(wslay_frame_context_ptr context, uint8_t opcode, bool is_masked,
                         struct bytes payload)
{
    size_t size = 0;
    do {
        struct wslay_frame_iocb frame = {0};
        const ssize_t received = wslay_frame_recv(context, &frame);
        CHECK(received >= 0);
        CHECK_EQ(frame.fin, 1);
        CHECK_EQ(frame.rsv, 0);
        CHECK_EQ(frame.opcode, opcode);
        CHECK_EQ(frame.mask, is_masked);
        CHECK_EQ(frame.payload_length, payload.size);
        CHECK(size + frame.data_length <= payload.size);
        if (frame.data_length > 0) {
            assert_memory_equal(frame.data, payload.data + size, frame.data_length);
        }
        size += frame.data_length;
    } while (size < payload.size);
}

TEST(what_we_say_wslay_understands)
{
    static uint8_t raw[RAW_MAX];
    static uint8_t payload[70000];
    for (uint32_t step = 0; step < 400; step++) {
        struct wire wire = {.data = raw, .prng = prng};
        wslay_frame_context_ptr context = wslay_of(&wire);
        const bool is_masked = prng_below(prng, 2) == 0;
        const uint8_t opcode =
            prng_below(prng, 2) == 0 ? WEBSOCKET_OPCODE_TEXT : WEBSOCKET_OPCODE_BINARY;
        const size_t size = random_size(prng);
        for (size_t i = 0; i < size; i++) {
            payload[i] = (uint8_t)prng_next(prng);
        }
        struct writer writer = writer_of(raw, sizeof(raw));
        if (is_masked) {
            uint8_t mask[4];
            CHECK_EQ(draw_mask(mask, sizeof(mask), &wire), 0);
            websocket_masked_header_encode(opcode, size, mask, &writer);
            uint8_t *behind = raw + writer_size(&writer);
            writer_bytes_add(&writer, (struct bytes){.data = payload, .size = size});
            websocket_mask(behind, size, mask, 0);
        } else {
            websocket_header_encode(opcode, size, &writer);
            writer_bytes_add(&writer, (struct bytes){.data = payload, .size = size});
        }
        wire.size = writer_size(&writer);
        wslay_expect(context, opcode, is_masked, (struct bytes){.data = payload, .size = size});
        CHECK_EQ(wire.read, wire.size);
        wslay_frame_context_free(context);
    }
}

TEST(random_bytes_never_take_more_than_there_is)
{
    for (uint32_t step = 0; step < 20000; step++) {
        const size_t size = 1 + prng_below(prng, 64);
        uint8_t *data = malloc(size);
        CHECK(data != NULL);
        for (size_t i = 0; i < size; i++) {
            static const uint8_t likely[] = {0x81, 0x82, 0x89, 0x01, 0x80, 0x00, 0x84, 0xfe};
            data[i] = prng_below(prng, 2) == 0 ? likely[prng_below(prng, sizeof(likely))]
                                               : (uint8_t)prng_next(prng);
        }
        struct websocket_state state = {.is_client = prng_below(prng, 2) == 0};
        uint8_t *at = data;
        size_t left = size;
        enum err err = ERR_OK;
        while (err == ERR_OK) {
            struct websocket_event event;
            err = websocket_consume(&state, at, left, &event);
            if (err == ERR_OK || err == ERR_AGAIN) {
                CHECK(event.consumed <= left);
                CHECK(event.produced <= event.consumed);
                at += event.consumed;
                left -= event.consumed;
            }
        }
        free(data);
    }
}
