/*
 * hex.h -- bytes written as hexadecimal digits in a test.
 */
#pragma once

#include "support/test.h"

static inline uint8_t hex_digit(char digit)
{
    return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

/* Fills `area` from lower-case digits; blanks are skipped. */
static inline struct bytes hex_bytes(const char *digits, uint8_t *area, size_t capacity)
{
    size_t size = 0;
    for (; *digits != '\0'; digits++) {
        if (*digits == ' ') {
            continue;
        }
        CHECK(size < capacity);
        area[size++] = (uint8_t)(hex_digit(digits[0]) << 4 | hex_digit(digits[1]));
        digits++;
    }
    return (struct bytes){.data = area, .size = size};
}
