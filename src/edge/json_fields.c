#include "edge/json_fields.h"

#include "base/assert.h"
#include "base/utf8.h"
#include "edge/http_arena.h"
#include "wire/base64.h"
#include "wire/json_token.h"

#include <stdio.h>

#define FRAMES_MAX  4u                       /* as deep as any table goes */
#define REPLACEMENT BYTES_OF("\xef\xbf\xbd") /* U+FFFD */

const struct json_shape json_shape_of_strings = {.type = JSON_STRINGS,
                                                 .size = sizeof(struct json_strings)};

/* An object or array of objects that is being walked over. */
struct frame {
    const struct json_shape *shape;
    const char *name; /* of the field it is the value of, for faults */
    uint8_t *place;   /* the struct that is filled, or the next one of the array */
    bool is_array;
    struct json_token_walk walk;
};

struct decoder {
    const struct json_decoding *decoding;
    uint8_t *text; /* all of it */
    struct frame frames[FRAMES_MAX];
    uint32_t frames_count;
};

/* ---- Faults. ---- */

static const char *type_name(enum json_type type)
{
    switch (type) {
    case JSON_STRING:
        return "string";
    case JSON_U8:
        return "uint8";
    case JSON_U32:
        return "uint32";
    case JSON_U64:
        return "uint64";
    case JSON_INT:
        return "int64";
    case JSON_PAYLOAD:
        return "base64 string";
    case JSON_STRINGS:
        return "[]string";
    case JSON_U32_LIST:
        return "[]uint32";
    case JSON_INT_LIST:
        return "[]int64";
    case JSON_ANY:
        return "value";
    case JSON_LABELS:
        return "map[string]string";
    case JSON_OBJECT:
        return "object";
    case JSON_OBJECTS:
        return "[]object";
    case JSON_TYPE_INVALID:
        break;
    }
    UNREACHABLE();
}

static const char *kind_name(enum json_token_kind kind)
{
    switch (kind) {
    case JSON_TOKEN_OBJECT:
        return "object";
    case JSON_TOKEN_ARRAY:
        return "array";
    case JSON_TOKEN_STRING:
        return "string";
    case JSON_TOKEN_NUMBER:
        return "number";
    case JSON_TOKEN_TRUE:
    case JSON_TOKEN_FALSE:
        return "bool";
    case JSON_TOKEN_NULL:
        return "null";
    case JSON_TOKEN_INVALID:
        break;
    }
    return "value";
}

static enum err fail(const struct decoder *decoder, const char *text)
{
    snprintf(decoder->decoding->fault->text, JSON_FAULT_BYTES_MAX, "%s", text);
    return ERR_PROTOCOL;
}

/* The value does not fit its field. What the client sent is not repeated: it may be secret. */
static enum err fail_type(const struct decoder *decoder, const char *name, enum json_type type,
                          enum json_token_kind kind)
{
    snprintf(decoder->decoding->fault->text, JSON_FAULT_BYTES_MAX,
             "json: cannot unmarshal %s into field %s of type %s", kind_name(kind), name,
             type_name(type));
    return ERR_PROTOCOL;
}

/* ---- One value. ---- */

/* The place of a token's text, where its string may be decoded: the text is the caller's to
 * destroy. */
static uint8_t *own_place(const struct decoder *decoder, struct json_token token)
{
    return decoder->text + (token.text.data - decoder->text);
}

static uint64_t unsigned_max(enum json_type type)
{
    return type == JSON_U8 ? UINT8_MAX : (type == JSON_U32 ? UINT32_MAX : UINT64_MAX);
}

static enum err take_unsigned(struct json_token token, enum json_type type, uint64_t *out_value)
{
    uint64_t value = 0;
    if (token.kind != JSON_TOKEN_NUMBER || json_token_unsigned(token, &value) != ERR_OK ||
        value > unsigned_max(type)) {
        return ERR_PROTOCOL;
    }
    *out_value = value;
    return ERR_OK;
}

