/*
 * options.h -- a tool's command line, read by a table: `--name VALUE`, `--name=VALUE`, `--flag`.
 *
 * Every option is a line of one table: where it goes in the tool's struct, its bounds, its default,
 * its help, and in which cases it has a meaning. An option that has none in the case at hand is
 * refused, so that nobody believes to have asked for what was not done. Faults are printed.
 *
 * Texts are borrowed from the table and from `argv`.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_kind {
    OPTION_NUMBER = 0, /* a uint32_t */
    OPTION_TEXT,       /* a const char * */
    OPTION_FLAG,       /* a bool, true when it is given */
};

#define OPTION_ALWAYS UINT32_MAX /* it has a meaning in every case */

struct option {
    const char *name;
    const char *argument; /* as help shows it; NULL for a flag */
    const char *help;
    const char *text; /* the default of a text; or NULL */
    size_t offset;    /* of the field in the tool's struct */
    enum option_kind kind;
    uint32_t cases;  /* a sum of bits, as the tool numbers its cases */
    uint32_t number; /* the default of a number; 0 is not told in help */
    uint32_t min;
    uint32_t max;
};

struct option_table {
    const char *command; /* "jingu bench", for faults */
    const struct option *options;
    size_t count;
};

/* Sets the fields that have a default, and no others. */
void options_set_defaults(const struct option_table *table, void *out_fields);

/* Reads all words of `argv`, in the case with this bit. ERR_PROTOCOL: there is a fault, which was
 * printed. ERR_ABSENT: help is wanted. */
MUST_USE enum err options_read(const struct option_table *table, uint32_t in_case, int argc,
                               char **argv, void *out_fields);

/* Its line in help. */
void option_print(const struct option *option, FILE *out);

/* Prints what is wrong `about` a word, which may be empty. ERR_PROTOCOL, always. */
enum err options_fault(const struct option_table *table, const char *about, const char *what);
