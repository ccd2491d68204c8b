#include "cli/bench_http.h"

#include "system/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define NS_PER_MS  1000000ULL
#define READ_BYTES 65536u

enum err bench_http_open(struct bench_http *http, const struct address *address, const char *token,
                         struct budget *budget)
{
    *http = (struct bench_http){
        .address = *address,
        .token = token,
        .budget = budget,
        .fd = -1,
    };
    return loop_open(&http->loop);
}

static void disconnect(struct bench_http *http)
{
    if (http->fd >= 0) {
        socket_close(http->fd);
    }
    http->fd = -1;
    bench_buffer_release(&http->in, http->budget);
    http->answer = BYTES_EMPTY;
}

void bench_http_close(struct bench_http *http)
{
    disconnect(http);
    loop_close(&http->loop);
}

static enum err connect_to(struct bench_http *http)
{
    enum err err = socket_connect(&http->address, &http->fd);
    if (err == ERR_OK) {
        err = loop_watch_socket(&http->loop, http->fd, 0);
    }
    return err;
}

/* Sleeps until something may have changed. ERR_CLOSED: that took too long. */
static enum err wait_for_change(struct bench_http *http, uint64_t deadline_ns)
{
    const uint64_t now_ns = clock_now_ns();
    if (now_ns >= deadline_ns) {
        return ERR_CLOSED;
    }
    loop_poll(&http->loop, (int)((deadline_ns - now_ns) / NS_PER_MS) + 1);
    return ERR_OK;
}

/* Head and body leave together: a server that gets them one after the other wakes twice. */
static enum err write_all(struct bench_http *http, struct bytes head, struct bytes body,
                          uint64_t deadline_ns)
{
    struct bytes parts[2] = {head, body};
    while (parts[0].size + parts[1].size > 0) {
        size_t written = 0;
        enum err err = socket_write(http->fd, parts, COUNT_OF(parts), &written);
        if (err == ERR_OK) {
            const size_t of_head = written < parts[0].size ? written : parts[0].size;
            parts[0] = bytes_skip(parts[0], of_head);
            parts[1] = bytes_skip(parts[1], written - of_head);
            continue;
        }
        if (err == ERR_AGAIN) { /* it is full, or still connects */
            err = wait_for_change(http, deadline_ns);
        }
        if (err != ERR_OK) {
            return ERR_CLOSED;
        }
    }
    return ERR_OK;
}

/* The value of a header in `head`, or NULL. */
static const char *find_header(const char *head, const char *name)
{
    const size_t size = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, size) == 0 && line[2 + size] == ':') {
            return line + 2 + size + 1 + strspn(line + 2 + size + 1, " \t");
        }
    }
    return NULL;
}

/* Where an answer's body is. */
struct extent {
    size_t head_size;
    size_t size; /* of all, once it is known */
    bool is_chunked;
};

/* How large the chunks that begin `text` are, with their sizes and the end. ERR_AGAIN: they are
 * incomplete. */
static enum err chunks_size(struct bytes text, size_t *out_size)
{
    size_t at = 0;
    for (;;) {
        char digits[17] = "";
        const size_t left = text.size - at;
        memcpy(digits, text.data + at, left < 16 ? left : 16);
        char *end = NULL;
        const size_t size = strtoull(digits, &end, 16);
        if (*end == '\0') {
            return left < 16 ? ERR_AGAIN : ERR_PROTOCOL;
        }
        if (end == digits || *end != '\r' || size > BENCH_HTTP_ANSWER_MAX) {
            return ERR_PROTOCOL;
        }
        at += (size_t)(end - digits) + 2 + size + 2;
        if (at > text.size) {
            return ERR_AGAIN;
        }
        if (size == 0) {
            *out_size = at;
            return ERR_OK;
        }
    }
}

/* Moves what the chunks hold together and returns it. */
static struct bytes join_chunks(uint8_t *text)
{
    uint8_t *to = text;
    const uint8_t *from = text;
    for (;;) {
        char *end = NULL;
        const size_t size = strtoull((const char *)from, &end, 16);
        from = (const uint8_t *)end + 2;
        if (size == 0) {
            return (struct bytes){.data = text, .size = (size_t)(to - text)};
        }
        memmove(to, from, size);
        to += size;
        from += size + 2;
    }
}

/* ERR_AGAIN: the answer is incomplete. ERR_ABSENT: it goes on until the end of the connection. */
static enum err answer_extent(struct bytes answer, struct extent *out_extent)
{
    char head[BENCH_HTTP_HEAD_BYTES + 1];
    const size_t size = answer.size < BENCH_HTTP_HEAD_BYTES ? answer.size : BENCH_HTTP_HEAD_BYTES;
    memcpy(head, answer.data, size);
    head[size] = '\0';
    char *end = strstr(head, "\r\n\r\n");
    if (end == NULL) {
        return size == BENCH_HTTP_HEAD_BYTES ? ERR_LIMIT : ERR_AGAIN;
    }
    end[2] = '\0';
    out_extent->head_size = (size_t)(end - head) + 4;
    const char *length = find_header(head, "Content-Length");
    const char *encoding = find_header(head, "Transfer-Encoding");
    out_extent->is_chunked = encoding != NULL && strncasecmp(encoding, "chunked", 7) == 0;
    if (out_extent->is_chunked) {
        size_t body_size = 0;
        const enum err err = chunks_size(bytes_skip(answer, out_extent->head_size), &body_size);
        out_extent->size = out_extent->head_size + body_size;
        return err;
    }
    if (length == NULL) {
        out_extent->size = answer.size;
        return ERR_ABSENT;
    }
    out_extent->size = out_extent->head_size + (size_t)strtoul(length, NULL, 10);
    return answer.size >= out_extent->size ? ERR_OK : ERR_AGAIN;
}

