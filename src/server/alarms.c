#include "server/alarms.h"

#include "telemetry/logger.h"

#include <stdatomic.h>
#include <stdio.h>

#define BEHIND_MIN 16u /* sessions; fewer are nobody's business */

static const char *const names[ALARMS_COUNT] = {
    [ALARM_BUDGET] = "budget",
    [ALARM_UNACCOUNTED] = "unaccounted",
    [ALARM_HOLDER_FULL] = "holder-full",
    [ALARM_REFUSALS] = "refusals",
    [ALARM_SESSIONS_BEHIND] = "sessions-behind",
    [ALARM_CURSORS_FILLING] = "cursors-filling",
    [ALARM_CURSORS_FULL] = "cursors-full",
    [ALARM_DISK_SHORT] = "disk-short",
};

/* What one tick sees. */
struct sight {
    struct alarms *alarms;
    uint32_t lines_count;
    uint64_t refused_count;
    char full_holder[64]; /* one that has been full for a minute; "" if none */
    uint64_t full_bytes;
};

void alarms_init(struct alarms *alarms, struct ledger *ledger, const struct metrics *metrics)
{
    *alarms = (struct alarms){.ledger = ledger,
                              .metrics = metrics,
                              .refused_quiet_ticks = ALARM_MINUTE_TICKS,
                              .filling_quiet_ticks = ALARM_MINUTE_TICKS,
                              .cursors_quiet_ticks = ALARM_MINUTE_TICKS};
}

const char *alarms_name(enum alarm alarm)
{
    return names[alarm];
}

bool alarms_is_raised(const struct alarms *alarms, enum alarm alarm)
{
    return atomic_load_explicit(&alarms->is_raised[alarm], memory_order_relaxed);
}

/* `value` is the figure that decided, and `what` whose it is. */
static void alarm_set(struct alarms *alarms, enum alarm alarm, bool is_raised, uint64_t value,
                      const char *what)
{
    if (is_raised == alarms_is_raised(alarms, alarm)) {
        return;
    }
    atomic_store_explicit(&alarms->is_raised[alarm], is_raised, memory_order_relaxed);
    char runbook[48];
    snprintf(runbook, sizeof(runbook), "docs/memory.md#%s", names[alarm]);
    if (is_raised) {
        LOG_WARN("alarm_raised", F_STR("alarm", names[alarm]), F_STR("what", what),
                 F_U64("value", value), F_STR("runbook", runbook));
    } else {
        LOG_INFO("alarm_ended", F_STR("alarm", names[alarm]), F_U64("value", value));
    }
}

/* ---- Holders. ---- */

/* What is set aside once and for all is always full and never refuses: no news. */
static bool is_at_limit(const struct ledger_line *line)
{
    return line->limit_bytes != BUDGET_UNLIMITED && line->refused_count > 0 &&
           line->used_bytes > line->limit_bytes / 64 * 54;
}

static void look_at_line(void *context, const struct ledger_line *line)
{
    struct sight *sight = context;
    sight->refused_count += line->refused_count;
    const uint32_t place = sight->lines_count++;
    if (place >= ALARM_LINES_MAX) {
        return;
    }
    uint8_t *ticks = &sight->alarms->full_ticks[place];
    const uint8_t grown = *ticks < ALARM_MINUTE_TICKS ? (uint8_t)(*ticks + 1) : *ticks;
    *ticks = is_at_limit(line) ? grown : 0;
    if (*ticks == ALARM_MINUTE_TICKS) {
        snprintf(sight->full_holder, sizeof(sight->full_holder), "%s %u %s", line->part,
                 line->index, line->holder);
        sight->full_bytes = line->used_bytes;
    }
}

/* ---- The rest. ---- */

/* Counts ticks in a row. */
static bool lasts(uint32_t *ticks, bool is_so)
{
    *ticks = is_so ? *ticks + 1 : 0;
    return *ticks >= ALARM_MINUTE_TICKS;
}

/* Did `*count` grow within the last minute? */
static bool grew(uint64_t *count, uint32_t *quiet_ticks, uint64_t now)
{
    const bool is_grown = now > *count;
    *count = now;
    *quiet_ticks = is_grown ? 0 : *quiet_ticks + 1;
    return *quiet_ticks < ALARM_MINUTE_TICKS;
}

static void look_at_totals(struct alarms *alarms, const struct ledger_totals *totals)
{
    const uint64_t budget = totals->budget_bytes;
    alarm_set(alarms, ALARM_BUDGET, totals->resident_bytes > budget / 20 * 19,
              totals->resident_bytes, "resident");
    const uint64_t resident = totals->resident_bytes;
    const uint64_t nobodys = resident > totals->ledger_bytes ? resident - totals->ledger_bytes : 0;
    alarm_set(alarms, ALARM_UNACCOUNTED,
              lasts(&alarms->unaccounted_ticks, nobodys > budget / 100 * 12), nobodys,
              "resident less ledger");
}

static void look_at_metrics(struct alarms *alarms)
{
    const uint64_t behind = metrics_sum(alarms->metrics, METRIC_SESSIONS_BEHIND);
    const uint64_t sessions = metrics_sum(alarms->metrics, METRIC_SESSIONS);
    const bool is_many = behind >= BEHIND_MIN && behind > sessions / 20;
    alarm_set(alarms, ALARM_SESSIONS_BEHIND, lasts(&alarms->behind_ticks, is_many), behind,
              "sessions");
    const uint64_t filling = metrics_sum(alarms->metrics, METRIC_CURSORS_FILLING);
    alarm_set(alarms, ALARM_CURSORS_FILLING,
              grew(&alarms->filling_count, &alarms->filling_quiet_ticks, filling), filling,
              "times");
    const uint64_t closed = metrics_sum(alarms->metrics, METRIC_CLOSED_BEHIND);
    alarm_set(alarms, ALARM_CURSORS_FULL,
              grew(&alarms->closed_behind_count, &alarms->cursors_quiet_ticks, closed), closed,
              "sessions closed");
    const uint64_t free_bytes = metrics_sum(alarms->metrics, METRIC_DISK_FREE);
    const bool is_short = metrics_sum(alarms->metrics, METRIC_DISK_SHORT) > 0;
    alarm_set(alarms, ALARM_DISK_SHORT, is_short, free_bytes, "bytes free");
}

void alarms_tick(struct alarms *alarms)
{
    struct ledger_totals totals;
    ledger_totals(alarms->ledger, &totals);
    look_at_totals(alarms, &totals);
    struct sight sight = {.alarms = alarms};
    ledger_visit(alarms->ledger, &totals, look_at_line, &sight);
    alarm_set(alarms, ALARM_HOLDER_FULL, sight.full_holder[0] != '\0', sight.full_bytes,
              sight.full_holder);
    alarm_set(alarms, ALARM_REFUSALS,
              grew(&alarms->refused_count, &alarms->refused_quiet_ticks, sight.refused_count),
              sight.refused_count, "charges");
    look_at_metrics(alarms);
}
