/* The examples are those of jsonrpc.md: made or accepted by the reference (G) and EasyJS (E). */
#include "wire/jsonrpc.h"

#include "packet_equal.h"
#include "support/test.h"

#include <jansson.h>
#include <stdlib.h>

#define TEXT(literal)                                                                              \
    {                                                                                              \
        .data = (const uint8_t *)(literal), .size = sizeof(literal) - 1                            \
    }
#define AREA_BYTES 4096u

/* ---- Requests. ---- */

/* Decodes with an area of exactly the size that is promised to be enough. The request borrows from
 * `text` and from what is left in `area`. */
static enum jsonrpc_fault decode(const char *text, uint8_t *area,
                                 struct jsonrpc_request *out_request)
{
    const struct bytes object = bytes_of_string(text);
    CHECK(object.size <= AREA_BYTES);
    return jsonrpc_decode(object, area, out_request);
}

static void check_request_equal(const struct jsonrpc_request *a, const struct jsonrpc_request *b)
{
    CHECK_BYTES(a->id, b->id);
    CHECK_EQ(a->is_request, b->is_request);
    CHECK_EQ(a->is_object_payload, b->is_object_payload);
    check_packet_equal(&a->packet, &b->packet);
}

struct request_example {
    const char *text;
    struct jsonrpc_request request;
};

#define SEND_IDS .client_msg_no = TEXT("c"), .stream_no = TEXT("s"), .msg_key = TEXT("k")

static const struct request_example examples[] = {
    {"{\"method\":\"connect\",\"params\":{\"uid\":\"u1\",\"token\":\"t1\",\"deviceId\":"
     "\"web_b67e1cfc_1795448825110\",\"deviceFlag\":1,\"clientTimestamp\":1795448825147},\"id\":"
     "\"83a58d59-95d7-4d05-89c6-73346f378ce3\"}",
     {.id = TEXT("\"83a58d59-95d7-4d05-89c6-73346f378ce3\""),
      .is_request = true,
      .packet = {.type = PACKET_CONNECT,
                 .connect = {.version = 5,
                             .device_flag = 1,
                             .uid = TEXT("u1"),
                             .token = TEXT("t1"),
                             .device_id = TEXT("web_b67e1cfc_1795448825110"),
                             .client_timestamp_ms = 1795448825147}}}},
    {"{\"method\":\"connect\",\"params\":null,\"id\":\"1\"}",
     {.id = TEXT("\"1\""),
      .is_request = true,
      .packet = {.type = PACKET_CONNECT, .connect = {.version = 5}}}},
    {"{\"method\":\"connect\",\"params\":{\"device_id\":\"d\",\"device_flag\":-1,\"version\":260,"
     "\"client_timestamp\":-5,\"clientKey\":\"x\",\"UID\":\"u\"},\"id\":\"1\"}",
     {.id = TEXT("\"1\""),
      .is_request = true,
      .packet = {.type = PACKET_CONNECT,
                 .connect = {.version = 4,
                             .device_flag = 255,
                             .uid = TEXT("u"),
                             .device_id = TEXT("d"),
                             .client_timestamp_ms = -5,
                             .client_key = TEXT("x")}}}},
    {"{\"method\":\"send\",\"params\":{\"clientMsgNo\":\"64145618-a37a-4958-b5fb-7c9dd51ee02f\","
     "\"channelId\":\"u2\",\"channelType\":1,\"payload\":"
     "\"eyJ0eXBlIjoxLCJjb250ZW50IjoiaGVsbG8ifQ==\",\"header\":{\"redDot\":true}},\"id\":"
     "\"91a685b9-12b8-4995-9722-38a7950171b2\"}",
     {.id = TEXT("\"91a685b9-12b8-4995-9722-38a7950171b2\""),
      .is_request = true,
      .packet = {.type = PACKET_SEND,
                 .flags = PACKET_FLAG_RED_DOT,
                 .send = {.client_msg_no = TEXT("64145618-a37a-4958-b5fb-7c9dd51ee02f"),
                          .channel_id = TEXT("u2"),
                          .channel_type = 1,
                          .payload = TEXT("{\"type\":1,\"content\":\"hello\"}")}}}},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"send\",\"params\":{\"header\":{\"noPersist\":true,"
     "\"redDot\":true,\"syncOnce\":true,\"dup\":true,\"end\":true},\"setting\":{\"receipt\":true,"
     "\"signal\":true,\"stream\":true,\"topic\":true},\"msgKey\":\"k\",\"expire\":60,"
     "\"clientMsgNo\":\"c\",\"streamNo\":\"s\",\"channelId\":\"g1\",\"channelType\":2,\"topic\":"
     "\"t\",\"payload\":\"aGk=\",\"unknown\":1},\"id\":\"s-2\"}",
     {.id = TEXT("\"s-2\""),
      .is_request = true,
      .packet = {.type = PACKET_SEND,
                 .flags = PACKET_FLAGS_ON_WIRE | PACKET_FLAG_END,
                 .send = {.setting = 0xaa,
                          .expire_s = 60,
                          SEND_IDS,
                          .channel_id = TEXT("g1"),
                          .channel_type = 2,
                          .topic = TEXT("t"),
                          .payload = TEXT("hi")}}}},
    {"{\"method\":\"send\",\"params\":{\"client_msg_no\":\"c\",\"stream_no\":\"s\",\"msg_key\":"
     "\"k\",\"channel_id\":\"g1\",\"channel_type\":2,\"header\":{\"red_dot\":true,\"dup\":false,"
     "\"no_persist\":null},\"payload\":{ \"type\": 1 }},\"id\":7}",
     {.id = TEXT("7"),
      .is_request = true,
      .is_object_payload = true,
      .packet = {.type = PACKET_SEND,
                 .flags = PACKET_FLAG_RED_DOT,
                 .send = {SEND_IDS, .channel_id = TEXT("g1"), .channel_type = 2,
                          .payload = TEXT("{ \"type\": 1 }")}}}},
    {"{\"method\":\"send\",\"params\":{},\"id\":\"\"}",
     {.is_request = true, .packet = {.type = PACKET_SEND}}},
    {"{\"method\":\"recvack\",\"params\":{\"header\":{\"redDot\":true},\"messageId\":"
     "\"1788923456789012346\",\"messageSeq\":8}}",
     {.packet = {.type = PACKET_RECVACK,
                 .flags = PACKET_FLAG_RED_DOT,
                 .recvack = {.message_id = 1788923456789012346, .message_seq = 8}}}},
    {"{\"method\":\"recvack\",\"params\":{\"messageId\":\"1788923456789012347\","
     "\"messageSeq\":0}}",
     {.packet = {.type = PACKET_RECVACK, .recvack = {.message_id = 1788923456789012347}}}},
    {"{\"method\":\"recvack\",\"params\":{\"message_id\":\"12\",\"message_seq\":5000000000},"
     "\"id\":\"r\"}",
     {.id = TEXT("\"r\""),
      .is_request = true,
      .packet = {.type = PACKET_RECVACK,
                 .recvack = {.message_id = 12, .message_seq = 5000000000}}}},
    {"{\"method\":\"ping\",\"params\":{},\"id\":\"f0e3bbf3-501d-49a5-affe-dc278f3cd071\"}",
     {.id = TEXT("\"f0e3bbf3-501d-49a5-affe-dc278f3cd071\""),
      .is_request = true,
      .packet = {.type = PACKET_PING}}},
    {"{\"method\":\"ping\",\"id\":\"p\\\"\\u00e9\"}",
     {.id = TEXT("\"p\\\"\\u00e9\""), .is_request = true, .packet = {.type = PACKET_PING}}},
    {"{\"method\":\"ping\",\"params\":null,\"id\":-3}",
     {.id = TEXT("-3"), .is_request = true, .packet = {.type = PACKET_PING}}},
    {"{\"method\":\"disconnect\",\"params\":{\"reasonCode\":0,\"reason\":\"by\\u0065\"},\"id\":"
     "\"d\"}",
     {.id = TEXT("\"d\""),
      .is_request = true,
      .packet = {.type = PACKET_DISCONNECT, .disconnect = {.text = TEXT("bye")}}}},
    {"{\"method\":\"disconnect\",\"params\":{}}", {.packet = {.type = PACKET_DISCONNECT}}},
    {" \n{ \"Method\" : \"ping\" , \"ID\" : \"a\" , \"x\":[{}], \"id\":\"b\" } ",
     {.id = TEXT("\"b\""), .is_request = true, .packet = {.type = PACKET_PING}}},
};

