#include "cli/soak_options.h"

#include "base/compiler.h"
#include "cli/bench_options.h"
#include "cli/options.h"
#include "system/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OFFSET(field) offsetof(struct soak_options, field)
#define NUMBER(name_, field, argument_, number_, min_, max_, help_)                                \
    {                                                                                              \
        .name = (name_), .argument = (argument_), .help = (help_), .offset = OFFSET(field),        \
        .kind = OPTION_NUMBER, .cases = OPTION_ALWAYS, .number = (number_), .min = (min_),         \
        .max = (max_)                                                                              \
    }
#define TEXT(name_, field, argument_, help_)                                                       \
    {                                                                                              \
        .name = (name_), .argument = (argument_), .help = (help_), .offset = OFFSET(field),        \
        .kind = OPTION_TEXT, .cases = OPTION_ALWAYS                                                \
    }
#define FLAG(name_, field, help_)                                                                  \
    {                                                                                              \
        .name = (name_), .help = (help_), .offset = OFFSET(field), .kind = OPTION_FLAG,            \
        .cases = OPTION_ALWAYS                                                                     \
    }

/* clang-format off */
static const struct option options[] = {
    TEXT("--target", tcp, "ADDR", "the server's TCP port; without it a server is started here"),
    TEXT("--ws", ws, "ADDR", "its WebSocket port; without it what needs one is left out"),
    TEXT("--http", http, "ADDR", "its API; likewise"),
    TEXT("--tls", tls, "ADDR", "a port of it that speaks TLS; likewise"),
    TEXT("--hook", hook, "ADDR", "where it sends its webhooks: who listens there is played, too"),
    TEXT("--disk", own_disk, "DIR", "a directory on the small disk of its data, which is filled"),
    TEXT("--api-token", api_token, "TOKEN", "the header `token` for the API"),
    NUMBER("--pid", pid, "PID", 0, 1, 1u << 30, "its process; without it memory is not judged"),

    TEXT("--scenario", scenario, "NAME", "only this one; --list tells the names"),
    FLAG("--together", is_together, "all at once instead of one after the other"),
    FLAG("--quick", is_quick, "once each, 6 s long, then all together: within 4 minutes"),
    NUMBER("--hours", hours, "N", 0, 1, 10000, "so long: a cycle plays each once, then all together"),
    TEXT("--seed", seed_text, "N", "of everything that is random; printed if not given"),
    NUMBER("--attack", attack_s, "S", 0, 1, 86400, "seconds that one cycle attacks; 10, quick: 6"),
    NUMBER("--rest", rest_s, "S", 0, 1, 86400, "seconds of rest after it; 5, quick: 1"),
    NUMBER("--settle", settle_s, "S", 60, 1, 86400, "seconds that a server takes to fill its caches; growth is judged after them"),
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

static const struct option_table table = {
    .command = "jingu soak", .options = options, .count = COUNT_OF(options)};

static void print_help(FILE *out)
{
    fputs(
        "usage: jingu soak [OPTION…]\n\n"
        "Plays churn and hostile clients against a WKProto server on this machine, beside honest\n"
        "ones, and watches its memory. Exits with 0 when all was well, 1 when the server did not\n"
        "keep its promises, 2 when nothing could be played.\n\n",
        out);
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        option_print(&options[i], out);
    }
}

static enum err fault(const char *what, const char *about)
{
    return options_fault(&table, about, what);
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
        {out_options->hook, &out_options->hook_address},
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
    if (is_ours &&
        (out_options->ws != NULL || out_options->http != NULL || out_options->tls != NULL ||
         out_options->hook != NULL || out_options->own_disk != NULL || out_options->pid != 0)) {
        return fault("a part of a server without --target",
                     "--ws, --http, --tls, --hook, --disk, --pid");
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
    options_set_defaults(&table, out_options);
    const enum err err = options_read(&table, OPTION_ALWAYS, argc, argv, out_options);
    if (err == ERR_ABSENT) {
        print_help(stdout);
    }
    return err == ERR_OK ? check(out_options) : err;
}
