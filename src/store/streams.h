/*
 * streams.h -- reading an event stream: its lanes, then the pieces of their contents.
 *
 * All of it is seen at one moment. Reading works as read.h says, but it may always wait
 * for the disk: contents that were cut leave range tombstones, over which RocksDB 7.8
 * cannot make an iterator that does not read. Strings and pieces are borrowed until the
 * visitor returns, and a visitor gives false to stop.
 *
 * Any thread that may wait.
 */
#pragma once

#include "store/read.h"

typedef bool store_lane_fn(void *context, struct bytes key, const struct lane_row *row);
typedef bool store_piece_fn(void *context, const struct lane_piece *piece);

/* Who is told of a stream. */
struct stream_visit {
    store_lane_fn *lane;   /* in the order of the keys, before all pieces */
    store_piece_fn *piece; /* in the order of lane, then index */
    void *context;
};

/* A stream that has no rows has no visits. */
MUST_USE enum err store_read_stream(struct store *store, const struct stream_ref *stream,
                                    const struct stream_visit *visit);

/* The same by the name of the channel. ERR_ABSENT: there is no such channel. */
MUST_USE enum err store_read_stream_of(struct store *store, struct channel_name channel,
                                       struct bytes client_msg_no,
                                       const struct stream_visit *visit);