TEST(every_example_is_understood)
{
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        uint8_t area[AREA_BYTES];
        struct jsonrpc_request request;
        CHECK_EQ(decode(examples[i].text, area, &request), JSONRPC_FAULT_NONE);
        check_request_equal(&request, &examples[i].request);
    }
}

TEST(an_object_may_be_decoded_in_its_own_place)
{
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        uint8_t object[AREA_BYTES];
        const size_t size = strlen(examples[i].text);
        memcpy(object, examples[i].text, size);
        struct jsonrpc_request request;
        CHECK_EQ(jsonrpc_decode((struct bytes){.data = object, .size = size}, object, &request),
                 JSONRPC_FAULT_NONE);
        check_request_equal(&request, &examples[i].request);
    }
}

/* An object payload and an id lie in the object: the area keeps only what had to be changed. */
TEST(decoding_into_another_area_leaves_the_object_as_it_was)
{
    uint8_t object[AREA_BYTES];
    uint8_t area[AREA_BYTES];
    const char *text = "{\"method\":\"send\",\"params\":{\"channelId\":\"\\u0067\",\"payload\":"
                       "\"aGk=\"},\"id\":\"1\"}";
    memcpy(object, text, strlen(text));
    const struct bytes whole = {.data = object, .size = strlen(text)};
    for (uint32_t round = 0; round < 2; round++) {
        struct jsonrpc_request request;
        CHECK_EQ(jsonrpc_decode(whole, area, &request), JSONRPC_FAULT_NONE);
        CHECK_BYTES(request.packet.send.channel_id, BYTES_OF("g"));
        CHECK_BYTES(request.packet.send.payload, BYTES_OF("hi"));
        CHECK_BYTES(whole, bytes_of_string(text));
    }
}

#define SEND(params) "{\"method\":\"send\",\"params\":{" params "},\"id\":\"1\"}"

