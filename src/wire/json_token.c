#include "wire/json_token.h"

#include "base/assert.h"
#include "base/utf8.h"

#define HEX_DIGITS 4u

/* A walk over the text while it is checked. */
struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    uint64_t arrays; /* a bit for each level: is it an array? */
    uint32_t depth;
    enum err err; /* the first fault; nothing goes on after it */
};

_Static_assert(JSON_TOKEN_DEPTH_MAX <= 64, "a level is a bit");

static struct cursor cursor_of(struct bytes text)
{
    return (struct cursor){.at = text.data, .end = text.data + text.size, .err = ERR_OK};
}

static void fault(struct cursor *cursor)
{
    if (cursor->err == ERR_OK) {
        cursor->err = ERR_PROTOCOL;
    }
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static void skip_blanks(struct cursor *cursor)
{
    while (cursor->at < cursor->end && is_blank(*cursor->at)) {
        cursor->at++;
    }
}

/* The next byte, or 0 at the end; 0 is no byte of JSON. */
static uint8_t peek(const struct cursor *cursor)
{
    return cursor->at < cursor->end ? *cursor->at : 0;
}

/* Steps over `byte` if it comes next. */
static bool accept(struct cursor *cursor, uint8_t byte)
{
    if (peek(cursor) != byte) {
        return false;
    }
    cursor->at++;
    return true;
}

/* ---- Scalars. ---- */

static int hex_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    const uint8_t letter = byte | 0x20;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* A backslash was seen. */
static void skip_escape(struct cursor *cursor)
{
    const uint8_t letter = peek(cursor);
    if (letter != 'u') {
        if (!bytes_contain(BYTES_OF("\"\\/bfnrt"), letter)) {
            fault(cursor);
            return;
        }
        cursor->at++;
        return;
    }
    cursor->at++;
    for (size_t i = 0; i < HEX_DIGITS; i++) {
        if (hex_value(peek(cursor)) < 0) {
            fault(cursor);
            return;
        }
        cursor->at++;
    }
}

#define EACH_BYTE(value) (0x0101010101010101u * (value))

/* The high bit of each byte that is 0. Bytes above the first such one may be wrong, which does not
 * matter to who looks for the first. */
static uint64_t zero_bytes(uint64_t word)
{
    return (word - EACH_BYTE(1u)) & ~word & EACH_BYTE(0x80u);
}

/* The high bit of each byte that ends a plain run, likewise. */
static uint64_t special_bytes(uint64_t word)
{
    return (word & EACH_BYTE(0x80u)) | zero_bytes(word & EACH_BYTE(0xe0u)) |
           zero_bytes(word ^ EACH_BYTE('"')) | zero_bytes(word ^ EACH_BYTE('\\'));
}

size_t json_token_plain_size(struct bytes text)
{
    size_t size = 0;
    for (; text.size - size >= sizeof(uint64_t); size += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, text.data + size, sizeof(word));
        const uint64_t special = special_bytes(word);
        if (special != 0) {
            return size +
                   (size_t)__builtin_ctzll(special) / 8; /* little-endian, as all we run on */
        }
    }
    while (size < text.size && special_bytes(text.data[size] | EACH_BYTE('a') << 8) == 0) {
        size++;
    }
    return size;
}

static struct bytes rest_of(const struct cursor *cursor)
{
    return (struct bytes){.data = cursor->at, .size = (size_t)(cursor->end - cursor->at)};
}

static void skip_string(struct cursor *cursor)
{
    if (!accept(cursor, '"')) {
        fault(cursor);
    }
    while (cursor->err == ERR_OK) {
        cursor->at += json_token_plain_size(rest_of(cursor));
        if (accept(cursor, '"')) {
            return;
        }
        const struct bytes rest = rest_of(cursor);
        const size_t size = utf8_size(rest);
        if (size == 0 || rest.data[0] < 0x20) {
            fault(cursor); /* the end, bad UTF-8 or a control character */
            return;
        }
        cursor->at += size;
        if (rest.data[0] == '\\') {
            skip_escape(cursor);
        }
    }
}

