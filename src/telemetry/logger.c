#include "telemetry/logger.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/utf8.h"

#include <stdatomic.h>
#include <time.h>

#define LOG_SITES_MAX                                                                              \
    512 /* call sites that have written; when full, further ones share one slot                    \
         */
#define LOG_TAIL      " cut=true\n"
#define LOG_TAIL_JSON ",\"cut\":true}\n"

/* Private to the rate limit: one call site's lines in the current second. */
struct log_rate {
    _Atomic uint64_t key;    /* hash of site and event; 0: free */
    _Atomic uint64_t second; /* of the wall clock << 16 | lines written in it */
    _Atomic uint64_t suppressed_count;
    _Atomic(const char *) event;
};

/*
 * The one logger of the process, and the one mutable global of the program, because every layer
 * logs and the log is one: to hand a logger down to each function would add a parameter to all of
 * them and a choice to none. It is written by logger_start and logger_stop, while there is one
 * thread, except for its atomic fields.
 */
static struct {
    struct logger_options options;
    _Atomic bool is_started;
    _Atomic int level;
    _Atomic uint64_t suppressed_count;
    struct log_rate rates[LOG_SITES_MAX];
    struct log_rate others; /* of the sites that found `rates` full */
} logger;

static const char *const level_names[] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_ERROR] = "error",
};

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

static void add_text(struct writer *line, const char *text)
{
    writer_bytes_add(line, bytes_of_string(text));
}

static void add_padded(struct writer *line, uint64_t value, uint32_t digits)
{
    uint64_t unit = 1;
    for (uint32_t i = 1; i < digits; i++) {
        unit *= 10;
    }
    for (; unit > 0; unit /= 10) {
        writer_u8(line, (uint8_t)('0' + value / unit % 10));
    }
}

/* RFC 3339 in UTC, with milliseconds. */
static void add_time(struct writer *line, uint64_t wall_ms)
{
    const time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL) {
        tm = (struct tm){.tm_mday = 1};
    }
    add_padded(line, (uint64_t)tm.tm_year + 1900, 4);
    add_text(line, "-");
    add_padded(line, (uint64_t)tm.tm_mon + 1, 2);
    add_text(line, "-");
    add_padded(line, (uint64_t)tm.tm_mday, 2);
    add_text(line, "T");
    add_padded(line, (uint64_t)tm.tm_hour, 2);
    add_text(line, ":");
    add_padded(line, (uint64_t)tm.tm_min, 2);
    add_text(line, ":");
    add_padded(line, (uint64_t)tm.tm_sec, 2);
    add_text(line, ".");
    add_padded(line, wall_ms % 1000, 3);
    add_text(line, "Z");
}

static void add_hex(struct writer *line, uint64_t value, uint32_t digits)
{
    for (uint32_t left = digits; left > 0; left--) {
        writer_u8(line, (uint8_t) "0123456789abcdef"[value >> (left - 1) * 4 & 15]);
    }
}

/* A byte that must not stand for itself inside quotes. Bytes that are not UTF-8 appear as \u00XX,
 * the character of that number: JSON has no way to write a byte. */
static void add_escaped(struct writer *line, uint8_t byte)
{
    switch (byte) {
    case '"':
        add_text(line, "\\\"");
        break;
    case '\\':
        add_text(line, "\\\\");
        break;
    case '\n':
        add_text(line, "\\n");
        break;
    case '\r':
        add_text(line, "\\r");
        break;
    case '\t':
        add_text(line, "\\t");
        break;
    default:
        add_text(line, "\\u00");
        add_hex(line, byte, 2);
        break;
    }
}

static bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte != 0x7f && byte != '"' && byte != '\\';
}

/* The size of the character at `text` if it can stand in a line, else 0. U+0080 to U+009F are
 * control characters that a terminal may obey. */
static size_t plain_size(struct bytes text)
{
    const size_t size = utf8_size(text);
    if (size == 1) {
        return is_plain(text.data[0]) ? 1 : 0;
    }
    const bool is_control = size == 2 && text.data[0] == 0xc2 && text.data[1] < 0xa0;
    return is_control ? 0 : size;
}

static void add_quoted(struct writer *line, struct bytes text)
{
    writer_u8(line, '"');
    while (text.size > 0 && !line->is_full) {
        const size_t size = plain_size(text);
        if (size > 0) {
            writer_bytes_add(line, (struct bytes){.data = text.data, .size = size});
        } else {
            add_escaped(line, text.data[0]);
        }
        text = bytes_skip(text, size > 0 ? size : 1);
    }
    writer_u8(line, '"');
}

