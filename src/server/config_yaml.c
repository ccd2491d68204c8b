#include "server/config_yaml.h"

#include "base/assert.h"

#include <strings.h>
#include <yaml.h>

/* Where the parser is: between a key and its value, or before a key. */
enum yaml_place {
    YAML_BEFORE_KEY = 0,
    YAML_BEFORE_VALUE,
};

/* One reading of a file. `name` is the dotted name of the map that is open, and behind it that of
 * the key whose value comes next. */
struct yaml_reading {
    yaml_parser_t parser;
    config_yaml_fn *found;
    void *context;
    struct config_report *report;
    enum yaml_place place;
    char name[CONFIG_NAME_BYTES_MAX];
    size_t name_size;
    size_t map_sizes[CONFIG_DEPTH_MAX]; /* of `name`, by open map */
    uint32_t depth;
    struct config_place key_place;
    uint32_t lines[CONFIG_KEYS_MAX]; /* where a key was given first; 0: not yet */
    uint32_t documents;
};

/* What to do after an event. */
enum yaml_step {
    YAML_GO_ON = 0,
    YAML_SKIP, /* the value that begins with this event */
    YAML_END,
};

static struct config_place place_of(yaml_mark_t mark)
{
    return (struct config_place){.line = (uint32_t)mark.line + 1,
                                 .column = (uint32_t)mark.column + 1};
}

static struct bytes scalar_of(const yaml_event_t *event)
{
    return (struct bytes){.data = event->data.scalar.value, .size = event->data.scalar.length};
}

static struct bytes name_of(const struct yaml_reading *reading)
{
    return (struct bytes){.data = (const uint8_t *)reading->name, .size = reading->name_size};
}

/* A plain scalar that stands for nothing: the key counts as not set. */
static bool is_null(const yaml_event_t *event)
{
    const struct bytes text = scalar_of(event);
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (bytes_equal(text, BYTES_OF("~")) || bytes_equal(text, BYTES_OF("null")) ||
            bytes_equal(text, BYTES_OF("Null")) || bytes_equal(text, BYTES_OF("NULL")));
}

/* The next event; false at the end of the file or of what can be read of it. */
static bool next_event(struct yaml_reading *reading, yaml_event_t *event)
{
    if (yaml_parser_parse(&reading->parser, event) != 0) {
        return true;
    }
    const yaml_parser_t *parser = &reading->parser;
    const char *problem = parser->problem != NULL ? parser->problem : "it cannot be read";
    config_fault(reading->report, place_of(parser->problem_mark), "not YAML: %s%s%s", problem,
                 parser->context != NULL ? " " : "",
                 parser->context != NULL ? parser->context : "");
    return false;
}

static bool opens(yaml_event_type_t type)
{
    return type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT;
}

static bool closes(yaml_event_type_t type)
{
    return type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT;
}

/* Reads on until the value that began with an opening event is over. libyaml takes time for each
 * open list or map at each event: a file that is nothing but brackets would cost its square. */
static enum yaml_step skip_value(struct yaml_reading *reading)
{
    for (uint32_t open = 1; open > 0;) {
        yaml_event_t event;
        if (!next_event(reading, &event)) {
            return YAML_END;
        }
        open += opens(event.type) ? 1 : 0;
        open -= closes(event.type) ? 1 : 0;
        const bool is_end = event.type == YAML_STREAM_END_EVENT || open > CONFIG_DEPTH_MAX;
        if (open > CONFIG_DEPTH_MAX) {
            config_fault(reading->report, place_of(event.start_mark), "nested too deeply");
        }
        yaml_event_delete(&event);
        if (is_end) {
            return YAML_END;
        }
    }
    return YAML_GO_ON;
}

static bool has_ornament(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return true;
    case YAML_SCALAR_EVENT:
        return event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor != NULL || event->data.sequence_start.tag != NULL;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor != NULL || event->data.mapping_start.tag != NULL;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return false;
    }
    return false;
}

/* The value of the current key is over: a key may follow. */
static void end_value(struct yaml_reading *reading)
{
    reading->place = YAML_BEFORE_KEY;
    reading->name_size = reading->depth > 0 ? reading->map_sizes[reading->depth - 1] : 0;
}

