/*
 * api_time.h -- times as the API writes them; all of them are UTC.
 */
#pragma once

#include "wire/json_text.h"

/* RFC 3339: "2026-04-22T10:00:00.123Z". */
void api_time_write(struct json_text *json, uint64_t wall_ms);

/* "2026-04-22 10:00"; "" for 0. */
void api_time_write_short(struct json_text *json, uint64_t wall_ms);

/* How long something has lasted: "1y2d3h4m5s", from the first unit that is not zero (http-api
 * 14.2). */
void api_time_write_span(struct json_text *json, uint64_t span_ms);
