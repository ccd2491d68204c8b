#include "cli/options.h"

#include <stdlib.h>
#include <string.h>

static void set_field(void *out_fields, const struct option *option, const void *value, size_t size)
{
    memcpy((unsigned char *)out_fields + option->offset, value, size);
}

void options_set_defaults(const struct option_table *table, void *out_fields)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct option *option = &table->options[i];
        if (option->kind == OPTION_NUMBER) {
            set_field(out_fields, option, &option->number, sizeof(option->number));
        } else if (option->kind == OPTION_TEXT) {
            set_field(out_fields, option, &option->text, sizeof(option->text));
        }
    }
}

void option_print(const struct option *option, FILE *out)
{
    fprintf(out, "  %-14s %-8s %s", option->name, option->argument != NULL ? option->argument : "",
            option->help);
    if (option->text != NULL) {
        fprintf(out, "; %s", option->text);
    }
    if (option->number > 0) {
        fprintf(out, "; %u", option->number);
    }
    fputc('\n', out);
}

enum err options_fault(const struct option_table *table, const char *about, const char *what)
{
    fprintf(stderr, "%s: %s%s%s\n", table->command, about, *about != '\0' ? ": " : "", what);
    return ERR_PROTOCOL;
}

static enum err read_number(const struct option_table *table, const struct option *option,
                            const char *text, void *out_fields)
{
    char *end = NULL;
    const unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value < option->min || value > option->max) {
        fprintf(stderr, "%s: %s: a number from %u to %u is wanted, not '%s'\n", table->command,
                option->name, option->min, option->max, text);
        return ERR_PROTOCOL;
    }
    const uint32_t number = (uint32_t)value;
    set_field(out_fields, option, &number, sizeof(number));
    return ERR_OK;
}

/* The option that `argument` names, or NULL; `out_value` is what stands behind its '=', or NULL. */
static const struct option *find_option(const struct option_table *table, const char *argument,
                                        const char **out_value)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct option *option = &table->options[i];
        const size_t size = strlen(option->name);
        if (strncmp(argument, option->name, size) == 0 &&
            (argument[size] == '\0' || argument[size] == '=')) {
            *out_value = argument[size] == '=' ? argument + size + 1 : NULL;
            return option;
        }
    }
    return NULL;
}

static enum err read_value(const struct option_table *table, const struct option *option,
                           const char *value, void *out_fields)
{
    if (value == NULL || *value == '\0') {
        return options_fault(table, option->name, "a value is wanted");
    }
    if (option->kind == OPTION_NUMBER) {
        return read_number(table, option, value, out_fields);
    }
    set_field(out_fields, option, &value, sizeof(value));
    return ERR_OK;
}

enum err options_read(const struct option_table *table, uint32_t in_case, int argc, char **argv,
                      void *out_fields)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return ERR_ABSENT;
        }
        const char *value = NULL;
        const struct option *option = find_option(table, argv[i], &value);
        if (option == NULL) {
            return options_fault(table, argv[i], "unknown option; --help lists them");
        }
        if ((option->cases & in_case) == 0) {
            return options_fault(table, option->name, "has no meaning in this scenario");
        }
        if (option->kind == OPTION_FLAG) {
            const bool is_set = true;
            set_field(out_fields, option, &is_set, sizeof(is_set));
            if (value != NULL) {
                return options_fault(table, option->name, "takes no value");
            }
            continue;
        }
        if (value == NULL && i + 1 < argc) {
            value = argv[++i];
        }
        const enum err err = read_value(table, option, value, out_fields);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}