/* Reads what is there. ERR_AGAIN: nothing. */
static enum err read_some(struct bench_http *http)
{
    uint8_t *room = bench_buffer_room(&http->in, http->budget, READ_BYTES);
    if (room == NULL) {
        return ERR_BUDGET;
    }
    size_t size = 0;
    const enum err err = socket_read(http->fd, room, READ_BYTES, &size);
    if (err == ERR_OK) {
        bench_buffer_add(&http->in, size);
    }
    return err;
}

/* Reads a whole answer into `http->in`. */
static enum err read_answer(struct bench_http *http, uint64_t deadline_ns,
                            struct extent *out_extent)
{
    for (;;) {
        const struct bytes there = bench_buffer_bytes(&http->in);
        const enum err seen = there.size > 0 ? answer_extent(there, out_extent) : ERR_AGAIN;
        if (seen == ERR_OK) {
            return ERR_OK;
        }
        if ((seen != ERR_AGAIN && seen != ERR_ABSENT) || there.size >= BENCH_HTTP_ANSWER_MAX) {
            return ERR_CLOSED;
        }
        enum err err = read_some(http);
        if (err == ERR_CLOSED && seen == ERR_ABSENT) {
            return ERR_OK;
        }
        if (err == ERR_AGAIN) {
            err = wait_for_change(http, deadline_ns);
        }
        if (err != ERR_OK) {
            return err;
        }
    }
}

/* Cuts status and body out of the answer. */
static void take_answer(struct bench_http *http, const struct extent *extent, uint32_t *out_status)
{
    char status[16] = "";
    const struct bytes all = bench_buffer_bytes(&http->in);
    memcpy(status, all.data, all.size < sizeof(status) ? all.size : sizeof(status) - 1);
    *out_status = (uint32_t)strtoul(status + (strlen(status) > 9 ? 9 : 0), NULL, 10);
    const size_t size = extent->size < all.size ? extent->size : all.size;
    if (extent->is_chunked) {
        http->answer = join_chunks(bench_buffer_data(&http->in) + extent->head_size);
    } else {
        http->answer =
            (struct bytes){.data = all.data + extent->head_size, .size = size - extent->head_size};
    }
}

/* Forgets the last answer. */
static void forget_answer(struct bench_http *http)
{
    bench_buffer_consume(&http->in, bench_buffer_bytes(&http->in).size);
    http->answer = BYTES_EMPTY;
}

static enum err exchange(struct bench_http *http, const char *path, struct bytes body,
                         uint32_t *out_status)
{
    char head[BENCH_HTTP_HEAD_BYTES];
    char host[ADDRESS_TEXT_MAX];
    address_text(&http->address, host);
    const int size =
        snprintf(head, sizeof(head),
                 "POST %s HTTP/1.1\r\nHost: %s:%u\r\nContent-Type: application/json\r\n"
                 "Content-Length: %zu\r\n%s%s%s\r\n",
                 path, host, http->address.port, body.size, http->token != NULL ? "token: " : "",
                 http->token != NULL ? http->token : "", http->token != NULL ? "\r\n" : "");
    if (size < 0 || (size_t)size >= sizeof(head)) {
        return ERR_LIMIT;
    }
    const uint64_t begun_ns = clock_now_ns();
    const uint64_t deadline_ns = begun_ns + BENCH_HTTP_MS_MAX * NS_PER_MS;
    const struct bytes head_bytes = {.data = (const uint8_t *)head, .size = (size_t)size};
    struct extent extent = {.size = 0};
    forget_answer(http);
    enum err err = http->fd < 0 ? connect_to(http) : ERR_OK;
    if (err == ERR_OK) {
        err = write_all(http, head_bytes, body, deadline_ns);
    }
    if (err == ERR_OK) {
        err = read_answer(http, deadline_ns, &extent);
    }
    if (err != ERR_OK) {
        return err;
    }
    http->took_ns = clock_now_ns() - begun_ns;
    take_answer(http, &extent, out_status);
    return ERR_OK;
}

enum err bench_http_post(struct bench_http *http, const char *path, struct bytes body,
                         uint32_t *out_status)
{
    const bool was_open = http->fd >= 0;
    enum err err = exchange(http, path, body, out_status);
    if (err != ERR_OK && was_open) {
        /* The server may have ended a connection that was kept; what we post may be posted twice.
         */
        disconnect(http);
        err = exchange(http, path, body, out_status);
    }
    if (err != ERR_OK) {
        disconnect(http);
    }
    return err;
}

struct bytes bench_http_answer(const struct bench_http *http)
{
    return http->answer;
}

uint64_t bench_http_took_ns(const struct bench_http *http)
{
    return http->took_ns;
}
