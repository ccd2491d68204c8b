#include "cli/commands.h"

#include "server/config.h"
#include "server/config_cgroup.h"
#include "server/config_show.h"
#include "server/config_value.h"
#include "server/node.h"
#include "server/rest.h"
#include "system/clock.h"
#include "system/file.h"
#include "system/machine.h"
#include "system/signals.h"
#include "system/thread.h"
#include "telemetry/logger.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

#define EXIT_CONFIG 2 /* the operator has to change something */
#define EXIT_START  1
#define EXIT_STOP   1

#define SECOND_NS 1000000000ULL

/* What node_stop may take for the work in flight and the last flush, and a little. */
#define STOP_MS_MAX (NODE_STOP_MS + REST_STOP_MS + 2000)

struct arguments {
    const char *config_file;
    const char *mode;
    bool is_missing_allowed; /* -i */
    bool is_explaining;      /* --explain-memory */
    bool is_loss_accepted;   /* --accept-loss */
    bool is_help;
    const char *unknown;
};

static const char *value_of(int argc, char **argv, int *place, const char *name)
{
    const char *argument = argv[*place];
    const size_t size = strlen(name);
    if (argument == NULL || strncmp(argument, name, size) != 0) {
        return NULL;
    }
    if (argument[size] == '=') {
        return argument + size + 1;
    }
    if (argument[size] == '\0' && *place + 1 < argc) {
        (*place)++;
        return argv[*place];
    }
    return NULL;
}

/* "--name", or "--name=" and what a bool may be. */
static bool take_switch(const char *argument, const char *name, bool *out_value)
{
    const size_t size = strlen(name);
    if (strncmp(argument, name, size) != 0) {
        return false;
    }
    if (argument[size] == '\0') {
        *out_value = true;
        return true;
    }
    return argument[size] == '=' &&
           config_read_bool(bytes_of_string(argument + size + 1), out_value) == ERR_OK;
}

static struct arguments parse_arguments(int argc, char **argv)
{
    struct arguments arguments = {.config_file = NULL};
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        const char *config_file = value_of(argc, argv, &i, "--config");
        const char *mode = config_file == NULL ? value_of(argc, argv, &i, "--mode") : NULL;
        if (config_file != NULL) {
            arguments.config_file = config_file;
        } else if (mode != NULL) {
            arguments.mode = mode;
        } else if (take_switch(argument, "-i", &arguments.is_missing_allowed) ||
                   take_switch(argument, "--ignoreMissingConfig", &arguments.is_missing_allowed)) {
            continue;
        } else if (strcmp(argument, "--explain-memory") == 0) {
            arguments.is_explaining = true;
        } else if (strcmp(argument, "--accept-loss") == 0) {
            arguments.is_loss_accepted = true;
        } else if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            arguments.is_help = true;
        } else {
            arguments.unknown = argument;
        }
    }
    return arguments;
}

static int print_help(void)
{
    puts("usage: jingu serve [--config FILE] [--mode debug|release] [-i] [--explain-memory]\n"
         "                   [--accept-loss]\n\n"
         "  --config FILE     a YAML file, of Jingu or of WuKongIM v2\n"
         "  -i                a missing file is not an error\n"
         "  --mode MODE       the default of the key `mode`\n"
         "  --explain-memory  print what each part may use, and end\n"
         "  --accept-loss     start without what stands behind damage in the write-ahead log");
    return 0;
}

static enum err read_source(const struct arguments *arguments, uint8_t *area,
                            struct config_source *out_source)
{
    *out_source = (struct config_source){.mode = arguments->mode,
                                         .environment = (const char *const *)environ};
    if (arguments->config_file == NULL) {
        return ERR_OK;
    }
    const enum err err = config_read_file(arguments->config_file, area, &out_source->text);
    if (err == ERR_ABSENT && arguments->is_missing_allowed) {
        return ERR_OK;
    }
    if (err != ERR_OK) {
        fprintf(stderr, "jingu: cannot read %s: %s\n", arguments->config_file,
                config_read_fault(err));
        return err;
    }
    out_source->name = arguments->config_file;
    return ERR_OK;
}

