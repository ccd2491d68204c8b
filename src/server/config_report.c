#include "server/config_report.h"

#include "base/assert.h"
#include "base/utf8.h"
#include "server/config_table.h"
#include "telemetry/logger.h"

#include <stdarg.h>

_Static_assert(sizeof(((struct config_report *)0)->is_ignored) == CONFIG_KEYS_MAX, "one per row");

void config_report_init(struct config_report *report, const char *name)
{
    *report = (struct config_report){.name = name};
}

/* The text may carry what a file or a variable contains: nothing in it may move a cursor, and a
 * character that was cut in two goes. */
static void make_harmless(char *text)
{
    struct bytes rest = bytes_of_string(text);
    while (rest.size > 0) {
        const size_t size = utf8_size(rest);
        const uint8_t byte = rest.data[0];
        const bool is_control =
            byte < 0x20 || byte == 0x7f || (byte == 0xc2 && size == 2 && rest.data[1] < 0xa0);
        char *at = text + (rest.data - (const uint8_t *)text);
        if (size == 0 || is_control) {
            *at = '?';
        }
        rest = bytes_skip(rest, size == 0 || is_control ? 1 : size);
    }
}

/* The place for one more message, or NULL: then it is only counted. */
static struct config_message *add_message(struct config_message *messages, uint32_t messages_max,
                                          uint32_t *count, struct config_place place)
{
    struct config_message *message = *count < messages_max ? &messages[*count] : NULL;
    (*count)++;
    if (message != NULL) {
        message->place = place;
    }
    return message;
}

void config_fault(struct config_report *report, struct config_place place, const char *format, ...)
{
    struct config_message *message =
        add_message(report->faults, CONFIG_FAULTS_MAX, &report->faults_count, place);
    if (message != NULL) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(message->text, sizeof(message->text), format, arguments);
        va_end(arguments);
        make_harmless(message->text);
    }
}

void config_warning(struct config_report *report, struct config_place place, const char *format,
                    ...)
{
    struct config_message *message =
        add_message(report->warnings, CONFIG_WARNINGS_MAX, &report->warnings_count, place);
    if (message != NULL) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(message->text, sizeof(message->text), format, arguments);
        va_end(arguments);
        make_harmless(message->text);
    }
}

static const char *name_of(const struct config_report *report)
{
    return report->name != NULL ? report->name : "configuration";
}

/* The variable or the file, and the line if there is one. */
static void print_origin(const struct config_report *report, struct config_place place, FILE *out)
{
    if (place.variable != NULL) {
        fprintf(out, "%.*s", (int)strcspn(place.variable, "="), place.variable);
        return;
    }
    fputs(name_of(report), out);
    if (place.line > 0) {
        fprintf(out, ":%u", place.line);
    }
}

void config_report_print(const struct config_report *report, FILE *out)
{
    for (uint32_t i = 0; i < report->faults_count && i < CONFIG_FAULTS_MAX; i++) {
        const struct config_message *fault = &report->faults[i];
        print_origin(report, fault->place, out);
        if (fault->place.line > 0) {
            fprintf(out, ":%u", fault->place.column);
        }
        fprintf(out, ": %s\n", fault->text);
    }
    if (report->faults_count > CONFIG_FAULTS_MAX) {
        fprintf(out, "%s: and %u more\n", name_of(report),
                report->faults_count - CONFIG_FAULTS_MAX);
    }
}

void config_report_print_warnings(const struct config_report *report, FILE *out)
{
    for (uint32_t i = 0; i < report->warnings_count && i < CONFIG_WARNINGS_MAX; i++) {
        print_origin(report, report->warnings[i].place, out);
        fprintf(out, ": warning: %s\n", report->warnings[i].text);
    }
}

struct ignored_names {
    uint8_t area[LOG_LINE_BYTES_MAX / 2];
    struct writer writer;
    uint32_t count;
};

static void begin_names(struct ignored_names *names)
{
    names->writer = writer_of(names->area, sizeof(names->area));
    names->count = 0;
}

/* False: there is no room for it in this line. */
static bool add_name(struct ignored_names *names, const char *name)
{
    const struct writer before = names->writer;
    writer_bytes_add(&names->writer, bytes_of_string(names->count == 0 ? "" : " "));
    writer_bytes_add(&names->writer, bytes_of_string(name));
    if (names->writer.is_full) {
        names->writer = before;
        return false;
    }
    names->count++;
    return true;
}

static void log_names(const struct ignored_names *names, const char *why)
{
    LOG_INFO("config_no_effect", F_BYTES("keys", writer_bytes(&names->writer)),
             F_U64("count", names->count), F_STR("because", why));
}

/* The names of the ignored keys that have the same reason as `row`, which is the first of them; in
 * as many lines as they need, so that each is named. */
static void log_ignored(const struct config_report *report, uint32_t row)
{
    struct ignored_names names;
    const char *why = config_key(row)->why;
    begin_names(&names);
    for (uint32_t other = row; other < config_keys_count(); other++) {
        const struct config_key *key = config_key(other);
        if (!report->is_ignored[other] || strcmp(key->why, why) != 0) {
            continue;
        }
        if (!add_name(&names, key->name)) {
            log_names(&names, why);
            begin_names(&names);
            const bool is_named = add_name(&names, key->name);
            ASSERT(is_named); /* a name is shorter than a line */
        }
    }
    log_names(&names, why);
}

static bool is_first_of_reason(const struct config_report *report, uint32_t row)
{
    if (!report->is_ignored[row]) {
        return false;
    }
    for (uint32_t other = 0; other < row; other++) {
        if (report->is_ignored[other] &&
            strcmp(config_key(other)->why, config_key(row)->why) == 0) {
            return false;
        }
    }
    return true;
}

void config_report_log(const struct config_report *report)
{
    for (uint32_t i = 0; i < report->warnings_count && i < CONFIG_WARNINGS_MAX; i++) {
        const struct config_message *warning = &report->warnings[i];
        LOG_WARN("config_warning", F_STR("what", warning->text),
                 F_U64("line", warning->place.line));
    }
    for (uint32_t row = 0; row < config_keys_count(); row++) {
        if (is_first_of_reason(report, row)) {
            log_ignored(report, row);
        }
    }
}
