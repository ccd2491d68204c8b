#include "edge/http_request.h"

#include "base/assert.h"
#include "edge/http_framing.h"
#include "edge/http_peers.h"
#include "edge/http_reading.h"
#include "edge/jwt.h"
#include "memory/allocator.h"
#include "system/clock.h"
#include "system/socket.h"
#include "telemetry/logger.h"

#include <microhttpd.h>

/* A body that is refused is read to its end, so that the client gets to read the answer; but one
 * that goes on for longer than this is cut off. */
#define DISCARD_BYTES_MAX (16ull * 1024 * 1024)
#define BODY_BYTES_FIRST                                                                           \
    ((size_t)64 * 1024) /* believed of a Content-Length before anything has come */
#define LOCATION_BYTES_MAX ((size_t)48 * 1024) /* three times what fits a connection's memory */
#define SHRINK_BYTES_MIN   ((size_t)64 * 1024) /* smaller answers are not worth a copy */
#define FORMAT_FAULT       "数据格式有误！"
#define BUSY_ENVELOPE      "{\"msg\":\"the server is busy, try again later\",\"status\":400}"
#define PIECE_BLOCK_BYTES  ((size_t)4 * 1024) /* what libmicrohttpd asks for at once, about */
#define STATUS_OK          200u
#define STATUS_ERROR       400u

struct http_request *http_request_acquire(struct http *http, struct MHD_Connection *connection)
{
    struct http_request *request =
        memory_acquire_zeroed(&http->requests_budget, MEMORY_RANK_ADMIT, sizeof(*request));
    if (request == NULL) {
        return NULL;
    }
    request->http = http;
    request->connection = connection;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    request->peer = info != NULL ? info->socket_context : NULL;
    http_peer_does(request->peer, HTTP_COMING, http->now_ns);
    request->began_ns = http->now_ns;
    http_arena_init(&request->arena, &http->requests_budget);
    http->requests_count++;
    return request;
}

static void drop_body(struct http_request *request)
{
    memory_release(&request->http->bodies_budget, request->body, request->body_capacity);
    request->body = NULL;
    request->body_size = 0;
    request->body_capacity = 0;
}

void http_request_release(struct http_request *request)
{
    if (request == NULL) {
        return;
    }
    ASSERT(!request->is_suspended);
    ASSERT(!list_is_linked(&request->waiting));
    struct http *http = request->http;
    drop_body(request);
    http_arena_release(&request->arena);
    http_buffer_release(request->buffer);
    http_buffer_release(request->answer.buffer);
    http_buffer_release(request->kept);
    ASSERT(http->requests_count > 0);
    http->requests_count--;
    memory_release(&http->requests_budget, request, sizeof(*request));
}

/* ---- Headers and query. ---- */

static struct bytes lookup(const struct http_request *request, enum MHD_ValueKind kind,
                           const char *name)
{
    const char *value = NULL;
    size_t size = 0;
    if (MHD_lookup_connection_value_n(request->connection, kind, name, strlen(name), &value,
                                      &size) != MHD_YES ||
        value == NULL) {
        return BYTES_EMPTY;
    }
    return (struct bytes){.data = (const uint8_t *)value, .size = size};
}

struct bytes http_query(const struct http_request *request, const char *name)
{
    return lookup(request, MHD_GET_ARGUMENT_KIND, name);
}

/* A header's value, or empty. */
static struct bytes find_header(const struct http_request *request, const char *name)
{
    return lookup(request, MHD_HEADER_KIND, name);
}

static uint64_t parse_number(struct bytes text, uint64_t max)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        const uint64_t digit = (uint64_t)text.data[i] - '0';
        if (digit > 9 || value > (max - digit) / 10) {
            return 0;
        }
        value = value * 10 + digit;
    }
    return value;
}

uint64_t http_query_number(const struct http_request *request, const char *name, uint64_t max)
{
    ASSERT(max >= 9);
    return parse_number(http_query(request, name), max);
}

/* ---- Where it goes. ---- */

/* The JSON Web Token of the header `Authorization` or of the argument, with or without "Bearer ".
 */