TEST(a_payload_comes_in_many_forms)
{
    static const struct {
        const char *text;
        struct bytes payload;
    } payloads[] = {
        {SEND("\"payload\":\"eyJ0eXBlIjoxfQ==\""), TEXT("{\"type\":1}")},
        {SEND("\"payload\":\"aG\\nk=\""), TEXT("hi")},
        {SEND("\"payload\":\"aG\\r\\nk=\\u000a\""), TEXT("hi")},
        {SEND("\"payload\":\"Pz8\\/\""), TEXT("???")},
        {SEND("\"payload\":[104, 105]"), TEXT("hi")},
        {SEND("\"payload\":[]"), TEXT("")},
        {SEND("\"payload\":[0,255]"), TEXT("\x00\xff")},
        {SEND("\"payload\":null"), TEXT("")},
        {SEND("\"payload\":\"\""), TEXT("")},
        {SEND("\"topic\":\"t\""), TEXT("")},
        {SEND("\"payload\":{\"a\":\"\\u0041\"}"), TEXT("{\"a\":\"\\u0041\"}")},
        {SEND("\"payload\":{},\"payload\":\"aGk=\""), TEXT("hi")},
    };
    for (size_t i = 0; i < COUNT_OF(payloads); i++) {
        uint8_t area[AREA_BYTES];
        struct jsonrpc_request request;
        CHECK_EQ(decode(payloads[i].text, area, &request), JSONRPC_FAULT_NONE);
        CHECK_BYTES(request.packet.send.payload, payloads[i].payload);
        CHECK_EQ(request.is_object_payload, payloads[i].payload.size > 0 &&
                                                payloads[i].payload.data[0] == '{' &&
                                                strstr(payloads[i].text, ":{\"a\"") != NULL);
    }
}

TEST(a_message_id_that_is_no_number_names_no_message)
{
    static const struct {
        const char *text;
        uint64_t id;
    } ids[] = {
        {"{\"method\":\"recvack\",\"params\":{\"messageId\":\"x\"}}", 0},
        {"{\"method\":\"recvack\",\"params\":{\"messageId\":\"\"}}", 0},
        {"{\"method\":\"recvack\",\"params\":{\"messageId\":\"-1\"}}", 0},
        {"{\"method\":\"recvack\",\"params\":{\"messageId\":\"9223372036854775808\"}}", 0},
        {"{\"method\":\"recvack\",\"params\":{\"messageId\":\"9223372036854775807\"}}", INT64_MAX},
        {"{\"method\":\"recvack\",\"params\":{\"messageId\":\"\\u0034\\u0032\"}}", 42},
        {"{\"method\":\"recvack\",\"params\":{\"messageId\":42}}", 42},
    };
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        uint8_t area[AREA_BYTES];
        struct jsonrpc_request request;
        CHECK_EQ(decode(ids[i].text, area, &request), JSONRPC_FAULT_NONE);
        CHECK(request.packet.recvack.message_id == ids[i].id);
    }
}

struct fault_example {
    const char *text;
    enum jsonrpc_fault fault;
    const char *id; /* what the error reply carries */
};

