/*
 * Any bytes as JSON-RPC: an object ends where it ends, however it comes; decoding it in its own
 * place says the same as decoding it aside; what we answer is JSON.
 */
#include "base/assert.h"
#include "base/utf8.h"
#include "wire/jsonrpc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_equal(const struct jsonrpc_request *a, const struct jsonrpc_request *b)
{
    ASSERT(bytes_equal(a->id, b->id));
    ASSERT(a->is_request == b->is_request);
    ASSERT(a->is_object_payload == b->is_object_payload);
    ASSERT(a->packet.type == b->packet.type);
    ASSERT(a->packet.flags == b->packet.flags);
    if (a->packet.type == PACKET_SEND) {
        ASSERT(bytes_equal(a->packet.send.payload, b->packet.send.payload));
        ASSERT(bytes_equal(a->packet.send.channel_id, b->packet.send.channel_id));
        ASSERT(bytes_equal(a->packet.send.client_msg_no, b->packet.send.client_msg_no));
        ASSERT(bytes_equal(a->packet.send.topic, b->packet.send.topic));
        ASSERT(a->packet.send.expire_s == b->packet.send.expire_s);
    }
    if (a->packet.type == PACKET_CONNECT) {
        ASSERT(bytes_equal(a->packet.connect.uid, b->packet.connect.uid));
        ASSERT(bytes_equal(a->packet.connect.token, b->packet.connect.token));
    }
}

static void check_answer(const struct jsonrpc_answer *answer)
{
    const size_t size_max = jsonrpc_size_max(answer);
    uint8_t *area = malloc(size_max);
    ASSERT(area != NULL);
    struct writer writer = writer_of(area, size_max);
    const enum err err = jsonrpc_encode(answer, &writer);
    ASSERT(err == ERR_OK);
    ASSERT(json_token_is_object(writer_bytes(&writer)));
    free(area);
}

/* What was sent, as another client gets it, and as its sender is answered. */
static void check_answers(const struct jsonrpc_request *request)
{
    const struct packet_send *send = &request->packet.send;
    const struct packet recv = {
        .type = PACKET_RECV,
        .flags = request->packet.flags,
        .recv = {.setting = send->setting,
                 .channel_type = send->channel_type,
                 .expire_s = send->expire_s,
                 .channel_id = send->channel_id,
                 .client_msg_no = send->client_msg_no,
                 .stream_no = send->stream_no,
                 .topic = send->topic,
                 .payload = send->payload},
    };
    const struct packet sendack = {.type = PACKET_SENDACK, .flags = request->packet.flags};
    check_answer(&(struct jsonrpc_answer){.packet = &recv});
    check_answer(&(struct jsonrpc_answer){.packet = &recv, .wants_object = true});
    check_answer(&(struct jsonrpc_answer){.packet = &sendack, .id = request->id});
}

static void check_decode(struct bytes object)
{
    uint8_t *area = malloc(object.size);
    uint8_t *place = malloc(object.size);
    ASSERT(area != NULL);
    ASSERT(place != NULL);
    memcpy(place, object.data, object.size);
    struct jsonrpc_request aside;
    struct jsonrpc_request in_place;
    const enum jsonrpc_fault fault = jsonrpc_decode(object, area, &aside);
    const enum jsonrpc_fault same =
        jsonrpc_decode((struct bytes){.data = place, .size = object.size}, place, &in_place);
    ASSERT(fault == same);
    check_equal(&aside, &in_place);
    if (fault == JSONRPC_FAULT_NONE && aside.packet.type == PACKET_SEND) {
        check_answers(&aside);
        check_answers(&in_place);
    }
    if (fault != JSONRPC_FAULT_NONE) {
        const struct bytes text = bytes_of_string(jsonrpc_fault_text(fault));
        const size_t size_max = jsonrpc_error_size_max(aside.id, text);
        uint8_t *error = malloc(size_max);
        ASSERT(error != NULL);
        struct writer writer = writer_of(error, size_max);
        const enum err err =
            jsonrpc_error_encode(aside.id, jsonrpc_fault_code(fault), text, &writer);
        ASSERT(err == ERR_OK);
        ASSERT(json_token_is_object(writer_bytes(&writer)));
        free(error);
    }
    free(area);
    free(place);
}

/* The size of the first object, found byte by byte. */
static enum err size_in_steps(struct bytes stream, size_t *out_size)
{
    struct jsonrpc_scan scan = {.offset = 0};
    enum err err = ERR_AGAIN;
    for (size_t seen = 1; seen <= stream.size && err == ERR_AGAIN; seen++) {
        err =
            jsonrpc_object_size((struct bytes){.data = stream.data, .size = seen}, &scan, out_size);
    }
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes stream = {.data = data, .size = size};
    while (stream.size > 0) {
        struct jsonrpc_scan scan = {.offset = 0};
        size_t whole = 0;
        size_t steps = 0;
        const enum err err = jsonrpc_object_size(stream, &scan, &whole);
        const enum err same = size_in_steps(stream, &steps);
        ASSERT(err == same);
        ASSERT(whole == steps);
        if (err != ERR_OK) {
            /* Whatever is complete for the checker has been complete for the scan. */
            ASSERT(err == ERR_LIMIT || !json_token_is_object(stream));
            break;
        }
        check_decode((struct bytes){.data = stream.data, .size = whole});
        stream = bytes_skip(stream, whole);
    }
    return 0;
}
