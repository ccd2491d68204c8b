/*
 * alarms.h -- says when memory or the disk want an operator, once when it begins and once when it
 * ends.
 *
 * Looked at once a second. Each alarm is a line in the log, a series of `jingu_alarm`, an
 * entry in GET /ledger, and a section of docs/memory.md that says what to do.
 *
 * Main thread; whether one is raised may be read by any.
 */
#pragma once

#include "server/ledger.h"
#include "telemetry/metric.h"

enum alarm {
    ALARM_BUDGET = 0,      /* resident above 95 % of the budget */
    ALARM_UNACCOUNTED,     /* more than 12 % of the budget is nobody's, for a minute */
    ALARM_HOLDER_FULL,     /* a holder at its limit for a minute */
    ALARM_REFUSALS,        /* charges were refused in the last minute */
    ALARM_SESSIONS_BEHIND, /* more than a twentieth of the sessions, for a minute */
    ALARM_CURSORS_FILLING, /* sessions have three quarters of their cursors, in the last minute */
    ALARM_CURSORS_FULL, /* sessions closed in the last minute, too far behind in too many channels
                         */
    ALARM_DISK_SHORT,   /* writes are refused for want of disk */
    ALARMS_COUNT,
};

#define ALARM_MINUTE_TICKS 60u
#define ALARM_LINES_MAX    1024u /* holders that are watched one by one */

/* Private to alarms.c. */
struct alarms {
    struct ledger *ledger;
    const struct metrics *metrics;
    _Atomic bool is_raised[ALARMS_COUNT];
    uint32_t unaccounted_ticks;
    uint32_t behind_ticks;
    uint64_t refused_count; /* as of the last tick, as is the next */
    uint64_t filling_count;
    uint64_t closed_behind_count;
    uint32_t refused_quiet_ticks; /* since the last refusal, as is the next */
    uint32_t filling_quiet_ticks;
    uint32_t cursors_quiet_ticks;
    uint8_t full_ticks[ALARM_LINES_MAX]; /* of each holder, by its place in the ledger */
};

void alarms_init(struct alarms *alarms, struct ledger *ledger, const struct metrics *metrics);

/* Once a second, behind ledger_tick. */
void alarms_tick(struct alarms *alarms);

bool alarms_is_raised(const struct alarms *alarms, enum alarm alarm);
const char *alarms_name(enum alarm alarm);
