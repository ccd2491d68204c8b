#include "cli/bench_options.h"

#include "base/compiler.h"
#include "cli/options.h"

#include <stdlib.h>
#include <string.h>

#define IN(scenario) (1u << BENCH_SCENARIO_##scenario)
#define IN_TALK      (IN(PERSON) | IN(GROUP) | IN(MIXED))
#define IN_MESSAGES  (IN_TALK | IN(CHURN) | IN(STORM))
#define IN_PAIRS     (IN(PERSON) | IN(STORM) | IN(MIXED))
#define IN_GROUPS    (IN(GROUP) | IN(MIXED))
#define IN_SILENCE   (IN(IDLE) | IN(MIXED))
#define IN_WRITING   (IN_MESSAGES | IN(SYNC))
#define IN_API       (IN_GROUPS | IN(SYNC))
#define IN_ALL       ((1u << BENCH_SCENARIOS_COUNT) - 1u)

#define OFFSET(field) offsetof(struct bench_options, field)
#define NUMBER(name_, field, argument_, scenarios_, number_, min_, max_, help_)                    \
    {                                                                                              \
        .name = (name_), .argument = (argument_), .help = (help_), .offset = OFFSET(field),        \
        .kind = OPTION_NUMBER, .cases = (scenarios_), .number = (number_), .min = (min_),          \
        .max = (max_)                                                                              \
    }
#define TEXT(name_, field, argument_, scenarios_, text_, help_)                                    \
    {                                                                                              \
        .name = (name_), .argument = (argument_), .help = (help_), .offset = OFFSET(field),        \
        .kind = OPTION_TEXT, .cases = (scenarios_), .text = (text_)                                \
    }
#define FLAG(name_, field, scenarios_, help_)                                                      \
    {                                                                                              \
        .name = (name_), .help = (help_), .offset = OFFSET(field), .kind = OPTION_FLAG,            \
        .cases = (scenarios_)                                                                      \
    }