TEST(every_bad_object_has_its_fault_and_keeps_its_id)
{
    static const struct fault_example faults[] = {
        {"{\"jsonrpc\":\"1.0\",\"method\":\"ping\",\"id\":\"1\"}", JSONRPC_FAULT_VERSION, "\"1\""},
        {"{\"jsonrpc\":2.0,\"method\":\"ping\",\"id\":\"1\"}", JSONRPC_FAULT_VERSION, "\"1\""},
        {"{\"jsonrpc\":null,\"method\":\"ping\",\"id\":\"1\"}", JSONRPC_FAULT_VERSION, "\"1\""},
        {"{\"method\":\"ping\",\"id\":null}", JSONRPC_FAULT_ID, ""},
        {"{\"method\":\"ping\",\"id\":true}", JSONRPC_FAULT_ID, ""},
        {"{\"method\":\"ping\",\"id\":1.5}", JSONRPC_FAULT_ID, ""},
        {"{\"method\":\"ping\",\"id\":{}}", JSONRPC_FAULT_ID, ""},
        {"{\"method\":\"ping\",\"id\":[1]}", JSONRPC_FAULT_ID, ""},
        {"{\"method\":\"ping\"}", JSONRPC_FAULT_ID, ""},
        {"{\"method\":\"send\",\"params\":{}}", JSONRPC_FAULT_ID, ""},
        {"{\"method\":\"connect\",\"params\":{}}", JSONRPC_FAULT_ID, ""},
        {"{\"method\":\"foo\",\"params\":{},\"id\":\"f-1\"}", JSONRPC_FAULT_METHOD, "\"f-1\""},
        {"{\"method\":\"foo\"}", JSONRPC_FAULT_METHOD, ""},
        {"{\"method\":\"Ping\",\"id\":\"1\"}", JSONRPC_FAULT_METHOD, "\"1\""},
        {"{\"method\":\"recv\",\"params\":{}}", JSONRPC_FAULT_METHOD, ""},
        {"{\"method\":\"subscribe\",\"params\":{\"subNo\":\"n\",\"channelId\":\"g\","
         "\"channelType\":2},\"id\":\"b-1\"}",
         JSONRPC_FAULT_METHOD, "\"b-1\""},
        {"{\"method\":1,\"id\":\"1\"}", JSONRPC_FAULT_REQUEST, "\"1\""},
        {"{\"method\":\"\",\"id\":\"x\"}", JSONRPC_FAULT_REQUEST, "\"x\""},
        {"{\"id\":\"x\"}", JSONRPC_FAULT_REQUEST, "\"x\""},
        {"{}", JSONRPC_FAULT_REQUEST, ""},
        {"{\"id\":\"x\",\"result\":{}}", JSONRPC_FAULT_RESPONSE, "\"x\""},
        {"{\"id\":\"x\",\"error\":{}}", JSONRPC_FAULT_RESPONSE, "\"x\""},
        {"{\"id\":\"x\",\"result\":{},\"error\":{}}", JSONRPC_FAULT_REQUEST, "\"x\""},
        {"{\"method\":\"connect\",\"id\":\"1\"}", JSONRPC_FAULT_PARAMS, "\"1\""},
        {"{\"method\":\"connect\",\"params\":[],\"id\":\"1\"}", JSONRPC_FAULT_PARAMS, "\"1\""},
        {"{\"method\":\"ping\",\"params\":[],\"id\":\"1\"}", JSONRPC_FAULT_PARAMS, "\"1\""},
        {"{\"method\":\"recvack\"}", JSONRPC_FAULT_PARAMS, ""},
        {"{\"method\":\"recvack\",\"params\":{\"messageSeq\":-1}}", JSONRPC_FAULT_PARAMS, ""},
        {"{\"method\":\"recvack\",\"params\":{\"messageId\":1.5}}", JSONRPC_FAULT_PARAMS, ""},
        {"{\"method\":\"recvack\",\"params\":{\"messageId\":true}}", JSONRPC_FAULT_PARAMS, ""},
        {SEND("\"channelType\":\"2\""), JSONRPC_FAULT_PARAMS, "\"1\""},
        {SEND("\"channelType\":2.0"), JSONRPC_FAULT_PARAMS, "\"1\""},
        {SEND("\"channelId\":2"), JSONRPC_FAULT_PARAMS, "\"1\""},
        {SEND("\"expire\":4294967296"), JSONRPC_FAULT_PARAMS, "\"1\""},
        {SEND("\"expire\":-1"), JSONRPC_FAULT_PARAMS, "\"1\""},
        {SEND("\"header\":1"), JSONRPC_FAULT_PARAMS, "\"1\""},
        {SEND("\"header\":{\"redDot\":1}"), JSONRPC_FAULT_PARAMS, "\"1\""},
        {SEND("\"setting\":8"), JSONRPC_FAULT_PARAMS, "\"1\""},
        {SEND("\"payload\":\"hello!\""), JSONRPC_FAULT_PAYLOAD, "\"1\""},
        {SEND("\"payload\":\"aGk\""), JSONRPC_FAULT_PAYLOAD, "\"1\""},
        {SEND("\"payload\":\"_-_-\""), JSONRPC_FAULT_PAYLOAD, "\"1\""},
        {SEND("\"payload\":[256]"), JSONRPC_FAULT_PAYLOAD, "\"1\""},
        {SEND("\"payload\":[{}]"), JSONRPC_FAULT_PAYLOAD, "\"1\""},
        {SEND("\"payload\":1"), JSONRPC_FAULT_PAYLOAD, "\"1\""},
        {"{\"method\":\"ping\",\"id\":\"1\"", JSONRPC_FAULT_SYNTAX, ""},
        {"{\"method\":\"ping\",\"id\":\"1\"} x", JSONRPC_FAULT_SYNTAX, ""},
        {"{\"method\":\"ping\",\"id\":\"\xff\"}", JSONRPC_FAULT_SYNTAX, ""},
        {"[]", JSONRPC_FAULT_SYNTAX, ""},
        {"", JSONRPC_FAULT_SYNTAX, ""},
    };
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        uint8_t area[AREA_BYTES];
        struct jsonrpc_request request;
        CHECK_EQ(decode(faults[i].text, area, &request), faults[i].fault);
        CHECK_BYTES(request.id, bytes_of_string(faults[i].id));
        CHECK_EQ(request.packet.type, PACKET_INVALID);
    }
}

TEST(every_fault_has_a_code_and_a_text)
{
    CHECK_EQ(jsonrpc_fault_code(JSONRPC_FAULT_SYNTAX), -32700);
    CHECK_EQ(jsonrpc_fault_code(JSONRPC_FAULT_REQUEST), -32600);
    CHECK_EQ(jsonrpc_fault_code(JSONRPC_FAULT_METHOD), -32601);
    CHECK_EQ(jsonrpc_fault_code(JSONRPC_FAULT_PAYLOAD), -32602);
    for (int fault = JSONRPC_FAULT_NONE; fault <= JSONRPC_FAULT_PAYLOAD; fault++) {
        CHECK(strlen(jsonrpc_fault_text((enum jsonrpc_fault)fault)) > 0);
    }
}

TEST(a_string_that_no_packet_can_carry_is_refused)
{
    static uint8_t object[2 * PACKET_STRING_BYTES_MAX];
    static uint8_t area[sizeof(object)];
    for (size_t size = PACKET_STRING_BYTES_MAX; size <= PACKET_STRING_BYTES_MAX + 1; size++) {
        static uint8_t text[PACKET_STRING_BYTES_MAX + 1];
        memset(text, 'x', sizeof(text));
        struct writer writer = writer_of(object, sizeof(object));
        writer_bytes_add(&writer, BYTES_OF("{\"method\":\"send\",\"id\":\"1\",\"params\":{"
                                           "\"channelId\":\""));
        writer_bytes_add(&writer, (struct bytes){.data = text, .size = size});
        writer_bytes_add(&writer, BYTES_OF("\"}}"));
        struct jsonrpc_request request;
        CHECK_EQ(jsonrpc_decode(writer_bytes(&writer), area, &request),
                 size <= PACKET_STRING_BYTES_MAX ? JSONRPC_FAULT_NONE : JSONRPC_FAULT_PARAMS);
    }
}

