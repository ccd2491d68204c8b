#include "edge/api_time.h"

#include <stdio.h>
#include <time.h>

#define TIME_TEXT_BYTES 64u

static bool split(uint64_t wall_ms, struct tm *out_parts)
{
    const time_t seconds = (time_t)(wall_ms / 1000);
    return gmtime_r(&seconds, out_parts) != NULL;
}

void api_time_write(struct json_text *json, uint64_t wall_ms)
{
    struct tm parts;
    char text[TIME_TEXT_BYTES] = "";
    if (split(wall_ms, &parts)) {
        snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", parts.tm_year + 1900,
                 parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                 (unsigned)(wall_ms % 1000));
    }
    json_text_string(json, bytes_of_string(text));
}

void api_time_write_short(struct json_text *json, uint64_t wall_ms)
{
    struct tm parts;
    char text[TIME_TEXT_BYTES] = "";
    if (wall_ms > 0 && split(wall_ms, &parts)) {
        snprintf(text, sizeof(text), "%04d-%02d-%02d %02d:%02d", parts.tm_year + 1900,
                 parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min);
    }
    json_text_string(json, bytes_of_string(text));
}

void api_time_write_span(struct json_text *json, uint64_t span_ms)
{
    const uint64_t seconds = span_ms / 1000;
    const struct {
        uint64_t count;
        char unit;
    } parts[] = {
        {seconds / (365 * 86400ull), 'y'}, {seconds / 86400 % 365, 'd'}, {seconds / 3600 % 24, 'h'},
        {seconds / 60 % 60, 'm'},          {seconds % 60, 's'},
    };
    uint8_t area[TIME_TEXT_BYTES];
    struct writer text = writer_of(area, sizeof(area));
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        const bool is_last = i + 1 == COUNT_OF(parts);
        if (parts[i].count > 0 || writer_size(&text) > 0 || is_last) {
            writer_decimal(&text, parts[i].count);
            writer_u8(&text, (uint8_t)parts[i].unit);
        }
    }
    json_text_string(json, writer_bytes(&text));
}