/* Can `text` stand in key=value without quotes? */
static bool is_word(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t byte = text.data[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '\\' || byte == '=') {
            return false;
        }
    }
    return text.size > 0;
}

static void add_string(struct writer *line, struct bytes text)
{
    if (logger.options.format == LOG_FORMAT_TEXT && is_word(text)) {
        writer_bytes_add(line, text);
    } else {
        add_quoted(line, text);
    }
}

static void add_number(struct writer *line, uint64_t magnitude, bool is_negative)
{
    if (is_negative) {
        writer_u8(line, '-');
    }
    writer_decimal(line, magnitude);
}

static void add_hex_string(struct writer *line, uint64_t value)
{
    uint8_t area[18];
    struct writer text = writer_of(area, sizeof(area));
    uint32_t digits = 1;
    while (digits < 16 && value >> digits * 4 != 0) {
        digits++;
    }
    add_text(&text, "0x");
    add_hex(&text, value, digits);
    add_string(line, writer_bytes(&text));
}

static void add_value(struct writer *line, const struct log_field *field)
{
    switch (field->type) {
    case LOG_FIELD_STRING:
        add_string(line, bytes_of_string(field->text != NULL ? field->text : ""));
        break;
    case LOG_FIELD_BYTES:
        add_string(line, field->bytes);
        break;
    case LOG_FIELD_U64:
        add_number(line, field->u64, false);
        break;
    case LOG_FIELD_I64:
        add_number(line, field->i64 < 0 ? 0 - (uint64_t)field->i64 : (uint64_t)field->i64,
                   field->i64 < 0);
        break;
    case LOG_FIELD_HEX:
        add_hex_string(line, field->u64);
        break;
    case LOG_FIELD_BOOL:
        add_text(line, field->is_true ? "true" : "false");
        break;
    case LOG_FIELD_ERR:
        add_string(line, bytes_of_string(err_name(field->err)));
        break;
    case LOG_FIELD_END:
        UNREACHABLE();
    }
}

static void add_field(struct writer *line, const struct log_field *field)
{
    if (logger.options.format == LOG_FORMAT_JSON) {
        add_text(line, ",\"");
        add_text(line, field->name);
        add_text(line, "\":");
    } else {
        add_text(line, " ");
        add_text(line, field->name);
        add_text(line, "=");
    }
    add_value(line, field);
}

static void add_source(struct writer *line, const struct log_site *site)
{
    uint8_t area[256];
    struct writer text = writer_of(area, sizeof(area));
    add_text(&text, site->file);
    add_text(&text, ":");
    writer_decimal(&text, site->line);
    const struct log_field field = F_BYTES("src", writer_bytes(&text));
    add_field(line, &field);
}

static void add_head(struct writer *line, enum log_level level, const char *event, uint64_t wall_ms)
{
    if (logger.options.format == LOG_FORMAT_JSON) {
        add_text(line, "{\"ts\":\"");
        add_time(line, wall_ms);
        add_text(line, "\",\"level\":\"");
        add_text(line, log_level_name(level));
        add_text(line, "\",\"event\":\"");
        add_text(line, event);
        add_text(line, "\"");
    } else {
        add_time(line, wall_ms);
        add_text(line, " ");
        add_text(line, log_level_name(level));
        add_text(line, " ");
        add_text(line, event);
    }
}

/* Fields are added whole or not at all, so that a cut line still parses: promise (1). */
static void write_line(const struct log_site *site, const char *event,
                       const struct log_field *fields, uint64_t wall_ms)
{
    const bool is_json = logger.options.format == LOG_FORMAT_JSON;
    const char *tail = is_json ? LOG_TAIL_JSON : LOG_TAIL;
    uint8_t area[LOG_LINE_BYTES_MAX];
    struct writer line = writer_of(area, sizeof(area) - strlen(tail));
    add_head(&line, site->level, event, wall_ms);
    if (logger.options.has_source) {
        add_source(&line, site);
    }
    bool is_cut = false;
    for (const struct log_field *field = fields; field->type != LOG_FIELD_END; field++) {
        const struct writer before = line;
        add_field(&line, field);
        if (line.is_full) {
            line = before;
            is_cut = true;
        }
    }
    line.end = area + sizeof(area);
    add_text(&line, is_cut ? tail : (is_json ? "}\n" : "\n"));
    ASSERT(!line.is_full);

    /* stdio's own lock makes the two calls one: no other line comes between. */
    flockfile(logger.options.out);
    fwrite(area, 1, writer_size(&line), logger.options.out);
    fflush(logger.options.out);
    funlockfile(logger.options.out);
}