/* ---- Cutting the stream. ---- */

TEST(objects_are_cut_wherever_they_end)
{
    const struct bytes stream = BYTES_OF(" {\"a\":\"}\\\"{\"}\r\n{\"b\":[{},[]]}{}");
    static const size_t sizes[] = {13, 15, 2};
    size_t at = 0;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct jsonrpc_scan scan = {0};
        size_t size = 0;
        CHECK_OK(jsonrpc_object_size(bytes_skip(stream, at), &scan, &size));
        CHECK_EQ(size, sizes[i]);
        at += size;
    }
    CHECK_EQ(at, stream.size);
}

TEST(an_object_that_grows_byte_by_byte_is_found_where_it_ends)
{
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        struct bytes text = bytes_of_string(examples[i].text);
        while (text.data[text.size - 1] == ' ') {
            text.size--;
        }
        struct jsonrpc_scan scan = {0};
        size_t size = 0;
        for (size_t seen = 0; seen < text.size; seen++) {
            CHECK_EQ(
                jsonrpc_object_size((struct bytes){.data = text.data, .size = seen}, &scan, &size),
                ERR_AGAIN);
        }
        CHECK_OK(jsonrpc_object_size(text, &scan, &size));
        CHECK_EQ(size, text.size);
        CHECK_EQ(scan.offset, 0); /* begins anew */
    }
}

TEST(what_cannot_become_an_object_is_refused_at_once)
{
    static const char *const streams[] = {"[",  "x",         "\x10",   "\"", " }",
                                          "{]", "{\"a\":[}", "{\"a\n", "1",  "{\"a\":{\"b\":[1]]"};
    for (size_t i = 0; i < COUNT_OF(streams); i++) {
        struct jsonrpc_scan scan = {0};
        size_t size = 0;
        CHECK_EQ(jsonrpc_object_size(bytes_of_string(streams[i]), &scan, &size), ERR_PROTOCOL);
    }
}

TEST(an_object_that_does_not_end_in_time_is_refused)
{
    uint8_t *stream = malloc(JSONRPC_OBJECT_BYTES_MAX + 1);
    CHECK(stream != NULL);
    memset(stream, 'x', JSONRPC_OBJECT_BYTES_MAX + 1);
    memcpy(stream, "{\"", 2);
    struct jsonrpc_scan scan = {0};
    size_t size = 0;
    CHECK_EQ(
        jsonrpc_object_size((struct bytes){.data = stream, .size = JSONRPC_OBJECT_BYTES_MAX - 1},
                            &scan, &size),
        ERR_AGAIN);
    CHECK_EQ(jsonrpc_object_size((struct bytes){.data = stream, .size = JSONRPC_OBJECT_BYTES_MAX},
                                 &scan, &size),
             ERR_LIMIT);
    memcpy(stream + JSONRPC_OBJECT_BYTES_MAX - 2, "\"}", 2);
    scan = (struct jsonrpc_scan){0};
    CHECK_OK(jsonrpc_object_size(
        (struct bytes){.data = stream, .size = JSONRPC_OBJECT_BYTES_MAX + 1}, &scan, &size));
    CHECK_EQ(size, JSONRPC_OBJECT_BYTES_MAX);
    memset(stream, '{', JSONRPC_OBJECT_BYTES_MAX);
    scan = (struct jsonrpc_scan){0};
    CHECK_EQ(jsonrpc_object_size((struct bytes){.data = stream, .size = 1000}, &scan, &size),
             ERR_PROTOCOL); /* too deep */
    free(stream);
}

/* Each call looks at the new byte only: two megabytes one by one are done in no time, while they
 * would take hours if each call began anew. */
TEST(a_slow_sender_costs_no_more_than_a_fast_one)
{
    uint8_t *stream = malloc(JSONRPC_OBJECT_BYTES_MAX);
    CHECK(stream != NULL);
    memset(stream, 'x', JSONRPC_OBJECT_BYTES_MAX);
    memcpy(stream, "{\"", 2);
    struct jsonrpc_scan scan = {0};
    size_t size = 0;
    for (size_t seen = 0; seen < JSONRPC_OBJECT_BYTES_MAX; seen++) {
        CHECK_EQ(jsonrpc_object_size((struct bytes){.data = stream, .size = seen}, &scan, &size),
                 ERR_AGAIN);
        CHECK_EQ(scan.offset, seen);
    }
    free(stream);
}

/* ---- Answers. ---- */

static struct bytes encode(const struct jsonrpc_answer *answer, uint8_t *area)
{
    struct writer writer = writer_of(area, AREA_BYTES);
    CHECK_OK(jsonrpc_encode(answer, &writer));
    CHECK(writer_size(&writer) <= jsonrpc_size_max(answer));
    return writer_bytes(&writer);
}

#define CHECK_ANSWER(answer_packet, answer_id, expected)                                           \
    do {                                                                                           \
        const struct packet check_packet = answer_packet;                                          \
        const struct jsonrpc_answer answer = {.packet = &check_packet, .id = answer_id};           \
        uint8_t area[AREA_BYTES];                                                                  \
        CHECK_BYTES(encode(&answer, area), BYTES_OF(expected));                                    \
    } while (0)

#define PACKET(...) ((struct packet){__VA_ARGS__})

