#include "cli/soak_options.h"

#include "base/compiler.h"
#include "cli/bench_options.h"
#include "system/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind {
    KIND_NUMBER = 0,
    KIND_TEXT,
    KIND_FLAG,
};

struct option {
    const char *name;
    const char *argument; /* as help shows it; NULL for a flag */
    const char *help;
    size_t offset;
    enum kind kind;
    uint32_t number; /* the default */
    uint32_t min;
    uint32_t max;
};

#define OFFSET(field) offsetof(struct soak_options, field)
#define NUMBER(name_, field, argument_, number_, min_, max_, help_)                                \
    {                                                                                              \
        .name = (name_), .argument = (argument_), .help = (help_), .offset = OFFSET(field),        \
        .kind = KIND_NUMBER, .number = (number_), .min = (min_), .max = (max_)                     \
    }
#define TEXT(name_, field, argument_, help_)                                                       \
    {                                                                                              \
        .name = (name_), .argument = (argument_), .help = (help_), .offset = OFFSET(field),        \
        .kind = KIND_TEXT                                                                          \
    }
#define FLAG(name_, field, help_)                                                                  \
    {                                                                                              \
        .name = (name_), .help = (help_), .offset = OFFSET(field), .kind = KIND_FLAG               \
    }

/* clang-format off */
static const struct option options[] = {
    TEXT("--target", tcp, "ADDR", "the server's TCP port; without it a server is started here"),
    TEXT("--ws", ws, "ADDR", "its WebSocket port; without it what needs one is left out"),
    TEXT("--http", http, "ADDR", "its API; likewise"),
    TEXT("--tls", tls, "ADDR", "a port of it that speaks TLS; likewise"),
    TEXT("--api-token", api_token, "TOKEN", "the header `token` for the API"),
    NUMBER("--pid", pid, "PID", 0, 1, 1u << 30, "its process; without it memory is not judged"),

    TEXT("--scenario", scenario, "NAME", "only this one; --list tells the names"),
    FLAG("--together", is_together, "all at once instead of one after the other"),
    FLAG("--quick", is_quick, "once each, 6 s long, then all together: within 4 minutes"),
    NUMBER("--hours", hours, "N", 0, 1, 10000, "so long: a cycle plays each once, then all together"),
    TEXT("--seed", seed_text, "N", "of everything that is random; printed if not given"),
    NUMBER("--attack", attack_s, "S", 0, 1, 86400, "seconds that one cycle attacks; 10, quick: 6"),
    NUMBER("--rest", rest_s, "S", 0, 1, 86400, "seconds of rest after it; 5, quick: 1"),
    NUMBER("--cycles", cycles, "N", 0, 1, 100000, "equal cycles of each; 9, quick: 1; growth is judged from 6 on"),

    NUMBER("--memory", memory_mib, "MIB", 128, 48, 1u << 20, "`memory` of our own server"),
    NUMBER("--budget", budget_mib, "MIB", 0, 1, 1u << 20, "RSS never exceeds it; our own server: its `memory`"),
    NUMBER("--back", back_s, "S", 60, 1, 86400, "seconds after which RSS is back"),
    NUMBER("--drain", drain_s, "S", 10, 1, 86400, "seconds that messages and ends of connections may take"),
    NUMBER("--within", back_percent, "PERCENT", 10, 1, 1000, "of what it was before, that is"),
    NUMBER("--p99", p99_ms, "MS", 50, 1, 100000, "what the honest pairs may wait at p99"),

    TEXT("--json", json_file, "FILE", "write the figures there, too"),
    TEXT("--report", html_file, "FILE", "write a page with the curves there"),
    FLAG("--quiet", is_quiet, "no curve while it runs"),
    FLAG("--list", is_listing, "name the scenarios, and end"),
};
/* clang-format on */

static void set_field(struct soak_options *out_options, const struct option *option,
                      const void *value, size_t size)
{
    memcpy((unsigned char *)out_options + option->offset, value, size);
}

static void print_help(FILE *out)
{
    fputs(
        "usage: jingu soak [OPTION…]\n\n"
        "Plays churn and hostile clients against a WKProto server on this machine, beside honest\n"
        "ones, and watches its memory. Exits with 0 when all was well, 1 when the server did not\n"
        "keep its promises, 2 when nothing could be played.\n\n",
        out);
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        fprintf(out, "  %-12s %-8s %s", options[i].name,
                options[i].argument != NULL ? options[i].argument : "", options[i].help);
        if (options[i].number > 0) {
            fprintf(out, "; %u", options[i].number);
        }
        fputc('\n', out);
    }
}

