/*
 * api_backup.h -- POST /backup: a copy of the running database (store/backup.h). Ours, not
 * WuKongIM's; docs/operations.md describes it for operators.
 */
#pragma once

#include "edge/json_fields.h"

struct http_request;

extern const struct json_shape api_shape_backup;

void api_backup(struct http_request *request);