TEST(a_login_is_answered_with_a_result_and_a_refusal_with_an_error)
{
    CHECK_ANSWER(
        PACKET(.type = PACKET_CONNACK,
               .connack = {.server_version = 5, .time_diff_ms = 3, .reason = 1, .node_id = 1001}),
        BYTES_OF("\"83a58d59-95d7-4d05-89c6-73346f378ce3\""),
        "{\"jsonrpc\":\"2.0\",\"id\":\"83a58d59-95d7-4d05-89c6-73346f378ce3\",\"result\":{"
        "\"serverVersion\":5,\"timeDiff\":3,\"reasonCode\":1,\"nodeId\":1001}}");
    CHECK_ANSWER(PACKET(.type = PACKET_CONNACK, .connack = {.reason = 1, .time_diff_ms = -15}),
                 BYTES_OF("7"),
                 "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"timeDiff\":-15,\"reasonCode\":1,"
                 "\"nodeId\":0}}");
    CHECK_ANSWER(PACKET(.type = PACKET_CONNACK, .connack = {.reason = 2}), BYTES_OF("\"83a5\""),
                 "{\"jsonrpc\":\"2.0\",\"id\":\"83a5\",\"error\":{\"code\":2,\"message\":"
                 "\"ReasonAuthFail\"}}");
}

TEST(a_send_is_answered_with_a_result_whatever_became_of_it)
{
    CHECK_ANSWER(
        PACKET(.type = PACKET_SENDACK, .flags = PACKET_FLAG_RED_DOT,
               .sendack = {.message_id = 1788923456789012345, .message_seq = 7, .reason = 1}),
        BYTES_OF("\"s-1\""),
        "{\"jsonrpc\":\"2.0\",\"id\":\"s-1\",\"result\":{\"header\":{\"redDot\":true},"
        "\"messageId\":\"1788923456789012345\",\"messageSeq\":7,\"reasonCode\":1}}");
    CHECK_ANSWER(
        PACKET(.type = PACKET_SENDACK, .sendack = {.message_id = 1788923456789012346, .reason = 4}),
        BYTES_OF("\"s-2\""),
        "{\"jsonrpc\":\"2.0\",\"id\":\"s-2\",\"result\":{\"messageId\":"
        "\"1788923456789012346\",\"messageSeq\":0,\"reasonCode\":4}}");
    CHECK_ANSWER(
        PACKET(.type = PACKET_SENDACK, .flags = PACKET_FLAGS_ON_WIRE | PACKET_FLAG_END,
               .sendack = {.message_id = 1, .reason = 1}),
        BYTES_EMPTY,
        "{\"jsonrpc\":\"2.0\",\"result\":{\"header\":{\"noPersist\":true,\"redDot\":true,"
        "\"syncOnce\":true,\"dup\":true,\"end\":true},\"messageId\":\"1\",\"messageSeq\":0,"
        "\"reasonCode\":1}}");
}

TEST(a_ping_and_a_recvack_are_answered_with_null)
{
    CHECK_ANSWER(PACKET(.type = PACKET_PONG), BYTES_OF("\"p-1\""),
                 "{\"jsonrpc\":\"2.0\",\"id\":\"p-1\",\"result\":null}");
    CHECK_ANSWER(PACKET(.type = PACKET_RECVACK), BYTES_OF("\"r-1\""),
                 "{\"jsonrpc\":\"2.0\",\"id\":\"r-1\",\"result\":null}");
}

#define HELLO TEXT("{\"type\":1,\"content\":\"hello\"}")

TEST(a_recv_has_its_header_always_and_the_rest_if_there_is_something)
{
    CHECK_ANSWER(
        PACKET(.type = PACKET_RECV, .flags = PACKET_FLAG_RED_DOT,
               .recv = {.message_id = 1788923456789012345,
                        .message_seq = 7,
                        .client_msg_no = TEXT("m-0001"),
                        .timestamp_s = 1700000001,
                        .channel_id = TEXT("u1"),
                        .channel_type = 1,
                        .from_uid = TEXT("u1"),
                        .payload = HELLO}),
        BYTES_OF("ignored"),
        "{\"jsonrpc\":\"2.0\",\"method\":\"recv\",\"params\":{\"header\":{\"redDot\":true},"
        "\"messageId\":\"1788923456789012345\",\"messageSeq\":7,\"clientMsgNo\":\"m-0001\","
        "\"timestamp\":1700000001,\"channelId\":\"u1\",\"channelType\":1,\"fromUid\":\"u1\","
        "\"payload\":\"eyJ0eXBlIjoxLCJjb250ZW50IjoiaGVsbG8ifQ==\"}}");
    CHECK_ANSWER(
        PACKET(.type = PACKET_RECV,
               .flags = PACKET_FLAG_NO_PERSIST | PACKET_FLAG_SYNC_ONCE | PACKET_FLAG_DUP |
                        PACKET_FLAG_END,
               .recv = {.setting = PACKET_SETTING_RECEIPT | PACKET_SETTING_TOPIC,
                        .expire_s = 60,
                        .message_id = 1788923456789012345,
                        .client_msg_no = TEXT("m-0001"),
                        .timestamp_s = 1700000001,
                        .channel_id = TEXT("u1"),
                        .channel_type = 1,
                        .topic = TEXT("t<1>&"),
                        .payload = HELLO}),
        BYTES_EMPTY,
        "{\"jsonrpc\":\"2.0\",\"method\":\"recv\",\"params\":{\"header\":{\"noPersist\":true,"
        "\"syncOnce\":true},\"setting\":{\"receipt\":true,\"topic\":true},\"expire\":60,"
        "\"messageId\":\"1788923456789012345\",\"messageSeq\":0,\"clientMsgNo\":\"m-0001\","
        "\"timestamp\":1700000001,\"channelId\":\"u1\",\"channelType\":1,\"topic\":"
        "\"t\\u003c1\\u003e\\u0026\",\"fromUid\":\"\",\"payload\":"
        "\"eyJ0eXBlIjoxLCJjb250ZW50IjoiaGVsbG8ifQ==\"}}");
    CHECK_ANSWER(
        PACKET(.type = PACKET_RECV, .recv = {.setting = PACKET_SETTING_NO_ENCRYPT,
                                             .stream_no = TEXT("s-1"),
                                             .stream_id = 99,
                                             .stream_flag = PACKET_STREAM_END}),
        BYTES_EMPTY,
        "{\"jsonrpc\":\"2.0\",\"method\":\"recv\",\"params\":{\"header\":{},\"setting\":{},"
        "\"messageId\":\"0\",\"messageSeq\":0,\"streamNo\":\"s-1\",\"streamId\":\"99\","
        "\"streamFlag\":2,\"timestamp\":0,\"channelId\":\"\",\"channelType\":0,"
        "\"fromUid\":\"\",\"payload\":\"\"}}");
}

