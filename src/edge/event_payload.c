#include "edge/event_payload.h"

#include "base/utf8.h"
#include "edge/api_checks.h"
#include "wire/json_token.h"

enum event_kind event_kind_of(struct bytes type)
{
    static const struct {
        const char *name;
        enum event_kind kind;
    } kinds[] = {
        {"stream.delta", EVENT_DELTA},   {"stream.snapshot", EVENT_SNAPSHOT},
        {"stream.close", EVENT_CLOSE},   {"stream.error", EVENT_ERROR},
        {"stream.cancel", EVENT_CANCEL}, {"stream.finish", EVENT_FINISH},
    };
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (api_word_is(type, kinds[i].name)) {
            return kinds[i].kind;
        }
    }
    return EVENT_OTHER;
}

/* The member of an object with this name, the last one if there are several; false: there is
 * none, or it is null. */
static bool find_member(struct json_token object, struct bytes name, struct json_token *out_value)
{
    struct json_token_walk walk = json_token_walk_of(object);
    struct json_token key;
    struct json_token value;
    bool is_found = false;
    while (json_token_walk_member(&walk, &key, &value)) {
        if (json_token_is(key, name)) {
            is_found = value.kind != JSON_TOKEN_NULL;
            *out_value = value;
        }
    }
    return is_found;
}

static uint32_t count_members(struct json_token object)
{
    struct json_token_walk walk = json_token_walk_of(object);
    struct json_token key;
    struct json_token value;
    uint32_t count = 0;
    while (json_token_walk_member(&walk, &key, &value)) {
        count++;
    }
    return count;
}

/* Is it {"kind":"text", …}? */
static bool is_text(struct json_token token)
{
    struct json_token kind;
    return token.kind == JSON_TOKEN_OBJECT && find_member(token, BYTES_OF("kind"), &kind) &&
           json_token_is(kind, BYTES_OF("text"));
}

/* The payload itself stays as it is: clients get it too. */
static enum err take_string(struct json_token string, struct http_arena *arena,
                            struct bytes *out_bytes)
{
    uint8_t *area = NULL;
    if (bytes_contain(string.text, '\\')) {
        area = http_arena_acquire(arena, string.text.size);
        if (area == NULL) {
            return ERR_BUDGET;
        }
    }
    *out_bytes = json_token_string(string, area);
    return ERR_OK;
}

/* A delta: the next piece of the text, or any other value. */
static enum err take_delta(struct event *event, struct json_token payload, struct http_arena *arena)
{
    struct json_token delta;
    if (!is_text(payload) || !find_member(payload, BYTES_OF("delta"), &delta) ||
        delta.kind != JSON_TOKEN_STRING) {
        event->content = (struct event_content){.form = LANE_JSON, .bytes = payload.text};
        return ERR_OK;
    }
    event->content.form = LANE_TEXT;
    return take_string(delta, arena, &event->content.bytes);
}

/* A snapshot: exactly {"kind":"text","text":…} can grow, everything else is kept as it is. */
static enum err take_snapshot(struct event *event, struct json_token snapshot,
                              struct http_arena *arena)
{
    struct json_token text;
    if (is_text(snapshot) && count_members(snapshot) == 2 &&
        find_member(snapshot, BYTES_OF("text"), &text) && text.kind == JSON_TOKEN_STRING) {
        event->content.form = LANE_TEXT;
        return take_string(text, arena, &event->content.bytes);
    }
    event->content = (struct event_content){.form = LANE_JSON, .bytes = snapshot.text};
    return ERR_OK;
}

/* A number, or a string of digits; 0 for everything else. */
static uint8_t end_reason_of(struct json_token token)
{
    uint64_t value = 0;
    if (token.kind == JSON_TOKEN_STRING && token.text.size > 2) {
        token.text = (struct bytes){.data = token.text.data + 1, .size = token.text.size - 2};
        token.kind = JSON_TOKEN_NUMBER;
    }
    if (token.kind != JSON_TOKEN_NUMBER || json_token_unsigned(token, &value) != ERR_OK) {
        return 0;
    }
    return value <= UINT8_MAX ? (uint8_t)value : 0;
}

/* As many whole characters as are kept. */
static struct bytes cut_error(struct bytes error)
{
    struct bytes rest = error;
    size_t size = 0;
    while (rest.size > 0) {
        const size_t character = utf8_size(rest);
        if (character == 0 || size + character > STREAM_ERROR_BYTES_MAX) {
            break;
        }
        size += character;
        rest = bytes_skip(rest, character);
    }
    return (struct bytes){.data = error.data, .size = size};
}

static enum err take_end(struct event *event, struct json_token payload, struct http_arena *arena)
{
    struct json_token value;
    enum err err = ERR_OK;
    if (payload.kind != JSON_TOKEN_OBJECT) {
        return err;
    }
    if (event->kind == EVENT_CLOSE && find_member(payload, BYTES_OF("end_reason"), &value)) {
        event->end_reason = end_reason_of(value);
    }
    if (event->kind == EVENT_ERROR && find_member(payload, BYTES_OF("error"), &value) &&
        value.kind == JSON_TOKEN_STRING) {
        err = take_string(value, arena, &event->error);
        event->error = cut_error(event->error);
    }
    if (err == ERR_OK && find_member(payload, BYTES_OF("snapshot"), &value)) {
        err = take_snapshot(event, value, arena);
    }
    return err;
}

enum err event_payload_read(struct event *event, struct bytes payload, struct http_arena *arena)
{
    struct json_token token;
    if (payload.size == 0) {
        return ERR_OK;
    }
    const enum err err = json_token_take(&payload, &token);
    if (err != ERR_OK) {
        return err;
    }
    switch (event->kind) {
    case EVENT_DELTA:
        return take_delta(event, token, arena);
    case EVENT_SNAPSHOT:
        return take_snapshot(event, token, arena);
    case EVENT_CLOSE:
    case EVENT_ERROR:
    case EVENT_CANCEL:
        return take_end(event, token, arena);
    case EVENT_OTHER:
    case EVENT_FINISH:
        break;
    }
    return ERR_OK;
}

struct bytes event_payload_plain(struct bytes content, uint8_t *area)
{
    struct bytes rest = content;
    struct json_token token;
    struct json_token kind;
    struct json_token value;
    if (json_token_take(&rest, &token) != ERR_OK || token.kind != JSON_TOKEN_OBJECT ||
        !find_member(token, BYTES_OF("kind"), &kind)) {
        return content;
    }
    if (json_token_is(kind, BYTES_OF("text"))) {
        const bool has_text =
            find_member(token, BYTES_OF("text"), &value) && value.kind == JSON_TOKEN_STRING;
        return has_text ? json_token_string(value, area) : BYTES_EMPTY;
    }
    const bool has_data = json_token_is(kind, BYTES_OF("binary")) &&
                          find_member(token, BYTES_OF("data"), &value) &&
                          value.kind == JSON_TOKEN_STRING;
    return has_data ? json_token_string(value, area) : content;
}
