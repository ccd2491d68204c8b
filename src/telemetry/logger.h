/*
 * logger.h -- one line per event, for people and for machines.
 *
 * The telemetry layer says what happens: log lines, counters, latencies. It
 * makes no system calls and knows nothing of what it counts.
 *
 * A line has a time, a level, the name of an event, and typed fields; never prose:
 *
 *   LOG_INFO("conn_closed", F_STR("reason", "protocol"), F_U64("conn", id), F_ERR(err));
 *
 *   2026-04-22T10:00:00.123Z info conn_closed reason=protocol conn=17 err=protocol
 *   {"ts":"2026-04-22T10:00:00.123Z","level":"info","event":"conn_closed","reason":"protocol",…}
 *
 * Who logs is whoever stops an error. What is secret or a user's content is never
 * passed in: that is the caller's duty. A peer may choose the bytes of a field;
 * they are quoted, so that a line is one line and its fields are its fields.
 *
 * Promises:
 *   (1) a line is at most LOG_LINE_BYTES_MAX, whole, and written at once; what does
 *       not fit is cut and the line ends with cut=true;
 *   (2) one call site writes at most LOG_LINES_PER_SECOND lines of one event in a
 *       second; how many more there would have been is told by a line of its own,
 *       log_suppressed;
 *   (3) any thread may log at any time; no lock is held while formatting.
 *
 * Writing waits for whoever reads the log. Before logger_start and after logger_stop
 * nothing is written.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define LOG_LINE_BYTES_MAX   1024
#define LOG_LINES_PER_SECOND 32

enum log_level {
    LOG_LEVEL_DEBUG = 0,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR,
};

enum log_format {
    LOG_FORMAT_TEXT = 0,
    LOG_FORMAT_JSON,
};

enum log_field_type {
    LOG_FIELD_END = 0,
    LOG_FIELD_STRING,
    LOG_FIELD_BYTES,
    LOG_FIELD_U64,
    LOG_FIELD_I64,
    LOG_FIELD_HEX,
    LOG_FIELD_BOOL,
    LOG_FIELD_ERR,
};

/* A name and a typed value; built by the F_ macros and borrowed for the call. */
struct log_field {
    const char *name;
    enum log_field_type type;
    union {
        const char *text;
        struct bytes bytes;
        uint64_t u64;
        int64_t i64;
        bool is_true;
        enum err err;
    };
};

/* Text that ends with a zero; NULL is written as empty. */
#define F_STR(key, value)                                                                          \
    ((struct log_field){.name = (key), .type = LOG_FIELD_STRING, .text = (value)})
/* A `struct bytes` of text; what is not UTF-8 is escaped. */
#define F_BYTES(key, value)                                                                        \
    ((struct log_field){.name = (key), .type = LOG_FIELD_BYTES, .bytes = (value)})
#define F_U64(key, value)                                                                          \
    ((struct log_field){.name = (key), .type = LOG_FIELD_U64, .u64 = (uint64_t)(value)})
#define F_I64(key, value)                                                                          \
    ((struct log_field){.name = (key), .type = LOG_FIELD_I64, .i64 = (int64_t)(value)})
/* A number written as 0x…. */
#define F_HEX(key, value)                                                                          \
    ((struct log_field){.name = (key), .type = LOG_FIELD_HEX, .u64 = (uint64_t)(value)})
#define F_BOOL(key, value)                                                                         \
    ((struct log_field){.name = (key), .type = LOG_FIELD_BOOL, .is_true = (value)})
/* An `enum err`, as err=name. */
#define F_ERR(value) ((struct log_field){.name = "err", .type = LOG_FIELD_ERR, .err = (value)})
#define F_END        ((struct log_field){.name = NULL, .type = LOG_FIELD_END})

/* LOG_INFO(event, fields…): `event` is a literal, a word in snake_case. */
#define LOG_DEBUG(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__, F_END)
#define LOG_INFO(...)  LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__, F_END)
#define LOG_WARN(...)  LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__, F_END)
#define LOG_ERROR(...) LOG_AT(LOG_LEVEL_ERROR, __VA_ARGS__, F_END)

/* Private: what the macros above are made of. The fields are not evaluated when the level is off.
 */
#define LOG_AT(level_, event_, ...)                                                                \
    do {                                                                                           \
        if (logger_is_on(level_)) {                                                                \
            const struct log_site log_site = {                                                     \
                .file = __FILE__, .line = __LINE__, .level = (level_)};                            \
            logger_write(&log_site, (event_), (const struct log_field[]){__VA_ARGS__});            \
        }                                                                                          \
    } while (0)

/* Where in the source a line comes from. */
struct log_site {
    const char *file;
    uint32_t line;
    enum log_level level;
};

struct logger_options {
    FILE *out;                 /* borrowed until logger_stop */
    uint64_t (*wall_ms)(void); /* milliseconds since 1970; clock_wall_ms */
    enum log_level level;      /* lines below it are not written */
    enum log_format format;
    bool has_source; /* adds src=FILE:LINE to each line */
};

/* From now on lines are written. Once, by the first thread, before there are others. */
void logger_start(const struct logger_options *options);

/* Tells what is still suppressed and flushes. The last thread calls it. */
void logger_stop(void);

/* Writes a log_suppressed line for every call site whose second is over. Called about once a
 * second, by one thread, so that a condition that has ended is told as well. */
void logger_tell_suppressed(void);

/* A lower or higher level from now on; any thread. */
void logger_set_level(enum log_level level);

/* Lines not written because of promise (2), since the start. */
uint64_t logger_suppressed(void);

/* Private to LOG_AT. */
bool logger_is_on(enum log_level level);
void logger_write(const struct log_site *site, const char *event, const struct log_field *fields);

/* "debug", "info", "warn", "error". */
const char *log_level_name(enum log_level level);
