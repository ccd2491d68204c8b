#include "server/config_print.h"

#include "server/config_show.h"
#include "server/config_table.h"

#include <stdlib.h>

static const char *type_name(enum config_type type)
{
    static const char *const names[] = {
        [CONFIG_STRING] = "text",       [CONFIG_BOOL] = "bool",       [CONFIG_COUNT] = "number",
        [CONFIG_DURATION] = "duration", [CONFIG_SIZE] = "size",       [CONFIG_CHOICE] = "choice",
        [CONFIG_LIST] = "list",         [CONFIG_ADDRESS] = "address",
    };
    return names[type];
}

static bool section_works(const struct config_section *section)
{
    for (uint32_t i = 0; i < section->keys_count; i++) {
        if (section->keys[i].mark == CONFIG_WORKS) {
            return true;
        }
    }
    return false;
}

/* How much of a name two keys share, up to and with a dot. */
static size_t shared_section(const char *a, const char *b)
{
    size_t shared = 0;
    for (size_t i = 0; a[i] != 0 && a[i] == b[i]; i++) {
        shared = a[i] == '.' ? i + 1 : shared;
    }
    return shared;
}

static void print_indent(FILE *out, const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (name[i] == '.') {
            fputs("  ", out);
        }
    }
}

/* "a.b.c: value" as nested maps; what `before` has opened already is not opened again. */
static void print_example_key(FILE *out, const struct config_key *key, const char *before)
{
    size_t begin = shared_section(before, key->name);
    print_indent(out, key->name, begin);
    fprintf(out, "# %s", key->help);
    fprintf(out, key->default_note != NULL ? " Default: %s.\n" : "\n",
            key->default_note != NULL ? key->default_note : "");
    for (const char *dot = strchr(key->name + begin, '.'); dot != NULL;
         dot = strchr(key->name + begin, '.')) {
        print_indent(out, key->name, begin);
        fprintf(out, "%.*s:\n", (int)(dot - key->name - (ptrdiff_t)begin), key->name + begin);
        begin = (size_t)(dot - key->name) + 1;
    }
    const bool is_quoted = key->type == CONFIG_STRING || key->type == CONFIG_ADDRESS;
    print_indent(out, key->name, begin);
    fprintf(out, is_quoted ? "%s: \"%s\"\n" : "%s: %s\n", key->name + begin, key->default_text);
}

void config_print_example(FILE *out)
{
    fputs("# Every key that works, with its default. Keys may be written in any case; an\n"
          "# environment variable (WK_EXTERNAL_IP for external.ip) wins over this file.\n",
          out);
    const char *before = "";
    for (uint32_t i = 0; i < config_sections_count(); i++) {
        const struct config_section *section = config_section(i);
        if (section_works(section)) {
            fprintf(out, "\n## %s\n", section->title);
        }
        for (uint32_t j = 0; j < section->keys_count; j++) {
            if (section->keys[j].mark == CONFIG_WORKS) {
                print_example_key(out, &section->keys[j], before);
                before = section->keys[j].name;
            }
        }
    }
}

static void print_default(FILE *out, const struct config_key *key)
{
    if (key->default_note != NULL) {
        fputs(key->default_note, out);
    } else if (key->default_text[0] != 0) {
        fprintf(out, "`%s`", key->default_text);
    } else {
        fputs("empty", out);
    }
}

/* What a type alone does not say: choices and ranges, as a sentence. */
static void print_allowed(FILE *out, const struct config_key *key)
{
    char allowed[CONFIG_SHOWN_BYTES_MAX];
    if (key->type != CONFIG_CHOICE && (key->max == 0 || key->type == CONFIG_SIZE)) {
        return;
    }
    config_show_allowed(key, allowed);
    fprintf(out, " %c", allowed[0] & ~0x20);
    for (const char *at = allowed + 1; *at != 0; at++) {
        fprintf(out, *at == '|' ? ", " : "%c", *at);
    }
    fputs(".", out);
}

static void print_works(FILE *out, const struct config_section *section)
{
    fputs("| Key | Type | Default | Meaning |\n|---|---|---|---|\n", out);
    for (uint32_t i = 0; i < section->keys_count; i++) {
        const struct config_key *key = &section->keys[i];
        if (key->mark != CONFIG_WORKS) {
            continue;
        }
        fprintf(out, "| `%s`%s%s | %s | ", key->name, key->is_ours ? " ★" : "",
                key->is_reloadable ? " ↻" : "", type_name(key->type));
        print_default(out, key);
        fprintf(out, " | %s", key->help);
        print_allowed(out, key);
        fputs(" |\n", out);
    }
    fputs("\n", out);
}