static struct bytes bearer_token(const struct http_request *request)
{
    struct bytes token = find_header(request, MHD_HTTP_HEADER_AUTHORIZATION);
    if (token.size == 0) {
        token = http_query(request, MHD_HTTP_HEADER_AUTHORIZATION);
    }
    return bytes_begin_with(token, BYTES_OF("Bearer ")) ? bytes_skip(token, 7) : token;
}

static enum err read_user(const struct http_request *request, struct jwt_name *out_name)
{
    const struct jwt_key key = {.secret = request->http->options.access.jwt_secret,
                                .now_s = clock_wall_ms() / 1000};
    return jwt_read(bearer_token(request), &key, out_name);
}

bool http_may(const struct http_request *request, struct bytes resource, uint8_t action)
{
    const struct api_access *access = &request->http->options.access;
    if (request->port == API_PORT_MANAGER &&
        api_access_is_token(access, find_header(request, "token"))) {
        return true;
    }
    struct jwt_name user;
    return read_user(request, &user) == ERR_OK &&
           api_access_may(access, (struct bytes){.data = user.text, .size = user.size}, resource,
                          action);
}

/* On the API's port: the token, or nothing when there is none (http-api 2.2). */
static bool token_is_right(const struct http_request *request)
{
    const struct api_access *access = &request->http->options.access;
    return !access->has_token || api_access_is_token(access, find_header(request, "token"));
}

/* On the manager's port: why nobody we know; or NULL (http-api 16.2). */
static const char *manager_denial(const struct http_request *request)
{
    if (api_access_is_token(&request->http->options.access, find_header(request, "token"))) {
        return NULL;
    }
    if (bearer_token(request).size == 0) {
        return "Authorization header is required";
    }
    struct jwt_name user;
    const enum err err = read_user(request, &user);
    if (err == ERR_OK) {
        return NULL;
    }
    return err == ERR_CLOSED ? "token is expired" : "Invalid token";
}

static enum http_refusal find_denial(struct http_request *request)
{
    if (request->port == API_PORT_BACK_END) {
        return token_is_right(request) ? HTTP_REFUSED_NOT : HTTP_REFUSED_TOKEN;
    }
    if (request->route != NULL && request->route->is_open) {
        return HTTP_REFUSED_NOT;
    }
    request->denial = manager_denial(request);
    return request->denial == NULL ? HTTP_REFUSED_NOT : HTTP_REFUSED_MANAGER;
}

