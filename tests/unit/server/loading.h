/*
 * loading.h -- a configuration read from a text in a test.
 */
#pragma once

#include "server/config.h"

#include "support/test.h"

#include <stdlib.h>

/* A config and its report; freed by `unload`. */
struct loaded {
    struct config *config;
    struct config_report *report;
    enum err err;
};

static inline struct loaded load_with(const char *text, const char *const *environment)
{
    struct loaded loaded = {.config = calloc(1, sizeof(struct config)),
                            .report = calloc(1, sizeof(struct config_report))};
    const struct config_source source = {.name = text != NULL ? "jingu.yaml" : NULL,
                                         .text = bytes_of_string(text != NULL ? text : ""),
                                         .environment = environment};
    loaded.err = config_load(loaded.config, &source, loaded.report);
    return loaded;
}

static inline struct loaded load(const char *text)
{
    return load_with(text, NULL);
}

static inline void unload(struct loaded *loaded)
{
    free(loaded->config);
    free(loaded->report);
}

/* The text loads; the caller frees what it gets. */
static inline struct loaded load_well(const char *text)
{
    struct loaded loaded = load(text);
    if (loaded.err != ERR_OK) {
        config_report_print(loaded.report, stdout);
    }
    CHECK_OK(loaded.err);
    return loaded;
}

/* The text is refused at this place, with a message that contains `part`. */
static inline void check_refused(const char *text, uint32_t line, uint32_t column, const char *part)
{
    struct loaded loaded = load(text);
    CHECK_EQ(loaded.err, ERR_PROTOCOL);
    CHECK(loaded.report->faults_count > 0);
    const struct config_message *fault = &loaded.report->faults[0];
    if (fault->place.line != line || fault->place.column != column ||
        strstr(fault->text, part) == NULL) {
        print_message("%u:%u: %s\n", fault->place.line, fault->place.column, fault->text);
    }
    CHECK_EQ(fault->place.line, line);
    CHECK_EQ(fault->place.column, column);
    CHECK(strstr(fault->text, part) != NULL);
    unload(&loaded);
}