static enum yaml_step take_key(struct yaml_reading *reading, const yaml_event_t *event)
{
    const struct bytes key = scalar_of(event);
    const size_t dot = reading->name_size > 0 ? 1 : 0;
    reading->key_place = place_of(event->start_mark);
    reading->place = YAML_BEFORE_VALUE;
    if (key.size == 0 || reading->name_size + dot + key.size > sizeof(reading->name)) {
        config_fault(reading->report, reading->key_place, "a key has 1 to %zu letters, not %zu",
                     sizeof(reading->name), key.size);
        return YAML_END;
    }
    if (dot > 0) {
        reading->name[reading->name_size++] = '.';
    }
    memcpy(reading->name + reading->name_size, key.data, key.size);
    reading->name_size += key.size;
    return YAML_GO_ON;
}

/* Of a cluster nearly nothing has an effect here, and documents name keys by the dozen that no
 * release has read: a file with them must start. */
static bool is_of_cluster(struct bytes name)
{
    const char *section = "cluster.";
    return name.size > strlen(section) &&
           strncasecmp((const char *)name.data, section, strlen(section)) == 0;
}

static void report_unknown(struct yaml_reading *reading)
{
    char nearest[CONFIG_NEAREST_BYTES_MAX];
    const struct bytes name = name_of(reading);
    if (is_of_cluster(name)) {
        config_warning(reading->report, reading->key_place,
                       "unknown key \"%.*s\" is not used: this server is a single node",
                       (int)name.size, name.data);
        return;
    }
    /* Looking for the nearest is not free; a message that is not kept needs none. */
    const bool is_kept = reading->report->faults_count < CONFIG_FAULTS_MAX;
    if (is_kept && config_key_nearest(name, nearest)) {
        config_fault(reading->report, reading->key_place,
                     "unknown key \"%.*s\"; the nearest that exists is \"%s\"", (int)name.size,
                     name.data, nearest);
    } else {
        config_fault(reading->report, reading->key_place, "unknown key \"%.*s\"", (int)name.size,
                     name.data);
    }
}

/* The row that the current name stands for, after its renaming; config_keys_count(): none, and a
 * fault says so. */
static uint32_t find_row(struct yaml_reading *reading)
{
    uint32_t row = config_key_find(name_of(reading));
    if (row == config_keys_count()) {
        if (config_key_is_section(name_of(reading))) {
            config_fault(reading->report, reading->key_place,
                         "\"%.*s\" is a section: its keys come below it", (int)reading->name_size,
                         reading->name);
        } else {
            report_unknown(reading);
        }
        return row;
    }
    if (config_key(row)->mark == CONFIG_RENAMED) {
        row = config_key_find(bytes_of_string(config_key(row)->why));
    }
    if (reading->lines[row] != 0) {
        config_fault(reading->report, reading->key_place, "%s was already given in line %u",
                     config_key(row)->name, reading->lines[row]);
        return config_keys_count();
    }
    reading->lines[row] = reading->key_place.line;
    return row;
}

static enum yaml_step take_scalar(struct yaml_reading *reading, const yaml_event_t *event)
{
    struct config_value value = {.count = 1, .place = place_of(event->start_mark)};
    value.items[0] = is_null(event) ? BYTES_EMPTY : scalar_of(event);
    const bool is_empty_section = value.items[0].size == 0 &&
                                  config_key_is_section(name_of(reading)) &&
                                  config_key_find(name_of(reading)) == config_keys_count();
    if (!is_empty_section) {
        const uint32_t row = find_row(reading);
        if (row < config_keys_count()) {
            reading->found(reading->context, row, &value);
        }
    }
    end_value(reading);
    return YAML_GO_ON;
}

/* The items of one list; their bytes live in the events until the list is over. */
struct yaml_items {
    yaml_event_t events[CONFIG_LIST_MAX];
    struct config_value value;
};

static enum yaml_step take_items(struct yaml_reading *reading, struct yaml_items *items)
{
    for (;;) {
        yaml_event_t event;
        if (!next_event(reading, &event)) {
            return YAML_END;
        }
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return YAML_GO_ON;
        }
        const struct config_place place = place_of(event.start_mark);
        const bool is_plain = event.type == YAML_SCALAR_EVENT && !has_ornament(&event);
        if (!is_plain || items->value.count == CONFIG_LIST_MAX) {
            config_fault(reading->report, place, "%s",
                         is_plain ? "the list is too long" : "a list holds plain texts only");
            yaml_event_delete(&event);
            return YAML_END;
        }
        items->events[items->value.count] = event;
        items->value.items[items->value.count++] =
            is_null(&event) ? BYTES_EMPTY : scalar_of(&event);
    }
}