bool http_is_trusted(const struct http_request *request)
{
    if (request->http->options.access.has_token || request->port == API_PORT_MANAGER) {
        return true; /* or it would not have come so far */
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info != NULL && info->client_addr != NULL &&
           address_is_loopback_kernel(info->client_addr);
}

/* OPTIONS comes before the token: a browser's preflight carries none (http-api 2.2). */
static enum http_refusal find_refusal(struct http_request *request, const char *method)
{
    if (strcmp(method, MHD_HTTP_METHOD_OPTIONS) == 0) {
        return HTTP_REFUSED_PREFLIGHT;
    }
    request->route = api_find(request->port, method, request->path);
    const enum http_refusal denial = find_denial(request);
    if (denial != HTTP_REFUSED_NOT || request->route != NULL) {
        return denial;
    }
    request->route = api_find_moved(request->port, method, request->path);
    return request->route != NULL ? HTTP_REFUSED_MOVED : HTTP_REFUSED_PATH;
}

static void write_encoded(struct writer *writer, const char *text, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < size; i++) {
        const uint8_t byte = (uint8_t)text[i];
        const bool is_plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                              (byte >= 'a' && byte <= 'z') || byte == '-' || byte == '_' ||
                              byte == '.' || byte == '~';
        if (is_plain) {
            writer_u8(writer, byte);
        } else {
            writer_u8(writer, '%');
            writer_u8(writer, (uint8_t)digits[byte >> 4]);
            writer_u8(writer, (uint8_t)digits[byte & 15]);
        }
    }
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are libmicrohttpd's */
static enum MHD_Result write_argument(void *context, enum MHD_ValueKind kind, const char *key,
                                      size_t key_size, const char *value, size_t value_size)
{
    (void)kind;
    struct writer *writer = context;
    const bool is_first = memchr(writer->begin, '?', writer_size(writer)) == NULL;
    writer_u8(writer, is_first ? '?' : '&');
    write_encoded(writer, key, key_size);
    if (value != NULL) {
        writer_u8(writer, '=');
        write_encoded(writer, value, value_size);
    }
    return MHD_YES;
}

static void write_path(struct writer *writer, struct bytes path)
{
    while (path.size > 0) {
        const uint8_t *slash = memchr(path.data, '/', path.size);
        const size_t size = slash != NULL ? (size_t)(slash - path.data) : path.size;
        write_encoded(writer, (const char *)path.data, size);
        if (slash != NULL) {
            writer_u8(writer, '/');
        }
        path = bytes_skip(path, slash != NULL ? size + 1 : size);
    }
}

/* 301 for GET, 307 for the others, to the path without the slash (http-api 2.1). */
static void answer_moved(struct http_request *request)
{
    char *location = http_acquire(request, LOCATION_BYTES_MAX);
    if (location == NULL) {
        return;
    }
    struct writer writer = writer_of((uint8_t *)location, LOCATION_BYTES_MAX - 1);
    write_path(&writer, (struct bytes){.data = request->path.data, .size = request->path.size - 1});
    MHD_get_connection_values_n(request->connection, MHD_GET_ARGUMENT_KIND, write_argument,
                                &writer);
    const char *method = request->route->method;
    const bool is_get = method != NULL && strcmp(method, MHD_HTTP_METHOD_GET) == 0;
    http_answer_text(request, is_get ? MHD_HTTP_MOVED_PERMANENTLY : MHD_HTTP_TEMPORARY_REDIRECT,
                     NULL, BYTES_EMPTY);
    request->answer.location = location;
}

/* ---- The body. ---- */

static void refuse_body(struct http_request *request, enum http_refusal why, enum metric metric)
{
    request->refusal = why;
    metric_add(request->http->options.slot, metric, 1);
    drop_body(request);
}

static uint64_t announced_size(const struct http_request *request)
{
    return parse_number(find_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH), UINT64_MAX);
}

/* Whoever takes us for a proxy gives the whole URL (RFC 9112, 3.2.2). */
static struct bytes path_of_target(struct bytes target)
{
    const struct bytes scheme = BYTES_OF("http://");
    if (!bytes_begin_with(target, scheme)) {
        return target;
    }
    const struct bytes rest = bytes_skip(target, scheme.size);
    const uint8_t *slash = rest.size > 0 ? memchr(rest.data, '/', rest.size) : NULL;
    return slash != NULL ? bytes_skip(rest, (size_t)(slash - rest.data)) : BYTES_OF("/");
}

bool http_request_begin(struct http_request *request, const struct http_line *line)
{
    request->path = path_of_target(bytes_of_string(line->path));
    request->denial = http_framing_fault(request->connection, line->version);
    if (request->denial != NULL) {
        refuse_body(request, HTTP_REFUSED_FRAMING, METRIC_BAD_HTTP);
        return false;
    }
    request->refusal = find_refusal(request, line->method);
    const uint64_t size = announced_size(request);
    if (request->refusal == HTTP_REFUSED_NOT &&
        size > request->http->options.limits.body_bytes_max) {
        refuse_body(request, HTTP_REFUSED_LARGE, METRIC_HTTP_TOO_LARGE);
    }
    return size <= DISCARD_BYTES_MAX;
}

static bool make_room(struct http_request *request, size_t wanted)
{
    if (wanted <= request->body_capacity) {
        return true;
    }
    const uint64_t announced = announced_size(request);
    const uint64_t body_bytes_max = request->http->options.limits.body_bytes_max;
    size_t capacity = request->body_capacity * 2;
    capacity = capacity < body_bytes_max ? capacity : (size_t)body_bytes_max;
    capacity = capacity < wanted ? wanted : capacity;
    if (capacity < announced && capacity < BODY_BYTES_FIRST) {
        capacity = announced < BODY_BYTES_FIRST ? (size_t)announced : BODY_BYTES_FIRST;
    }
    struct budget *budget = &request->http->bodies_budget;
    uint8_t *grown = memory_acquire(budget, MEMORY_RANK_READ, capacity);
    if (grown == NULL) {
        return false;
    }
    if (request->body_size > 0) {
        memcpy(grown, request->body, request->body_size);
    }
    memory_release(budget, request->body, request->body_capacity);
    request->body = grown;
    request->body_capacity = capacity;
    return true;
}

