#include "edge/api_checks.h"

#include "chat/names.h"

#include <stdio.h>

bool api_check(struct http_request *request, bool is_good, const char *text)
{
    if (!is_good) {
        http_answer_error(request, text);
    }
    return is_good;
}

bool api_check_name(struct http_request *request, struct bytes name, const char *field)
{
    if (name.size <= NAME_BYTES_MAX) {
        return true;
    }
    char text[96];
    snprintf(text, sizeof(text), "%s is longer than %u bytes", field, (unsigned)NAME_BYTES_MAX);
    http_answer_error(request, text);
    return false;
}

bool api_take_uids(struct http_request *request, const struct json_strings *given,
                   struct json_strings *out_uids)
{
    struct bytes *uids = http_acquire(request, (given->count + 1) * sizeof(*uids));
    if (uids == NULL) {
        return false;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < given->count; i++) {
        if (name_is_blank(given->items[i])) {
            continue;
        }
        if (!api_check_name(request, given->items[i], "a uid")) {
            return false;
        }
        uids[count++] = given->items[i];
    }
    *out_uids = (struct json_strings){.items = uids, .count = count, .is_given = given->is_given};
    return true;
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

struct bytes api_trim(struct bytes text)
{
    while (text.size > 0 && is_space(text.data[0])) {
        text = bytes_skip(text, 1);
    }
    while (text.size > 0 && is_space(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

bool api_word_is(struct bytes text, const char *word)
{
    size_t i = 0;
    while (i < text.size && word[i] != '\0') {
        const uint8_t byte = text.data[i];
        const uint8_t lower = byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
        if (lower != (uint8_t)word[i]) {
            return false;
        }
        i++;
    }
    return i == text.size && word[i] == '\0';
}
