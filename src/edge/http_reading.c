#include "edge/http_reading.h"

#include "base/assert.h"
#include "telemetry/logger.h"

#define GROWTH          4u
#define GROWTH_MIN      2u /* whoever says what it wants may be wrong, but not again and again */
#define SCRATCH_ALIGNED 16u
#define PIECE_BYTES     ((size_t)128 * 1024)
#define LARGE_SHARE     16u /* of the answers' memory: more is large */
#define RESERVE_SHARE   8u  /* and this is not for what is large */

static void run_reading(struct reading *reading)
{
    struct http_request *request = CONTAINER_OF(reading, struct http_request, reading);
    request->visit_err = ERR_OK;
    request->read_wanted = 0;
    request->read_result = request->read(request);
    if (request->read_result == ERR_OK) {
        request->read_result = request->visit_err;
    }
    if (request->out.is_full) {
        request->read_result = ERR_FULL;
    }
}

static void run_slow(void *context)
{
    struct http_request *request = context;
    run_reading(&request->reading);
    mailbox_post(request->reading.home, &request->reading.letter);
}

static void reading_comes_home(struct letter *letter, void *receiver);

/* Room for a piece behind the first, which is that of the one before if it fits; what is around it
 * goes on as it was. */
static bool try_open_piece(struct http_request *request)
{
    request->out = (struct writer){.begin = NULL};
    request->piece_sent = 0; /* of what was in there */
    if (request->buffer != NULL && request->buffer->capacity != request->read_size) {
        http_buffer_release(request->buffer);
        request->buffer = NULL;
    }
    if (request->buffer == NULL) {
        request->buffer = http_buffer_acquire(&request->http->answers_budget, request->read_size);
    }
    if (request->buffer == NULL) {
        return false;
    }
    request->scratch_size = 0;
    request->out = writer_of(request->buffer->bytes, request->read_size);
    request->json = request->json_before;
    return true;
}

/* Large answers leave some room to small ones, which tell what has been done; those that have begun
 * have to end. */
static bool has_room(const struct http_request *request)
{
    const struct budget *budget = &request->http->answers_budget;
    const size_t size = sizeof(struct http_buffer) + request->read_size;
    const bool is_begun = request->stage == HTTP_ANSWERED;
    const bool is_large = !is_begun && size > budget->limit_bytes / LARGE_SHARE;
    const uint64_t left = is_large ? budget->limit_bytes / RESERVE_SHARE : 0;
    return budget_available(budget, MEMORY_RANK_DELIVER) >= size + left;
}

/* Those who have waited before are asked first. */
static void wait_for_room(struct http_request *request)
{
    struct http *http = request->http;
    const bool is_new = request->room_by_ns == 0;
    if (is_new) {
        request->room_by_ns = http->now_ns + HTTP_ROOM_WAIT_MS * 1000000ull;
    }
    if (is_new && !request->is_read_first) {
        list_push_back(&http->readings_roomless, &request->waiting);
    } else {
        list_push_front(&http->readings_roomless, &request->waiting);
    }
}

static bool try_open_whole(struct http_request *request)
{
    /* What did not suffice goes first: two that wait for each other's would wait for ever, and so
     * would one for its own. */
    http_buffer_release(request->buffer);
    request->buffer = NULL;
    request->out = (struct writer){.begin = NULL};
    return has_room(request) && http_out_try_open(request, request->read_size);
}

static bool open_out(struct http_request *request)
{
    const bool is_open =
        request->stage == HTTP_ANSWERED ? try_open_piece(request) : try_open_whole(request);
    if (!is_open) {
        wait_for_room(request);
    }
    return is_open;
}

/* Nobody takes what was sent for the whole: the connection is closed. */
static void break_off(struct http_request *request, enum err why)
{
    LOG_WARN("http_answer_broken_off", F_STR("path", request->route->path), F_ERR(why));
    request->has_failed = true;
    request->piece_sent = writer_size(&request->out);
    http_piece_comes(request);
}

/* The buffer is acquired only now, so that those who wait hold none. */
static void ask(struct http_request *request)
{
    struct http *http = request->http;
    if (!open_out(request)) {
        return;
    }
    http->readings_away++;
    request->reading = (struct reading){
        .letter = {.receive = reading_comes_home}, .run = run_reading, .home = &http->mailbox};
    if (!request->is_read_slow) {
        readers_ask(http->options.readers, &request->reading);
    } else if (thread_start(&http->slow_thread, "slow-page", run_slow, request) != ERR_OK) {
        request->read_result = ERR_IO;
        mailbox_post(&http->mailbox, &request->reading.letter);
    }
}

