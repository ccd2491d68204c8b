#include "wire/proxy.h"

#include "hex.h"
#include "support/test.h"

#define SIGNATURE "0d0a0d0a000d0a515549540a"

static const uint8_t loopback_6[16] = {[15] = 1};
static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, 192, 168, 0, 1};

static enum proxy_result decode_hex(const char *hex, struct proxy_header *out_header)
{
    uint8_t area[512];
    return proxy_decode(hex_bytes(hex, area, sizeof(area)), out_header);
}

TEST(a_line_names_the_source_of_a_tcp4_connection)
{
    struct proxy_header header;
    const struct bytes input = BYTES_OF("PROXY TCP4 192.168.0.1 10.0.0.1 56324 5100\r\n\x10\x1e");
    CHECK_EQ(proxy_decode(input, &header), PROXY_FOUND);
    CHECK_EQ(header.size, input.size - 2);
    CHECK(header.has_source);
    assert_memory_equal(header.source_ip, mapped, 16);
    CHECK_EQ(header.source_port, 56324);
}

TEST(a_line_names_the_source_of_a_tcp6_connection)
{
    struct proxy_header header;
    CHECK_EQ(proxy_decode(BYTES_OF("PROXY TCP6 ::1 2001:db8::1 65535 5100\r\n"), &header),
             PROXY_FOUND);
    CHECK(header.has_source);
    assert_memory_equal(header.source_ip, loopback_6, 16);
    CHECK_EQ(header.source_port, 65535);
}

