/*
 * api_conversation_list.h -- which of a user's conversations a sync tells of.
 *
 * The rows of a user's directory have ranks, by the time of their update, the newest first
 * (http-api 12.5, steps 1 and 2). Of a span of ranks those are listed that the caller wants:
 * a row with nothing new is looked at and takes no memory. A message does not update a row;
 * so that a busy old conversation does not fall out, only rows that are wanted have ranks, and
 * those with something behind the read position come first, which is also what a reading or
 * an own message has not moved. Pages must not shift while things are read: there every row has
 * a rank, by its update alone. When there are no rows but those of the span, one walk does;
 * else another finds out where the span begins and ends, in 24 bytes for each row up to its
 * end, and a third lists.
 *
 * On a reader thread; what is listed lives in the request's scratch memory.
 */
#pragma once

#include "edge/http_reading.h"
#include "store/log_end.h"
#include "store/read.h"

struct conversation_entry {
    struct directory_row row;
    struct channel_name name;        /* internal */
    uint32_t order;                  /* among the user's rows */
    uint64_t seq_bound;              /* messages up to this one are not wanted; by is_wanted */
    struct log_end end;              /* the same */
    struct conversation_entry *next; /* private to api_conversation_list.c */
};

/* What one of them takes of the scratch memory, with a name of usual length. */
#define CONVERSATION_ENTRY_BYTES (sizeof(struct conversation_entry) + sizeof(void *) + 64)

/* Asked for each row that has a rank, or may get one, and sets the end. The name is borrowed until
 * it returns. */
typedef enum err conversation_wanted_fn(void *context, struct conversation_entry *entry,
                                        bool *out_is_wanted);

struct conversation_query {
    struct bytes uid;
    uint64_t rank_begin; /* 0: the newest update */
    uint64_t rank_end;   /* exclusive */
    bool is_paged;       /* every row has a rank */
    conversation_wanted_fn *is_wanted;
    void *context;
};

struct conversation_list {
    struct conversation_entry **entries; /* newest update first */
    uint32_t count;                      /* also after ERR_FULL, as far as it is known */
};

/* ERR_FULL: more scratch memory is needed. */
MUST_USE enum err conversation_list_read(struct http_request *request,
                                         const struct conversation_query *query,
                                         struct conversation_list *out_list);