static uint64_t rate_key(const struct log_site *site, const char *event)
{
    const uint64_t place = hash_fnv1a64(bytes_of_string(site->file)) + site->line;
    const uint64_t key = hash_fnv1a64(bytes_of_string(event)) ^ place * 0x9e3779b97f4a7c15ULL;
    return key != 0 ? key : 1;
}

/* The slot of `key`; the first caller claims it. */
static struct log_rate *rate_find(uint64_t key, const char *event)
{
    for (uint64_t i = 0; i < LOG_SITES_MAX; i++) {
        struct log_rate *rate = &logger.rates[(key + i) % LOG_SITES_MAX];
        uint64_t held = atomic_load_explicit(&rate->key, memory_order_relaxed);
        if (held == 0 && atomic_compare_exchange_strong(&rate->key, &held, key)) {
            atomic_store(&rate->event, event);
            return rate;
        }
        if (held == key) {
            return rate;
        }
    }
    return &logger.others;
}

static bool rate_admits(struct log_rate *rate, uint64_t second)
{
    uint64_t held = atomic_load_explicit(&rate->second, memory_order_relaxed);
    for (;;) {
        const bool is_new = held >> 16 != second;
        const uint64_t count = is_new ? 0 : held & 0xffff;
        if (count >= LOG_LINES_PER_SECOND) {
            atomic_fetch_add(&rate->suppressed_count, 1);
            atomic_fetch_add(&logger.suppressed_count, 1);
            return false;
        }
        if (atomic_compare_exchange_weak(&rate->second, &held, second << 16 | (count + 1))) {
            return true;
        }
    }
}

static void rate_tell(struct log_rate *rate, uint64_t wall_ms)
{
    const uint64_t count = atomic_exchange(&rate->suppressed_count, 0);
    if (count == 0) {
        return;
    }
    const char *event = atomic_load(&rate->event);
    const struct log_site site = {.file = __FILE__, .line = __LINE__, .level = LOG_LEVEL_WARN};
    write_line(&site, "log_suppressed",
               (const struct log_field[]){F_STR("of", event != NULL ? event : "others"),
                                          F_U64("count", count), F_END},
               wall_ms);
}

bool logger_is_on(enum log_level level)
{
    return atomic_load_explicit(&logger.is_started, memory_order_acquire) &&
           (int)level >= atomic_load_explicit(&logger.level, memory_order_relaxed);
}

void logger_write(const struct log_site *site, const char *event, const struct log_field *fields)
{
    const uint64_t wall_ms = logger.options.wall_ms();
    struct log_rate *rate = rate_find(rate_key(site, event), event);
    if (!rate_admits(rate, wall_ms / 1000)) {
        return;
    }
    rate_tell(rate, wall_ms);
    write_line(site, event, fields, wall_ms);
}

void logger_tell_suppressed(void)
{
    if (!logger_is_on(LOG_LEVEL_ERROR)) {
        return;
    }
    const uint64_t wall_ms = logger.options.wall_ms();
    for (uint32_t i = 0; i <= LOG_SITES_MAX; i++) {
        struct log_rate *rate = i < LOG_SITES_MAX ? &logger.rates[i] : &logger.others;
        if (atomic_load(&rate->second) >> 16 != wall_ms / 1000) {
            rate_tell(rate, wall_ms);
        }
    }
}

void logger_start(const struct logger_options *options)
{
    ASSERT(options->out != NULL);
    ASSERT(options->wall_ms != NULL);
    ASSERT(!logger.is_started);
    logger.options = *options;
    atomic_store(&logger.level, (int)options->level);
    atomic_store(&logger.suppressed_count, 0);
    for (uint32_t i = 0; i < LOG_SITES_MAX; i++) {
        atomic_store(&logger.rates[i].second, 0);
    }
    atomic_store(&logger.others.second, 0);
    atomic_store_explicit(&logger.is_started, true, memory_order_release);
}

void logger_stop(void)
{
    if (!logger.is_started) {
        return;
    }
    const uint64_t wall_ms = logger.options.wall_ms();
    for (uint32_t i = 0; i < LOG_SITES_MAX; i++) {
        rate_tell(&logger.rates[i], wall_ms);
    }
    rate_tell(&logger.others, wall_ms);
    atomic_store_explicit(&logger.is_started, false, memory_order_release);
}

void logger_set_level(enum log_level level)
{
    atomic_store_explicit(&logger.level, (int)level, memory_order_relaxed);
}

uint64_t logger_suppressed(void)
{
    return atomic_load_explicit(&logger.suppressed_count, memory_order_relaxed);
}
