#include "cli/commands.h"

#include "base/compiler.h"

#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

static const struct command commands[] = {
    {"serve", command_serve, "run the server: serve [--config FILE] [--explain-memory]"},
    {"config", command_config, "check FILE | example | reference | explain KEY"},
    {"bench", command_bench, "measure a WKProto server: bench SCENARIO [OPTION…]"},
    {"soak", command_soak, "play hostile clients against a server here: soak [OPTION…]"},
    {"version", command_version, "print the version"},
};

static int print_help(FILE *out)
{
    fputs("usage: jingu COMMAND [ARGUMENTS]\n\n", out);
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
    }
    return out == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        return print_help(stderr);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        return print_help(stdout);
    }
    if (strcmp(argv[1], "--version") == 0) {
        return command_version(argc, argv);
    }
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    fprintf(stderr, "jingu: unknown command '%s'\n\n", argv[1]);
    return print_help(stderr);
}
