/*
 * config_report.h -- what was wrong with a configuration, and what its author should know.
 *
 * Faults stop the start. They are collected, so that a file is repaired in one
 * go; after CONFIG_FAULTS_MAX only their number grows. Warnings do not stop it.
 * Keys that were given but have no meaning here are remembered by row of the table.
 * Text from the input appears with its control characters replaced.
 */
#pragma once

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CONFIG_FAULTS_MAX        20u
#define CONFIG_WARNINGS_MAX      20u
#define CONFIG_MESSAGE_BYTES_MAX 320u

/* A place in the file, from 1; zeros: not in the file. */
struct config_place {
    uint32_t line;
    uint32_t column;
    const char *variable; /* NAME=VALUE of the environment, which it is instead; borrowed */
};

struct config_message {
    struct config_place place;
    char text[CONFIG_MESSAGE_BYTES_MAX];
};

struct config_report {
    const char *name; /* of the file; borrowed */
    struct config_message faults[CONFIG_FAULTS_MAX];
    uint32_t faults_count; /* may be larger than CONFIG_FAULTS_MAX */
    struct config_message warnings[CONFIG_WARNINGS_MAX];
    uint32_t warnings_count; /* may be larger than CONFIG_WARNINGS_MAX */
    bool is_ignored[256];    /* by row of the table: given, and without effect here */
};

void config_report_init(struct config_report *report, const char *name);

PRINTF_LIKE(3, 4)
void config_fault(struct config_report *report, struct config_place place, const char *format, ...);
PRINTF_LIKE(3, 4)
void config_warning(struct config_report *report, struct config_place place, const char *format,
                    ...);

/* Prints every fault as NAME:LINE:COLUMN: TEXT, or VARIABLE: TEXT. */
void config_report_print(const struct config_report *report, FILE *out);

/* Prints every warning as NAME:LINE: warning: TEXT, or VARIABLE: warning: TEXT. */
void config_report_print_warnings(const struct config_report *report, FILE *out);

/* Logs warnings, and the keys without effect, grouped by the reason: once, at start. */
void config_report_log(const struct config_report *report);
