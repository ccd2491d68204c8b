/*
 * config_yaml.h -- a YAML file as a sequence of (key, value, place).
 *
 * Nested maps become dotted names; a name may also be written with its dots.
 * Refused, because nobody needs them here and each is a way to surprise: anchors,
 * aliases, tags, more than one document, a key given twice. JSON is YAML.
 */
#pragma once

#include "server/config_assign.h"

#define CONFIG_DEPTH_MAX      8u   /* lists and maps in each other; keys have three levels */
#define CONFIG_NAME_BYTES_MAX 128u /* of a dotted name */

/* Called for each key of the table that stands in the file. */
typedef void config_yaml_fn(void *context, uint32_t row, const struct config_value *value);

/* Reads `text`; what is wrong is added to the report. */
void config_yaml_read(struct bytes text, config_yaml_fn *found, void *context,
                      struct config_report *report);