TEST(an_unknown_line_is_skipped_without_a_source)
{
    struct proxy_header header;
    CHECK_EQ(proxy_decode(BYTES_OF("PROXY UNKNOWN\r\nrest"), &header), PROXY_FOUND);
    CHECK_EQ(header.size, 15);
    CHECK(!header.has_source);
    CHECK_EQ(proxy_decode(BYTES_OF("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), &header), PROXY_FOUND);
    CHECK(!header.has_source);
}

TEST(an_incomplete_line_is_waited_for)
{
    const struct bytes whole = BYTES_OF("PROXY TCP4 192.168.0.1 10.0.0.1 56324 5100\r\n");
    struct proxy_header header;
    for (size_t size = 0; size < whole.size; size++) {
        CHECK_EQ(proxy_decode((struct bytes){.data = whole.data, .size = size}, &header),
                 PROXY_INCOMPLETE);
    }
    CHECK_EQ(proxy_decode(whole, &header), PROXY_FOUND);
}

TEST(a_line_that_is_not_right_is_data)
{
    static const char *const lines[] = {
        "PROXY TCP4 192.168.0.1 10.0.0.1 56324\r\n",
        "PROXY TCP4 192.168.0.256 10.0.0.1 56324 5100\r\n",
        "PROXY TCP4 ::1 ::1 56324 5100\r\n",
        "PROXY TCP6 192.168.0.1 10.0.0.1 56324 5100\r\n",
        "PROXY TCP4 192.168.0.1 10.0.0.1 65536 5100\r\n",
        "PROXY TCP4 192.168.0.1 10.0.0.1 -1 5100\r\n",
        "PROXY TCP4 192.168.0.1 10.0.0.1 000001 5100\r\n",
        "PROXY TCP4  192.168.0.1 10.0.0.1 1 5100\r\n",
        "PROXY TCP5 192.168.0.1 10.0.0.1 1 5100\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY UNKNOWN\n",
        "PROXY \r\n",
        "PROXY\r\n",
        "PRIVMSG",
        "P0",
        "\x10\x1e",
        "{",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct proxy_header header;
        CHECK_EQ(proxy_decode(bytes_of_string(lines[i]), &header), PROXY_ABSENT);
    }
}

/* A line with CR and LF is at most 107 bytes (wire-protocol 1.3). */
TEST(a_line_that_does_not_end_in_time_is_data)
{
    uint8_t line[120];
    struct proxy_header header;
    memset(line, ' ', sizeof(line));
    memcpy(line, "PROXY UNKNOWN", 13);
    CHECK_EQ(proxy_decode((struct bytes){.data = line, .size = 106}, &header), PROXY_INCOMPLETE);
    CHECK_EQ(proxy_decode((struct bytes){.data = line, .size = 107}, &header), PROXY_ABSENT);
    memcpy(line + 105, "\r\n", 2);
    CHECK_EQ(proxy_decode((struct bytes){.data = line, .size = 107}, &header), PROXY_FOUND);
    memcpy(line + 105, " \r\n", 3);
    CHECK_EQ(proxy_decode((struct bytes){.data = line, .size = 108}, &header), PROXY_ABSENT);
}

TEST(a_binary_header_names_the_source)
{
    struct proxy_header header;
    CHECK_EQ(decode_hex(SIGNATURE "2111000c c0a80001 0a000001 dc04 13ec 101e", &header),
             PROXY_FOUND);
    CHECK_EQ(header.size, 28);
    CHECK(header.has_source);
    assert_memory_equal(header.source_ip, mapped, 16);
    CHECK_EQ(header.source_port, 56324);

    CHECK_EQ(decode_hex(SIGNATURE "21210024 00000000000000000000000000000001"
                                  "00000000000000000000000000000002 0001 0002",
                        &header),
             PROXY_FOUND);
    CHECK_EQ(header.size, 52);
    assert_memory_equal(header.source_ip, loopback_6, 16);
    CHECK_EQ(header.source_port, 1);
}

TEST(values_behind_the_addresses_are_skipped)
{
    struct proxy_header header;
    CHECK_EQ(decode_hex(SIGNATURE "21110010 c0a80001 0a000001 dc04 13ec 04000100 70", &header),
             PROXY_FOUND);
    CHECK_EQ(header.size, 32);
    CHECK_EQ(header.source_port, 56324);
}

TEST(a_local_header_has_no_source)
{
    struct proxy_header header;
    CHECK_EQ(decode_hex(SIGNATURE "20000000", &header), PROXY_FOUND);
    CHECK_EQ(header.size, 16);
    CHECK(!header.has_source);
    CHECK_EQ(decode_hex(SIGNATURE "2011000c c0a80001 0a000001 dc04 13ec", &header), PROXY_FOUND);
    CHECK_EQ(header.size, 28);
    CHECK(!header.has_source);
}

TEST(a_binary_header_of_another_family_has_no_source)
{
    struct proxy_header header;
    CHECK_EQ(decode_hex(SIGNATURE "21000000", &header), PROXY_FOUND);
    CHECK(!header.has_source);
    CHECK_EQ(header.size, 16);
}

TEST(an_incomplete_binary_header_is_waited_for)
{
    uint8_t area[64];
    const struct bytes whole =
        hex_bytes(SIGNATURE "2111000c c0a80001 0a000001 dc04 13ec", area, sizeof(area));
    struct proxy_header header;
    for (size_t size = 0; size < whole.size; size++) {
        CHECK_EQ(proxy_decode((struct bytes){.data = whole.data, .size = size}, &header),
                 PROXY_INCOMPLETE);
    }
    CHECK_EQ(proxy_decode(whole, &header), PROXY_FOUND);
}

TEST(a_binary_header_that_is_not_right_is_data)
{
    struct proxy_header header;
    CHECK_EQ(decode_hex(SIGNATURE "2111000b c0a80001 0a000001 dc04 13", &header), PROXY_ABSENT);
    CHECK_EQ(decode_hex(SIGNATURE "21210023", &header), PROXY_ABSENT);
    CHECK_EQ(decode_hex(SIGNATURE "213100d7", &header), PROXY_ABSENT);
    CHECK_EQ(decode_hex(SIGNATURE "1111000c", &header), PROXY_ABSENT);
    CHECK_EQ(decode_hex(SIGNATURE "2111ffff", &header), PROXY_ABSENT); /* longer than we wait for */
    CHECK_EQ(decode_hex("0d0a0d0b", &header), PROXY_ABSENT);
}

TEST(random_bytes_behind_a_right_beginning_never_give_more_than_there_is)
{
    for (uint32_t step = 0; step < 20000; step++) {
        uint8_t area[128];
        const size_t size = prng_below(prng, sizeof(area));
        for (size_t i = 0; i < sizeof(area); i++) {
            area[i] = prng_below(prng, 3) == 0 ? (uint8_t) "0 .:\r\n"[prng_below(prng, 6)]
                                               : (uint8_t)prng_next(prng);
        }
        if (prng_below(prng, 2) == 0) {
            memcpy(area, "PROXY TCP4 ", 11);
        } else {
            (void)hex_bytes(SIGNATURE "21110010", area, sizeof(area));
        }
        struct proxy_header header;
        if (proxy_decode((struct bytes){.data = area, .size = size}, &header) == PROXY_FOUND) {
            CHECK(header.size <= size);
        }
    }
}
