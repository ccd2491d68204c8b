#include "wire/json_text.h"

#include "base/utf8.h"
#include "wire/base64.h"
#include "wire/writer_room.h"

#define ESCAPE_BYTES_MAX 6u
#define QUOTES_BYTES     2u

/* ---- Structure. ---- */

static void comma(struct json_text *text)
{
    if (text->wants_comma) {
        writer_u8(text->writer, ',');
    }
    text->wants_comma = true;
}

void json_text_object_begin(struct json_text *text)
{
    comma(text);
    writer_u8(text->writer, '{');
    text->wants_comma = false;
}

void json_text_object_end(struct json_text *text)
{
    writer_u8(text->writer, '}');
    text->wants_comma = true;
}

void json_text_array_begin(struct json_text *text)
{
    comma(text);
    writer_u8(text->writer, '[');
    text->wants_comma = false;
}

void json_text_array_end(struct json_text *text)
{
    writer_u8(text->writer, ']');
    text->wants_comma = true;
}

void json_text_key_plain(struct json_text *text, struct bytes name)
{
    comma(text);
    writer_u8(text->writer, '"');
    writer_bytes_add(text->writer, name);
    writer_bytes_add(text->writer, BYTES_OF("\":"));
    text->wants_comma = false;
}

/* ---- Strings. ---- */

/* How the next character of a string is written. */
struct escape {
    size_t taken; /* bytes of the string */
    size_t size;  /* bytes of the text; 0: as it is */
    uint8_t text[ESCAPE_BYTES_MAX];
};

static struct escape escape_short(uint8_t letter)
{
    return (struct escape){.taken = 1, .size = 2, .text = {'\\', letter}};
}

static struct escape escape_unicode(size_t taken, uint16_t unit)
{
    static const char digits[] = "0123456789abcdef";
    return (struct escape){
        .taken = taken,
        .size = ESCAPE_BYTES_MAX,
        .text = {'\\', 'u', (uint8_t)digits[unit >> 12], (uint8_t)digits[unit >> 8 & 15],
                 (uint8_t)digits[unit >> 4 & 15], (uint8_t)digits[unit & 15]},
    };
}

/* Is it written as it is, without a look at what follows? */
static bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\' && byte != '<' &&
           byte != '>' && byte != '&';
}

/* `rest` is not empty. */
static struct escape escape_next(struct bytes rest)
{
    const uint8_t first = rest.data[0];
    if (is_plain(first)) {
        return (struct escape){.taken = 1};
    }
    switch (first) {
    case '"':
    case '\\':
        return escape_short(first);
    case '\n':
        return escape_short('n');
    case '\r':
        return escape_short('r');
    case '\t':
        return escape_short('t');
    default:
        break;
    }
    if (first < 0x80) {
        return escape_unicode(1, first);
    }
    const size_t size = utf8_size(rest);
    if (size == 0) {
        return escape_unicode(1, 0xfffd);
    }
    const bool is_separator = size == 3 && first == 0xe2 && rest.data[1] == 0x80 &&
                              (rest.data[2] == 0xa8 || rest.data[2] == 0xa9);
    return is_separator ? escape_unicode(3, rest.data[2] == 0xa8 ? 0x2028 : 0x2029)
                        : (struct escape){.taken = size};
}

/* How many bytes at the front are written as they are. */
static size_t plain_size(struct bytes rest)
{
    size_t size = 0;
    while (size < rest.size && is_plain(rest.data[size])) {
        size++;
    }
    return size;
}

void json_text_string(struct json_text *text, struct bytes value)
{
    comma(text);
    writer_u8(text->writer, '"');
    while (value.size > 0) {
        const size_t plain = plain_size(value);
        writer_bytes_add(text->writer, (struct bytes){.data = value.data, .size = plain});
        value = bytes_skip(value, plain);
        if (value.size > 0) {
            const struct escape escape = escape_next(value);
            const struct bytes written = {
                .data = escape.size > 0 ? escape.text : value.data,
                .size = escape.size > 0 ? escape.size : escape.taken,
            };
            writer_bytes_add(text->writer, written);
            value = bytes_skip(value, escape.taken);
        }
    }
    writer_u8(text->writer, '"');
}

size_t json_text_string_size(struct bytes value)
{
    size_t size = QUOTES_BYTES;
    while (value.size > 0) {
        const size_t plain = plain_size(value);
        size += plain;
        value = bytes_skip(value, plain);
        if (value.size > 0) {
            const struct escape escape = escape_next(value);
            size += escape.size > 0 ? escape.size : escape.taken;
            value = bytes_skip(value, escape.taken);
        }
    }
    return size;
}

/* ---- Other values. ---- */

void json_text_unsigned(struct json_text *text, uint64_t value)
{
    comma(text);
    writer_decimal(text->writer, value);
}

void json_text_signed(struct json_text *text, int64_t value)
{
    comma(text);
    if (value < 0) {
        writer_u8(text->writer, '-');
    }
    writer_decimal(text->writer, value < 0 ? ~(uint64_t)value + 1 : (uint64_t)value);
}

void json_text_bool(struct json_text *text, bool value)
{
    json_text_raw(text, value ? BYTES_OF("true") : BYTES_OF("false"));
}

void json_text_null(struct json_text *text)
{
    json_text_raw(text, BYTES_OF("null"));
}

void json_text_decimal_string(struct json_text *text, uint64_t value)
{
    comma(text);
    writer_u8(text->writer, '"');
    writer_decimal(text->writer, value);
    writer_u8(text->writer, '"');
}

void json_text_base64(struct json_text *text, struct bytes value)
{
    comma(text);
    writer_u8(text->writer, '"');
    uint8_t *room = writer_room(text->writer, base64_encoded_size(value.size));
    if (room != NULL) {
        base64_encode(value, room);
    }
    writer_u8(text->writer, '"');
}

void json_text_raw(struct json_text *text, struct bytes value)
{
    comma(text);
    writer_bytes_add(text->writer, value);
}
