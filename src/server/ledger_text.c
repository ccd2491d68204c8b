#include "server/ledger_text.h"

#include "server/alarms.h"
#include "telemetry/exposition.h"
#include "wire/json_text.h"

#include <string.h>

#define SUMS_MAX 64u /* different holders; more than there are */

static void write_word(struct json_text *json, const char *name, const char *value)
{
    json_text_key(json, name);
    json_text_string(json, bytes_of_string(value));
}

static int64_t unaccounted_bytes(const struct ledger_totals *totals)
{
    return (int64_t)totals->resident_bytes - (int64_t)totals->ledger_bytes;
}

/* ---- JSON. ---- */

static void write_holder(void *context, const struct ledger_line *line)
{
    struct json_text *json = context;
    json_text_object_begin(json);
    write_word(json, "part", line->part);
    json_text_member_unsigned(json, "index", line->index);
    write_word(json, "holder", line->holder);
    json_text_member_unsigned(json, "used", line->used_bytes);
    json_text_member_unsigned(json, "peak", line->peak_bytes);
    json_text_key(json, "limit");
    if (line->limit_bytes == BUDGET_UNLIMITED) {
        json_text_null(json);
    } else {
        json_text_unsigned(json, line->limit_bytes);
    }
    json_text_member_unsigned(json, "refused", line->refused_count);
    json_text_member_unsigned(json, "given_back", line->given_back_bytes);
    json_text_object_end(json);
}

static void write_alarms(struct json_text *json, const struct alarms *alarms)
{
    json_text_key(json, "alarms");
    json_text_array_begin(json);
    for (uint32_t i = 0; i < ALARMS_COUNT; i++) {
        if (alarms_is_raised(alarms, (enum alarm)i)) {
            json_text_string(json, bytes_of_string(alarms_name((enum alarm)i)));
        }
    }
    json_text_array_end(json);
}

void ledger_write_json(struct ledger *ledger, const struct alarms *alarms, struct writer *out)
{
    struct ledger_totals totals;
    ledger_totals(ledger, &totals);
    struct json_text json = json_text_of(out);
    json_text_object_begin(&json);
    json_text_member_unsigned(&json, "budget", totals.budget_bytes);
    json_text_member_unsigned(&json, "resident", totals.resident_bytes);
    json_text_member_unsigned(&json, "resident_peak", totals.resident_bytes_max);
    json_text_member_unsigned(&json, "ledger", totals.ledger_bytes);
    json_text_key(&json, "unaccounted");
    json_text_signed(&json, unaccounted_bytes(&totals));
    write_alarms(&json, alarms);
    json_text_key(&json, "holders");
    json_text_array_begin(&json);
    ledger_visit(ledger, &totals, write_holder, &json);
    json_text_array_end(&json);
    json_text_object_end(&json);
}

static void write_span(struct json_text *json, struct ledger *ledger, const char *name,
                       enum ledger_span span)
{
    struct ledger_point points[LEDGER_POINTS_MAX];
    uint32_t seconds = 0;
    const uint32_t count = ledger_points(ledger, span, points, &seconds);
    json_text_key(json, name);
    json_text_object_begin(json);
    json_text_member_unsigned(json, "seconds_per_point", seconds);
    json_text_key(json, "points");
    json_text_array_begin(json);
    for (uint32_t i = 0; i < count; i++) {
        json_text_array_begin(json);
        json_text_unsigned(json, points[i].resident_kib);
        json_text_unsigned(json, points[i].ledger_kib);
        json_text_array_end(json);
    }
    json_text_array_end(json);
    json_text_object_end(json);
}

void ledger_write_history(struct ledger *ledger, struct writer *out)
{
    struct ledger_totals totals;
    ledger_totals(ledger, &totals);
    struct json_text json = json_text_of(out);
    json_text_object_begin(&json);
    json_text_member_unsigned(&json, "budget_kib", totals.budget_bytes / 1024u);
    write_span(&json, ledger, "hour", LEDGER_HOUR);
    write_span(&json, ledger, "day", LEDGER_DAY);
    write_span(&json, ledger, "week", LEDGER_WEEK);
    json_text_object_end(&json);
}

/* ---- Prometheus. ---- */

/* Lines of one part and holder, added up over the shards. */
struct sums {
    struct ledger_line lines[SUMS_MAX];
    uint32_t count;
};

static uint64_t add_limits(uint64_t a, uint64_t b)
{
    return a == BUDGET_UNLIMITED || b == BUDGET_UNLIMITED ? BUDGET_UNLIMITED : a + b;
}