static enum err take_byte_array(const struct decoder *decoder, struct json_token token,
                                struct bytes *out_bytes)
{
    uint8_t *const begin = own_place(decoder, token);
    uint8_t *to = begin;
    struct json_token_walk walk = json_token_walk_of(token);
    struct json_token element;
    /* A byte takes at least one digit and a comma or bracket, so writing stays behind reading. */
    while (json_token_walk_element(&walk, &element)) {
        uint64_t byte = 0;
        if (element.kind != JSON_TOKEN_NULL && take_unsigned(element, JSON_U8, &byte) != ERR_OK) {
            return ERR_PROTOCOL;
        }
        *to++ = (uint8_t)byte;
    }
    *out_bytes = (struct bytes){.data = begin, .size = (size_t)(to - begin)};
    return ERR_OK;
}

static enum err take_payload(const struct decoder *decoder, struct json_token token,
                             struct bytes *out_bytes)
{
    if (token.kind == JSON_TOKEN_ARRAY) {
        return take_byte_array(decoder, token, out_bytes);
    }
    if (token.kind != JSON_TOKEN_STRING) {
        return ERR_PROTOCOL;
    }
    const struct bytes text = json_token_string(token, own_place(decoder, token));
    uint8_t *const area = decoder->text + (text.data - decoder->text);
    size_t size = 0;
    const enum err err = base64_decode_lines(text, area, &size);
    if (err == ERR_OK) {
        *out_bytes = (struct bytes){.data = area, .size = size};
    }
    return err;
}

/* ---- Arrays of values. ---- */

static uint32_t count_elements(struct json_token array)
{
    struct json_token_walk walk = json_token_walk_of(array);
    struct json_token element;
    uint32_t count = 0;
    while (json_token_walk_element(&walk, &element)) {
        count++;
    }
    return count;
}

static enum err take_strings(const struct decoder *decoder, struct json_token token,
                             struct json_strings *out_strings)
{
    if (token.kind != JSON_TOKEN_ARRAY) {
        return ERR_PROTOCOL;
    }
    const uint32_t count = count_elements(token);
    struct bytes *items =
        http_arena_acquire(decoder->decoding->arena, (count + 1) * sizeof(struct bytes));
    if (items == NULL) {
        return ERR_BUDGET;
    }
    struct json_token_walk walk = json_token_walk_of(token);
    struct json_token element;
    for (uint32_t i = 0; json_token_walk_element(&walk, &element); i++) {
        if (element.kind == JSON_TOKEN_STRING) {
            items[i] = json_token_string(element, own_place(decoder, element));
        } else if (element.kind != JSON_TOKEN_NULL) {
            return ERR_PROTOCOL;
        }
    }
    *out_strings = (struct json_strings){.items = items, .count = count, .is_given = true};
    return ERR_OK;
}

static enum err take_integers(const struct decoder *decoder, struct json_token token,
                              enum json_type type, struct json_integers *out_integers)
{
    if (token.kind != JSON_TOKEN_ARRAY) {
        return ERR_PROTOCOL;
    }
    const uint32_t count = count_elements(token);
    int64_t *items = http_arena_acquire(decoder->decoding->arena, (count + 1) * sizeof(int64_t));
    if (items == NULL) {
        return ERR_BUDGET;
    }
    struct json_token_walk walk = json_token_walk_of(token);
    struct json_token element;
    for (uint32_t i = 0; json_token_walk_element(&walk, &element); i++) {
        if (element.kind == JSON_TOKEN_NULL) {
            continue;
        }
        if (element.kind != JSON_TOKEN_NUMBER || json_token_signed(element, &items[i]) != ERR_OK ||
            (type == JSON_U32_LIST && (items[i] < 0 || items[i] > UINT32_MAX))) {
            return ERR_PROTOCOL;
        }
    }
    *out_integers = (struct json_integers){.items = items, .count = count};
    return ERR_OK;
}

static enum err check_labels(struct json_token token)
{
    if (token.kind != JSON_TOKEN_OBJECT) {
        return ERR_PROTOCOL;
    }
    struct json_token_walk walk = json_token_walk_of(token);
    struct json_token name;
    struct json_token value;
    while (json_token_walk_member(&walk, &name, &value)) {
        if (value.kind != JSON_TOKEN_STRING && value.kind != JSON_TOKEN_NULL) {
            return ERR_PROTOCOL;
        }
    }
    return ERR_OK;
}

