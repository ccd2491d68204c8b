#include "server/config_value.h"

#include "server/config.h"
#include "system/socket.h"

#include <stdio.h>
#include <strings.h>

#define KIB 1024ull

struct unit {
    const char *name;
    uint64_t size;
};

/* Of durations, in nanoseconds; longer names first, so that "ms" is not "m". */
static const struct unit duration_units[] = {
    {"ns", 1},         {"us", 1000},       {"µs", 1000},         {"ms", 1000000},
    {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000}, {"d", 86400000000000},
};

static bool is_word(struct bytes text, const char *word)
{
    return text.size == strlen(word) && strncasecmp((const char *)text.data, word, text.size) == 0;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* The words that Go's strconv.ParseBool knows. */
enum err config_read_bool(struct bytes text, bool *out_value)
{
    static const char *const words[] = {"true", "false", "t", "f", "1", "0"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (is_word(text, words[i])) {
            *out_value = i % 2 == 0;
            return ERR_OK;
        }
    }
    return ERR_PROTOCOL;
}

enum err config_read_count(struct bytes text, uint64_t *out_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_digit(text.data[i]) || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value)) {
            return ERR_PROTOCOL;
        }
    }
    if (text.size == 0) {
        return ERR_PROTOCOL;
    }
    *out_value = value;
    return ERR_OK;
}

/* A number with a fraction, and the unit behind it: "1.5h". Five digits of a fraction count: more,
 * times the largest unit, would not fit. */
#define FRACTION_SCALE_MAX 100000u
struct amount {
    uint64_t whole;
    uint64_t fraction;
    uint64_t fraction_scale;
    struct bytes rest; /* the unit and what follows */
};

static bool amount_read(struct bytes text, struct amount *out_amount)
{
    struct amount amount = {.fraction_scale = 1, .rest = text};
    size_t digits = 0;
    bool is_fraction = false;
    while (amount.rest.size > 0) {
        const uint8_t byte = amount.rest.data[0];
        if (byte == '.' && !is_fraction) {
            is_fraction = true;
        } else if (!is_digit(byte)) {
            break;
        } else if (!is_fraction) {
            if (__builtin_mul_overflow(amount.whole, 10, &amount.whole) ||
                __builtin_add_overflow(amount.whole, (uint64_t)(byte - '0'), &amount.whole)) {
                return false;
            }
            digits++;
        } else {
            if (amount.fraction_scale < FRACTION_SCALE_MAX) {
                amount.fraction = amount.fraction * 10 + (uint64_t)(byte - '0');
                amount.fraction_scale *= 10;
            }
            digits++;
        }
        amount.rest = bytes_skip(amount.rest, 1);
    }
    *out_amount = amount;
    return digits > 0;
}

/* whole.fraction times `unit`; false when it does not fit. */
static bool amount_times(const struct amount *amount, uint64_t unit, uint64_t *out_value)
{
    const uint64_t part = amount->fraction * unit / amount->fraction_scale;
    return !__builtin_mul_overflow(amount->whole, unit, out_value) &&
           !__builtin_add_overflow(*out_value, part, out_value);
}

static const struct unit *duration_unit(struct bytes text)
{
    for (size_t i = 0; i < COUNT_OF(duration_units); i++) {
        if (bytes_begin_with(text, bytes_of_string(duration_units[i].name))) {
            return &duration_units[i];
        }
    }
    return NULL;
}