bool http_request_take(struct http_request *request, struct bytes piece)
{
    request->body_seen += piece.size;
    const bool is_wanted = request->refusal == HTTP_REFUSED_NOT &&
                           (request->route->shape != NULL || request->route->is_raw);
    if (!is_wanted) {
        return request->body_seen <= DISCARD_BYTES_MAX;
    }
    if (request->body_seen > request->http->options.limits.body_bytes_max) {
        refuse_body(request, HTTP_REFUSED_LARGE, METRIC_HTTP_TOO_LARGE);
        return true;
    }
    if (!make_room(request, request->body_size + piece.size)) {
        refuse_body(request, HTTP_REFUSED_MEMORY, METRIC_HTTP_TOO_MANY);
        request->http->is_body_refused = true;
        return true;
    }
    memcpy(request->body + request->body_size, piece.data, piece.size);
    request->body_size += piece.size;
    return true;
}

/* Bytes that are no UTF-8 become U+FFFD (http-api 3.1). */
static bool repair_body(struct http_request *request)
{
    const struct bytes text = {.data = request->body, .size = request->body_size};
    const size_t size = json_repaired_size(text);
    if (size == text.size) {
        return true;
    }
    struct budget *budget = &request->http->bodies_budget;
    uint8_t *repaired = memory_acquire(budget, MEMORY_RANK_READ, size);
    if (repaired == NULL) {
        return false;
    }
    json_repair(text, repaired);
    drop_body(request);
    request->body = repaired;
    request->body_size = size;
    request->body_capacity = size;
    return true;
}

static void answer_fault(struct http_request *request, const char *text)
{
    metric_add(request->http->options.slot, METRIC_BAD_HTTP, 1);
    switch (request->route->style) {
    case API_STYLE_RAW:
        http_answer_error(request, text);
        break;
    case API_STYLE_FIXED:
        http_answer_error(request, FORMAT_FAULT);
        break;
    case API_STYLE_WRAPPED:
        http_answer_error_joined(request, FORMAT_FAULT ": ", text);
        break;
    }
}

/* False: it was answered. */
static bool decode_body(struct http_request *request)
{
    const struct json_shape *shape = request->route->shape;
    if (shape == NULL) {
        return true;
    }
    request->input = http_acquire(request, shape->size);
    if (request->input == NULL) {
        return false;
    }
    if (!repair_body(request)) {
        http_answer_busy(request);
        return false;
    }
    struct json_fault fault = {.text = ""};
    const struct json_decoding decoding = {.arena = &request->arena, .fault = &fault};
    const struct json_body body = {.text = request->body, .size = request->body_size};
    const enum err err = json_decode(&decoding, shape, body, request->input);
    if (err == ERR_BUDGET) {
        http_answer_busy(request);
    } else if (err != ERR_OK) {
        answer_fault(request, fault.text);
    }
    return err == ERR_OK;
}

/* The manager's port has an envelope of its own (http-api 16.2). */
static void answer_denial(struct http_request *request)
{
    enum { ROOM = 96 };
    uint8_t *area = http_acquire(request, ROOM);
    if (area == NULL) {
        return;
    }
    struct writer writer = writer_of(area, ROOM);
    struct json_text json = json_text_of(&writer);
    json_text_object_begin(&json);
    json_text_key(&json, "error");
    json_text_string(&json, bytes_of_string(request->denial));
    json_text_object_end(&json);
    http_answer_text(request, MHD_HTTP_UNAUTHORIZED, HTTP_JSON_TYPE, writer_bytes(&writer));
}