/* ---- Objects, without recursion: what is inside waits on a stack. ---- */

static void push(struct decoder *decoder, const struct frame *frame)
{
    ASSERT(decoder->frames_count < FRAMES_MAX);
    decoder->frames[decoder->frames_count++] = *frame;
}

static enum err enter_object(struct decoder *decoder, const struct json_field *field,
                             struct json_token token, uint8_t *place)
{
    if (token.kind != JSON_TOKEN_OBJECT) {
        return ERR_PROTOCOL;
    }
    push(decoder, &(struct frame){.shape = field->shape,
                                  .name = field->name,
                                  .place = place,
                                  .walk = json_token_walk_of(token)});
    return ERR_OK;
}

static enum err enter_objects(struct decoder *decoder, const struct json_field *field,
                              struct json_token token, struct json_objects *out_objects)
{
    if (token.kind != JSON_TOKEN_ARRAY) {
        return ERR_PROTOCOL;
    }
    const uint32_t count = count_elements(token);
    uint8_t *items = http_arena_acquire(decoder->decoding->arena, (count + 1) * field->shape->size);
    if (items == NULL) {
        return ERR_BUDGET;
    }
    *out_objects = (struct json_objects){.items = items, .count = count};
    push(decoder, &(struct frame){.shape = field->shape,
                                  .name = field->name,
                                  .place = items,
                                  .is_array = true,
                                  .walk = json_token_walk_of(token)});
    return ERR_OK;
}

/* null empties a list and leaves everything else as it is. */
static void take_null(const struct json_field *field, void *place)
{
    if (field->type == JSON_PAYLOAD || field->type == JSON_ANY) {
        *(struct bytes *)place = BYTES_EMPTY;
    } else if (field->type == JSON_STRINGS) {
        *(struct json_strings *)place = (struct json_strings){.items = NULL};
    } else if (field->type == JSON_U32_LIST || field->type == JSON_INT_LIST) {
        *(struct json_integers *)place = (struct json_integers){.items = NULL};
    } else if (field->type == JSON_OBJECTS) {
        *(struct json_objects *)place = (struct json_objects){.items = NULL};
    }
}

