#include "server/config_value.h"

#include "support/test.h"

TEST(a_bool_is_one_of_six_words_in_any_case_and_nothing_else)
{
    static const struct {
        const char *text;
        enum err err;
        bool value;
    } rows[] = {
        {"true", ERR_OK, true},
        {"TRUE", ERR_OK, true},
        {"t", ERR_OK, true},
        {"1", ERR_OK, true},
        {"false", ERR_OK, false},
        {"False", ERR_OK, false},
        {"F", ERR_OK, false},
        {"0", ERR_OK, false},
        {"yes", ERR_PROTOCOL, false},
        {"on", ERR_PROTOCOL, false},
        {"off", ERR_PROTOCOL, false},
        {"", ERR_PROTOCOL, false},
        {"true ", ERR_PROTOCOL, false},
        {"2", ERR_PROTOCOL, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool value = false;
        CHECK_EQ(config_read_bool(bytes_of_string(rows[i].text), &value), rows[i].err);
        CHECK_EQ(value, rows[i].value);
    }
}

TEST(a_count_is_digits_that_fit_64_bits)
{
    static const struct {
        const char *text;
        enum err err;
        uint64_t value;
    } rows[] = {
        {"0", ERR_OK, 0},
        {"42", ERR_OK, 42},
        {"007", ERR_OK, 7},
        {"18446744073709551615", ERR_OK, UINT64_MAX},
        {"18446744073709551616", ERR_PROTOCOL, 0},
        {"99999999999999999999999", ERR_PROTOCOL, 0},
        {"-1", ERR_PROTOCOL, 0},
        {"+1", ERR_PROTOCOL, 0},
        {"1.0", ERR_PROTOCOL, 0},
        {"0x10", ERR_PROTOCOL, 0},
        {" 1", ERR_PROTOCOL, 0},
        {"", ERR_PROTOCOL, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t value = 0;
        CHECK_EQ(config_read_count(bytes_of_string(rows[i].text), &value), rows[i].err);
        CHECK(value == rows[i].value);
    }
}

TEST(a_duration_is_numbers_with_units_as_in_go_and_days)
{
    static const struct {
        const char *text;
        uint64_t value_ms;
    } rows[] = {
        {"0", 0},          {"0s", 0},           {"500ms", 500},   {"10s", 10000},
        {"1m30s", 90000},  {"24h", 86400000},   {"1d", 86400000}, {"30d", 2592000000},
        {"1.5h", 5400000}, {"1h0.5m", 3630000}, {".5s", 500},     {"1.s", 1000},
        {"1us", 1},        {"1ns", 1},          {"1500µs", 2},    {"0.25d", 21600000},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t value_ms = UINT64_MAX;
        const char *why;
        CHECK_OK(config_read_duration(bytes_of_string(rows[i].text), &value_ms, &why));
        CHECK(value_ms == rows[i].value_ms);
    }
}

TEST(what_is_no_duration_is_refused_with_the_reason)
{
    static const struct {
        const char *text;
        const char *why; /* a part of it */
    } rows[] = {
        {"60", "no unit"},
        {"1.5", "no unit"},
        {"10s5", "no unit"},
        {"5w", "unit is unknown"},
        {"5 s", "unit is unknown"},
        {"", "not a duration"},
        {"s", "not a duration"},
        {"-5s", "not a duration"},
        {".s", "not a duration"},
        {"abc", "not a duration"},
        {"1..5s", "unit is unknown"},
        {"99999999999999999999s", "not a duration"},
        {"9999999999999d", "longer than"},
        {"213503d213503d", "longer than"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t value_ms = 7;
        const char *why = "";
        CHECK_EQ(config_read_duration(bytes_of_string(rows[i].text), &value_ms, &why),
                 ERR_PROTOCOL);
        CHECK(strstr(why, rows[i].why) != NULL);
        CHECK_EQ(value_ms, 7); /* untouched */
    }
}

TEST(a_size_is_a_number_with_or_without_a_unit_of_1024s)
{
    static const struct {
        const char *text;
        enum err err;
        uint64_t value;
    } rows[] = {
        {"1048576", ERR_OK, 1048576},
        {"512K", ERR_OK, 524288},
        {"256M", ERR_OK, 268435456},
        {"256m", ERR_OK, 268435456},
        {"256MiB", ERR_OK, 268435456},
        {"256MB", ERR_OK, 268435456},
        {"1.5G", ERR_OK, 1610612736},
        {"2T", ERR_OK, 2199023255552},
        {"7b", ERR_OK, 7},
        {"0", ERR_OK, 0},
        {"M", ERR_PROTOCOL, 0},
        {"256 M", ERR_PROTOCOL, 0},
        {"256X", ERR_PROTOCOL, 0},
        {"256M ", ERR_PROTOCOL, 0},
        {"256megabytes", ERR_PROTOCOL, 0},
        {"1k1", ERR_PROTOCOL, 0},
        {"i", ERR_PROTOCOL, 0},
        {"-1", ERR_PROTOCOL, 0},
        {"99999999T", ERR_PROTOCOL, 0},
        {"", ERR_PROTOCOL, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t value = 0;
        const char *why;
        CHECK_EQ(config_read_size(bytes_of_string(rows[i].text), &value, &why), rows[i].err);
        CHECK(value == rows[i].value || rows[i].err != ERR_OK);
    }
}

TEST(an_address_is_a_host_and_a_port_with_or_without_its_scheme)
{
    static const struct {
        const char *text;
        const char *scheme;
        const char *host; /* NULL: refused */
        uint16_t port;
    } rows[] = {
        {"tcp://0.0.0.0:5100", "tcp", "0.0.0.0", 5100},
        {"TCP://0.0.0.0:5100", "tcp", "0.0.0.0", 5100},
        {"0.0.0.0:5100", "tcp", "0.0.0.0", 5100},
        {"ws://127.0.0.1:5200", "ws", "127.0.0.1", 5200},
        {"wss://[::1]:5210", "wss", "::1", 5210},
        {"localhost:1", "http", "localhost", 1},
        {"[::]:5001", "http", "::", 5001},
        {":5001", "http", "0.0.0.0", 5001},
        {"tcp://:5100", "tcp", "0.0.0.0", 5100},
        {"127.0.0.1:0", "http", "127.0.0.1", 0},
        {"127.0.0.1:65535", "http", "127.0.0.1", 65535},
        {"127.0.0.1:65536", "http", NULL, 0},
        {"127.0.0.1", "http", NULL, 0},
        {"127.0.0.1:", "http", NULL, 0},
        {"127.0.0.1:x", "http", NULL, 0},
        {"::1:5001", "http", NULL, 0},
        {"[::1:5001", "http", NULL, 0},
        {"ws://0.0.0.0:5100", "tcp", NULL, 0},
        {"example.com:5100", "tcp", NULL, 0},
        {"300.0.0.1:5100", "tcp", NULL, 0},
        {"5100", "tcp", NULL, 0},
        {"", "tcp", NULL, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct bytes host;
        uint16_t port;
        const enum err err =
            config_read_address(bytes_of_string(rows[i].text), rows[i].scheme, &host, &port);
        CHECK_EQ(err, rows[i].host != NULL ? ERR_OK : ERR_PROTOCOL);
        if (rows[i].host != NULL) {
            CHECK_BYTES(host, bytes_of_string(rows[i].host));
            CHECK_EQ(port, rows[i].port);
        }
    }
}