static enum err load_config(const struct arguments *arguments, struct config *config,
                            struct config_report *report)
{
    static uint8_t area[CONFIG_FILE_BYTES_MAX + 1];
    struct config_source source;
    enum err err = read_source(arguments, area, &source);
    if (err != ERR_OK) {
        return err;
    }
    config_report_init(report, source.name != NULL ? source.name : "environment");
    err = config_load(config, &source, report);
    config->is_loss_accepted = arguments->is_loss_accepted;
    if (err == ERR_OK) {
        struct machine_facts facts;
        machine_facts(&facts);
        const struct config_machine machine = {
            .home = facts.home,
            .private_ip =
                config_address_is_loopback(&config->tcp_addr) ? "127.0.0.1" : facts.private_ip,
            .memory_limit_bytes = config_cgroup_limit(""),
            .cores_count = facts.cores_count,
        };
        err = config_derive(config, &machine, report);
    }
    if (err != ERR_OK) {
        config_report_print(report, stderr);
    }
    return err;
}

static void say_started(const struct config *config, const struct capacity *capacity,
                        const struct node *node)
{
    printf("jingu %s\n", JINGU_VERSION);
    node_print(node, stdout);
    printf("  data  %s (durability: %s)\n", config->data_dir,
           config->durability == CONFIG_DURABILITY_SYNCED ? "synced" : "written");
    capacity_print(capacity, stdout);
    printf("\nSend your first message:\n"
           "  curl -s http://127.0.0.1:%u/message/send -d "
           "'{\"from_uid\":\"u1\",\"channel_id\":\"u2\",\"channel_type\":1,"
           "\"payload\":\"aGVsbG8=\"}'\n",
           config->http_addr.port);
    fflush(stdout);
}

/* The configuration is read again on SIGHUP. What the server was started with stays as it is, since
 * parts of it are borrowed until the end. Two others take turns: parts of the server may still be
 * reading the one before, and until they have left it a reload is owed, not refused. One is owed
 * however often it was asked for, since it reads the file as it is then. */
struct reloading {
    const struct config *current;
    struct config *others;
    uint32_t turn; /* which of the others is free */
    bool is_owed;
};

static void reload(struct node *node, const struct arguments *arguments,
                   struct reloading *reloading)
{
    static struct config_report report;
    struct config *config = &reloading->others[reloading->turn];
    reloading->is_owed = false;
    if (load_config(arguments, config, &report) != ERR_OK) {
        LOG_ERROR("reload_refused", F_STR("why", "the configuration has faults"));
        return;
    }
    config_report_log(&report);
    config_log_fixed(reloading->current, config);
    logger_set_level(config_log_level(config));
    node_reload(node, config);
    reloading->current = config;
    reloading->turn ^= 1u;
}

static int ms_until(uint64_t end_ns)
{
    const uint64_t now_ns = clock_now_ns();
    return now_ns >= end_ns ? 0 : (int)((end_ns - now_ns) / 1000000u) + 1;
}

static void run_until_stopped(struct node *node, const struct arguments *arguments,
                              const struct config *config)
{
    static struct config others[2];
    struct reloading reloading = {.current = config, .others = others};
    uint64_t tick_ns = clock_now_ns() + SECOND_NS;
    for (;;) {
        const enum signal_order order = signals_wait(reloading.is_owed ? 10 : ms_until(tick_ns));
        if (order == SIGNAL_STOP) {
            return;
        }
        if (order == SIGNAL_RELOAD) {
            reloading.is_owed = true;
        }
        if (reloading.is_owed && node_may_reload(node)) {
            reload(node, arguments, &reloading);
        }
        if (clock_now_ns() >= tick_ns) {
            node_tick(node);
            tick_ns = clock_now_ns() + SECOND_NS;
        }
    }
}