static enum err take_field(struct decoder *decoder, const struct json_field *field,
                           struct json_token token, void *place)
{
    if (token.kind == JSON_TOKEN_NULL) {
        take_null(field, place);
        return ERR_OK;
    }
    switch (field->type) {
    case JSON_STRING:
        if (token.kind != JSON_TOKEN_STRING) {
            return ERR_PROTOCOL;
        }
        *(struct bytes *)place = json_token_string(token, own_place(decoder, token));
        return ERR_OK;
    case JSON_U8:
    case JSON_U32:
    case JSON_U64:
        return take_unsigned(token, field->type, place);
    case JSON_INT:
        return token.kind == JSON_TOKEN_NUMBER ? json_token_signed(token, place) : ERR_PROTOCOL;
    case JSON_PAYLOAD:
        return take_payload(decoder, token, place);
    case JSON_STRINGS:
        return take_strings(decoder, token, place);
    case JSON_U32_LIST:
    case JSON_INT_LIST:
        return take_integers(decoder, token, field->type, place);
    case JSON_ANY:
        *(struct bytes *)place = token.text;
        return ERR_OK;
    case JSON_LABELS:
        return check_labels(token);
    case JSON_OBJECT:
        return enter_object(decoder, field, token, place);
    case JSON_OBJECTS:
        return enter_objects(decoder, field, token, place);
    case JSON_TYPE_INVALID:
        break;
    }
    UNREACHABLE();
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

static bool is_name(struct bytes given, const char *name)
{
    size_t i = 0;
    while (i < given.size && name[i] != '\0' && lower(given.data[i]) == (uint8_t)name[i]) {
        i++;
    }
    return i == given.size && name[i] == '\0';
}

static const struct json_field *find_field(const struct decoder *decoder,
                                           const struct json_shape *shape, struct json_token name)
{
    const struct bytes given = json_token_string(name, own_place(decoder, name));
    for (uint32_t i = 0; i < shape->fields_count; i++) {
        if (is_name(given, shape->fields[i].name)) {
            return &shape->fields[i];
        }
    }
    return NULL;
}

/* One more member, or element, of what is on top of the stack; takes it off at its end. */
static enum err step(struct decoder *decoder)
{
    struct frame *frame = &decoder->frames[decoder->frames_count - 1];
    struct json_token name;
    struct json_token value;
    if (frame->is_array) {
        if (!json_token_walk_element(&frame->walk, &value)) {
            decoder->frames_count--;
            return ERR_OK;
        }
        uint8_t *place = frame->place;
        frame->place += frame->shape->size;
        const struct json_field element = {.name = frame->name, .shape = frame->shape};
        if (value.kind != JSON_TOKEN_NULL &&
            enter_object(decoder, &element, value, place) != ERR_OK) {
            return fail_type(decoder, frame->name, JSON_OBJECTS, value.kind);
        }
        return ERR_OK;
    }
    if (!json_token_walk_member(&frame->walk, &name, &value)) {
        decoder->frames_count--;
        return ERR_OK;
    }
    const struct json_field *field = find_field(decoder, frame->shape, name);
    if (field == NULL) {
        return ERR_OK;
    }
    const enum err err = take_field(decoder, field, value, frame->place + field->offset);
    return err == ERR_PROTOCOL ? fail_type(decoder, field->name, field->type, value.kind) : err;
}

static enum err decode_object(struct decoder *decoder, const struct json_shape *shape,
                              struct json_token token, void *out_struct)
{
    if (token.kind != JSON_TOKEN_OBJECT) {
        return fail_type(decoder, "body", JSON_OBJECT, token.kind);
    }
    push(decoder,
         &(struct frame){.shape = shape, .place = out_struct, .walk = json_token_walk_of(token)});
    while (decoder->frames_count > 0) {
        const enum err err = step(decoder);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static bool is_blank(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != ' ' && text.data[i] != '\t' && text.data[i] != '\n' &&
            text.data[i] != '\r') {
            return false;
        }
    }
    return true;
}

enum err json_decode(const struct json_decoding *decoding, const struct json_shape *shape,
                     struct json_body body, void *out_struct)
{
    struct decoder decoder = {.decoding = decoding, .text = body.text};
    struct bytes text = {.data = body.text, .size = body.size};
    if (is_blank(text)) {
        return fail(&decoder, "EOF");
    }
    struct json_token token;
    const enum err err = json_token_take(&text, &token);
    if (err != ERR_OK) {
        return fail(&decoder, err == ERR_LIMIT ? "exceeded max depth" : "invalid JSON");
    }
    if (token.kind == JSON_TOKEN_NULL) {
        return ERR_OK;
    }
    if (shape->type == JSON_STRINGS) {
        const enum err taken = take_strings(&decoder, token, out_struct);
        return taken == ERR_PROTOCOL ? fail_type(&decoder, "body", JSON_STRINGS, token.kind)
                                     : taken;
    }
    ASSERT(shape->type == JSON_OBJECT);
    return decode_object(&decoder, shape, token, out_struct);
}

/* ---- Text that is not UTF-8. ---- */

size_t json_repaired_size(struct bytes text)
{
    size_t size = 0;
    while (text.size > 0) {
        const size_t character = utf8_size(text);
        size += character > 0 ? character : REPLACEMENT.size;
        text = bytes_skip(text, character > 0 ? character : 1);
    }
    return size;
}

void json_repair(struct bytes text, uint8_t *area)
{
    while (text.size > 0) {
        const size_t character = utf8_size(text);
        const struct bytes piece =
            character > 0 ? (struct bytes){.data = text.data, .size = character} : REPLACEMENT;
        memcpy(area, piece.data, piece.size);
        area += piece.size;
        text = bytes_skip(text, character > 0 ? character : 1);
    }
}
