/*
 * config_value.h -- how a value is written (configuration 1.5), and read.
 *
 * WuKongIM's rules, with deliberate differences where its rule hides a mistake
 * (configuration 20.2): the unit `d` is known; a plain number is no duration,
 * because it would mean nanoseconds; a word that is neither true nor false is
 * refused, because it would silently mean false.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

/* One text each. On ERR_PROTOCOL `out_why` is a literal to be shown. */
MUST_USE enum err config_read_bool(struct bytes text, bool *out_value);
MUST_USE enum err config_read_count(struct bytes text, uint64_t *out_value);
MUST_USE enum err config_read_duration(struct bytes text, uint64_t *out_ms, const char **out_why);
MUST_USE enum err config_read_size(struct bytes text, uint64_t *out_bytes, const char **out_why);

/* `scheme` is what may stand before "://". `out_host` is borrowed from `text` or a literal. */
MUST_USE enum err config_read_address(struct bytes text, const char *scheme, struct bytes *out_host,
                                      uint16_t *out_port);
