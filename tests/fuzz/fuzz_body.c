/*
 * Any bytes as the body of an HTTP request, by the shape of any endpoint, which the first byte
 * chooses: it is decoded or refused with a fault, and what was decoded lies in its types' ranges
 * and can be read to the last byte.
 */
#include "base/assert.h"
#include "base/utf8.h"
#include "edge/api_channel.h"
#include "edge/api_conversation.h"
#include "edge/api_history.h"
#include "edge/api_lookup.h"
#include "edge/api_send.h"
#include "edge/api_user.h"
#include "edge/http_arena.h"
#include "edge/json_fields.h"

#include <stdlib.h>

#define ARENA_BYTES (8u * 1024u * 1024u)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_shape *const shapes[] = {
    &api_shape_channel_put, &api_shape_channel_info,
    &api_shape_channel,     &api_shape_subscribers,
    &api_shape_uids,        &api_shape_conversation_sync,
    &api_shape_history,     &api_shape_conversations_by_channels,
    &api_shape_messages,    &api_shape_conversation_channels,
    &api_shape_message,     &api_shape_send,
    &api_shape_send_batch,  &api_shape_user_token,
    &api_shape_device_quit, &api_shape_system_uids,
    &json_shape_of_strings,
};

/* Reads every byte, so that a sanitizer sees where it lies. */
static void look_at_bytes(struct bytes bytes)
{
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        sum = (uint8_t)(sum + bytes.data[i]);
    }
}

static void look_at_strings(const struct json_strings *strings)
{
    ASSERT(strings->count == 0 || strings->is_given);
    for (uint32_t i = 0; i < strings->count; i++) {
        look_at_bytes(strings->items[i]);
    }
}

static void look_at_integers(const struct json_integers *integers, bool is_u32)
{
    for (uint32_t i = 0; i < integers->count; i++) {
        ASSERT(!is_u32 || (integers->items[i] >= 0 && integers->items[i] <= (int64_t)UINT32_MAX));
    }
}

static void look_at_struct(const struct json_shape *shape, const void *filled);

static void look_at_field(const struct json_field *field, const void *place)
{
    const struct json_objects *objects = place;
    switch (field->type) {
    case JSON_STRING:
    case JSON_PAYLOAD:
    case JSON_ANY:
        look_at_bytes(*(const struct bytes *)place);
        return;
    case JSON_U8:
        ASSERT(*(const uint64_t *)place <= UINT8_MAX);
        return;
    case JSON_U32:
        ASSERT(*(const uint64_t *)place <= UINT32_MAX);
        return;
    case JSON_U64:
    case JSON_INT:
    case JSON_LABELS:
        return;
    case JSON_STRINGS:
        look_at_strings(place);
        return;
    case JSON_U32_LIST:
    case JSON_INT_LIST:
        look_at_integers(place, field->type == JSON_U32_LIST);
        return;
    case JSON_OBJECT:
        look_at_struct(field->shape, place);
        return;
    case JSON_OBJECTS:
        for (uint32_t i = 0; i < objects->count; i++) {
            look_at_struct(field->shape, (const uint8_t *)objects->items + i * field->shape->size);
        }
        return;
    case JSON_TYPE_INVALID:
        break;
    }
    UNREACHABLE();
}

static void look_at_struct(const struct json_shape *shape, const void *filled)
{
    if (shape->type == JSON_STRINGS) {
        look_at_strings(filled);
        return;
    }
    for (uint32_t i = 0; i < shape->fields_count; i++) {
        const struct json_field *field = &shape->fields[i];
        look_at_field(field, (const uint8_t *)filled + field->offset);
    }
}

static void decode(const struct json_shape *shape, const struct json_body *body)
{
    struct budget budget;
    struct http_arena arena;
    struct json_fault fault = {.text = ""};
    budget_init(&budget, "fuzz", NULL, ARENA_BYTES);
    http_arena_init(&arena, &budget);
    void *filled = http_arena_acquire(&arena, shape->size);
    ASSERT(filled != NULL);
    const struct json_decoding decoding = {.arena = &arena, .fault = &fault};
    const enum err err = json_decode(&decoding, shape, *body, filled);
    if (err == ERR_OK) {
        look_at_struct(shape, filled);
    } else if (err == ERR_PROTOCOL) {
        ASSERT(fault.text[0] != '\0');
        ASSERT(utf8_is_valid(bytes_of_string(fault.text)));
    } else {
        ASSERT(err == ERR_BUDGET);
    }
    http_arena_release(&arena);
    ASSERT(budget_used(&budget) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const struct json_shape *shape = shapes[data[0] % COUNT_OF(shapes)];
    const struct bytes text = {.data = data + 1, .size = size - 1};
    const struct json_body body = {.size = json_repaired_size(text),
                                   .text = malloc(json_repaired_size(text))};
    if (body.text != NULL) {
        json_repair(text, body.text);
        decode(shape, &body);
    }
    free(body.text);
    return 0;
}