static int refuse_memory(const struct config *config, const struct capacity_refusal *refusal)
{
    fprintf(stderr, "jingu: memory: %llu MiB do not suffice; the smallest that would is %llu MiB\n",
            (unsigned long long)(config->memory_bytes >> 20),
            (unsigned long long)(refusal->smallest_bytes >> 20));
    if (refusal->connections_max > 0) {
        fprintf(stderr, "jingu: or maxConnections of at most %u\n", refusal->connections_max);
    }
    return EXIT_CONFIG;
}

/* ---- The end. ---- */

/* A thread that ends the process when a disk that no longer answers keeps everybody from ending. */
struct last_resort {
    struct thread thread;
    struct monitor monitor;
    bool is_over; /* it is not needed */
};

static void last_resort_run(void *context)
{
    struct last_resort *resort = context;
    const uint64_t end_ns = clock_now_ns() + STOP_MS_MAX * 1000000ULL;
    monitor_enter(&resort->monitor);
    while (!resort->is_over && clock_now_ns() < end_ns) {
        monitor_wait_ms(&resort->monitor, 1000);
    }
    const bool is_over = resort->is_over;
    monitor_leave(&resort->monitor);
    if (!is_over) {
        LOG_ERROR("stop_abandoned", F_STR("why", "the disk does not answer; what it has not "
                                                 "confirmed was not acknowledged"));
        _exit(EXIT_STOP);
    }
}

static void stop(struct node *node)
{
    struct last_resort resort = {.is_over = false};
    LOG_INFO("stopping");
    const uint64_t began_ns = clock_now_ns();
    monitor_init(&resort.monitor);
    ERR_IGNORE(thread_start(&resort.thread, "last resort", last_resort_run, &resort),
               "there is nothing better to do than to stop without it");
    node_stop(node);
    monitor_enter(&resort.monitor);
    resort.is_over = true;
    monitor_signal_all(&resort.monitor);
    monitor_leave(&resort.monitor);
    thread_join(&resort.thread);
    monitor_deinit(&resort.monitor);
    LOG_INFO("stopped", F_U64("took_ms", (clock_now_ns() - began_ns) / 1000000u));
}

static int serve(const struct arguments *arguments, struct config *config,
                 const struct config_report *report)
{
    struct capacity capacity;
    struct capacity_refusal refusal;
    if (capacity_plan(config, file_descriptors_max(), &capacity, &refusal) != ERR_OK) {
        return refuse_memory(config, &refusal);
    }
    if (arguments->is_explaining) {
        capacity_print(&capacity, stdout);
        return 0;
    }
    const struct logger_options logger = {
        .out = stderr,
        .wall_ms = clock_wall_ms,
        .level = config_log_level(config),
        .format = config->log_format,
        .has_source = config->has_log_source,
    };
    logger_start(&logger);
    config_report_log(report);
    signals_block();
    struct node *node = NULL;
    struct store_fault why = {.text = ""};
    if (node_start(config, &capacity, &node, &why) != ERR_OK) {
        LOG_ERROR("start_failed", F_STR("why", why.text));
        fprintf(stderr, "jingu: cannot start: %s\n", why.text);
        logger_stop();
        return EXIT_START;
    }
    LOG_INFO("started", F_STR("version", JINGU_VERSION), F_STR("data", config->data_dir),
             F_U64("memory_bytes", config->memory_bytes), F_U64("shards", capacity.shards_count));
    say_started(config, &capacity, node);
    run_until_stopped(node, arguments, config);
    stop(node);
    logger_stop();
    return 0;
}

int command_serve(int argc, char **argv)
{
    static struct config config;
    static struct config_report report;
    const struct arguments arguments = parse_arguments(argc, argv);
    if (arguments.is_help) {
        return print_help();
    }
    if (arguments.unknown != NULL) {
        fprintf(stderr, "jingu serve: unknown argument '%s'\n", arguments.unknown);
        return EXIT_CONFIG;
    }
    if (load_config(&arguments, &config, &report) != ERR_OK) {
        return EXIT_CONFIG;
    }
    return serve(&arguments, &config, &report);
}
