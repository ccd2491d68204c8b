/*
 * api_checks.h -- what endpoints check before they act, each with its documented words.
 *
 * Every function answers the request when it returns false, or NULL.
 */
#pragma once

#include "edge/http_request.h"
#include "edge/json_fields.h"

/* Is `is_good`? Otherwise answers the error envelope with `text`. */
MUST_USE bool api_check(struct http_request *request, bool is_good, const char *text);

/* Is it at most NAME_BYTES_MAX long? `field` is its name, for the answer. */
MUST_USE bool api_check_name(struct http_request *request, struct bytes name, const char *field);

/* The uids that are not blank, none longer than NAME_BYTES_MAX. */
MUST_USE bool api_take_uids(struct http_request *request, const struct json_strings *given,
                            struct json_strings *out_uids);

/* Without the white space around it. */
struct bytes api_trim(struct bytes text);

/* Is `text`, in whatever case, the lower-case `word`? */
bool api_word_is(struct bytes text, const char *word);

/* A flag of the API is true only when it is 1 (http-api 3.1). */
static inline bool api_flag(int64_t value)
{
    return value == 1;
}
