/*
 * http_reading.h -- an answer that has to be read from the store, on a reader thread.
 *
 * The handler names a function; it runs on a reader thread, may block, and writes
 * the whole answer as JSON into the request's `out`. When that becomes full it
 * stops, the request comes home, gets a buffer of four times the size (or of as much
 * as the function has set `read_wanted` to) and is read again from the beginning: so
 * memory is acquired on the HTTP thread alone, and no answer is larger than the limit.
 * A burst of readings waits here and not in the pool, where the shards' readings would
 * stand behind it. Where others' answers have all the room, a reading waits for them, holding
 * nothing, for up to HTTP_ROOM_WAIT_MS in all; then the client is told that the server is busy.
 *
 * While it runs the function has the request for itself: `input`, `work`, `out`,
 * `json` and the options in `http`, and nothing else.
 *
 * An answer that would be large is sent in pieces, so that it costs the memory of one: the
 * function, when it sees that, sets `is_in_pieces`, and `read_wanted` to the room for a list alone,
 * and is read again until all that it wants to know is in scratch memory; that is kept. Then
 * another function writes one piece after the other, each when the client has taken the one before.
 * A piece that becomes full is read again with more room, so the function takes notice of what it
 * has told only at its end. A piece without room waits for it as long as a whole answer would. A
 * fault behind the first piece breaks the connection off.
 *
 *   ERR_OK      `out` is the answer.
 *   ERR_FULL    more room is wanted; also understood when `out` is full.
 *   ERR_ABSENT  {"status":404}, with HTTP 200 (http-api 3.3).
 *   others      the store failed: the error envelope with the handler's `failure`.
 */
#pragma once

#include "edge/http_request.h"

#define HTTP_READ_BYTES_FIRST ((size_t)16 * 1024) /* enough for most answers */

#define HTTP_ROOM_WAIT_MS 30000u

/* Reads and answers, now or later. `failure` is a literal. */
void http_read(struct http_request *request, http_read_fn *read, size_t size_first,
               const char *failure);

/* The same, for what waits: on a thread of its own, one at a time. It is not read again when `size`
 * does not suffice, so it had better. */
void http_read_slowly(struct http_request *request, http_read_fn *read, size_t size,
                      const char *failure);
/* The same, before all that wait, and while as many are being read as may be: for what tells how
 * the server is and does not look for anything in the store. */
void http_read_first(struct http_request *request, http_read_fn *read, size_t size_first,
                     const char *failure);

/* The same; when the answer is written, `then` is called on the HTTP thread before it is sent,
 * while the scratch memory is still there. */
void http_read_then(struct http_request *request, http_read_fn *read, size_t size_first,
                    const char *failure, http_then_fn *then);

/* As http_read, of an answer that may be in pieces. */
void http_read_pieces(struct http_request *request, http_read_fn *read, http_read_fn *read_piece,
                      size_t size_first, const char *failure);

/* The client has taken all that there is. For http_request.c. */
void http_read_next_piece(struct http_request *request);

/* Once in each turn: goes on with what waits for room, if there is some now. */
void http_readings_review(struct http *http);

/* On the reader thread, before anything is written to `out`: `size` bytes to work with, aligned
 * for anything, not initialised; gone when the function returns. NULL: return ERR_FULL. */
MUST_USE void *http_scratch(struct http_request *request, size_t size);

/* Gives all of it back, also when there was not enough. */
void http_scratch_clear(struct http_request *request);
