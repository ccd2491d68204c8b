/*
 * Any bytes, as base64 text and as something to encode: encoding and decoding are inverse, in place
 * or aside, with line ends or without.
 */
#include "base/assert.h"
#include "wire/base64.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *area_of(size_t size)
{
    uint8_t *area = malloc(size > 0 ? size : 1);
    ASSERT(area != NULL);
    return area;
}

static void check_encode(struct bytes bytes)
{
    const size_t text_size = base64_encoded_size(bytes.size);
    uint8_t *text = area_of(text_size);
    uint8_t *back = area_of(base64_decoded_size_max(text_size));
    base64_encode(bytes, text);
    size_t size = 0;
    const enum err err =
        base64_decode((struct bytes){.data = text, .size = text_size}, back, &size);
    ASSERT(err == ERR_OK);
    ASSERT(bytes_equal((struct bytes){.data = back, .size = size}, bytes));
    free(text);
    free(back);
}

static void check_decode(struct bytes text)
{
    uint8_t *aside = area_of(base64_decoded_size_max(text.size));
    uint8_t *place = area_of(text.size);
    uint8_t *lines = area_of(text.size);
    if (text.size > 0) {
        memcpy(place, text.data, text.size);
    }
    size_t aside_size = 0;
    size_t place_size = 0;
    size_t lines_size = 0;
    const enum err err = base64_decode(text, aside, &aside_size);
    const enum err place_err =
        base64_decode((struct bytes){.data = place, .size = text.size}, place, &place_size);
    const enum err lines_err = base64_decode_lines(text, lines, &lines_size);
    ASSERT(err == place_err);
    ASSERT(err != ERR_OK || lines_err == ERR_OK);
    if (err == ERR_OK) {
        const struct bytes bytes = {.data = aside, .size = aside_size};
        ASSERT(bytes_equal(bytes, (struct bytes){.data = place, .size = place_size}));
        ASSERT(bytes_equal(bytes, (struct bytes){.data = lines, .size = lines_size}));
        ASSERT(base64_encoded_size(aside_size) == text.size);
    }
    free(aside);
    free(place);
    free(lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bytes input = {.data = data, .size = size};
    check_encode(input);
    check_decode(input);
    return 0;
}