/* clang-format off */
static const struct option options[] = {
    TEXT("--tcp", tcp, "ADDR", IN_ALL, "127.0.0.1:5100", "the server's client port"),
    TEXT("--http", http, "ADDR", IN_API, "127.0.0.1:5001", "the server's API"),
    TEXT("--api-token", api_token, "TOKEN", IN_API, NULL, "the header `token` for the API"),
    NUMBER("--pid", pid, "PID", IN_ALL, 0, 1, 1u << 30, "the server's process: its CPU and RSS are reported"),
    FLAG("--allow-remote", is_remote_allowed, IN_ALL, "measure a server that is not on loopback"),

    NUMBER("--pairs", pairs_count, "N", IN_PAIRS, 50, 1, BENCH_CLIENTS_MAX / 2, "pairs of users"),
    FLAG("--both-ways", is_both_ways, IN(PERSON), "both of a pair send, not only the first"),
    NUMBER("--groups", groups_count, "N", IN_GROUPS, 1, 1, 100000, "groups, without common members"),
    NUMBER("--members", members_count, "N", IN_GROUPS, 1000, 2, 100000, "members of each group"),
    NUMBER("--online", online_percent, "PERCENT", IN_GROUPS, 100, 1, 100, "of the members are connected"),
    NUMBER("--senders", senders_count, "N", IN_GROUPS, 1, 1, 100000, "of the connected members send"),
    NUMBER("--clients", clients_count, "N", IN_SILENCE, 1000, 1, BENCH_CLIENTS_MAX, "connections that are silent"),
    NUMBER("--users", users_count, "N", IN(CHURN), 1000, 1, BENCH_CLIENTS_MAX, "users that come and go, in turn"),

    NUMBER("--channels", channels_count, "N", IN(SYNC), 1000, 1, 10000000, "channels with a past"),
    NUMBER("--conversations", conversations_count, "N", IN(SYNC), 100, 1, 100000, "of them are one user's"),
    NUMBER("--depth", depth, "N", IN(SYNC), 100, 0, 100000, "messages are written to each of them, before"),
    NUMBER("--talk", talk, "N", IN(SYNC), 50, 1, 100000, "of them before the next channel has its turn"),
    NUMBER("--limit", limit, "N", IN(SYNC), 100, 1, 10000, "messages of a page"),
    NUMBER("--requests", requests_max, "N", IN(SYNC), 0, 1, UINT32_MAX, "of each kind at most; without it as many as the time allows"),
    NUMBER("--run", run, "N", IN(SYNC), 0, 1, UINT32_MAX, "names users and channels: the same again finds what was written"),

    NUMBER("--rate", rate, "N", IN_WRITING, 0, 1, 10000000, "open loop: messages (churn: logins, sync: requests) a second in all; 1000"),
    NUMBER("--p99", p99_ms, "MS", IN_TALK, 0, 1, 10000, "raise the rate until p99 of the deliveries is above that"),
    NUMBER("--comings", comings_rate, "N", IN(MIXED), 10, 1, 100000, "silent clients a second that go and come again"),
    FLAG("--restart", is_restarting, IN(STORM), "wait until the server is restarted, instead of hanging up"),
    NUMBER("--bursts", bursts_hz, "HZ", IN_TALK, 0, 1, 10000, "the rate comes in this many bursts a second"),
    NUMBER("--window", window, "N", IN_TALK, 0, 1, 100000, "closed loop: each sender has N messages open"),
    NUMBER("--payload", payload_bytes, "BYTES", IN_WRITING, 256, BENCH_PAYLOAD_BYTES_MIN, BENCH_PAYLOAD_BYTES_MAX, "size before encryption"),
    NUMBER("--protocol", protocol, "V", IN_ALL, 5, 0, 6, "the version that CONNECT asks for"),
    FLAG("--plain", is_plain, IN_ALL, "the server does not encrypt; without this it must"),
    FLAG("--verify", is_verifying, IN_MESSAGES, "check the msgKey and the content of all that is received"),

    NUMBER("--warmup", warmup_s, "S", IN_MESSAGES, 2, 0, 86400, "seconds before the measurement"),
    NUMBER("--seconds", measure_s, "S", IN_ALL, 10, 1, 86400, "seconds measured; idle: held"),
    NUMBER("--drain", drain_s, "S", IN_MESSAGES, 10, 0, 86400, "seconds that late messages may take after the end"),
    NUMBER("--cool", cool_s, "S", IN_ALL, 0, 0, 86400, "seconds of rest after all have gone, then RSS again"),
    NUMBER("--ping", ping_s, "S", IN_SILENCE, 60, 1, 86400, "seconds between two PINGs of a connection"),
    NUMBER("--connecting", connecting_max, "N", IN_ALL, 32, 1, 10000, "logins under way at the same time, before the start"),

    TEXT("--json", json_file, "FILE", IN_ALL, NULL, "write the figures there, too"),
    TEXT("--html", html_file, "FILE", IN_ALL, NULL, "write a page with curves there, too"),
    FLAG("--tolerate", is_tolerating, IN_ALL, "exit 0 whatever was lost, doubled or out of order"),
    FLAG("--quiet", is_quiet, IN_ALL, "no progress line"),
};
/* clang-format on */

static const struct option_table table = {
    .command = "jingu bench", .options = options, .count = COUNT_OF(options)};

static const char *const scenario_names[BENCH_SCENARIOS_COUNT] = {
    [BENCH_SCENARIO_PERSON] = "person", [BENCH_SCENARIO_GROUP] = "group",
    [BENCH_SCENARIO_IDLE] = "idle",     [BENCH_SCENARIO_CHURN] = "churn",
    [BENCH_SCENARIO_SYNC] = "sync",     [BENCH_SCENARIO_STORM] = "reconnect-storm",
    [BENCH_SCENARIO_MIXED] = "mixed",
};

static const char *const scenario_helps[BENCH_SCENARIOS_COUNT] = {
    [BENCH_SCENARIO_PERSON] = "pairs of users; one of each pair writes to the other",
    [BENCH_SCENARIO_GROUP] = "groups made through the API; some of their members write",
    [BENCH_SCENARIO_IDLE] = "connections that log in and do nothing: what they cost in memory",
    [BENCH_SCENARIO_CHURN] = "users that log in, write one message and go",
    [BENCH_SCENARIO_SYNC] =
        "pages of history and lists of conversations, one request after the other",
    [BENCH_SCENARIO_STORM] = "pairs that chat, are cut off and come back, all at the same moment",
    [BENCH_SCENARIO_MIXED] =
        "pairs, groups and silent connections at once, some of which come and go",
};

const char *bench_scenario_name(enum bench_scenario scenario)
{
    return scenario_names[scenario];
}

