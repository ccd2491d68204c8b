#include "base/utf8.h"

static bool utf8_is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

size_t utf8_size(struct bytes bytes)
{
    if (bytes.size == 0) {
        return 0;
    }
    const uint8_t first = bytes.data[0];
    if (first < 0x80) {
        return 1;
    }
    const size_t size = first >= 0xf0 ? 4 : (first >= 0xe0 ? 3 : 2);
    if (first < 0xc2 || first > 0xf4 || bytes.size < size) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if (!utf8_is_continuation(bytes.data[i])) {
            return 0;
        }
    }
    const uint8_t second = bytes.data[1];
    const bool is_overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool is_surrogate = first == 0xed && second > 0x9f;
    const bool is_beyond = first == 0xf4 && second > 0x8f;
    return is_overlong || is_surrogate || is_beyond ? 0 : size;
}

bool utf8_is_valid(struct bytes bytes)
{
    while (bytes.size > 0) {
        const size_t size = utf8_size(bytes);
        if (size == 0) {
            return false;
        }
        bytes = bytes_skip(bytes, size);
    }
    return true;
}