static void print_other(FILE *out, const struct config_section *section)
{
    bool is_first = true;
    for (uint32_t i = 0; i < section->keys_count; i++) {
        const struct config_key *key = &section->keys[i];
        if (key->mark == CONFIG_WORKS) {
            continue;
        }
        if (is_first) {
            fputs("| Also read | |\n|---|---|\n", out);
            is_first = false;
        }
        if (key->mark == CONFIG_RENAMED) {
            fprintf(out, "| `%s` | another spelling of `%s` |\n", key->name, key->why);
        } else {
            fprintf(out, "| `%s` | no effect: %s |\n", key->name, key->why);
        }
    }
    fputs(is_first ? "" : "\n", out);
}

void config_print_reference(FILE *out)
{
    fputs("# Configuration\n"
          "\n"
          "This file is printed from the table of keys in `src/server/config_table.c`; a test\n"
          "fails when the two differ. `jingu config example` prints a file to begin with,\n"
          "`jingu config check FILE` reads one, `jingu config explain KEY` tells about one\n"
          "key.\n"
          "\n"
          "A value is looked for in the environment, then in the file that `--config` names,\n"
          "then in the defaults below. The file is YAML (so JSON will do). Keys are\n"
          "WuKongIM's, in any case, nested or with dots; ★ marks our own, ↻ those that are\n"
          "read again on SIGHUP. A key that does not exist is refused with its line and the\n"
          "nearest key that does; below `cluster`, where nearly nothing has an effect, it is\n"
          "named in a warning. The variable of a key is `WK_` and its name in capitals with\n"
          "underscores for dots: `WK_EXTERNAL_IP`; an empty one counts as not set; lists are\n"
          "separated by white space.\n"
          "\n"
          "An empty value means the default, and so does 0 for a number of WuKongIM's whose\n"
          "default is not 0. A bool is `true` or `false` (or `t`, `f`, `1`, `0`); other words\n"
          "are refused. A duration is written `500ms`, `30s`, `1m30s`, `24h`, `30d`, and\n"
          "never without a unit. A size is written `1048576`, `512K`, `256M`, `1.5G`, counted\n"
          "in 1024s. An address is `host:port` with or without its scheme, where the host is\n"
          "an IP address (IPv6 in brackets), `localhost`, or nothing for all.\n"
          "\n",
          out);
    for (uint32_t i = 0; i < config_sections_count(); i++) {
        const struct config_section *section = config_section(i);
        fprintf(out, "## %s\n\n", section->title);
        if (section_works(section)) {
            print_works(out, section);
        }
        print_other(out, section);
    }
}

static void print_origin(const struct config *config, uint32_t row, FILE *out)
{
    char variable[CONFIG_VARIABLE_BYTES_MAX];
    config_key_variable(config_key(row), variable);
    switch ((enum config_origin)config->origins[row]) {
    case CONFIG_FROM_DEFAULT:
        fputs("the default", out);
        break;
    case CONFIG_FROM_FILE:
        fprintf(out, "line %u of the file", config->places[row].line);
        break;
    case CONFIG_FROM_ENVIRONMENT:
        fprintf(out, "the variable %s", variable);
        break;
    }
}

static void print_section(struct bytes section, FILE *out)
{
    fprintf(out, "%.*s is a section; below it are\n", (int)section.size,
            (const char *)section.data);
    for (uint32_t row = 0; row < config_keys_count(); row++) {
        if (config_key_is_below(row, section)) {
            fprintf(out, "  %s\n", config_key(row)->name);
        }
    }
}

enum err config_explain(const struct config *config, struct bytes name, FILE *out)
{
    uint32_t row = config_key_find(name);
    if (row == config_keys_count() && config_key_is_section(name)) {
        print_section(name, out);
        return ERR_OK;
    }
    if (row == config_keys_count()) {
        char nearest[CONFIG_NEAREST_BYTES_MAX];
        const bool is_near = config_key_nearest(name, nearest);
        fprintf(out, "there is no key \"%.*s\"%s%s\n", (int)name.size, (const char *)name.data,
                is_near ? "; the nearest is " : "", is_near ? nearest : "");
        return ERR_ABSENT;
    }
    if (config_key(row)->mark == CONFIG_RENAMED) {
        row = config_key_find(bytes_of_string(config_key(row)->why));
    }
    const struct config_key *key = config_key(row);
    char text[CONFIG_SHOWN_BYTES_MAX];
    fprintf(out, "%s\n", key->name);
    if (key->offset != CONFIG_NOWHERE) {
        config_show(config, key, text);
        const bool is_hidden = key->is_secret && text[0] != 0;
        fprintf(out, "  value    %s, from ",
                is_hidden ? "(secret)" : (text[0] != 0 ? text : "(empty)"));
        print_origin(config, row, out);
        fputs("\n  default  ", out);
        print_default(out, key);
        fputs("\n", out);
    }
    config_show_allowed(key, text);
    fprintf(out, "  allowed  %s\n", text);
    if (key->mark == CONFIG_NO_EFFECT) {
        fprintf(out, "  has no effect here: %s\n", key->why);
    } else {
        fprintf(out, "  %s\n", key->help);
    }
    return ERR_OK;
}
