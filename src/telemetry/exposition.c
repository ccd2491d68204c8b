#include "telemetry/exposition.h"

static void add_text(struct writer *writer, const char *text)
{
    writer_bytes_add(writer, bytes_of_string(text));
}

void exposition_family(struct writer *writer, const char *name, const char *type, const char *help)
{
    add_text(writer, "# HELP ");
    add_text(writer, name);
    add_text(writer, " ");
    add_text(writer, help);
    add_text(writer, "\n# TYPE ");
    add_text(writer, name);
    add_text(writer, " ");
    add_text(writer, type);
    add_text(writer, "\n");
}

static void add_escaped(struct writer *writer, struct bytes value)
{
    for (size_t i = 0; i < value.size; i++) {
        const uint8_t byte = value.data[i];
        if (byte == '\n') {
            add_text(writer, "\\n");
        } else {
            if (byte == '"' || byte == '\\') {
                add_text(writer, "\\");
            }
            writer_u8(writer, byte);
        }
    }
}

static void add_series(struct writer *writer, const char *name,
                       const struct exposition_label *labels, size_t labels_count)
{
    add_text(writer, name);
    for (size_t i = 0; i < labels_count; i++) {
        add_text(writer, i == 0 ? "{" : ",");
        add_text(writer, labels[i].name);
        add_text(writer, "=\"");
        add_escaped(writer, labels[i].value);
        add_text(writer, "\"");
    }
    add_text(writer, labels_count > 0 ? "} " : " ");
}

void exposition_sample_u64(struct writer *writer, const char *name,
                           const struct exposition_label *labels, size_t labels_count,
                           uint64_t value)
{
    add_series(writer, name, labels, labels_count);
    writer_decimal(writer, value);
    add_text(writer, "\n");
}

void exposition_sample_i64(struct writer *writer, const char *name,
                           const struct exposition_label *labels, size_t labels_count,
                           int64_t value)
{
    add_series(writer, name, labels, labels_count);
    if (value < 0) {
        add_text(writer, "-");
    }
    writer_decimal(writer, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
    add_text(writer, "\n");
}

void exposition_seconds(struct writer *writer, uint64_t value_ns)
{
    writer_decimal(writer, value_ns / 1000000000u);
    uint64_t rest = value_ns % 1000000000u;
    if (rest == 0) {
        return;
    }
    add_text(writer, ".");
    for (uint64_t unit = 100000000u; rest > 0; unit /= 10) {
        writer_u8(writer, (uint8_t)('0' + rest / unit));
        rest %= unit;
    }
}

void exposition_sample_seconds(struct writer *writer, const char *name,
                               const struct exposition_label *labels, size_t labels_count,
                               uint64_t value_ns)
{
    add_series(writer, name, labels, labels_count);
    exposition_seconds(writer, value_ns);
    add_text(writer, "\n");
}
