/*
 * bytes.h -- a borrowed run of bytes, and safe ways to read and build one.
 *
 * `struct bytes` never owns. It says where the bytes are; whoever hands it out
 * says until when they stay there. A reader walks over bytes and remembers the
 * first time it was asked for more than there was, so that a decoder checks
 * once, at the end. A writer fills a fixed area and remembers an overflow in
 * the same way. Integers on the wire are big-endian (wire-protocol 2), stored
 * keys are big-endian so that they sort.
 */
#pragma once

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data;
    size_t size;
};

#define BYTES_EMPTY ((struct bytes){.data = NULL, .size = 0})
/* A string literal as bytes, without its terminator. */
#define BYTES_OF(literal)                                                                          \
    ((struct bytes){.data = (const uint8_t *)(literal), .size = sizeof(literal) - 1})

/* Walks over `data`. Private to bytes.h. After a read past the end `is_short` is set for good and
 * every further read gives zero or empty. */
struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool is_short;
};

/* Fills a fixed area. Private to bytes.h. After a write past the end `is_full` is set for good and
 * nothing further is written. */
struct writer {
    uint8_t *begin;
    uint8_t *at;
    uint8_t *end;
    bool is_full;
};

/* inline definitions */

static inline struct bytes bytes_of_string(const char *text)
{
    return (struct bytes){.data = (const uint8_t *)text, .size = strlen(text)};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Byte order, shorter first when one is the beginning of the other. */
static inline int bytes_compare(struct bytes a, struct bytes b)
{
    const size_t size = a.size < b.size ? a.size : b.size;
    const int order = size == 0 ? 0 : memcmp(a.data, b.data, size);
    if (order != 0) {
        return order;
    }
    return a.size < b.size ? -1 : (a.size > b.size ? 1 : 0);
}

static inline bool bytes_begin_with(struct bytes whole, struct bytes part)
{
    return whole.size >= part.size &&
           (part.size == 0 || memcmp(whole.data, part.data, part.size) == 0);
}

static inline bool bytes_end_with(struct bytes whole, struct bytes part)
{
    return whole.size >= part.size && (part.size == 0 || memcmp(whole.data + whole.size - part.size,
                                                                part.data, part.size) == 0);
}

/* Is `byte` anywhere in `bytes`? */
static inline bool bytes_contain(struct bytes bytes, uint8_t byte)
{
    return bytes.size > 0 && memchr(bytes.data, byte, bytes.size) != NULL;
}

static inline struct bytes bytes_skip(struct bytes bytes, size_t size)
{
    return (struct bytes){.data = bytes.data + size, .size = bytes.size - size};
}

static inline uint16_t bytes_u16_be(const uint8_t *data)
{
    uint16_t value;
    memcpy(&value, data, sizeof(value));
    return __builtin_bswap16(value);
}

static inline uint32_t bytes_u32_be(const uint8_t *data)
{
    uint32_t value;
    memcpy(&value, data, sizeof(value));
    return __builtin_bswap32(value);
}

static inline uint64_t bytes_u64_be(const uint8_t *data)
{
    uint64_t value;
    memcpy(&value, data, sizeof(value));
    return __builtin_bswap64(value);
}

static inline struct reader reader_of(struct bytes bytes)
{
    /* Nothing may be nowhere: no arithmetic on a null pointer. */
    const uint8_t *end = bytes.size > 0 ? bytes.data + bytes.size : bytes.data;
    return (struct reader){.at = bytes.data, .end = end, .is_short = false};
}

static inline size_t reader_left(const struct reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

static inline bool reader_has(struct reader *reader, size_t size)
{
    if (UNLIKELY(reader->is_short || reader_left(reader) < size)) {
        reader->is_short = true;
        return false;
    }
    return true;
}

static inline uint8_t reader_u8(struct reader *reader)
{
    return reader_has(reader, 1) ? *reader->at++ : 0;
}

static inline uint16_t reader_u16(struct reader *reader)
{
    if (!reader_has(reader, 2)) {
        return 0;
    }
    reader->at += 2;
    return bytes_u16_be(reader->at - 2);
}

static inline uint32_t reader_u32(struct reader *reader)
{
    if (!reader_has(reader, 4)) {
        return 0;
    }
    reader->at += 4;
    return bytes_u32_be(reader->at - 4);
}

static inline uint64_t reader_u64(struct reader *reader)
{
    if (!reader_has(reader, 8)) {
        return 0;
    }
    reader->at += 8;
    return bytes_u64_be(reader->at - 8);
}

/* `size` bytes, borrowed from what is read. */
static inline struct bytes reader_bytes(struct reader *reader, size_t size)
{
    if (!reader_has(reader, size)) {
        return BYTES_EMPTY;
    }
    reader->at += size;
    return (struct bytes){.data = reader->at - size, .size = size};
}

static inline struct bytes reader_rest(struct reader *reader)
{
    return reader_bytes(reader, reader->is_short ? 0 : reader_left(reader));
}

/* Little-endian base-128, at most ten bytes. Stored rows use it; the wire has its own limits. */
static inline uint64_t reader_varint(struct reader *reader)
{
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 64; shift += 7) {
        const uint8_t byte = reader_u8(reader);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return value;
        }
    }
    reader->is_short = true;
    return 0;
}

