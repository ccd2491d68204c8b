#include "telemetry/heap_text.h"

#include <string.h>

#define LINE_BYTES_MAX 8192u /* 128 addresses, jemalloc's most, take a third of it */

struct counts {
    unsigned long long objects;
    unsigned long long bytes;
    unsigned long long objects_ever;
    unsigned long long bytes_ever;
};

/* "  t*: 12: 345 [67: 890]" */
static bool counts_parse(const char *line, struct counts *out_counts)
{
    /* NOLINTNEXTLINE(cert-err34-c): our own heap wrote the text */
    return sscanf(line, " t*: %llu: %llu [%llu: %llu]", &out_counts->objects, &out_counts->bytes,
                  &out_counts->objects_ever, &out_counts->bytes_ever) == 4;
}

static void counts_write(struct writer *out, const struct counts *counts, bool is_negative)
{
    char text[128];
    const char *sign = is_negative ? "-" : "";
    snprintf(text, sizeof(text), "%s%llu: %s%llu [%llu: %llu] @", sign, counts->objects, sign,
             counts->bytes, is_negative ? 0 : counts->objects_ever,
             is_negative ? 0 : counts->bytes_ever);
    writer_bytes_add(out, bytes_of_string(text));
}

enum err heap_text_begin(FILE *dump, struct writer *out)
{
    char line[LINE_BYTES_MAX];
    unsigned long long period = 0;
    struct counts all;
    rewind(dump);
    /* NOLINTNEXTLINE(cert-err34-c): our own heap wrote the text */
    if (fgets(line, sizeof(line), dump) == NULL || sscanf(line, "heap_v2/%llu", &period) != 1 ||
        fgets(line, sizeof(line), dump) == NULL || !counts_parse(line, &all)) {
        return ERR_PROTOCOL;
    }
    writer_bytes_add(out, BYTES_OF("heap profile: "));
    counts_write(out, &all, false);
    snprintf(line, sizeof(line), " heap_v2/%llu\n", period);
    writer_bytes_add(out, bytes_of_string(line));
    return ERR_OK;
}

enum err heap_text_stacks(FILE *dump, bool is_negative, struct writer *out)
{
    char line[LINE_BYTES_MAX];
    char stack[LINE_BYTES_MAX];
    stack[0] = '\0';
    rewind(dump);
    while (fgets(line, sizeof(line), dump) != NULL) {
        struct counts counts;
        if (line[0] == '@') {
            memcpy(stack, line, sizeof(stack));
        } else if (strncmp(line, "MAPPED_LIBRARIES", 16) == 0) {
            return ERR_OK;
        } else if (stack[0] != '\0' && counts_parse(line, &counts)) {
            counts_write(out, &counts, is_negative);
            writer_bytes_add(out, bytes_of_string(stack + 1)); /* with its line end */
            stack[0] = '\0';
        }
    }
    return ERR_PROTOCOL;
}