static void answer_refusal(struct http_request *request)
{
    switch (request->refusal) {
    case HTTP_REFUSED_PREFLIGHT:
        http_answer_text(request, MHD_HTTP_NO_CONTENT, NULL, BYTES_EMPTY);
        break;
    case HTTP_REFUSED_TOKEN:
        metric_add(request->http->options.slot, METRIC_HTTP_DENIED, 1);
        http_answer_text(request, MHD_HTTP_UNAUTHORIZED, NULL, BYTES_EMPTY);
        request->answer.is_bare = true;
        break;
    case HTTP_REFUSED_MANAGER:
        metric_add(request->http->options.slot, METRIC_HTTP_DENIED, 1);
        answer_denial(request);
        break;
    case HTTP_REFUSED_PATH:
        http_answer_text(request, MHD_HTTP_NOT_FOUND, HTTP_TEXT_TYPE,
                         BYTES_OF("404 page not found"));
        break;
    case HTTP_REFUSED_MOVED:
        answer_moved(request);
        break;
    case HTTP_REFUSED_LARGE:
        http_answer_error(request, "the request body is too large");
        break;
    case HTTP_REFUSED_MEMORY:
        http_answer_text(request, STATUS_ERROR, HTTP_JSON_TYPE, BYTES_OF(BUSY_ENVELOPE));
        break;
    case HTTP_REFUSED_FRAMING:
        http_answer_error(request, request->denial);
        request->answer.is_last = true;
        break;
    case HTTP_REFUSED_NOT:
        UNREACHABLE();
    }
}

void http_request_work(struct http_request *request)
{
    ASSERT(request->stage == HTTP_READING);
    request->stage = HTTP_WORKING;
    http_peer_does(request->peer, HTTP_OURS, request->http->now_ns);
    if (request->refusal != HTTP_REFUSED_NOT) {
        answer_refusal(request);
    } else if (decode_body(request)) {
        request->route->handle(request);
    }
}

/* ---- Answering. ---- */

void *http_acquire(struct http_request *request, size_t size)
{
    void *memory = http_arena_acquire(&request->arena, size);
    if (memory == NULL) {
        http_answer_busy(request);
    }
    return memory;
}

void http_request_suspend(struct http_request *request)
{
    request->is_suspended = true;
    request->http->suspended_count++;
    http_peer_does(request->peer, HTTP_OURS, request->http->now_ns);
    MHD_suspend_connection(request->connection);
}

static void resume(struct http_request *request)
{
    if (request->is_suspended) {
        request->is_suspended = false;
        ASSERT(request->http->suspended_count > 0);
        request->http->suspended_count--;
        MHD_resume_connection(request->connection);
    }
}

static void answer(struct http_request *request, const struct http_answer *answer)
{
    ASSERT(request->stage == HTTP_WORKING);
    request->answer = *answer;
    request->stage = HTTP_ANSWERED;
    resume(request);
}

void http_answer_text(struct http_request *request, uint32_t status, const char *content_type,
                      struct bytes text)
{
    answer(request,
           &(struct http_answer){.status = status, .content_type = content_type, .text = text});
}

void http_answer_static(struct http_request *request, const char *content_type, struct bytes text)
{
    answer(request,
           &(struct http_answer){
               .status = STATUS_OK, .content_type = content_type, .is_static = true, .text = text});
}

void http_answer_ok(struct http_request *request)
{
    http_answer_text(request, STATUS_OK, HTTP_JSON_TYPE, BYTES_OF("{\"status\":200}"));
}

void http_answer_status(struct http_request *request, uint32_t status)
{
    enum { ROOM = 32 };
    uint8_t *area = http_acquire(request, ROOM);
    if (area != NULL) {
        struct writer writer = writer_of(area, ROOM);
        writer_bytes_add(&writer, BYTES_OF("{\"status\":"));
        writer_decimal(&writer, status);
        writer_u8(&writer, '}');
        http_answer_text(request, STATUS_OK, HTTP_JSON_TYPE, writer_bytes(&writer));
    }
}