static void skip_digits(struct cursor *cursor)
{
    const uint8_t *begin = cursor->at;
    while (peek(cursor) >= '0' && peek(cursor) <= '9') {
        cursor->at++;
    }
    if (cursor->at == begin) {
        fault(cursor);
    }
}

static void skip_number(struct cursor *cursor)
{
    (void)accept(cursor, '-');
    if (!accept(cursor, '0')) {
        skip_digits(cursor);
    }
    if (accept(cursor, '.')) {
        skip_digits(cursor);
    }
    if (accept(cursor, 'e') || accept(cursor, 'E')) {
        if (!accept(cursor, '+')) {
            (void)accept(cursor, '-');
        }
        skip_digits(cursor);
    }
}

static void skip_word(struct cursor *cursor, struct bytes word)
{
    if (!bytes_begin_with(rest_of(cursor), word)) {
        fault(cursor);
        return;
    }
    cursor->at += word.size;
}

/* ---- Values. ---- */

static enum json_token_kind kind_of(uint8_t first)
{
    switch (first) {
    case '{':
        return JSON_TOKEN_OBJECT;
    case '[':
        return JSON_TOKEN_ARRAY;
    case '"':
        return JSON_TOKEN_STRING;
    case 't':
        return JSON_TOKEN_TRUE;
    case 'f':
        return JSON_TOKEN_FALSE;
    case 'n':
        return JSON_TOKEN_NULL;
    default:
        return first == '-' || (first >= '0' && first <= '9') ? JSON_TOKEN_NUMBER
                                                              : JSON_TOKEN_INVALID;
    }
}

static void skip_scalar(struct cursor *cursor)
{
    switch (kind_of(peek(cursor))) {
    case JSON_TOKEN_STRING:
        skip_string(cursor);
        break;
    case JSON_TOKEN_NUMBER:
        skip_number(cursor);
        break;
    case JSON_TOKEN_TRUE:
        skip_word(cursor, BYTES_OF("true"));
        break;
    case JSON_TOKEN_FALSE:
        skip_word(cursor, BYTES_OF("false"));
        break;
    case JSON_TOKEN_NULL:
        skip_word(cursor, BYTES_OF("null"));
        break;
    case JSON_TOKEN_OBJECT:
    case JSON_TOKEN_ARRAY:
    case JSON_TOKEN_INVALID:
        fault(cursor);
        break;
    }
}

/* A member's name and the colon behind it. */
static void skip_name(struct cursor *cursor)
{
    skip_blanks(cursor);
    skip_string(cursor);
    skip_blanks(cursor);
    if (!accept(cursor, ':')) {
        fault(cursor);
    }
}

static bool is_in_array(const struct cursor *cursor)
{
    return (cursor->arrays >> (cursor->depth - 1) & 1) != 0;
}

/* Enters an object or array, up to its first value. False: it is empty and has been left. */
static bool enter(struct cursor *cursor)
{
    if (cursor->depth == JSON_TOKEN_DEPTH_MAX) {
        cursor->err = ERR_LIMIT;
        return true;
    }
    const bool is_array = *cursor->at == '[';
    cursor->at++;
    skip_blanks(cursor);
    if (accept(cursor, is_array ? ']' : '}')) {
        return false;
    }
    cursor->arrays &= ~(UINT64_C(1) << cursor->depth);
    cursor->arrays |= (uint64_t)is_array << cursor->depth;
    cursor->depth++;
    if (!is_array) {
        skip_name(cursor);
    }
    return true;
}

/* Behind a value: leaves what ends here. True: another value follows at this level. */
static bool leave(struct cursor *cursor)
{
    while (cursor->depth > 0) {
        skip_blanks(cursor);
        const bool is_array = is_in_array(cursor);
        if (accept(cursor, ',')) {
            if (!is_array) {
                skip_name(cursor);
            }
            return true;
        }
        if (!accept(cursor, is_array ? ']' : '}')) {
            fault(cursor);
            return true;
        }
        cursor->depth--;
    }
    return false;
}