static void sum_line(void *context, const struct ledger_line *line)
{
    struct sums *sums = context;
    for (uint32_t i = 0; i < sums->count; i++) {
        struct ledger_line *sum = &sums->lines[i];
        if (strcmp(sum->part, line->part) == 0 && strcmp(sum->holder, line->holder) == 0) {
            sum->used_bytes += line->used_bytes;
            sum->peak_bytes += line->peak_bytes;
            sum->limit_bytes = add_limits(sum->limit_bytes, line->limit_bytes);
            sum->refused_count += line->refused_count;
            sum->given_back_bytes += line->given_back_bytes;
            return;
        }
    }
    if (sums->count < SUMS_MAX) {
        sums->lines[sums->count++] = *line;
    }
}

/* A column of the ledger. */
struct column {
    const char *name;
    const char *type;
    const char *help;
    size_t offset; /* of the figure in struct ledger_line */
};

static const struct column columns[] = {
    {"jingu_ledger_used_bytes", "gauge", "Bytes that a holder has.",
     offsetof(struct ledger_line, used_bytes)},
    {"jingu_ledger_peak_bytes", "gauge", "The most that a holder had.",
     offsetof(struct ledger_line, peak_bytes)},
    {"jingu_ledger_limit_bytes", "gauge", "What a holder may have.",
     offsetof(struct ledger_line, limit_bytes)},
    {"jingu_ledger_refused_total", "counter", "Charges that a holder refused.",
     offsetof(struct ledger_line, refused_count)},
    {"jingu_ledger_given_back_bytes_total", "counter", "Bytes given back in quiet times.",
     offsetof(struct ledger_line, given_back_bytes)},
};

static void write_column(struct writer *out, const struct column *column, const struct sums *sums)
{
    exposition_family(out, column->name, column->type, column->help);
    for (uint32_t i = 0; i < sums->count; i++) {
        const struct ledger_line *line = &sums->lines[i];
        uint64_t value;
        memcpy(&value, (const uint8_t *)line + column->offset, sizeof(value));
        const struct exposition_label labels[] = {
            {.name = "part", .value = bytes_of_string(line->part)},
            {.name = "holder", .value = bytes_of_string(line->holder)},
        };
        if (value != BUDGET_UNLIMITED) {
            exposition_sample_u64(out, column->name, labels, COUNT_OF(labels), value);
        }
    }
}

static void write_gauge(struct writer *out, const char *name, const char *help, int64_t value)
{
    exposition_family(out, name, "gauge", help);
    exposition_sample_i64(out, name, NULL, 0, value);
}

static void write_counts(struct writer *out, struct ledger *ledger)
{
    static const char name[] = "jingu_store_lasts_total";
    struct store_counts counts;
    store_counts(ledger->store, &counts);
    const struct exposition_label hit = {.name = "result", .value = BYTES_OF("hit")};
    const struct exposition_label miss = {.name = "result", .value = BYTES_OF("miss")};
    exposition_family(out, name, "counter",
                      "Ends of logs that were asked for, by whether they were remembered.");
    exposition_sample_u64(out, name, &hit, 1, counts.lasts_hits);
    exposition_sample_u64(out, name, &miss, 1, counts.lasts_misses);
}

static void write_alarm_metrics(struct writer *out, const struct alarms *alarms)
{
    exposition_family(out, "jingu_alarm", "gauge", "1 while an alarm is raised.");
    for (uint32_t i = 0; i < ALARMS_COUNT; i++) {
        const struct exposition_label label = {
            .name = "alarm", .value = bytes_of_string(alarms_name((enum alarm)i))};
        exposition_sample_u64(out, "jingu_alarm", &label, 1,
                              alarms_is_raised(alarms, (enum alarm)i) ? 1 : 0);
    }
}

void ledger_write_metrics(struct ledger *ledger, const struct alarms *alarms, struct writer *out)
{
    struct ledger_totals totals;
    ledger_totals(ledger, &totals);
    write_gauge(out, "jingu_memory_budget_bytes", "What the process may take.",
                (int64_t)totals.budget_bytes);
    write_gauge(out, "jingu_memory_resident_bytes", "What the process takes.",
                (int64_t)totals.resident_bytes);
    write_gauge(out, "jingu_memory_resident_peak_bytes", "The most that it ever took.",
                (int64_t)totals.resident_bytes_max);
    write_gauge(out, "jingu_memory_ledger_bytes", "The sum of all holders.",
                (int64_t)totals.ledger_bytes);
    write_gauge(out, "jingu_memory_unaccounted_bytes", "Resident less ledger; may be below zero.",
                unaccounted_bytes(&totals));
    struct sums sums = {.count = 0};
    ledger_visit(ledger, &totals, sum_line, &sums);
    for (uint32_t i = 0; i < COUNT_OF(columns); i++) {
        write_column(out, &columns[i], &sums);
    }
    write_counts(out, ledger);
    write_alarm_metrics(out, alarms);
}