static void answer_envelope(struct http_request *request, struct bytes text, uint32_t status)
{
    const size_t size = json_text_string_size(text) + 32;
    uint8_t *area = http_acquire(request, size);
    if (area == NULL) {
        return;
    }
    struct writer writer = writer_of(area, size);
    struct json_text json = json_text_of(&writer);
    json_text_object_begin(&json);
    json_text_key(&json, "msg");
    json_text_string(&json, text);
    json_text_key(&json, "status");
    json_text_unsigned(&json, status);
    json_text_object_end(&json);
    ASSERT(!writer.is_full);
    http_answer_text(request, STATUS_ERROR, HTTP_JSON_TYPE, writer_bytes(&writer));
}

void http_answer_error_joined(struct http_request *request, const char *before, const char *text)
{
    const size_t text_size = strlen(before) + strlen(text);
    char *joined = http_acquire(request, text_size + 1);
    if (joined == NULL) {
        return;
    }
    struct writer join = writer_of((uint8_t *)joined, text_size);
    writer_bytes_add(&join, bytes_of_string(before));
    writer_bytes_add(&join, bytes_of_string(text));
    answer_envelope(request, writer_bytes(&join), STATUS_ERROR);
}

void http_answer_error_status(struct http_request *request, const char *text, uint32_t status)
{
    answer_envelope(request, bytes_of_string(text), status);
}

void http_answer_error(struct http_request *request, const char *text)
{
    http_answer_error_joined(request, "", text);
}

void http_answer_busy(struct http_request *request)
{
    metric_add(request->http->options.slot, METRIC_HTTP_TOO_MANY, 1);
    http_answer_text(request, STATUS_ERROR, HTTP_JSON_TYPE, BYTES_OF(BUSY_ENVELOPE));
}

void http_answer_failure(struct http_request *request, const char *text, enum err why)
{
    LOG_WARN("http_request_failed", F_STR("path", request->route->path), F_ERR(why));
    http_answer_error(request, text);
}

bool http_out_try_open(struct http_request *request, size_t size)
{
    ASSERT(request->stage == HTTP_WORKING);
    http_buffer_release(request->buffer);
    request->buffer = http_buffer_acquire(&request->http->answers_budget, size);
    if (request->buffer == NULL) {
        return false;
    }
    request->scratch_size = 0;
    request->out = writer_of(request->buffer->bytes, size);
    request->json = json_text_of(&request->out);
    return true;
}

bool http_out_open(struct http_request *request, size_t size)
{
    const bool is_open = http_out_try_open(request, size);
    if (!is_open) {
        http_answer_busy(request);
    }
    return is_open;
}

void http_answer_out(struct http_request *request, uint32_t status, const char *content_type)
{
    ASSERT(!request->out.is_full);
    struct http_buffer *buffer = request->buffer;
    request->buffer = NULL;
    answer(request, &(struct http_answer){.status = status,
                                          .content_type = content_type,
                                          .text = writer_bytes(&request->out),
                                          .buffer = buffer});
}

void http_answer_pieces(struct http_request *request, const char *content_type)
{
    answer(request, &(struct http_answer){
                        .status = STATUS_OK, .content_type = content_type, .is_in_pieces = true});
}

void http_piece_comes(struct http_request *request)
{
    http_peer_does(request->peer, HTTP_GOING, request->http->now_ns);
    resume(request);
}

/* ---- Handing it to libmicrohttpd. ---- */

/* libmicrohttpd wants more of an answer in pieces. While the next one is read the connection is
 * suspended, so that a slow client never has more than one waiting for it. */
static ssize_t give_piece(void *context, uint64_t position, char *area, size_t size)
{
    (void)position;
    struct http_request *request = context;
    const struct bytes left = bytes_skip(writer_bytes(&request->out), request->piece_sent);
    if (left.size > 0) {
        const size_t given = left.size < size ? left.size : size;
        memcpy(area, left.data, given);
        request->piece_sent += given;
        return (ssize_t)given;
    }
    if (request->has_failed) {
        return MHD_CONTENT_READER_END_WITH_ERROR; /* nobody takes it for the whole */
    }
    if (!request->has_more) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    http_request_suspend(request);
    http_read_next_piece(request);
    return 0;
}