static enum err fault(const char *what, const char *about)
{
    fprintf(stderr, "jingu soak: %s: %s\n", about, what);
    return ERR_PROTOCOL;
}

/* The option that `argument` names, or NULL; `out_value` is what stands behind its '=', or NULL. */
static const struct option *find_option(const char *argument, const char **out_value)
{
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        const size_t size = strlen(options[i].name);
        if (strncmp(argument, options[i].name, size) == 0 &&
            (argument[size] == '\0' || argument[size] == '=')) {
            *out_value = argument[size] == '=' ? argument + size + 1 : NULL;
            return &options[i];
        }
    }
    return NULL;
}

static enum err parse_number(struct soak_options *out_options, const struct option *option,
                             const char *text)
{
    char *end = NULL;
    const unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value < option->min || value > option->max) {
        fprintf(stderr, "jingu soak: %s: a number from %u to %u is wanted, not '%s'\n",
                option->name, option->min, option->max, text);
        return ERR_PROTOCOL;
    }
    const uint32_t number = (uint32_t)value;
    set_field(out_options, option, &number, sizeof(number));
    return ERR_OK;
}

/* Reads the option at `*place` and moves on to the last word it took. */
static enum err parse_option(int argc, char **argv, int *place, struct soak_options *out_options)
{
    const char *value = NULL;
    const struct option *option = find_option(argv[*place], &value);
    if (option == NULL) {
        return fault("unknown option; `jingu soak --help` lists them", argv[*place]);
    }
    if (option->kind == KIND_FLAG) {
        const bool is_set = true;
        set_field(out_options, option, &is_set, sizeof(is_set));
        return value == NULL ? ERR_OK : fault("takes no value", option->name);
    }
    if (value == NULL && *place + 1 < argc) {
        value = argv[++*place];
    }
    if (value == NULL || *value == '\0') {
        return fault("a value is wanted", option->name);
    }
    if (option->kind == KIND_NUMBER) {
        return parse_number(out_options, option, value);
    }
    set_field(out_options, option, &value, sizeof(value));
    return ERR_OK;
}

static enum err parse_seed(struct soak_options *out_options)
{
    if (out_options->seed_text == NULL) {
        out_options->seed = clock_wall_ms();
        return ERR_OK;
    }
    char *end = NULL;
    out_options->seed = strtoull(out_options->seed_text, &end, 0);
    return *end == '\0' ? ERR_OK : fault("a number is wanted", "--seed");
}

static void set_default(uint32_t *field, uint32_t value)
{
    if (*field == 0) {
        *field = value;
    }
}

static enum err parse_addresses(struct soak_options *out_options)
{
    const struct {
        const char *text;
        struct address *address;
    } addresses[] = {
        {out_options->tcp, &out_options->tcp_address},
        {out_options->ws, &out_options->ws_address},
        {out_options->http, &out_options->http_address},
        {out_options->tls, &out_options->tls_address},
    };
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        if (addresses[i].text != NULL) {
            const enum err err = bench_address_parse(addresses[i].text, true, addresses[i].address);
            if (err != ERR_OK) {
                return err;
            }
            if (!address_is_loopback(addresses[i].address)) {
                return fault("is not on this machine", addresses[i].text);
            }
        }
    }
    return ERR_OK;
}

static enum err check(struct soak_options *out_options)
{
    const bool is_ours = out_options->tcp == NULL;
    if (is_ours && (out_options->ws != NULL || out_options->http != NULL ||
                    out_options->tls != NULL || out_options->pid != 0)) {
        return fault("a port or process without --target", "--ws, --http, --tls, --pid");
    }
    if (out_options->is_quick && out_options->hours > 0) {
        return fault("is not what --hours is", "--quick");
    }
    if (is_ours) {
        set_default(&out_options->budget_mib, out_options->memory_mib);
    }
    set_default(&out_options->attack_s, out_options->is_quick ? 6 : 10);
    set_default(&out_options->rest_s, out_options->is_quick ? 1 : 5);
    set_default(&out_options->cycles, out_options->is_quick ? 1 : 9);
    const enum err err = parse_seed(out_options);
    return err == ERR_OK ? parse_addresses(out_options) : err;
}

enum err soak_options_parse(int argc, char **argv, struct soak_options *out_options)
{
    *out_options = (struct soak_options){.tcp = NULL};
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (options[i].kind == KIND_NUMBER) {
            set_field(out_options, &options[i], &options[i].number, sizeof(options[i].number));
        }
    }
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(stdout);
            return ERR_ABSENT;
        }
        const enum err err = parse_option(argc, argv, &i, out_options);
        if (err != ERR_OK) {
            return err;
        }
    }
    return check(out_options);
}