enum err config_read_duration(struct bytes text, uint64_t *out_ms, const char **out_why)
{
    uint64_t sum_ns = 0;
    if (is_word(text, "0")) {
        *out_ms = 0;
        return ERR_OK;
    }
    *out_why = "it is not a duration; one is written like 500ms, 30s, 1m30s, 24h, 30d";
    if (text.size == 0) {
        return ERR_PROTOCOL;
    }
    while (text.size > 0) {
        struct amount amount;
        if (!amount_read(text, &amount)) {
            return ERR_PROTOCOL;
        }
        if (amount.rest.size == 0) {
            *out_why =
                "it has no unit (WuKongIM would take it as nanoseconds); write 500ms, 30s, 5m";
            return ERR_PROTOCOL;
        }
        const struct unit *unit = duration_unit(amount.rest);
        uint64_t part_ns;
        if (unit == NULL) {
            *out_why = "its unit is unknown; units are ns, us, ms, s, m, h, d";
            return ERR_PROTOCOL;
        }
        if (!amount_times(&amount, unit->size, &part_ns) ||
            __builtin_add_overflow(sum_ns, part_ns, &sum_ns)) {
            *out_why = "it is longer than can be kept";
            return ERR_PROTOCOL;
        }
        text = bytes_skip(amount.rest, strlen(unit->name));
    }
    *out_ms = sum_ns / 1000000 + (sum_ns % 1000000 != 0 ? 1 : 0); /* never down to zero */
    return ERR_OK;
}

enum err config_read_size(struct bytes text, uint64_t *out_bytes, const char **out_why)
{
    static const struct {
        const char *names; /* what the unit may be called, separated by spaces */
        uint64_t size;
    } units[] = {{" b bytes ", 1},
                 {" k kb kib ", KIB},
                 {" m mb mib ", KIB * KIB},
                 {" g gb gib ", KIB * KIB * KIB},
                 {" t tb tib ", KIB * KIB * KIB * KIB}};
    struct amount amount;
    *out_why = "it is not a size; one is written like 1048576, 512K, 256M, 1.5G (1024-based)";
    if (!amount_read(text, &amount)) {
        return ERR_PROTOCOL;
    }
    char name[8];
    const int size = snprintf(name, sizeof(name), " %.*s ", (int)amount.rest.size,
                              (const char *)amount.rest.data);
    if (amount.rest.size == 0) {
        return amount_times(&amount, 1, out_bytes) ? ERR_OK : ERR_PROTOCOL;
    }
    for (size_t i = 0; i < COUNT_OF(units) && size < (int)sizeof(name); i++) {
        if (strcasestr(units[i].names, name) != NULL) {
            return amount_times(&amount, units[i].size, out_bytes) ? ERR_OK : ERR_PROTOCOL;
        }
    }
    return ERR_PROTOCOL;
}

static bool is_host(struct bytes host)
{
    struct address address;
    return is_word(host, "localhost") || address_parse(host, &address) == ERR_OK;
}

enum err config_read_address(struct bytes text, const char *scheme, struct bytes *out_host,
                             uint16_t *out_port)
{
    const size_t scheme_size = strlen(scheme);
    const struct bytes head = {.data = text.data, .size = scheme_size};
    if (text.size > scheme_size && is_word(head, scheme) &&
        bytes_begin_with(bytes_skip(text, scheme_size), BYTES_OF("://"))) {
        text = bytes_skip(text, scheme_size + 3);
    }
    size_t colon = text.size;
    while (colon > 0 && text.data[colon - 1] != ':') {
        colon--;
    }
    uint64_t port;
    if (colon == 0 || config_read_count(bytes_skip(text, colon), &port) != ERR_OK ||
        port > UINT16_MAX) {
        return ERR_PROTOCOL;
    }
    struct bytes host = {.data = text.data, .size = colon - 1};
    if (host.size == 0) {
        host = BYTES_OF("0.0.0.0"); /* ":5001", as Go writes it */
    } else if (host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']') {
        host = (struct bytes){.data = host.data + 1, .size = host.size - 2};
    } else if (bytes_contain(host, ':')) {
        return ERR_PROTOCOL; /* without brackets nobody can tell the port from the address */
    }
    if (host.size >= CONFIG_HOST_BYTES_MAX || !is_host(host)) {
        return ERR_PROTOCOL;
    }
    *out_host = host;
    *out_port = (uint16_t)port;
    return ERR_OK;
}
