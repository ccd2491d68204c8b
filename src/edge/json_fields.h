/*
 * json_fields.h -- from a request's JSON text to a plain struct, by a table of its fields.
 *
 * An endpoint says in a table which fields its body has, of which type, and where in
 * its struct each goes; this module applies the rules that all endpoints share
 * (http-api 3.1): names in whatever case, the last of a repeated field counts, a
 * missing field or null is the zero value, what is not in the table is ignored, types
 * are strict and integers must fit. It builds nothing beside the struct but the
 * arrays, whose room comes from the request's arena.
 *
 * Strings and payloads are decoded in place: they are borrowed from the text, which
 * the caller keeps for as long.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stddef.h>

struct http_arena;

#define JSON_FAULT_BYTES_MAX 160u

enum json_type {
    JSON_TYPE_INVALID = 0,
    JSON_STRING,   /* struct bytes */
    JSON_U8,       /* uint64_t, at most 255 */
    JSON_U32,      /* uint64_t, at most 2^32 - 1 */
    JSON_U64,      /* uint64_t */
    JSON_INT,      /* int64_t */
    JSON_PAYLOAD,  /* struct bytes: base64 text, or an array of bytes */
    JSON_STRINGS,  /* struct json_strings */
    JSON_U32_LIST, /* struct json_integers */
    JSON_INT_LIST, /* struct json_integers */
    JSON_ANY,      /* struct bytes: the text of any value but null, as it is */
    JSON_LABELS,   /* an object of strings, which is checked and not kept */
    JSON_OBJECT,   /* a struct of its own, embedded */
    JSON_OBJECTS,  /* struct json_objects: an array of structs */
};

struct json_strings {
    const struct bytes *items;
    uint32_t count;
    bool is_given; /* it was there and not null, be it empty */
};

struct json_integers {
    const int64_t *items;
    uint32_t count;
};

struct json_objects {
    void *items; /* of the shape's struct */
    uint32_t count;
};

struct json_shape;

struct json_field {
    const char *name;
    enum json_type type;
    size_t offset;
    const struct json_shape *shape; /* JSON_OBJECT and JSON_OBJECTS */
};

/* What a body, or an object in it, looks like. */
struct json_shape {
    enum json_type type; /* JSON_OBJECT, or JSON_STRINGS for a body that is an array of strings */
    size_t size;         /* of the struct that is filled */
    const struct json_field *fields;
    uint32_t fields_count;
};

#define JSON_FIELD(struct_, member_, type_)                                                        \
    {                                                                                              \
        .name = #member_, .type = (type_), .offset = offsetof(struct_, member_), .shape = NULL     \
    }
#define JSON_FIELD_OF(struct_, member_, type_, shape_)                                             \
    {                                                                                              \
        .name = #member_, .type = (type_), .offset = offsetof(struct_, member_), .shape = (shape_) \
    }
#define JSON_SHAPE_OF(struct_, fields_)                                                            \
    {                                                                                              \
        .type = JSON_OBJECT, .size = sizeof(struct_), .fields = (fields_),                         \
        .fields_count = COUNT_OF(fields_)                                                          \
    }

/* The shape of a body that is an array of strings; fills a struct json_strings. */
extern const struct json_shape json_shape_of_strings;

/* Why a body was refused, in words for the client; terminated. */
struct json_fault {
    char text[JSON_FAULT_BYTES_MAX];
};

/* Where a decoding takes its room from and tells its faults to. */
struct json_decoding {
    struct http_arena *arena;
    struct json_fault *fault;
};

/* A request's text, which decoding destroys. */
struct json_body {
    uint8_t *text;
    size_t size;
};

/* Fills `out_struct`, zeroed and of the shape's size, from the first value in `body`. ERR_PROTOCOL:
 * it does not fit, and the fault says why. ERR_BUDGET: no room. */
MUST_USE enum err json_decode(const struct json_decoding *decoding, const struct json_shape *shape,
                              struct json_body body, void *out_struct);

/* The bytes that json_repair needs for `text`: its size when it is well-formed UTF-8. */
size_t json_repaired_size(struct bytes text);

/* Copies `text`, each byte that is not UTF-8 replaced by U+FFFD; `area` has room for
 * json_repaired_size. */
void json_repair(struct bytes text, uint8_t *area);
