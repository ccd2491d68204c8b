/*
 * api_conversation_list.h -- the rows of a user's directory that one sync looks at.
 *
 * The newest by the time of their update, at most a given number (http-api 12.5, step
 * 1), in memory that is proportional to how many there are. A user with more rows
 * than that has them read three times: once until they are too many, once to find
 * the time from which on they fit, once to take those.
 *
 * On a reader thread; the rows live in the request's scratch memory.
 */
#pragma once

#include "edge/http_reading.h"
#include "store/read.h"

struct conversation_entry {
    struct directory_row row;
    struct channel_name name; /* internal */
    uint32_t order;           /* in the directory */
};

struct conversation_list {
    struct conversation_entry **entries; /* newest update first */
    uint32_t count;
};

/* ERR_FULL: more scratch memory is needed. */
MUST_USE enum err conversation_list_read(struct http_request *request, struct bytes uid,
                                         struct conversation_list *out_list);