static void ask_waiting(struct http *http)
{
    const uint32_t away_max = http->options.limits.readings_max;
    while (!list_is_empty(&http->readings_waiting)) {
        struct list *oldest = http->readings_waiting.next;
        struct http_request *request = CONTAINER_OF(oldest, struct http_request, waiting);
        if (http->readings_away >= away_max + request->is_read_first) {
            return;
        }
        list_remove(oldest);
        ask(request);
    }
}

static void give_up(struct http_request *request)
{
    if (request->stage == HTTP_ANSWERED) { /* and the first pieces are sent */
        metric_add(request->http->options.slot, METRIC_HTTP_TOO_MANY, 1);
        break_off(request, ERR_BUDGET);
        return;
    }
    if (request->is_read_slow) {
        request->http->is_slow_busy = false;
    }
    http_answer_busy(request);
}

static struct http_request *pop_roomless(struct http *http)
{
    struct list *oldest = list_pop_front(&http->readings_roomless);
    return oldest != NULL ? CONTAINER_OF(oldest, struct http_request, waiting) : NULL;
}

void http_readings_review(struct http *http)
{
    struct http_request *oldest = pop_roomless(http);
    while (oldest != NULL && (http->is_draining || http->now_ns >= oldest->room_by_ns)) {
        give_up(oldest);
        oldest = pop_roomless(http);
    }
    if (oldest == NULL) {
        return;
    }
    if (has_room(oldest)) {
        list_push_front(&http->readings_waiting, &oldest->waiting);
        ask_waiting(http);
    } else {
        list_push_front(&http->readings_roomless, &oldest->waiting);
    }
}

static bool may_grow(const struct http_request *request)
{
    return request->buffer->capacity < request->http->options.limits.answer_bytes_max;
}

/* More room, and from the beginning again. */
static void read_again(struct http_request *request)
{
    const uint64_t answer_bytes_max = request->http->options.limits.answer_bytes_max;
    const size_t size = request->buffer->capacity;
    uint64_t grown = size * GROWTH;
    if (request->is_in_pieces && !request->is_listing) {
        /* The room that was for all of it is not kept for the list alone. */
        request->is_listing = true;
        grown = request->read_wanted;
    } else if (request->read_wanted > 0) {
        grown = request->read_wanted > size * GROWTH_MIN ? request->read_wanted : size * GROWTH_MIN;
    }
    request->read_size = (size_t)(grown < answer_bytes_max ? grown : answer_bytes_max);
    list_push_front(&request->http->readings_waiting, &request->waiting);
}

static void refuse_size(struct http_request *request)
{
    metric_add(request->http->options.slot, METRIC_HTTP_TOO_LARGE, 1);
    http_answer_error(request, "the answer would be too large: ask for less");
}

/* ---- Pieces. ---- */

/* What was listed is kept; now it is told. */
static void begin_pieces(struct http_request *request)
{
    request->kept = request->buffer;
    request->buffer = NULL;
    request->read = request->read_piece;
    request->read_size = PIECE_BYTES;
    list_push_front(&request->http->readings_waiting, &request->waiting);
}

static void take_piece(struct http_request *request)
{
    request->piece_sent = 0;
    request->room_by_ns = 0; /* the next one may wait as long */
    request->json_before = request->json;
}

/* A piece behind the first: the status has been sent. */
static void end_piece(struct http_request *request)
{
    if (request->read_result == ERR_FULL && may_grow(request)) {
        read_again(request);
        return;
    }
    if (request->read_result != ERR_OK) {
        break_off(request, request->read_result);
        return;
    }
    take_piece(request);
    http_piece_comes(request);
}

void http_read_next_piece(struct http_request *request)
{
    request->read_size = PIECE_BYTES;
    list_push_back(&request->http->readings_waiting, &request->waiting);
    ask_waiting(request->http);
}

/* True: what was read is not the whole answer. */
static bool goes_on_in_pieces(struct http_request *request)
{
    if (!request->is_in_pieces || request->read_result != ERR_OK) {
        return false;
    }
    if (request->kept == NULL) {
        begin_pieces(request);
        return true;
    }
    take_piece(request);
    if (request->has_more) {
        http_answer_pieces(request, HTTP_JSON_TYPE);
    }
    return request->has_more;
}

