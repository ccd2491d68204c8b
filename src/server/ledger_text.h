/*
 * ledger_text.h -- the ledger as JSON, as Prometheus lines, and as a page that draws it.
 */
#pragma once

#include "base/bytes.h"
#include "server/ledger.h"

#define LEDGER_JSON_BYTES    (32u * 1024u) /* of most ledgers */
#define LEDGER_HISTORY_BYTES (48u * 1024u)

/* Everything: totals, holders, alarms. */
struct alarms;
void ledger_write_json(struct ledger *ledger, const struct alarms *alarms, struct writer *out);

/* The points of all spans, in KiB. */
void ledger_write_history(struct ledger *ledger, struct writer *out);

/* Holders of the same name in all shards are added up. */
void ledger_write_metrics(struct ledger *ledger, const struct alarms *alarms, struct writer *out);
