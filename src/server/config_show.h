/*
 * config_show.h -- a value as one would write it, for people and documents.
 */
#pragma once

#include "server/config_table.h"

#define CONFIG_SHOWN_BYTES_MAX 512

/* The value of a key that has a field: "3m", "256M", "true". Secrets as well: see is_secret. */
void config_show(const struct config *config, const struct config_key *key,
                 char out_text[CONFIG_SHOWN_BYTES_MAX]);

/* What a key may be: "a duration from 1s to 24h". */
void config_show_allowed(const struct config_key *key, char out_text[CONFIG_SHOWN_BYTES_MAX]);

/* Logs the keys that have another value in `next` and are not read again while the server runs. */
void config_log_fixed(const struct config *current, const struct config *next);
