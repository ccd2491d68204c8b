#include "telemetry/exposition.h"

#include "support/test.h"

TEST(a_family_and_its_samples_read_as_prometheus_wants_them)
{
    uint8_t area[512];
    struct writer writer = writer_of(area, sizeof(area));
    const struct exposition_label labels[] = {{.name = "holder", .value = BYTES_OF("sessions")},
                                              {.name = "shard", .value = BYTES_OF("0")}};
    exposition_family(&writer, "jingu_memory_bytes", "gauge", "Bytes held.");
    exposition_sample_u64(&writer, "jingu_memory_bytes", labels, 2, 4096);
    exposition_sample_i64(&writer, "jingu_drift_bytes", NULL, 0, -5);
    exposition_sample_seconds(&writer, "jingu_up_seconds", labels, 1, 1500000);
    CHECK_BYTES(writer_bytes(&writer),
                BYTES_OF("# HELP jingu_memory_bytes Bytes held.\n"
                         "# TYPE jingu_memory_bytes gauge\n"
                         "jingu_memory_bytes{holder=\"sessions\",shard=\"0\"} 4096\n"
                         "jingu_drift_bytes -5\n"
                         "jingu_up_seconds{holder=\"sessions\"} 0.0015\n"));
}

TEST(a_label_value_cannot_leave_its_quotes)
{
    uint8_t area[128];
    struct writer writer = writer_of(area, sizeof(area));
    const struct exposition_label label = {.name = "a", .value = BYTES_OF("x\"} 1\n\\")};
    exposition_sample_u64(&writer, "m", &label, 1, 1);
    CHECK_BYTES(writer_bytes(&writer), BYTES_OF("m{a=\"x\\\"} 1\\n\\\\\"} 1\n"));
}

TEST(nanoseconds_become_seconds_without_losing_a_digit)
{
    static const struct {
        uint64_t value_ns;
        const char *text;
    } rows[] = {{0, "0"},          {1, "0.000000001"},   {10000, "0.00001"},
                {1000000000, "1"}, {1230000000, "1.23"}, {100000000001, "100.000000001"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint8_t area[32];
        struct writer writer = writer_of(area, sizeof(area));
        exposition_seconds(&writer, rows[i].value_ns);
        CHECK_BYTES(writer_bytes(&writer), bytes_of_string(rows[i].text));
    }
}