/* Steps over one value, which begins here, of any depth. */
static void skip_value(struct cursor *cursor)
{
    bool wants_value = true;
    while (wants_value && cursor->err == ERR_OK) {
        skip_blanks(cursor);
        const uint8_t first = peek(cursor);
        if (first == '{' || first == '[') {
            if (enter(cursor)) {
                continue;
            }
        } else {
            skip_scalar(cursor);
        }
        wants_value = cursor->err == ERR_OK && leave(cursor);
    }
}

enum err json_token_take(struct bytes *text, struct json_token *out_token)
{
    if (text->size == 0) {
        return ERR_PROTOCOL;
    }
    struct cursor cursor = cursor_of(*text);
    skip_blanks(&cursor);
    const uint8_t *begin = cursor.at;
    skip_value(&cursor);
    if (cursor.err != ERR_OK) {
        return cursor.err;
    }
    *out_token = (struct json_token){
        .kind = kind_of(*begin),
        .text = {.data = begin, .size = (size_t)(cursor.at - begin)},
    };
    skip_blanks(&cursor);
    *text = bytes_skip(*text, (size_t)(cursor.at - text->data));
    return ERR_OK;
}

bool json_token_is_object(struct bytes text)
{
    struct json_token token;
    return json_token_take(&text, &token) == ERR_OK && token.kind == JSON_TOKEN_OBJECT &&
           text.size == 0;
}

/* ---- Inside of objects and arrays. ---- */

struct json_token_walk json_token_walk_of(struct json_token token)
{
    ASSERT(token.kind == JSON_TOKEN_OBJECT || token.kind == JSON_TOKEN_ARRAY);
    ASSERT(token.text.size >= 2);
    return (struct json_token_walk){
        .rest = {.data = token.text.data + 1, .size = token.text.size - 2}};
}

/* Takes `byte` off the front of the rest, if it is there. */
static void walk_accept(struct json_token_walk *walk, uint8_t byte)
{
    if (walk->rest.size > 0 && walk->rest.data[0] == byte) {
        walk->rest = bytes_skip(walk->rest, 1);
    }
}

bool json_token_walk_element(struct json_token_walk *walk, struct json_token *out_value)
{
    struct json_token value;
    if (json_token_take(&walk->rest, &value) != ERR_OK) {
        return false; /* nothing is left: what there was had been checked */
    }
    walk_accept(walk, ',');
    *out_value = value;
    return true;
}

bool json_token_walk_member(struct json_token_walk *walk, struct json_token *out_name,
                            struct json_token *out_value)
{
    struct json_token name;
    if (json_token_take(&walk->rest, &name) != ERR_OK) {
        return false;
    }
    walk_accept(walk, ':');
    *out_name = name;
    return json_token_walk_element(walk, out_value);
}

/* ---- Strings. ---- */

/* The four digits behind \u. */
static uint32_t hex_decode(const uint8_t *digits)
{
    uint32_t value = 0;
    for (size_t i = 0; i < HEX_DIGITS; i++) {
        value = value << 4 | (uint32_t)hex_value(digits[i]);
    }
    return value;
}

static uint8_t *utf8_encode(uint32_t character, uint8_t *out)
{
    if (character < 0x80) {
        *out++ = (uint8_t)character;
    } else if (character < 0x800) {
        *out++ = (uint8_t)(0xc0 | character >> 6);
        *out++ = (uint8_t)(0x80 | (character & 0x3f));
    } else if (character < 0x10000) {
        *out++ = (uint8_t)(0xe0 | character >> 12);
        *out++ = (uint8_t)(0x80 | (character >> 6 & 0x3f));
        *out++ = (uint8_t)(0x80 | (character & 0x3f));
    } else {
        *out++ = (uint8_t)(0xf0 | character >> 18);
        *out++ = (uint8_t)(0x80 | (character >> 12 & 0x3f));
        *out++ = (uint8_t)(0x80 | (character >> 6 & 0x3f));
        *out++ = (uint8_t)(0x80 | (character & 0x3f));
    }
    return out;
}

