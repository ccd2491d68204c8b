/*
 * config_environment.h -- WK_… variables as configuration (configuration 1.4).
 *
 * An empty variable counts as not set. A variable that begins with WK_ and names
 * no key is a warning and no refusal: orchestrators put variables there of their
 * own (WK_SERVICE_HOST), and WuKongIM ignores them.
 */
#pragma once

#include "server/config_assign.h"

/* Called for each key of the table that a variable sets. */
typedef void config_environment_fn(void *context, uint32_t row, const struct config_value *value);

/* `environment` ends with NULL, as environ does; NULL: there is none. */
void config_environment_read(const char *const *environment, config_environment_fn *found,
                             void *context, struct config_report *report);