static void print_help(FILE *out)
{
    fputs("usage: jingu bench SCENARIO [OPTION…]\n\n"
          "Measures any WKProto server over TCP. Exits with 0 when all was well, 1 when something\n"
          "was lost, doubled, refused or out of order, 2 when nothing could be measured.\n",
          out);
    for (uint32_t scenario = 0; scenario < BENCH_SCENARIOS_COUNT; scenario++) {
        fprintf(out, "\n%s: %s\n", scenario_names[scenario], scenario_helps[scenario]);
        for (size_t i = 0; i < COUNT_OF(options); i++) {
            if (options[i].cases == 1u << scenario) {
                option_print(&options[i], out);
            }
        }
    }
    fputs("\nin several of them\n", out);
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if ((options[i].cases & (options[i].cases - 1)) != 0) {
            option_print(&options[i], out);
        }
    }
}

static enum err fault(const char *what, const char *about)
{
    return options_fault(&table, about, what);
}

enum err bench_address_parse(const char *text, bool is_remote_allowed, struct address *out_address)
{
    char host[256];
    const char *colon = strrchr(text, ':');
    const char *begin = *text == '[' ? text + 1 : text;
    const char *host_end = *text == '[' && colon != NULL && colon > text ? colon - 1 : colon;
    char *end = NULL;
    const unsigned long port = colon != NULL ? strtoul(colon + 1, &end, 10) : 0;
    if (colon == NULL || host_end <= begin || (size_t)(host_end - begin) >= sizeof(host) ||
        *end != '\0' || port == 0 || port > UINT16_MAX) {
        return fault("an address is HOST:PORT", text);
    }
    memcpy(host, begin, (size_t)(host_end - begin));
    host[host_end - begin] = '\0';
    if (address_resolve(host, (uint16_t)port, out_address) != ERR_OK) {
        return fault("that host is not known", text);
    }
    if (!is_remote_allowed && !address_is_loopback(out_address)) {
        return fault("is not on this machine; --allow-remote if the server is yours", text);
    }
    return ERR_OK;
}

static enum err check(struct bench_options *out_options)
{
    const uint32_t scenario = 1u << out_options->scenario;
    if (out_options->window > 0 && (out_options->rate > 0 || out_options->bursts_hz > 0)) {
        return fault("a closed loop has no --rate and no --bursts", "--window");
    }
    const bool has_load = (IN_MESSAGES & scenario) != 0;
    if (has_load && out_options->window == 0 && out_options->rate == 0) {
        out_options->rate = 1000;
    }
    if (out_options->window > 0 && out_options->p99_ms > 0) {
        return fault("a closed loop has no rate to raise", "--p99");
    }
    if (out_options->bursts_hz > out_options->rate) {
        return fault("more bursts than messages", "--bursts");
    }
    const uint64_t online =
        (uint64_t)out_options->members_count * out_options->online_percent / 100;
    if ((IN_GROUPS & scenario) != 0 && (online < 2 || out_options->senders_count > online ||
                                        online * out_options->groups_count > BENCH_CLIENTS_MAX)) {
        return fault("of each group at least two, and all that send, are online; 200000 in all",
                     "--online");
    }
    const enum err err = bench_address_parse(out_options->tcp, out_options->is_remote_allowed,
                                             &out_options->tcp_address);
    if (err != ERR_OK || (IN_API & scenario) == 0) {
        return err;
    }
    return bench_address_parse(out_options->http, out_options->is_remote_allowed,
                               &out_options->http_address);
}

enum err bench_options_parse(int argc, char **argv, struct bench_options *out_options)
{
    *out_options = (struct bench_options){.scenario = BENCH_SCENARIOS_COUNT};
    const char *name = argc > 0 ? argv[0] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || *name == '\0') {
        print_help(*name == '\0' ? stderr : stdout);
        return *name == '\0' ? ERR_PROTOCOL : ERR_ABSENT;
    }
    for (uint32_t i = 0; i < BENCH_SCENARIOS_COUNT; i++) {
        if (strcmp(name, scenario_names[i]) == 0) {
            out_options->scenario = (enum bench_scenario)i;
        }
    }
    if (out_options->scenario == BENCH_SCENARIOS_COUNT) {
        return fault("no such scenario; `jingu bench --help` lists them", name);
    }
    options_set_defaults(&table, out_options);
    const uint32_t in_case = 1u << out_options->scenario;
    const enum err err = options_read(&table, in_case, argc - 1, argv + 1, out_options);
    if (err == ERR_ABSENT) {
        print_help(stdout);
    }
    return err == ERR_OK ? check(out_options) : err;
}
