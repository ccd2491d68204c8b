#include "wire/proxy.h"

#include <arpa/inet.h>

#define LINE_BYTES_MAX    107u /* of version 1, with its CR and LF */
#define SIGNATURE_2       BYTES_OF("\r\n\r\n\0\r\nQUIT\n")
#define FIXED_BYTES_2     16u /* signature, version and command, family, length */
#define VERSION_2         2u
#define COMMAND_LOCAL     0u
#define FAMILY_INET       1u
#define FAMILY_INET6      2u
#define FAMILY_UNIX       3u
#define BLOCK_BYTES_INET  12u
#define BLOCK_BYTES_INET6 36u
#define BLOCK_BYTES_UNIX  216u

/* ::ffff:0:0/96, before an IPv4 address. */
static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void source_set_inet(struct proxy_header *header, const uint8_t ip[4])
{
    memcpy(header->source_ip, mapped_prefix, sizeof(mapped_prefix));
    memcpy(header->source_ip + sizeof(mapped_prefix), ip, 4);
    header->has_source = true;
}

/* ---- Version 1: a line of text. ---- */

/* Takes the characters before the next blank, and the blank, off the front of `line`. */
static struct bytes take_word(struct bytes *line)
{
    const uint8_t *blank = line->size == 0 ? NULL : memchr(line->data, ' ', line->size);
    const size_t size = blank == NULL ? line->size : (size_t)(blank - line->data);
    const struct bytes word = {.data = line->data, .size = size};
    *line = bytes_skip(*line, blank == NULL ? size : size + 1);
    return word;
}

static bool parse_port(struct bytes word, uint16_t *out_port)
{
    uint32_t port = 0;
    for (size_t i = 0; i < word.size; i++) {
        if (word.data[i] < '0' || word.data[i] > '9' || i == 5) {
            return false;
        }
        port = port * 10 + (uint32_t)(word.data[i] - '0');
    }
    *out_port = (uint16_t)port;
    return word.size > 0 && port <= UINT16_MAX;
}

static bool parse_ip(struct bytes word, int family, uint8_t out_ip[16])
{
    char text[INET6_ADDRSTRLEN];
    if (word.size >= sizeof(text)) {
        return false;
    }
    if (word.size > 0) {
        memcpy(text, word.data, word.size);
    }
    text[word.size] = '\0';
    return inet_pton(family, text, out_ip) == 1;
}

/* `TCP4 <source> <target> <source port> <target port>`, or TCP6. */
static bool parse_addresses(struct bytes line, struct proxy_header *header)
{
    const bool is_inet = bytes_equal(take_word(&line), BYTES_OF("TCP4"));
    const int family = is_inet ? AF_INET : AF_INET6;
    uint8_t source[16];
    uint8_t target[16];
    uint16_t target_port = 0;
    if (!parse_ip(take_word(&line), family, source) ||
        !parse_ip(take_word(&line), family, target) ||
        !parse_port(take_word(&line), &header->source_port) ||
        !parse_port(take_word(&line), &target_port)) {
        return false;
    }
    if (is_inet) {
        source_set_inet(header, source);
    } else {
        memcpy(header->source_ip, source, sizeof(source));
        header->has_source = true;
    }
    return true;
}

static enum proxy_result decode_line(struct bytes input, struct proxy_header *out_header)
{
    const size_t limit = input.size < LINE_BYTES_MAX ? input.size : LINE_BYTES_MAX;
    const uint8_t *end = memchr(input.data, '\n', limit);
    if (end == NULL) {
        return input.size < LINE_BYTES_MAX ? PROXY_INCOMPLETE : PROXY_ABSENT;
    }
    struct proxy_header header = {.size = (size_t)(end - input.data) + 1};
    struct bytes line = {.data = input.data, .size = header.size - 1};
    if (line.data[line.size - 1] != '\r') {
        return PROXY_ABSENT;
    }
    line.size--;
    (void)take_word(&line); /* PROXY */
    if (bytes_begin_with(line, BYTES_OF("TCP4 ")) || bytes_begin_with(line, BYTES_OF("TCP6 "))) {
        if (!parse_addresses(line, &header)) {
            return PROXY_ABSENT;
        }
    } else if (!bytes_equal(take_word(&line), BYTES_OF("UNKNOWN"))) {
        return PROXY_ABSENT;
    }
    *out_header = header;
    return PROXY_FOUND;
}

/* ---- Version 2: binary. ---- */

/* The least size of the block for an address of this family; what we do not know needs none. */
static size_t block_size_min(uint8_t family)
{
    switch (family) {
    case FAMILY_INET:
        return BLOCK_BYTES_INET;
    case FAMILY_INET6:
        return BLOCK_BYTES_INET6;
    case FAMILY_UNIX:
        return BLOCK_BYTES_UNIX;
    default:
        return 0;
    }
}

/* `block` is as large as its family needs: source, target, source port, target port. */
static void decode_block(const uint8_t *block, uint8_t family, struct proxy_header *header)
{
    if (family == FAMILY_INET) {
        source_set_inet(header, block);
        header->source_port = bytes_u16_be(block + 8);
    } else if (family == FAMILY_INET6) {
        memcpy(header->source_ip, block, sizeof(header->source_ip));
        header->source_port = bytes_u16_be(block + 32);
        header->has_source = true;
    }
}

static enum proxy_result decode_binary(struct bytes input, struct proxy_header *out_header)
{
    if (input.size < FIXED_BYTES_2) {
        return PROXY_INCOMPLETE;
    }
    const uint8_t version = input.data[12] >> 4;
    const uint8_t command = input.data[12] & 0x0f;
    const uint8_t family = input.data[13] >> 4;
    struct proxy_header header = {.size = FIXED_BYTES_2 + bytes_u16_be(input.data + 14)};
    if (version != VERSION_2 || header.size > PROXY_BYTES_MAX) {
        return PROXY_ABSENT;
    }
    /* A health check of the load balancer itself may come without an address. */
    if (command != COMMAND_LOCAL && header.size - FIXED_BYTES_2 < block_size_min(family)) {
        return PROXY_ABSENT;
    }
    if (input.size < header.size) {
        return PROXY_INCOMPLETE;
    }
    if (command != COMMAND_LOCAL) {
        decode_block(input.data + FIXED_BYTES_2, family, &header);
    }
    *out_header = header;
    return PROXY_FOUND;
}

/* ---- Either. ---- */

static bool may_become(struct bytes input, struct bytes begin)
{
    return input.size < begin.size ? bytes_begin_with(begin, input)
                                   : bytes_begin_with(input, begin);
}

enum proxy_result proxy_decode(struct bytes input, struct proxy_header *out_header)
{
    if (input.size == 0) {
        return PROXY_INCOMPLETE;
    }
    if (may_become(input, BYTES_OF("PROXY "))) {
        return decode_line(input, out_header);
    }
    if (may_become(input, SIGNATURE_2)) {
        return decode_binary(input, out_header);
    }
    return PROXY_ABSENT;
}
