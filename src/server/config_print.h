/*
 * config_print.h -- the configuration, told: an example file, the reference, one key.
 *
 * All of it is made from the table. docs/configuration.md is the reference as
 * printed, and a test holds them together.
 */
#pragma once

#include "server/config.h"

/* A YAML file with every key that works, its default, and what it is for. It loads as it is. */
void config_print_example(FILE *out);

/* Markdown: every key, by section. */
void config_print_reference(FILE *out);

/* One key as it stands: value, where it came from, default, meaning; of a section, the names of its
 * keys. ERR_ABSENT: there is no such key, and the nearest is named. */
MUST_USE enum err config_explain(const struct config *config, struct bytes name, FILE *out);
