/*
 * config_table.h -- every key that exists, in one table.
 *
 * WuKongIM's keys (configuration 4 to 17), and our own. A row says how a value is
 * written, where it goes, what happens when it is not given, and what it does here.
 * Reading, checking, the printed example and docs/configuration.md are made from
 * the same rows, so that they cannot disagree.
 */
#pragma once

#include "base/bytes.h"
#include "server/config.h"

enum config_type {
    CONFIG_STRING = 0,
    CONFIG_BOOL,
    CONFIG_COUNT,    /* a whole number */
    CONFIG_DURATION, /* kept in milliseconds */
    CONFIG_SIZE,     /* kept in bytes */
    CONFIG_CHOICE,   /* one of `choices`, kept as its number */
    CONFIG_LIST,
    CONFIG_ADDRESS,
};

enum config_mark {
    CONFIG_WORKS = 0,
    CONFIG_RENAMED,   /* another spelling of the key named in `why` */
    CONFIG_NO_EFFECT, /* read and checked, and then not used; `why` tells */
};

#define CONFIG_NOWHERE UINT16_MAX

struct config_key {
    const char *name; /* as it is written: "external.ip" */
    enum config_type type;
    enum config_mark mark;
    uint16_t offset;          /* in struct config, or CONFIG_NOWHERE */
    bool is_ours;             /* not a key of WuKongIM: 0 means 0 */
    bool is_reloadable;       /* read again on SIGHUP */
    bool is_secret;           /* never shown */
    uint64_t min;             /* of counts, durations (ms), sizes */
    uint64_t max;             /* likewise */
    const char *choices;      /* of a choice, separated by '|'; of an address, its scheme or "" */
    const char *default_text; /* as one would write it */
    const char *default_note; /* in place of the above, for people; NULL: none */
    const char *help;
    const char *why; /* the reason, or the new name */
};

struct config_section {
    const char *title;
    const struct config_key *keys;
    uint32_t keys_count;
};

/* The sections in the order of the documents; rows are numbered through all of them. */
uint32_t config_sections_count(void);
const struct config_section *config_section(uint32_t index);

/* The number of rows; below CONFIG_KEYS_MAX. */
uint32_t config_keys_count(void);
const struct config_key *config_key(uint32_t row);

/* The row of the key with this name, whatever the case of its letters; or config_keys_count(). */
uint32_t config_key_find(struct bytes name);

/* Is this the beginning of some key's name, up to a dot? "external" is. */
bool config_key_is_section(struct bytes name);
bool config_key_is_below(uint32_t row, struct bytes section);

/* Writes the name of the key or section nearest to a name that does not exist. False: none is near.
 */
#define CONFIG_NEAREST_BYTES_MAX 64
bool config_key_nearest(struct bytes name, char out_name[CONFIG_NEAREST_BYTES_MAX]);

/* "WK_EXTERNAL_IP" for "external.ip" (configuration 1.4). */
#define CONFIG_VARIABLE_BYTES_MAX 80
void config_key_variable(const struct config_key *key, char out_name[CONFIG_VARIABLE_BYTES_MAX]);
