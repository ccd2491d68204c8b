/*
 * http_request.h -- one HTTP request, from its first line to the last byte of its answer.
 *
 *   first line       body is there           http_answer_*           sent, or the client is gone
 *  ───────────▶ READING ─────────▶ WORKING ───────────▶ ANSWERED ───────────▶ released
 *                  │ refused: the rest of the body is read and dropped  ▲
 *                  └──────────────────────────────────────────────────┘
 *
 *   READING   the body grows, within its limit and the budget.
 *   WORKING   the handler has the request. It answers before it returns, or it hands the request
 *             to others and the connection is suspended until somebody answers.
 *   ANSWERED  the answer is ready; libmicrohttpd takes it in this turn.
 *
 * A handler sees the decoded body (`input`), the query, and an arena that dies with the
 * request. It must answer exactly once. All of this happens on the HTTP thread, but for
 * what http_reading.h says.
 */
#pragma once

#include "base/bytes.h"
#include "base/list.h"
#include "edge/api.h"
#include "edge/http.h"
#include "edge/http_arena.h"
#include "edge/http_buffer.h"
#include "shard/readers.h"
#include "wire/json_text.h"

struct MHD_Connection;
struct http_request;

enum http_stage {
    HTTP_READING = 0,
    HTTP_WORKING,
    HTTP_ANSWERED,
};

/* Why a request is not handed to its endpoint. */
enum http_refusal {
    HTTP_REFUSED_NOT = 0,
    HTTP_REFUSED_PREFLIGHT, /* OPTIONS: answered without looking further */
    HTTP_REFUSED_TOKEN,
    HTTP_REFUSED_MANAGER, /* on the manager's port: neither its token nor a user's */
    HTTP_REFUSED_PATH,
    HTTP_REFUSED_MOVED,
    HTTP_REFUSED_LARGE,
    HTTP_REFUSED_MEMORY,
    HTTP_REFUSED_FRAMING, /* http_framing.h; closed behind the answer */
};

struct http_line {
    const char *method;
    const char *path; /* decoded, without the query */
    const char *version;
};

struct http_answer {
    uint32_t status;
    const char *content_type; /* NULL: no body */
    const char *location;     /* of a redirect; or NULL */
    bool is_bare;             /* without the CORS headers */
    bool is_last;             /* of its connection */
    bool is_static;           /* the text outlives everything */
    bool is_in_pieces;        /* it is read while it is sent: see http_reading.h */
    struct bytes text;        /* a literal, in the arena, or in `buffer` */
    struct http_buffer *buffer;
};

/* On a reader thread: see http_reading.h. */
typedef enum err http_read_fn(struct http_request *request);

/* What is still to be done when an answer has been read: see http_reading.h. */
typedef void http_then_fn(struct http_request *request);

struct http_request {
    struct http *http;
    struct MHD_Connection *connection;
    struct http_peer *peer;        /* the connection's; or NULL */
    const struct api_route *route; /* NULL with a refusal */
    struct bytes path;             /* decoded, without the query; the connection's */
    const struct http_door *door;  /* where it came in */
    enum api_port port;            /* the door's */
    enum http_stage stage;
    enum http_refusal refusal;
    const char *denial; /* of HTTP_REFUSED_MANAGER and HTTP_REFUSED_FRAMING: why; a literal */
    bool is_suspended;
    uint64_t began_ns;
    struct http_arena arena;

    uint8_t *body;
    size_t body_size;
    size_t body_capacity;
    uint64_t body_seen; /* with what was dropped */
    void *input;        /* the decoded body, by the route's shape */
    void *work;         /* the handler's own, in the arena */

    struct http_answer answer;

    /* The answer that is being written, on this thread or on a reader's. */
    struct http_buffer *buffer;
    size_t scratch_size; /* taken off the end of the buffer */
    struct writer out;
    struct json_text json; /* writes to `out` */

    /* Private to http_reading.c. */
    struct list waiting; /* in http->readings_waiting */
    struct reading reading;
    http_read_fn *read;
    http_then_fn *then;  /* or NULL */
    uint64_t room_by_ns; /* it waits for room for its answer until then; 0: it never had to */
    size_t read_size;    /* of the buffer it needs */
    size_t read_wanted;  /* of the next one, when this is too small; 0: nothing is known */
    enum err read_result;
    enum err visit_err;    /* what a visitor met that could not say so itself */
    bool is_stream_basic;  /* streams are shown without snapshots (http-api 11.3) */
    const char *failure;   /* what the client is told when the store fails; a literal */
    const char *read_type; /* of the answer; NULL: JSON */
    bool is_read_slow;     /* on the thread for that */
    bool is_read_first;    /* before others */