/* Decodes the \uXXXX at `*in`, and the second half of a pair if it follows. */
static uint32_t unicode_decode(const uint8_t **in, const uint8_t *end)
{
    const uint32_t unit = hex_decode(*in + 2);
    *in += 2 + HEX_DIGITS;
    if (unit < 0xd800 || unit > 0xdfff) {
        return unit;
    }
    const bool has_next =
        end - *in >= 2 + (ptrdiff_t)HEX_DIGITS && (*in)[0] == '\\' && (*in)[1] == 'u';
    const uint32_t next = has_next ? hex_decode(*in + 2) : 0;
    if (unit > 0xdbff || next < 0xdc00 || next > 0xdfff) {
        return 0xfffd; /* half a pair */
    }
    *in += 2 + HEX_DIGITS;
    return 0x10000 + ((unit - 0xd800) << 10 | (next - 0xdc00));
}

static uint8_t short_escape(uint8_t letter)
{
    switch (letter) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return letter; /* quote, backslash, slash */
    }
}

struct bytes json_token_string(struct json_token token, uint8_t *area)
{
    ASSERT(token.kind == JSON_TOKEN_STRING);
    const struct bytes inner = {.data = token.text.data + 1, .size = token.text.size - 2};
    if (!bytes_contain(inner, '\\')) {
        return inner;
    }
    const uint8_t *in = inner.data;
    const uint8_t *end = inner.data + inner.size;
    uint8_t *out = area; /* never overtakes `in`, should it be the token's own place */
    while (in < end) {
        if (*in != '\\') {
            *out++ = *in++;
        } else if (in[1] == 'u') {
            out = utf8_encode(unicode_decode(&in, end), out);
        } else {
            *out++ = short_escape(in[1]);
            in += 2;
        }
    }
    return (struct bytes){.data = area, .size = (size_t)(out - area)};
}

struct bytes json_token_name(struct json_token token, uint8_t area[JSON_TOKEN_NAME_BYTES])
{
    return token.kind == JSON_TOKEN_STRING && token.text.size <= JSON_TOKEN_NAME_BYTES
               ? json_token_string(token, area)
               : BYTES_EMPTY;
}

bool json_token_is(struct json_token token, struct bytes literal)
{
    ASSERT(literal.size > 0);
    uint8_t area[JSON_TOKEN_NAME_BYTES];
    return bytes_equal(json_token_name(token, area), literal);
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

bool json_name_is(struct bytes given, const char *name)
{
    size_t at = 0;
    for (const char *letter = name; *letter != '\0'; letter++) {
        const bool is_upper = *letter >= 'A' && *letter <= 'Z';
        if (is_upper && at < given.size && given.data[at] == '_') {
            at++;
        }
        if (at == given.size || lower(given.data[at]) != lower((uint8_t)*letter)) {
            return false;
        }
        at++;
    }
    return at == given.size;
}

/* ---- Numbers. ---- */

/* Decimal digits and nothing else, up to `max`. */
static enum err digits_decode(struct bytes digits, uint64_t max, uint64_t *out_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < digits.size; i++) {
        const uint8_t digit = (uint8_t)(digits.data[i] - '0');
        if (digit > 9 || value > (max - digit) / 10) {
            return ERR_PROTOCOL;
        }
        value = value * 10 + digit;
    }
    *out_value = value;
    return digits.size > 0 ? ERR_OK : ERR_PROTOCOL;
}

enum err json_token_unsigned(struct json_token token, uint64_t *out_value)
{
    return token.kind == JSON_TOKEN_NUMBER ? digits_decode(token.text, UINT64_MAX, out_value)
                                           : ERR_PROTOCOL;
}

enum err json_token_signed(struct json_token token, int64_t *out_value)
{
    if (token.kind != JSON_TOKEN_NUMBER) {
        return ERR_PROTOCOL;
    }
    const bool is_negative = token.text.data[0] == '-';
    const uint64_t max = is_negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    uint64_t size = 0;
    const enum err err = digits_decode(bytes_skip(token.text, is_negative ? 1 : 0), max, &size);
    if (err == ERR_OK) {
        *out_value = (int64_t)(is_negative ? ~size + 1 : size);
    }
    return err;
}
