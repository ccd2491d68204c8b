/*
 * api_conversation.h -- a user's conversation list: http-api 12.5 to 12.7.
 *
 * Nothing of a list is stored but what the user did (joined, read, deleted); what
 * changes with every message is computed from sequence numbers when it is asked for,
 * so that it is right as soon as a message is acknowledged (semantics 5.2, 5.7).
 */
#pragma once

#include "edge/json_fields.h"
#include "store/row.h"

struct http_request;

extern const struct json_shape api_shape_conversation_sync;
extern const struct json_shape api_shape_conversations_by_channels;
extern const struct json_shape api_shape_conversation_channels;

void api_conversation_sync(struct http_request *request);
void api_conversations_by_channels(struct http_request *request);
void api_conversation_channels(struct http_request *request);
void api_conversations_old(struct http_request *request);

/* ---- The arithmetic, for its tests. ---- */

/* What a user has read of a log, by what is stored and what he has sent (http-api 12.5). */
struct reading_state {
    uint64_t read_seq;
    uint64_t last_seq;     /* of the newest message */
    uint64_t own_last_seq; /* of the newest that the user sent; 0: none */
    bool is_newest_own;
};

struct reading_result {
    uint64_t unread;
    uint64_t read_seq;
};

struct reading_result conversation_unread(const struct reading_state *state);

/* `channel:type:seq|…`: how far a client knows each channel. */
struct known_seq {
    struct channel_name name; /* as the client calls it */
    uint64_t seq;
};

/* How many items of the list have three parts; the others do not count. */
uint32_t known_seqs_count(struct bytes list);

/* Parses them into `out_items`, sorted for known_seqs_find. */
void known_seqs_parse(struct bytes list, struct known_seq *out_items);

/* 0: it is not named, or nothing of it is known. */
uint64_t known_seqs_find(const struct known_seq *items, uint32_t count, struct channel_name name,
                         bool *out_is_named);