static enum yaml_step take_list(struct yaml_reading *reading, const yaml_event_t *event)
{
    const uint32_t row = find_row(reading);
    if (row == config_keys_count()) {
        end_value(reading);
        return YAML_SKIP;
    }
    struct yaml_items items = {.value = {.is_list = true, .place = place_of(event->start_mark)}};
    const enum yaml_step step = take_items(reading, &items);
    if (step == YAML_GO_ON) {
        reading->found(reading->context, row, &items.value);
    }
    for (uint32_t i = 0; i < items.value.count; i++) {
        yaml_event_delete(&items.events[i]);
    }
    end_value(reading);
    return step;
}

static enum yaml_step open_map(struct yaml_reading *reading, const yaml_event_t *event)
{
    const bool is_root = reading->depth == 0;
    if (!is_root && !config_key_is_section(name_of(reading))) {
        if (config_key_find(name_of(reading)) == config_keys_count()) {
            report_unknown(reading);
        } else {
            config_fault(reading->report, place_of(event->start_mark),
                         "%.*s is one value, and has no keys below it", (int)reading->name_size,
                         reading->name);
        }
        end_value(reading);
        return YAML_SKIP;
    }
    ASSERT(reading->depth < CONFIG_DEPTH_MAX); /* no section is deeper */
    reading->map_sizes[reading->depth++] = reading->name_size;
    reading->place = YAML_BEFORE_KEY;
    return YAML_GO_ON;
}

static enum yaml_step close_map(struct yaml_reading *reading)
{
    ASSERT(reading->depth > 0);
    reading->depth--;
    end_value(reading);
    return YAML_GO_ON;
}

static enum yaml_step refuse_event(struct yaml_reading *reading, const yaml_event_t *event,
                                   const char *why)
{
    config_fault(reading->report, place_of(event->start_mark), "%s", why);
    return YAML_END;
}

static enum yaml_step take_value(struct yaml_reading *reading, const yaml_event_t *event)
{
    switch ((int)event->type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(reading, event);
    case YAML_SEQUENCE_START_EVENT:
        return take_list(reading, event);
    case YAML_MAPPING_START_EVENT:
        return open_map(reading, event);
    default:
        UNREACHABLE(); /* libyaml gives a value after each key */
    }
}

static enum yaml_step take_root(struct yaml_reading *reading, const yaml_event_t *event)
{
    if (event->type == YAML_MAPPING_START_EVENT) {
        return open_map(reading, event);
    }
    if (event->type == YAML_SCALAR_EVENT && scalar_of(event).size == 0) {
        return YAML_GO_ON; /* a document with nothing in it */
    }
    return refuse_event(reading, event, "the file must be a map: lines of `key: value`");
}

static enum yaml_step take_event(struct yaml_reading *reading, const yaml_event_t *event)
{
    if (has_ornament(event)) {
        return refuse_event(reading, event, "anchors, aliases and tags are not read here");
    }
    switch (event->type) {
    case YAML_STREAM_END_EVENT:
        return YAML_END;
    case YAML_DOCUMENT_START_EVENT:
        if (reading->documents++ > 0) {
            return refuse_event(reading, event, "a second document begins; there may be one");
        }
        return YAML_GO_ON;
    case YAML_MAPPING_END_EVENT:
        return close_map(reading);
    case YAML_SCALAR_EVENT:
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        if (reading->depth == 0) {
            return take_root(reading, event);
        }
        if (reading->place == YAML_BEFORE_VALUE) {
            return take_value(reading, event);
        }
        if (event->type == YAML_SCALAR_EVENT) {
            return take_key(reading, event);
        }
        return refuse_event(reading, event, "a key must be one word");
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
    case YAML_ALIAS_EVENT:
        return YAML_GO_ON;
    }
    return YAML_END;
}

void config_yaml_read(struct bytes text, config_yaml_fn *found, void *context,
                      struct config_report *report)
{
    struct yaml_reading reading = {.found = found, .context = context, .report = report};
    if (yaml_parser_initialize(&reading.parser) == 0) {
        config_fault(report, (struct config_place){0}, "no memory to read it");
        return;
    }
    yaml_parser_set_input_string(&reading.parser, text.data, text.size);
    enum yaml_step step = YAML_GO_ON;
    while (step != YAML_END) {
        yaml_event_t event;
        if (!next_event(&reading, &event)) {
            break;
        }
        step = take_event(&reading, &event);
        yaml_event_delete(&event);
        if (step == YAML_SKIP) {
            step = skip_value(&reading);
        }
    }
    yaml_parser_delete(&reading.parser);
}