TEST(an_object_payload_is_given_to_those_who_want_it_and_only_if_it_is_one)
{
    static const struct {
        struct bytes payload;
        const char *expected;
    } payloads[] = {
        {TEXT("{\"type\":1}"), "\"payload\":{\"type\":1}}}"},
        {TEXT("[1]"), "\"payload\":\"WzFd\"}}"},
        {TEXT("{\"type\":1"), "\"payload\":\"eyJ0eXBlIjox\"}}"},
        {TEXT(""), "\"payload\":\"\"}}"},
        {TEXT("\x00\xff"), "\"payload\":\"AP8=\"}}"},
    };
    for (size_t i = 0; i < COUNT_OF(payloads); i++) {
        const struct packet packet = {.type = PACKET_RECV,
                                      .recv = {.payload = payloads[i].payload}};
        const struct jsonrpc_answer answer = {.packet = &packet, .wants_object = true};
        uint8_t area[AREA_BYTES];
        CHECK(bytes_end_with(encode(&answer, area), bytes_of_string(payloads[i].expected)));
    }
}

TEST(a_kick_and_an_event_are_notifications)
{
    CHECK_ANSWER(PACKET(.type = PACKET_DISCONNECT,
                        .disconnect = {.reason = 12, .text = TEXT("login in other device")}),
                 BYTES_EMPTY,
                 "{\"jsonrpc\":\"2.0\",\"method\":\"disconnect\",\"params\":{\"reasonCode\":12,"
                 "\"reason\":\"login in other device\"}}");
    CHECK_ANSWER(PACKET(.type = PACKET_DISCONNECT, .disconnect = {.reason = 12}), BYTES_EMPTY,
                 "{\"jsonrpc\":\"2.0\",\"method\":\"disconnect\",\"params\":{\"reasonCode\":12}}");
    CHECK_ANSWER(
        PACKET(.type = PACKET_EVENT,
               .event = {.id = TEXT("evt_1"),
                         .type = TEXT("stream.delta"),
                         .timestamp_ms = 1700000000123,
                         .data =
                             TEXT("{\"client_msg_no\":\"m\",\"payload\":{\"delta\":\"<b>&\"}}")}),
        BYTES_EMPTY,
        "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"id\":\"evt_1\",\"type\":"
        "\"stream.delta\",\"timestamp\":1700000000123,\"data\":\"{\\\"client_msg_no\\\":\\\"m\\\","
        "\\\"payload\\\":{\\\"delta\\\":\\\"\\u003cb\\u003e\\u0026\\\"}}\"}}");
}

TEST(an_error_carries_the_id_if_there_is_one)
{
    uint8_t area[AREA_BYTES];
    struct writer writer = writer_of(area, sizeof(area));
    CHECK_OK(jsonrpc_error_encode(BYTES_OF("\"s-1\""), 0, BYTES_OF("jsonrpc: unknown method: foo"),
                                  &writer));
    CHECK_BYTES(writer_bytes(&writer),
                BYTES_OF("{\"jsonrpc\":\"2.0\",\"id\":\"s-1\",\"error\":{\"code\":0,\"message\":"
                         "\"jsonrpc: unknown method: foo\"}}"));
    writer = writer_of(area, sizeof(area));
    CHECK_OK(jsonrpc_error_encode(BYTES_EMPTY, -32700, BYTES_OF("<\xff>"), &writer));
    CHECK_BYTES(writer_bytes(&writer),
                BYTES_OF("{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":"
                         "\"\\u003c\\ufffd\\u003e\"}}"));
    CHECK(writer_size(&writer) <= jsonrpc_error_size_max(BYTES_EMPTY, BYTES_OF("<\xff>")));
}

TEST(an_answer_without_room_is_not_begun)
{
    const struct packet pong = {.type = PACKET_PONG};
    const struct jsonrpc_answer answer = {.packet = &pong, .id = BYTES_OF("\"p\"")};
    uint8_t area[AREA_BYTES];
    const size_t size = encode(&answer, area).size;
    struct writer writer = writer_of(area, size - 1);
    CHECK_EQ(jsonrpc_encode(&answer, &writer), ERR_FULL);
    CHECK_EQ(writer_size(&writer), 0);
    CHECK(!writer.is_full);
    writer = writer_of(area, size);
    CHECK_OK(jsonrpc_encode(&answer, &writer));
    writer = writer_of(area, 10);
    CHECK_EQ(jsonrpc_error_encode(answer.id, 0, BYTES_EMPTY, &writer), ERR_FULL);
    CHECK_EQ(writer_size(&writer), 0);
}

