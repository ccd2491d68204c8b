/*
 * event_payload.h -- what the payload of an event says about the content of its lane.
 *
 * Pure functions, on the HTTP thread; memory comes from the request's arena alone.
 */
#pragma once

#include "chat/event.h"
#include "edge/http_arena.h"

/* Which kind of event (http-api 11.1) is called so, in whatever case. */
enum event_kind event_kind_of(struct bytes type);

/* Sets the event's content, end_reason and error from `payload`, which is JSON or empty; what is
 * not in it stays empty. Strings are borrowed from the payload or from the arena. ERR_BUDGET: no
 * room. */
MUST_USE enum err event_payload_read(struct event *event, struct bytes payload,
                                     struct http_arena *arena);

/* What clients get who know one text a message (`stream_data`): the text of {"kind":"text",…}, the
 * data of {"kind":"binary",…}, else the content, which is JSON, as it is. Borrowed from it or from
 * `area`, which has room for as many bytes. */
struct bytes event_payload_plain(struct bytes content, uint8_t *area);