static void end_reading(struct http_request *request)
{
    if (request->stage == HTTP_ANSWERED) {
        end_piece(request);
        return;
    }
    if (goes_on_in_pieces(request)) {
        return;
    }
    switch (request->read_result) {
    case ERR_OK:
        if (request->then != NULL) {
            request->then(request);
        }
        http_answer_out(request, 200,
                        request->read_type != NULL ? request->read_type : HTTP_JSON_TYPE);
        break;
    case ERR_FULL:
        if (may_grow(request)) {
            read_again(request);
        } else {
            refuse_size(request);
        }
        break;
    case ERR_ABSENT:
        http_answer_status(request, 404);
        break;
    case ERR_AGAIN:
        http_answer_error(request, "another one is under way, try again later");
        break;
    case ERR_DENIED:
    case ERR_BUDGET:
    case ERR_LIMIT:
    case ERR_PROTOCOL:
    case ERR_CLOSED:
    case ERR_CORRUPT:
    case ERR_IO:
        http_answer_failure(request, request->failure, request->read_result);
        break;
    }
}

static void reading_comes_home(struct letter *letter, void *receiver)
{
    struct http *http = receiver;
    struct reading *reading = CONTAINER_OF(letter, struct reading, letter);
    ASSERT(http->readings_away > 0);
    http->readings_away--;
    struct http_request *request = CONTAINER_OF(reading, struct http_request, reading);
    if (request->is_read_slow) {
        thread_join(&http->slow_thread);
        http->is_slow_busy = false;
    }
    end_reading(request);
    ask_waiting(http);
}

void http_read(struct http_request *request, http_read_fn *read, size_t size_first,
               const char *failure)
{
    http_read_then(request, read, size_first, failure, NULL);
}

void http_read_then(struct http_request *request, http_read_fn *read, size_t size_first,
                    const char *failure, http_then_fn *then)
{
    ASSERT(request->stage == HTTP_WORKING);
    request->read = read;
    request->then = then;
    request->read_size = size_first;
    request->failure = failure;
    list_push_back(&request->http->readings_waiting, &request->waiting);
    ask_waiting(request->http);
}

void http_read_first(struct http_request *request, http_read_fn *read, size_t size_first,
                     const char *failure)
{
    ASSERT(request->stage == HTTP_WORKING);
    request->read = read;
    request->read_size = size_first;
    request->failure = failure;
    request->is_read_first = true;
    list_push_front(&request->http->readings_waiting, &request->waiting);
    ask_waiting(request->http);
}

void http_read_pieces(struct http_request *request, http_read_fn *read, http_read_fn *read_piece,
                      size_t size_first, const char *failure)
{
    request->read_piece = read_piece;
    http_read(request, read, size_first, failure);
}

void http_read_slowly(struct http_request *request, http_read_fn *read, size_t size,
                      const char *failure)
{
    struct http *http = request->http;
    if (http->is_slow_busy) {
        http_answer_error(request, "another one is under way, try again later");
        return;
    }
    http->is_slow_busy = true;
    request->is_read_slow = true;
    http_read(request, read, size, failure);
}

void *http_scratch(struct http_request *request, size_t size)
{
    ASSERT(writer_size(&request->out) == 0);
    struct http_buffer *buffer = request->buffer;
    size = (size + SCRATCH_ALIGNED - 1) / SCRATCH_ALIGNED * SCRATCH_ALIGNED;
    const uintptr_t end = (uintptr_t)(buffer->bytes + buffer->capacity);
    const size_t slack = end % SCRATCH_ALIGNED;
    const size_t taken = request->scratch_size == 0 ? slack : request->scratch_size;
    if (size > buffer->capacity || taken + size > buffer->capacity) {
        request->out.is_full = true;
        return NULL;
    }
    request->scratch_size = taken + size;
    const size_t left = buffer->capacity - request->scratch_size;
    request->out = writer_of(buffer->bytes, left);
    return buffer->bytes + left;
}

void http_scratch_clear(struct http_request *request)
{
    ASSERT(writer_size(&request->out) == 0);
    request->scratch_size = 0;
    request->out = writer_of(request->buffer->bytes, request->buffer->capacity);
}
