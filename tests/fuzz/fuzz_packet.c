/*
 * Any bytes, as a stream of frames: what decodes can be encoded, and says the same when it is
 * decoded again. The first byte of the input chooses the version.
 */
#include "base/assert.h"
#include "wire/packet.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bytes encode(const struct packet *packet, uint8_t version, uint8_t *area)
{
    struct writer writer = writer_of(area, packet_encoded_size(packet, version));
    const enum err err = packet_encode(packet, version, &writer);
    ASSERT(err == ERR_OK);
    ASSERT(writer.at == writer.end);
    return writer_bytes(&writer);
}

/* A RECV that is filled in where it lies is the same as one that is written at once. */
static void check_in_place(const struct packet *packet, uint8_t version, struct bytes frame)
{
    uint8_t *area = malloc(frame.size);
    ASSERT(area != NULL);
    struct writer writer = writer_of(area, frame.size);
    struct packet_recv_room room;
    const enum err err = packet_encode_recv(packet, version, &writer, &room);
    ASSERT(err == ERR_OK);
    if (packet->recv.msg_key.size > 0) {
        memcpy(room.msg_key, packet->recv.msg_key.data, packet->recv.msg_key.size);
    }
    if (packet->recv.payload.size > 0) {
        memcpy(room.payload, packet->recv.payload.data, packet->recv.payload.size);
    }
    ASSERT(bytes_equal(writer_bytes(&writer), frame));
    free(area);
}

static void check_round_trip(struct bytes frame, uint8_t version)
{
    struct packet first;
    if (packet_decode(frame, version, &first) != ERR_OK) {
        return;
    }
    /* Never longer than what came: padded lengths shrink, ignored bytes go. */
    uint8_t *area = malloc(frame.size);
    uint8_t *again = malloc(frame.size);
    ASSERT(area != NULL);
    ASSERT(again != NULL);
    ASSERT(packet_encoded_size(&first, version) <= frame.size);
    const struct bytes encoded = encode(&first, version, area);
    struct packet second;
    const enum err err = packet_decode(encoded, version, &second);
    ASSERT(err == ERR_OK);
    ASSERT(second.type == first.type);
    ASSERT(bytes_equal(encode(&second, version, again), encoded));
    if (first.type == PACKET_RECV) {
        check_in_place(&first, version, encoded);
    }
    free(area);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const uint8_t version = data[0] % (PACKET_VERSION_MAX + 1);
    struct bytes stream = {.data = data + 1, .size = size - 1};
    for (;;) {
        size_t frame_size = 0;
        if (packet_size(stream, &frame_size) != ERR_OK || frame_size > stream.size) {
            return 0;
        }
        ASSERT(frame_size > 0);
        check_round_trip((struct bytes){.data = stream.data, .size = frame_size}, version);
        stream = bytes_skip(stream, frame_size);
    }
}
