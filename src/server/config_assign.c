#include "server/config_assign.h"

#include "base/assert.h"
#include "server/config_show.h"
#include "server/config_value.h"

#include <stdio.h>
#include <strings.h>

static void *field_of(struct config *config, const struct config_key *key)
{
    ASSERT(key->offset != CONFIG_NOWHERE);
    return (unsigned char *)config + key->offset;
}

/* The number of `text` among the choices, or -1. */
static int choice_of(const char *choices, struct bytes text)
{
    int number = 0;
    for (const char *at = choices; *at != 0; number++) {
        const size_t size = strcspn(at, "|");
        const struct bytes choice = {.data = (const uint8_t *)at, .size = size};
        if (choice.size == text.size && strncasecmp(at, (const char *)text.data, text.size) == 0) {
            return number;
        }
        at += size + (at[size] == '|' ? 1 : 0);
    }
    return -1;
}

/* One key's value on its way from text to field. */
struct assignment {
    struct config *config;
    const struct config_key *key;
    const struct config_value *value;
    struct config_report *report;
    const char *why; /* the reason for the fault, or NULL: what is allowed says enough */
};

static bool refuse(const struct assignment *assignment)
{
    char allowed[CONFIG_SHOWN_BYTES_MAX];
    const struct config_key *key = assignment->key;
    const struct bytes text = assignment->value->items[0];
    config_show_allowed(key, allowed);
    const bool is_shown = !key->is_secret && !assignment->value->is_list && text.size <= 64;
    char shown[96] = "";
    if (is_shown) {
        snprintf(shown, sizeof(shown), ", not \"%.*s\"", (int)text.size, (const char *)text.data);
    }
    const char *why = assignment->why != NULL ? assignment->why : "";
    const char *separator = assignment->why != NULL ? ": " : "";
    if (key->mark == CONFIG_NO_EFFECT) {
        config_warning(assignment->report, assignment->value->place, "%s should be %s%s%s%s",
                       key->name, allowed, shown, separator, why);
    } else {
        config_fault(assignment->report, assignment->value->place, "%s must be %s%s%s%s", key->name,
                     allowed, shown, separator, why);
    }
    return false;
}

static bool assign_number(struct assignment *assignment)
{
    const struct config_key *key = assignment->key;
    const struct bytes text = assignment->value->items[0];
    uint64_t number = 0;
    enum err err = ERR_OK;
    if (key->type == CONFIG_COUNT) {
        err = config_read_count(text, &number);
    } else if (key->type == CONFIG_DURATION) {
        err = config_read_duration(text, &number, &assignment->why);
    } else {
        err = config_read_size(text, &number, &assignment->why);
    }
    if (err != ERR_OK) {
        return refuse(assignment);
    }
    assignment->why = NULL;
    if (number == 0 && !key->is_ours && key->min > 0) {
        return false; /* 0 means the default (configuration 1.5) */
    }
    if (number < key->min || number > key->max) {
        return refuse(assignment);
    }
    if (key->offset != CONFIG_NOWHERE) {
        *(uint64_t *)field_of(assignment->config, key) = number;
    }
    return true;
}

static bool assign_bool(struct assignment *assignment)
{
    bool is_true;
    if (config_read_bool(assignment->value->items[0], &is_true) != ERR_OK) {
        return refuse(assignment);
    }
    if (assignment->key->offset != CONFIG_NOWHERE) {
        *(bool *)field_of(assignment->config, assignment->key) = is_true;
    }
    return true;
}

_Static_assert(sizeof(enum config_mode) == sizeof(unsigned int), "choices are kept so");

static bool assign_choice(struct assignment *assignment)
{
    const int number = choice_of(assignment->key->choices, assignment->value->items[0]);
    if (number < 0) {
        return refuse(assignment);
    }
    const unsigned int kept = (unsigned int)number;
    memcpy(field_of(assignment->config, assignment->key), &kept, sizeof(kept));
    return true;
}