    /* An answer in pieces: see http_reading.h. */
    http_read_fn *read_piece;     /* NULL: the answer is one */
    bool is_in_pieces;            /* set by the first reading: what it has listed is kept */
    bool is_listing;              /* it is read for the list alone, in room for that */
    bool has_more;                /* set by each piece: there is another behind it */
    bool has_failed;              /* the next piece could not be read */
    size_t piece_sent;            /* of what is in `out` */
    struct json_text json_before; /* as it was before the piece that is being read */
    struct http_buffer *kept;     /* the scratch memory of the first reading */
};

/* NULL: no room. */
MUST_USE struct http_request *http_request_acquire(struct http *http,
                                                   struct MHD_Connection *connection);

/* Gives the connection to others until the request is answered. */
void http_request_suspend(struct http_request *request);

/* Nobody else has it any more. NULL is allowed. */
void http_request_release(struct http_request *request);

/* The first line and the headers are there: finds the route, or why there is none. False: more body
 * is announced than will ever be read, or nobody knows how much; to be answered at once. */
MUST_USE bool http_request_begin(struct http_request *request, const struct http_line *line);

/* Takes a piece of the body. False: the client sends more than will ever be read; close. */
MUST_USE bool http_request_take(struct http_request *request, struct bytes piece);

/* The body is complete: decodes it and calls the handler, or answers the refusal. */
void http_request_work(struct http_request *request);

/* Hands the answer to libmicrohttpd. False: no memory; close. */
MUST_USE bool http_request_queue(struct http_request *request);

/* ---- For handlers. ---- */

/* The value of a query argument, or empty. Borrowed from the connection until the answer. */
struct bytes http_query(const struct http_request *request, const char *name);

/* The same as a number from 0 to `max`; 0 for what is no such number. */
uint64_t http_query_number(const struct http_request *request, const char *name, uint64_t max);

/* Does it come from this machine, or with the manager's token? */
bool http_is_trusted(const struct http_request *request);

/* The segment of the path that the route's pattern names; see api.h. */
static inline struct bytes http_segment(const struct http_request *request, uint32_t index)
{
    return api_path_segment(request->path, index);
}

/* Who asks, by a token of /manager/login or, on the manager's port, by the manager's token: may
 * they do `action`, a letter, to `resource`? (http-api 2.3) */
bool http_may(const struct http_request *request, struct bytes resource, uint8_t action);

/* Zeroed memory that lives as long as the request; NULL: no room, and the request was answered. */
MUST_USE void *http_acquire(struct http_request *request, size_t size);

/* {"status":200} */
void http_answer_ok(struct http_request *request);

/* {"status":n}, with HTTP 200 (http-api 3.3). */
void http_answer_status(struct http_request *request, uint32_t status);

/* {"msg":"text","status":400}, with HTTP 400. The text is copied. */
void http_answer_error(struct http_request *request, const char *text);

/* The same, `before` and `text` one behind the other. */
void http_answer_error_joined(struct http_request *request, const char *before, const char *text);

/* {"msg":"text","status":n}, with HTTP 400 (http-api 3.3). The text is copied. */
void http_answer_error_status(struct http_request *request, const char *text, uint32_t status);

/* There is no room now: the error envelope, counted. */
void http_answer_busy(struct http_request *request);

/* Something that is not understood went wrong inside: logs it and tells `text`. */
void http_answer_failure(struct http_request *request, const char *text, enum err why);

/* `text` is a literal or lies in the arena. */
void http_answer_text(struct http_request *request, uint32_t status, const char *content_type,
                      struct bytes text);

/* The same for a text that is part of the program; it is not copied. */
void http_answer_static(struct http_request *request, const char *content_type, struct bytes text);

/* Room for an answer of up to `size` bytes: sets `out` and `json`. False: there is none, and the
 * request was answered. */
MUST_USE bool http_out_open(struct http_request *request, size_t size);

/* The same, but that without room the request is not answered. */
MUST_USE bool http_out_try_open(struct http_request *request, size_t size);

/* Answers with what was written to `out`, which is not full. */
void http_answer_out(struct http_request *request, uint32_t status, const char *content_type);

/* Answers with what was written to `out`, and with the pieces that follow. */
void http_answer_pieces(struct http_request *request, const char *content_type);

/* The next piece is in `out`, or `has_failed`: goes on sending. */
void http_piece_comes(struct http_request *request);

#define HTTP_JSON_TYPE "application/json; charset=utf-8"
#define HTTP_TEXT_TYPE "text/plain"