/* A varint length and that many bytes. */
static inline struct bytes reader_block(struct reader *reader)
{
    const uint64_t size = reader_varint(reader);
    if (size > reader_left(reader)) {
        reader->is_short = true;
        return BYTES_EMPTY;
    }
    return reader_bytes(reader, (size_t)size);
}

static inline struct writer writer_of(uint8_t *area, size_t size)
{
    return (struct writer){.begin = area, .at = area, .end = area + size, .is_full = false};
}

static inline size_t writer_size(const struct writer *writer)
{
    return (size_t)(writer->at - writer->begin);
}

static inline struct bytes writer_bytes(const struct writer *writer)
{
    return (struct bytes){.data = writer->begin, .size = writer_size(writer)};
}

static inline bool writer_has(struct writer *writer, size_t size)
{
    if (UNLIKELY(writer->is_full || (size_t)(writer->end - writer->at) < size)) {
        writer->is_full = true;
        return false;
    }
    return true;
}

static inline void writer_u8(struct writer *writer, uint8_t value)
{
    if (writer_has(writer, 1)) {
        *writer->at++ = value;
    }
}

static inline void writer_u16(struct writer *writer, uint16_t value)
{
    if (writer_has(writer, sizeof(value))) {
        value = __builtin_bswap16(value);
        memcpy(writer->at, &value, sizeof(value));
        writer->at += sizeof(value);
    }
}

static inline void writer_u32(struct writer *writer, uint32_t value)
{
    if (writer_has(writer, sizeof(value))) {
        value = __builtin_bswap32(value);
        memcpy(writer->at, &value, sizeof(value));
        writer->at += sizeof(value);
    }
}

static inline void writer_u64(struct writer *writer, uint64_t value)
{
    if (writer_has(writer, sizeof(value))) {
        value = __builtin_bswap64(value);
        memcpy(writer->at, &value, sizeof(value));
        writer->at += sizeof(value);
    }
}

static inline void writer_bytes_add(struct writer *writer, struct bytes bytes)
{
    if (bytes.size > 0 && writer_has(writer, bytes.size)) {
        memcpy(writer->at, bytes.data, bytes.size);
        writer->at += bytes.size;
    }
}

static inline void writer_varint(struct writer *writer, uint64_t value)
{
    while (value >= 0x80) {
        writer_u8(writer, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    writer_u8(writer, (uint8_t)value);
}

static inline void writer_block(struct writer *writer, struct bytes bytes)
{
    writer_varint(writer, bytes.size);
    writer_bytes_add(writer, bytes);
}

/* The decimal digits of `value`, without sign or padding. */
static inline void writer_decimal(struct writer *writer, uint64_t value)
{
    uint8_t digits[20];
    size_t count = 0;
    do {
        digits[sizeof(digits) - ++count] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    writer_bytes_add(writer,
                     (struct bytes){.data = digits + sizeof(digits) - count, .size = count});
}
