#include "edge/http_glance.h"

#include <strings.h>

/* What of the head says where the body ends. */
struct head {
    struct bytes rest; /* behind the head, when that is whole */
    struct bytes token;
    uint64_t body_size;
    bool is_chunked;
    bool is_unclear;
    bool is_whole;
};

/* The next line of `rest`, without its end. False: it is not whole. */
static bool next_line(struct bytes *rest, struct bytes *out_line)
{
    const uint8_t *end = rest->size > 0 ? memchr(rest->data, '\n', rest->size) : NULL;
    if (end == NULL) {
        return false;
    }
    *out_line = (struct bytes){.data = rest->data, .size = (size_t)(end - rest->data)};
    *rest = bytes_skip(*rest, out_line->size + 1);
    if (out_line->size > 0 && end[-1] == '\r') {
        out_line->size--;
    }
    return true;
}

/* The value, if that is the line of `name`, which ends with a colon. */
static bool is_header(struct bytes line, struct bytes name, struct bytes *out_value)
{
    if (line.size < name.size ||
        strncasecmp((const char *)line.data, (const char *)name.data, name.size) != 0) {
        return false;
    }
    *out_value = bytes_skip(line, name.size);
    while (out_value->size > 0 && (out_value->data[0] == ' ' || out_value->data[0] == '\t')) {
        *out_value = bytes_skip(*out_value, 1);
    }
    return true;
}

static void see_length(struct head *head, struct bytes text)
{
    enum { DIGITS_MAX = 18 };
    head->is_unclear |= text.size == 0 || text.size > DIGITS_MAX;
    head->body_size = 0;
    for (size_t i = 0; i < text.size && !head->is_unclear; i++) {
        head->is_unclear |= text.data[i] < '0' || text.data[i] > '9';
        head->body_size = head->body_size * 10 + (uint64_t)(text.data[i] - '0');
    }
}

static void see_line(struct head *head, struct bytes line)
{
    struct bytes value;
    if (is_header(line, BYTES_OF("content-length:"), &value)) {
        see_length(head, value);
    } else if (is_header(line, BYTES_OF("transfer-encoding:"), &value)) {
        head->is_chunked = true;
    } else if (is_header(line, BYTES_OF("token:"), &value)) {
        head->token = value;
    } else {
        head->is_unclear |= bytes_contain(line, '\r');
    }
}

static struct head see_head(struct bytes seen)
{
    struct head head = {.rest = seen};
    struct bytes line;
    while (!head.is_whole && next_line(&head.rest, &line)) {
        head.is_whole = line.size == 0;
        see_line(&head, line);
    }
    return head;
}

static enum http_glance_kind kind_of(const struct head *head)
{
    if (head->is_unclear) {
        return HTTP_GLANCE_UNCLEAR;
    }
    if (!head->is_whole) {
        return HTTP_GLANCE_HEAD;
    }
    const bool is_there = head->is_chunked ? bytes_end_with(head->rest, BYTES_OF("0\r\n\r\n"))
                                           : head->rest.size >= head->body_size;
    return is_there ? HTTP_GLANCE_WHOLE : HTTP_GLANCE_BODY;
}

static bool is_monitor(struct bytes line)
{
    static const char *const beginnings[] = {"GET /health", "GET /metrics", "GET /ledger"};
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        const struct bytes beginning = bytes_of_string(beginnings[i]);
        if (line.size > beginning.size && bytes_begin_with(line, beginning)) {
            const uint8_t behind = line.data[beginning.size];
            return behind == ' ' || behind == '?';
        }
    }
    return false;
}

/* METHOD target HTTP/1.x */
static bool is_first_line(struct bytes line)
{
    const uint8_t *space = memchr(line.data, ' ', line.size);
    if (space == NULL || space == line.data || line.data[0] < 'A' || line.data[0] > 'Z') {
        return false;
    }
    const size_t version_size = sizeof(" HTTP/1.1") - 1;
    return line.size > (size_t)(space - line.data) + version_size &&
           memcmp(line.data + line.size - version_size, " HTTP/1.", version_size - 1) == 0;
}

struct http_glance http_glance(struct bytes seen)
{
    struct bytes line = BYTES_EMPTY;
    struct bytes rest = seen;
    while (next_line(&rest, &line) && line.size == 0) { /* allowed before a request */
    }
    if (line.size == 0) {
        return (struct http_glance){.kind = HTTP_GLANCE_HEAD};
    }
    if (!is_first_line(line)) {
        return (struct http_glance){.kind = HTTP_GLANCE_UNCLEAR};
    }
    const struct head head = see_head(rest);
    return (struct http_glance){
        .kind = kind_of(&head), .is_monitor = is_monitor(line), .token = head.token};
}
