#include "server/config_show.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdio.h>

struct unit {
    const char *name;
    uint64_t size;
};

/* What is shown of a duration, in milliseconds, and of a size, in bytes; largest first. */
static const struct unit shown_durations[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit shown_sizes[] = {
    {"T", 1ull << 40}, {"G", 1ull << 30}, {"M", 1ull << 20}, {"K", 1ull << 10}, {"", 1}};

static const void *field_of_const(const struct config *config, const struct config_key *key)
{
    ASSERT(key->offset != CONFIG_NOWHERE);
    return (const unsigned char *)config + key->offset;
}

/* The amount in the largest unit that leaves no rest. */
static int show_amount(char *text, size_t size, uint64_t amount, const struct unit *units)
{
    while (units->size > 1 && (amount == 0 || amount % units->size != 0)) {
        units++;
    }
    return snprintf(text, size, "%" PRIu64 "%s", amount / units->size, units->name);
}

static void show_list(const struct config_list *list, char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < list->count && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, i == 0 ? "%s" : " %s", list->items[i]);
    }
}

static void show_address(const struct config_address *address, const char *scheme, char *text,
                         size_t size)
{
    const bool has_scheme = scheme[0] != 0 && strcmp(scheme, "http") != 0;
    const bool is_ipv6 = address->host != NULL && strchr(address->host, ':') != NULL;
    if (!address->is_set) {
        text[0] = 0;
        return;
    }
    snprintf(text, size, "%s%s%s%s%s:%u", has_scheme ? scheme : "", has_scheme ? "://" : "",
             is_ipv6 ? "[" : "", address->host, is_ipv6 ? "]" : "", address->port);
}

void config_show(const struct config *config, const struct config_key *key,
                 char out_text[CONFIG_SHOWN_BYTES_MAX])
{
    const size_t size = CONFIG_SHOWN_BYTES_MAX;
    const void *field = field_of_const(config, key);
    unsigned int choice = 0;
    const char *choices = key->choices;
    switch (key->type) {
    case CONFIG_STRING:
        snprintf(out_text, size, "%s", *(const char *const *)field);
        break;
    case CONFIG_BOOL:
        snprintf(out_text, size, "%s", *(const bool *)field ? "true" : "false");
        break;
    case CONFIG_COUNT:
        snprintf(out_text, size, "%" PRIu64, *(const uint64_t *)field);
        break;
    case CONFIG_DURATION:
        show_amount(out_text, size, *(const uint64_t *)field, shown_durations);
        break;
    case CONFIG_SIZE:
        show_amount(out_text, size, *(const uint64_t *)field, shown_sizes);
        break;
    case CONFIG_CHOICE:
        memcpy(&choice, field, sizeof(choice));
        for (; choice > 0; choice--) {
            choices += strcspn(choices, "|") + 1;
        }
        snprintf(out_text, size, "%.*s", (int)strcspn(choices, "|"), choices);
        break;
    case CONFIG_LIST:
        show_list(field, out_text, size);
        break;
    case CONFIG_ADDRESS:
        show_address(field, key->choices, out_text, size);
        break;
    }
}

static void show_range(const struct config_key *key, const char *what, const struct unit *units,
                       char *out_text)
{
    char min[32];
    char max[32];
    show_amount(min, sizeof(min), key->min, units);
    show_amount(max, sizeof(max), key->max, units);
    if (key->max == UINT64_MAX) {
        snprintf(out_text, CONFIG_SHOWN_BYTES_MAX, "%s", what);
    } else {
        snprintf(out_text, CONFIG_SHOWN_BYTES_MAX, "%s from %s to %s", what, min, max);
    }
}

void config_show_allowed(const struct config_key *key, char out_text[CONFIG_SHOWN_BYTES_MAX])
{
    static const struct unit ones[] = {{"", 1}};
    const size_t size = CONFIG_SHOWN_BYTES_MAX;
    switch (key->type) {
    case CONFIG_STRING:
        snprintf(out_text, size, "a text");
        break;
    case CONFIG_BOOL:
        snprintf(out_text, size, "true or false");
        break;
    case CONFIG_COUNT:
        show_range(key, "a whole number", ones, out_text);
        break;
    case CONFIG_DURATION:
        show_range(key, "a duration", shown_durations, out_text);
        break;
    case CONFIG_SIZE:
        show_range(key, "a size", shown_sizes, out_text);
        break;
    case CONFIG_CHOICE:
        snprintf(out_text, size, "one of %s", key->choices);
        break;
    case CONFIG_LIST:
        snprintf(out_text, size, "a list of texts");
        break;
    case CONFIG_ADDRESS:
        snprintf(out_text, size, "an address like %s%s0.0.0.0:5100",
                 strcmp(key->choices, "http") == 0 ? "" : key->choices,
                 strcmp(key->choices, "http") == 0 ? "" : "://");
        break;
    }
}

static bool is_same(const struct config *current, const struct config *next,
                    const struct config_key *key)
{
    char a[CONFIG_SHOWN_BYTES_MAX];
    char b[CONFIG_SHOWN_BYTES_MAX];
    config_show(current, key, a);
    config_show(next, key, b);
    return strcmp(a, b) == 0;
}

void config_log_fixed(const struct config *current, const struct config *next)
{
    for (uint32_t row = 0; row < config_keys_count(); row++) {
        const struct config_key *key = config_key(row);
        const bool is_fixed = key->mark == CONFIG_WORKS && !key->is_reloadable;
        if (is_fixed && key->offset != CONFIG_NOWHERE && !is_same(current, next, key)) {
            LOG_WARN("reload_needs_restart", F_STR("key", key->name));
        }
    }
}
