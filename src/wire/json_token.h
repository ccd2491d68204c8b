/*
 * json_token.h -- reads JSON text without building anything.
 *
 * A token is one complete value, still text. json_token_take checks the whole of
 * it (RFC 8259, UTF-8 included), without recursion; afterwards its members or
 * elements are walked over in place. So a message costs no memory but its own
 * bytes, however it is made.
 *
 * Bound: values are nested at most JSON_TOKEN_DEPTH_MAX deep.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define JSON_TOKEN_DEPTH_MAX 64u
/* Quotes and 32 characters, each of them escaped with six; we know no longer names. */
#define JSON_TOKEN_NAME_BYTES 194u

enum json_token_kind {
    JSON_TOKEN_INVALID = 0,
    JSON_TOKEN_OBJECT,
    JSON_TOKEN_ARRAY,
    JSON_TOKEN_STRING,
    JSON_TOKEN_NUMBER,
    JSON_TOKEN_TRUE,
    JSON_TOKEN_FALSE,
    JSON_TOKEN_NULL,
};

struct json_token {
    enum json_token_kind kind;
    struct bytes text; /* without blanks around it; strings with their quotes */
};

/* Takes the first value, and blanks around it, off the front of `text`. ERR_PROTOCOL: that is not
 * JSON. ERR_LIMIT: it is nested too deep. */
MUST_USE enum err json_token_take(struct bytes *text, struct json_token *out_token);

/* How many bytes at the front of `text`, the inside of a string, are ASCII without quote, backslash
 * or control character. Payloads are long runs of such bytes. */
size_t json_token_plain_size(struct bytes text);

/* Is all of `text` one JSON object? */
bool json_token_is_object(struct bytes text);

/* A walk over the members of an object, or the elements of an array. Private to json_token.c. */
struct json_token_walk {
    struct bytes rest;
};

/* `token` is an object or array that json_token_take gave. */
struct json_token_walk json_token_walk_of(struct json_token token);

/* The next member, in the order of the text; duplicates come as they are. False: there is none. */
bool json_token_walk_member(struct json_token_walk *walk, struct json_token *out_name,
                            struct json_token *out_value);
bool json_token_walk_element(struct json_token_walk *walk, struct json_token *out_value);

/* The characters of a string, which may hold any, U+0000 too: borrowed from the token if it has no
 * escapes, else decoded into `area`, which has room for the token's size and may be its own place.
 * Half a surrogate pair becomes U+FFFD. */
struct bytes json_token_string(struct json_token token, uint8_t *area);

/* Is `token` a string equal to `literal`, which has at most 32 characters? */
bool json_token_is(struct json_token token, struct bytes literal);

/* The characters of the string `token`, if they may be a name that json_name_is knows; else
 * nothing. Borrowed from the token or from `area`. */
struct bytes json_token_name(struct json_token token, uint8_t area[JSON_TOKEN_NAME_BYTES]);

/* Is `given` the camelCase `name`, in whatever case, or its snake_case form? */
bool json_name_is(struct bytes given, const char *name);

/* The value of a number without fraction or exponent. ERR_PROTOCOL: it is no such number, or does
 * not fit. */
MUST_USE enum err json_token_signed(struct json_token token, int64_t *out_value);
MUST_USE enum err json_token_unsigned(struct json_token token, uint64_t *out_value);
