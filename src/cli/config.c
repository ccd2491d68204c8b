#include "cli/commands.h"

#include "base/err.h"
#include "server/config.h"
#include "server/config_cgroup.h"
#include "server/config_print.h"
#include "server/config_table.h"
#include "system/machine.h"

#include <stdio.h>
#include <string.h>

extern char **environ;

/* What came of reading; too large for a stack, and this program reads one configuration. */
static struct config_report report;

/* What depends on the machine is filled in as `serve` would, so that a value that does not fit
 * another is found here as well. */
static enum err derive(struct config *config)
{
    struct machine_facts facts;
    machine_facts(&facts);
    const struct config_machine machine = {.home = facts.home,
                                           .private_ip = facts.private_ip,
                                           .memory_limit_bytes = config_cgroup_limit(""),
                                           .cores_count = facts.cores_count};
    return config_derive(config, &machine, &report);
}

static int load(const char *file, struct config *config)
{
    static uint8_t area[CONFIG_FILE_BYTES_MAX + 1];
    struct config_source source = {.name = file, .environment = (const char *const *)environ};
    const enum err err = file != NULL ? config_read_file(file, area, &source.text) : ERR_OK;
    if (err != ERR_OK) {
        fprintf(stderr, "jingu config: cannot read %s: %s\n", file, config_read_fault(err));
        return 2;
    }
    config_report_init(&report, file != NULL ? file : "environment");
    if (config_load(config, &source, &report) != ERR_OK || derive(config) != ERR_OK) {
        config_report_print(&report, stderr);
        return 2;
    }
    return 0;
}

/* What the author of a file should know although the server starts with it. */
static void print_remarks(void)
{
    config_report_print_warnings(&report, stdout);
    for (uint32_t row = 0; row < config_keys_count(); row++) {
        if (report.is_ignored[row]) {
            printf("%s: %s has no effect here, because %s\n", report.name, config_key(row)->name,
                   config_key(row)->why);
        }
    }
}

static int check(const char *file)
{
    static struct config config;
    const int status = load(file, &config);
    if (status == 0) {
        print_remarks();
        printf("%s: good\n", file);
    }
    return status;
}

static int explain(const char *key)
{
    static struct config config;
    const int status = load(NULL, &config);
    if (status != 0) {
        return status;
    }
    return config_explain(&config, bytes_of_string(key), stdout) == ERR_OK ? 0 : 2;
}

int command_config(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "check") == 0 && argc == 3) {
        return check(argv[2]);
    }
    if (strcmp(verb, "explain") == 0 && argc == 3) {
        return explain(argv[2]);
    }
    if (strcmp(verb, "example") == 0 && argc == 2) {
        config_print_example(stdout);
        return 0;
    }
    if (strcmp(verb, "reference") == 0 && argc == 2) {
        config_print_reference(stdout);
        return 0;
    }
    fputs("usage: jingu config check FILE | example | reference | explain KEY\n", stderr);
    return 2;
}