/* A large buffer with little in it would be held until a slow client has read it. */
static void shrink_answer(struct http_answer *answer)
{
    struct http_buffer *buffer = answer->buffer;
    if (buffer->capacity < SHRINK_BYTES_MIN || answer->text.size > buffer->capacity / 4) {
        return;
    }
    struct http_buffer *small = http_buffer_acquire(buffer->budget, answer->text.size);
    if (small != NULL) {
        memcpy(small->bytes, answer->text.data, answer->text.size);
        answer->text.data = small->bytes;
        answer->buffer = small;
        http_buffer_release(buffer);
    }
}

static struct MHD_Response *make_response(struct http_request *request)
{
    struct http_answer *answer = &request->answer;
    if (answer->is_in_pieces) {
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_BLOCK_BYTES, give_piece,
                                                 request, NULL);
    }
    if (answer->buffer == NULL) {
        void *data = NULL; /* libmicrohttpd does not change it, but does not say so */
        memcpy(&data, &answer->text.data, sizeof(data));
        return MHD_create_response_from_buffer(answer->text.size, data,
                                               answer->is_static ? MHD_RESPMEM_PERSISTENT
                                                                 : MHD_RESPMEM_MUST_COPY);
    }
    shrink_answer(answer);
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        answer->text.size, answer->buffer->bytes, http_buffer_release, answer->buffer);
    if (response != NULL) {
        answer->buffer = NULL; /* the response has it */
    }
    return response;
}

/* http-api 2.4 */
static const char *const cors_headers[][2] = {
    {MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN, "*"},
    {"Access-Control-Allow-Credentials", "true"},
    {"Access-Control-Allow-Headers",
     "Content-Type, Authorization, Content-Length, Accept-Encoding, X-CSRF-Token, token, accept, "
     "origin, Cache-Control, X-Requested-With, appid, noncestr, sign, timestamp"},
    {"Access-Control-Allow-Methods", "POST, OPTIONS, GET, PUT,DELETE,PATCH"},
};

/* Is it the last answer of its connection? */
static bool is_last(const struct http_request *request)
{
    const struct http *http = request->http;
    if (http->is_draining || request->answer.is_last) {
        return true;
    }
    if (!http_peer_has_had_its_turn(&request->door->peers, request->peer, http->now_ns)) {
        return false;
    }
    http_peer_is_told_its_last(request->peer);
    metric_add(http->options.slot, METRIC_HTTP_TURNS, 1);
    return true;
}

static bool add_headers(const struct http_request *request, struct MHD_Response *response)
{
    const struct http_answer *answer = &request->answer;
    bool is_done = true;
    for (uint32_t i = 0; i < COUNT_OF(cors_headers) && !answer->is_bare; i++) {
        is_done &= MHD_add_response_header(response, cors_headers[i][0], cors_headers[i][1]);
    }
    if (answer->content_type != NULL) {
        is_done &=
            MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
    }
    if (answer->location != NULL) {
        is_done &= MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, answer->location);
    }
    if (is_last(request)) {
        is_done &= MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    return is_done;
}

static enum metric status_metric(uint32_t status)
{
    if (status < 300) {
        return METRIC_HTTP_OK;
    }
    return status < 400 ? METRIC_HTTP_MOVED
                        : (status < 500 ? METRIC_HTTP_REFUSED : METRIC_HTTP_FAILED);
}

bool http_request_queue(struct http_request *request)
{
    ASSERT(request->stage == HTTP_ANSWERED);
    http_peer_does(request->peer, HTTP_GOING, request->http->now_ns);
    struct MHD_Response *response = make_response(request);
    if (response == NULL) {
        return false;
    }
    const bool is_queued =
        add_headers(request, response) &&
        MHD_queue_response(request->connection, request->answer.status, response) == MHD_YES;
    MHD_destroy_response(response);
    metric_add(request->http->options.slot, status_metric(request->answer.status), 1);
    metric_took(request->http->options.slot, LATENCY_HTTP, clock_now_ns() - request->began_ns);
    return is_queued;
}