static void encode_ping(void *argument)
{
    const struct packet ping = {.type = PACKET_PING};
    const struct jsonrpc_answer answer = {.packet = &ping};
    uint8_t area[AREA_BYTES];
    struct writer writer = writer_of(area, sizeof(area));
    (void)argument;
    ERR_IGNORE(jsonrpc_encode(&answer, &writer), "it does not come back");
}

TEST(what_a_server_never_says_is_a_bug)
{
    CHECK_ABORTS(encode_ping, NULL);
}

/* The largest that every number can be fits what is reserved for them. */
TEST(the_promised_size_is_enough_for_the_longest_answer)
{
    const struct packet packet = {.type = PACKET_RECV,
                                  .flags = 0xff,
                                  .recv = {.setting = 0xff,
                                           .channel_type = 255,
                                           .stream_flag = 255,
                                           .expire_s = UINT32_MAX,
                                           .timestamp_s = UINT32_MAX,
                                           .stream_id = UINT64_MAX,
                                           .message_id = UINT64_MAX,
                                           .message_seq = UINT64_MAX,
                                           .from_uid = TEXT("<\"\xff"),
                                           .channel_id = TEXT("\n\x01"),
                                           .client_msg_no = TEXT("&&&&"),
                                           .stream_no = TEXT("<<<<"),
                                           .topic = TEXT("\xe2\x80\xa8"),
                                           .payload = TEXT("x")}};
    const struct jsonrpc_answer answer = {.packet = &packet};
    uint8_t area[AREA_BYTES];
    (void)encode(&answer, area);
}

/* ---- Properties: jansson reads what we write, and random bytes do no harm. ---- */

static struct bytes random_string(struct prng *prng, uint8_t *area, size_t capacity)
{
    const size_t size = prng_below(prng, capacity);
    for (size_t i = 0; i < size; i++) {
        area[i] = prng_below(prng, 4) == 0 ? (uint8_t)prng_next(prng)
                                           : (uint8_t)(' ' + prng_below(prng, 95));
    }
    return (struct bytes){.data = area, .size = size};
}

TEST(any_answer_is_json_of_the_promised_size)
{
    for (uint32_t step = 0; step < 5000; step++) {
        uint8_t strings[6][40];
        const struct packet packet = {.type = PACKET_RECV,
                                      .flags = (uint8_t)prng_next(prng),
                                      .recv = {.setting = (uint8_t)prng_next(prng),
                                               .expire_s = (uint32_t)prng_next(prng),
                                               .message_id = prng_next(prng) >> 1,
                                               .message_seq = prng_next(prng) >> 1,
                                               .from_uid = random_string(prng, strings[0], 40),
                                               .channel_id = random_string(prng, strings[1], 40),
                                               .client_msg_no = random_string(prng, strings[2], 40),
                                               .stream_no = random_string(prng, strings[3], 40),
                                               .topic = random_string(prng, strings[4], 40),
                                               .payload = random_string(prng, strings[5], 40)}};
        const struct jsonrpc_answer answer = {.packet = &packet,
                                              .wants_object = prng_below(prng, 2) == 0};
        uint8_t area[AREA_BYTES];
        const struct bytes text = encode(&answer, area);
        json_t *tree = json_loadb((const char *)text.data, text.size, JSON_ALLOW_NUL, NULL);
        CHECK(json_is_object(tree));
        json_decref(tree);
        struct jsonrpc_scan scan = {0};
        size_t size = 0;
        CHECK_OK(jsonrpc_object_size(text, &scan, &size));
        CHECK_EQ(size, text.size);
    }
}

/* An example with some bytes changed, in a heap block of its own size for the sanitizer to watch;
 * decoding it in place says the same as decoding it aside. */
TEST(a_damaged_example_never_does_harm)
{
    for (uint32_t step = 0; step < 20000; step++) {
        const struct bytes example =
            bytes_of_string(examples[prng_below(prng, COUNT_OF(examples))].text);
        uint8_t *object = malloc(example.size);
        uint8_t *area = malloc(example.size);
        CHECK(object != NULL && area != NULL);
        memcpy(object, example.data, example.size);
        for (uint64_t changes = prng_below(prng, 4); changes > 0; changes--) {
            static const char likely[] = "\"\\{}[],:u0null1e.";
            object[prng_below(prng, example.size)] =
                (uint8_t)likely[prng_below(prng, sizeof(likely) - 1)];
        }
        const struct bytes whole = {.data = object, .size = example.size};
        struct jsonrpc_scan scan = {0};
        size_t size = 0;
        ERR_IGNORE(jsonrpc_object_size(whole, &scan, &size), "any result will do");
        struct jsonrpc_request aside;
        struct jsonrpc_request in_place;
        const enum jsonrpc_fault fault = jsonrpc_decode(whole, area, &aside);
        uint8_t *copy = malloc(example.size);
        CHECK(copy != NULL);
        memcpy(copy, object, example.size);
        CHECK_EQ(
            jsonrpc_decode((struct bytes){.data = copy, .size = example.size}, copy, &in_place),
            fault);
        check_request_equal(&aside, &in_place);
        free(copy);
        free(object);
        free(area);
    }
}
