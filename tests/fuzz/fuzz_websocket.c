/*
 * Any bytes as WebSocket frames: the stream and the control frames that come out do not depend on
 * how the bytes were cut. The first byte chooses the side and the size of the pieces; if the rest
 * is an HTTP head, it is decoded as one too.
 */
#include "base/assert.h"
#include "wire/websocket.h"

#include <stdlib.h>

#define LOG_BYTES_PER_EVENT 2u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything that came out, in order: stream bytes, and for each control frame its kind, its size
 * and its payload. */
struct outcome {
    uint8_t *stream;
    size_t stream_size;
    uint8_t *events;
    size_t events_size;
    bool is_refused;
};

static void outcome_add(struct outcome *outcome, const uint8_t *at,
                        const struct websocket_event *event)
{
    if (event->produced > 0) {
        memcpy(outcome->stream + outcome->stream_size, at, event->produced);
    }
    outcome->stream_size += event->produced;
    if (event->kind == WEBSOCKET_EVENT_NONE) {
        return;
    }
    ASSERT(event->payload.size <= WEBSOCKET_CONTROL_BYTES_MAX);
    outcome->events[outcome->events_size++] = (uint8_t)event->kind;
    outcome->events[outcome->events_size++] = (uint8_t)event->payload.size;
    if (event->payload.size > 0) {
        memcpy(outcome->events + outcome->events_size, event->payload.data, event->payload.size);
    }
    outcome->events_size += event->payload.size;
}

/* Feeds `raw` in pieces, keeping what was not consumed in front of the next. */
static void outcome_play(struct outcome *outcome, struct bytes raw, size_t piece_max,
                         bool is_client)
{
    struct websocket_state state = {.is_client = is_client};
    uint8_t *area = malloc(raw.size + 1);
    ASSERT(area != NULL);
    size_t held = 0;
    while (raw.size > 0 && !outcome->is_refused) {
        const size_t piece = piece_max < raw.size ? piece_max : raw.size;
        memcpy(area + held, raw.data, piece);
        raw = bytes_skip(raw, piece);
        size_t left = held + piece;
        uint8_t *at = area;
        enum err err = ERR_OK;
        while (err == ERR_OK) {
            struct websocket_event event;
            err = websocket_consume(&state, at, left, &event);
            if (err != ERR_OK && err != ERR_AGAIN) {
                ASSERT(err == ERR_PROTOCOL);
                outcome->is_refused = true;
                break;
            }
            ASSERT((err == ERR_OK) == (event.kind != WEBSOCKET_EVENT_NONE));
            ASSERT(event.consumed <= left);
            ASSERT(event.produced <= event.consumed);
            outcome_add(outcome, at, &event);
            at += event.consumed;
            left -= event.consumed;
        }
        ASSERT(outcome->is_refused || left < WEBSOCKET_RAW_BYTES_MAX);
        memmove(area, at, left);
        held = left;
    }
    free(area);
}

static void outcome_init(struct outcome *outcome, size_t size)
{
    *outcome = (struct outcome){.stream = malloc(size + 1),
                                .events = malloc(LOG_BYTES_PER_EVENT * size + 1)};
    ASSERT(outcome->stream != NULL);
    ASSERT(outcome->events != NULL);
}

static void outcome_deinit(struct outcome *outcome)
{
    free(outcome->stream);
    free(outcome->events);
}

static void check_stream(struct bytes raw, size_t piece_max, bool is_client)
{
    struct outcome whole;
    struct outcome pieces;
    outcome_init(&whole, raw.size);
    outcome_init(&pieces, raw.size);
    outcome_play(&whole, raw, raw.size, is_client);
    outcome_play(&pieces, raw, piece_max, is_client);
    ASSERT(whole.is_refused == pieces.is_refused);
    /* What stood before the fault in the same piece is not handed out. */
    ASSERT(pieces.stream_size >= whole.stream_size);
    ASSERT(memcmp(whole.stream, pieces.stream, whole.stream_size) == 0);
    ASSERT(whole.is_refused || pieces.stream_size == whole.stream_size);
    ASSERT(pieces.events_size == whole.events_size);
    ASSERT(memcmp(whole.events, pieces.events, whole.events_size) == 0);
    outcome_deinit(&whole);
    outcome_deinit(&pieces);
}

static void check_header(struct bytes raw)
{
    struct websocket_header header;
    if (websocket_header_decode(raw, &header) != ERR_OK) {
        return;
    }
    uint8_t area[WEBSOCKET_MASKED_HEADER_BYTES_MAX];
    struct writer writer = writer_of(area, sizeof(area));
    if (header.is_masked) {
        websocket_masked_header_encode(header.opcode, header.payload_size, header.mask, &writer);
    } else {
        websocket_header_encode(header.opcode, header.payload_size, &writer);
    }
    ASSERT(writer_size(&writer) == header.size);
    ASSERT(header.size <= raw.size);
    ASSERT(memcmp(area + 1, raw.data + 1, header.size - 1u) == 0);
}

static void check_heads(struct bytes raw)
{
    static const uint8_t digest[WEBSOCKET_DIGEST_BYTES] = {0};
    struct websocket_upgrade upgrade;
    if (websocket_upgrade_decode(raw, &upgrade) == ERR_OK) {
        ASSERT(upgrade.size <= raw.size);
        ASSERT(upgrade.size <= WEBSOCKET_HEAD_BYTES_MAX);
        ASSERT(upgrade.key.size == WEBSOCKET_KEY_CHARS);
        const struct bytes head = {.data = raw.data, .size = upgrade.size};
        const enum err whole = websocket_upgrade_decode(head, &upgrade);
        ASSERT(whole == ERR_OK);
        const struct bytes shorter = {.data = raw.data, .size = upgrade.size - 1};
        const enum err err = websocket_upgrade_decode(shorter, &upgrade);
        ASSERT(err == ERR_AGAIN);
    }
    size_t size = 0;
    if (websocket_response_decode(raw, digest, &size) == ERR_OK) {
        ASSERT(size <= raw.size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    const struct bytes raw = {.data = data + 1, .size = size - 1};
    check_stream(raw, 1u + (data[0] >> 1), (data[0] & 1) != 0);
    check_header(raw);
    check_heads(raw);
    return 0;
}
