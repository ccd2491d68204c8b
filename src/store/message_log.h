/*
 * message_log.h -- the messages of a log, by seq and by id.
 *
 * A log holds the seqs 1 … last without a gap (retention may cut its beginning). It is
 * read through a visitor; the message and its strings are borrowed until the visitor
 * returns. Everything visited was checked.
 *
 * Any thread. Errors as in read.h.
 */
#pragma once

#include "store/message_row.h"
#include "store/read.h"

/* The seq of the newest message; 0: the log is empty. */
MUST_USE enum err store_last_seq(struct store *store, enum store_wait wait, struct log_ref log,
                                 uint64_t *out_seq);

enum message_order {
    MESSAGES_OLDEST_ASCENDING = 0, /* those nearest to seq_min, ascending */
    MESSAGES_NEWEST_ASCENDING,     /* those nearest to seq_max, ascending */
    MESSAGES_NEWEST_DESCENDING,    /* those nearest to seq_max, descending */
};

/* Gives false to stop. `row` is what `view` was decoded from, for whoever passes it on. */
typedef bool store_message_fn(void *context, const struct message_view *view, struct bytes row);

struct message_range {
    struct log_ref log;
    uint64_t seq_min; /* both inclusive */
    uint64_t seq_max; /* UINT64_MAX: no bound */
    enum message_order order;
    uint32_t count_max; /* above 0 */
    uint32_t bytes_max; /* of rows; the first message is visited however large it is */
    uint32_t end_count; /* seq_max is the end of a chunk of so many messages (log_end.h): the newest
                           are found without a search; 0: not known */
    store_message_fn *visit;
    void *context;
};

/* Visits the messages of the range. An empty range or an unknown log visits nothing: ERR_OK. */
MUST_USE enum err store_read_messages(struct store *store, enum store_wait wait,
                                      const struct message_range *range);

/* Where a message is. */
struct message_place {
    struct log_ref log;
    uint64_t seq;
};

/* How many channels of a slot are searched at most for an id. */
#define STORE_ID_SEARCH_CHANNELS_MAX 4096u

/* Finds a message in both logs of a channel. ERR_ABSENT: it is not there. Blocks. */
MUST_USE enum err store_find_message_in_channel(struct store *store, struct channel_ref channel,
                                                uint64_t message_id,
                                                struct message_place *out_place);

/* Finds a message anywhere: in the channels of the slot that its id names. ERR_ABSENT: it is not
 * there; ERR_LIMIT: the slot has more channels than are searched, and it is in none of those.
 * Blocks; costs some microseconds for each channel of the slot. */
MUST_USE enum err store_find_message_by_id(struct store *store, uint64_t message_id,
                                           struct message_place *out_place);
