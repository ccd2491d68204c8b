/*
 * event_records.h -- what an event changes of its lane, as records of the journal.
 */
#pragma once

#include "chat/event.h"

/* No more bytes than this are needed. */
size_t event_records_bytes(const struct event *event, const struct lane *lane);

/* Changes the lane and the stream as planned, and adds the records; room for them is reserved, and
 * the lane has a tail if text comes to it. event->ref is the channel's. */
void event_records_add(struct chat *chat, const struct event *event, struct stream *stream,
                       struct lane *lane, const struct event_plan *plan);
