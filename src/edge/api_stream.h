/*
 * api_stream.h -- the event stream of a message, as read endpoints show it (http-api 11.2, 11.3).
 *
 * A stream is read from the store in one pass into room borrowed from the end of the
 * request's answer, so that it costs no memory besides; when that does not do, the
 * answer is full and is read again with more room (http_reading.h).
 *
 * On a reader thread.
 */
#pragma once

#include "chat/names.h"
#include "edge/http_reading.h"
#include "store/streams.h"

#define API_STREAM_MAIN    BYTES_OF("main")
#define API_STREAM_FINISH  BYTES_OF("__finish__")
#define API_STREAM_SETTING 0x02u /* of a message: it has a stream (semantics 0.4) */

struct api_lane {
    struct bytes key;
    struct lane_row row;
    struct bytes content;
};

/* Strings and contents are borrowed from the room behind the answer until api_stream_close. */
struct api_stream {
    struct http_request *request;
    uint8_t *answer_end;
    struct writer room;
    bool wants_contents;  /* else neither they nor what is made of them are shown */
    bool wants_snapshots; /* the contents of the lanes besides that of `main` */
    uint32_t lanes_count;
    struct api_lane lanes[STREAM_LANES_MAX];
};

/* Reads a stream; with no events it has no lanes. To be closed, whatever it gives. */
MUST_USE enum err api_stream_open(struct api_stream *stream, struct http_request *request,
                                  struct channel_name channel, struct bytes client_msg_no,
                                  bool wants_contents);

/* Gives the room back. */
void api_stream_close(struct api_stream *stream);

/* "open", "closed", "error", "cancelled", or "". */
struct bytes api_stream_status(enum lane_status status);

/* The content as a value: {"kind":"text","text":…} or the JSON that was given. */
void api_stream_content(struct json_text *json, const struct api_lane *lane);

/* Completes the message that is being written with the fields of 11.3; none without lanes. */
void api_stream_fields(struct json_text *json, const struct api_stream *stream,
                       struct bytes client_msg_no);