/* A copy of `text` in the config, or NULL with a fault. */
static const char *keep(const struct assignment *assignment, struct bytes text)
{
    const struct config_key *key = assignment->key;
    const struct config_place place = assignment->value->place;
    if (text.size > CONFIG_VALUE_BYTES_MAX) {
        config_fault(assignment->report, place, "%s is longer than %u bytes", key->name,
                     CONFIG_VALUE_BYTES_MAX);
        return NULL;
    }
    if (bytes_contain(text, 0)) {
        config_fault(assignment->report, place, "%s contains a zero byte", key->name);
        return NULL;
    }
    const char *kept = config_keep(assignment->config, text);
    if (kept == NULL) {
        config_fault(assignment->report, place, "the values are longer than %u bytes together",
                     CONFIG_TEXT_BYTES_MAX);
    }
    return kept;
}

static bool assign_string(struct assignment *assignment)
{
    if (assignment->key->offset == CONFIG_NOWHERE) {
        return true;
    }
    const char *kept = keep(assignment, assignment->value->items[0]);
    if (kept != NULL) {
        *(const char **)field_of(assignment->config, assignment->key) = kept;
    }
    return kept != NULL;
}

static bool assign_address(struct assignment *assignment)
{
    struct bytes host;
    uint16_t port;
    const struct config_key *key = assignment->key;
    if (config_read_address(assignment->value->items[0], key->choices, &host, &port) != ERR_OK) {
        assignment->why = "the host is an IP address or localhost, an IPv6 address in brackets";
        return refuse(assignment);
    }
    const char *kept = keep(assignment, host);
    if (kept == NULL) {
        return false;
    }
    *(struct config_address *)field_of(assignment->config, key) =
        (struct config_address){.host = kept, .port = port, .is_set = true};
    return true;
}

/* The next word of `text`, which is shortened by it; empty at the end. */
static struct bytes next_word(struct bytes *text)
{
    while (text->size > 0 && text->data[0] <= ' ') {
        *text = bytes_skip(*text, 1);
    }
    size_t size = 0;
    while (size < text->size && text->data[size] > ' ') {
        size++;
    }
    const struct bytes word = {.data = text->data, .size = size};
    *text = bytes_skip(*text, size);
    return word;
}

static bool add_item(const struct assignment *assignment, struct bytes item,
                     struct config_list *list)
{
    if (list->count == CONFIG_LIST_MAX) {
        config_fault(assignment->report, assignment->value->place, "%s has more than %u items",
                     assignment->key->name, CONFIG_LIST_MAX);
        return false;
    }
    const char *kept = keep(assignment, item);
    if (kept != NULL) {
        list->items[list->count++] = kept;
    }
    return kept != NULL;
}

static bool assign_list(struct assignment *assignment)
{
    const struct config_value *value = assignment->value;
    if (assignment->key->offset == CONFIG_NOWHERE) {
        return true;
    }
    struct config_list list = {.count = 0};
    for (uint32_t i = 0; i < value->count; i++) {
        struct bytes text = value->items[i];
        struct bytes item = value->is_list ? text : next_word(&text);
        while (item.size > 0) {
            if (!add_item(assignment, item, &list)) {
                return false;
            }
            item = value->is_list ? BYTES_EMPTY : next_word(&text);
        }
    }
    *(struct config_list *)field_of(assignment->config, assignment->key) = list;
    return list.count > 0;
}

static bool assign(struct assignment *assignment)
{
    switch (assignment->key->type) {
    case CONFIG_STRING:
        return assign_string(assignment);
    case CONFIG_BOOL:
        return assign_bool(assignment);
    case CONFIG_COUNT:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        return assign_number(assignment);
    case CONFIG_CHOICE:
        return assign_choice(assignment);
    case CONFIG_LIST:
        return assign_list(assignment);
    case CONFIG_ADDRESS:
        return assign_address(assignment);
    }
    UNREACHABLE();
}

void config_assign(struct config *config, const struct config_key *key,
                   const struct config_value *value, struct config_report *report, bool *out_is_set)
{
    ASSERT(key->mark != CONFIG_RENAMED);
    struct assignment assignment = {.config = config, .key = key, .value = value, .report = report};
    *out_is_set = false;
    if (value->is_list && key->type != CONFIG_LIST) {
        refuse(&assignment);
        return;
    }
    if (value->count == 0 || (value->count == 1 && value->items[0].size == 0)) {
        return;
    }
    *out_is_set = assign(&assignment);
}
