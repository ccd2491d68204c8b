/*
 * api_history.h -- what was said in a channel: http-api 9.1 to 9.3.
 */
#pragma once

#include "edge/json_fields.h"

struct http_request;

extern const struct json_shape api_shape_history;

void api_history(struct http_request *request);
void api_max_message_seq(struct http_request *request);
void api_last_message(struct http_request *request);

/* ---- The arithmetic of /channel/messagesync, for its tests. ---- */

#define HISTORY_LIMIT_DEFAULT 100u
#define HISTORY_LIMIT_MAX     10000u

struct history_input {
    struct bytes login_uid;
    struct bytes channel_id;
    uint64_t channel_type;
    uint64_t start_message_seq;
    uint64_t end_message_seq;
    int64_t limit;
    int64_t pull_mode;
    struct bytes event_summary_mode;
};

/* Which seqs are wanted of a log whose newest is `last_seq`; both inclusive, none when seq_min is
 * above seq_max. With is_newest those nearest to seq_max. */
struct history_span {
    uint64_t seq_min;
    uint64_t seq_max;
    uint32_t limit;
    bool is_newest;
};

struct history_span history_span(const struct history_input *input, uint64_t last_seq);
