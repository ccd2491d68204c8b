/*
 * json_text.h -- writes compact JSON text into a fixed area.
 *
 * The caller says what comes next, the commas come by themselves. Text from
 * clients may hold anything: what is not UTF-8 becomes U+FFFD, because browsers
 * close a connection that sends them bad text; `<`, `>`, `&`, U+2028 and U+2029
 * are escaped as the reference does (jsonrpc 3.1).
 *
 * Nothing here checks that objects and arrays are closed. A full area is
 * remembered by the writer.
 */
#pragma once

#include "base/bytes.h"

/* Private to json_text.h and .c. */
struct json_text {
    struct writer *writer;
    bool wants_comma;
};

static inline struct json_text json_text_of(struct writer *writer);

void json_text_object_begin(struct json_text *text);
void json_text_object_end(struct json_text *text);
void json_text_array_begin(struct json_text *text);
void json_text_array_end(struct json_text *text);

/* The name of the member whose value comes next; ASCII without anything to escape. */
static inline void json_text_key(struct json_text *text, const char *name);

/* A member whole. */
static inline void json_text_member_unsigned(struct json_text *text, const char *name,
                                             uint64_t value);
static inline void json_text_member_string(struct json_text *text, const char *name,
                                           struct bytes value);

void json_text_string(struct json_text *text, struct bytes value);
void json_text_unsigned(struct json_text *text, uint64_t value);
void json_text_signed(struct json_text *text, int64_t value);
void json_text_bool(struct json_text *text, bool value);
void json_text_null(struct json_text *text);

/* A string of decimal digits: numbers above 2^53 that clients read through a double. */
void json_text_decimal_string(struct json_text *text, uint64_t value);

/* A base64 string of `value`. */
void json_text_base64(struct json_text *text, struct bytes value);

/* Text that is JSON already, as it is. */
void json_text_raw(struct json_text *text, struct bytes value);

/* The exact size of `value` as a string, quotes included; at most six times its size and two. */
size_t json_text_string_size(struct bytes value);

/* inline definitions */

/* Private to json_text.h and .c. */
void json_text_key_plain(struct json_text *text, struct bytes name);

static inline struct json_text json_text_of(struct writer *writer)
{
    return (struct json_text){.writer = writer, .wants_comma = false};
}

static inline void json_text_key(struct json_text *text, const char *name)
{
    json_text_key_plain(text, bytes_of_string(name));
}

static inline void json_text_member_unsigned(struct json_text *text, const char *name,
                                             uint64_t value)
{
    json_text_key(text, name);
    json_text_unsigned(text, value);
}

static inline void json_text_member_string(struct json_text *text, const char *name,
                                           struct bytes value)
{
    json_text_key(text, name);
    json_text_string(text, value);
}
