#include "telemetry/metric.h"

#include "support/test.h"

#include <stdlib.h>
#include <string.h>

static struct metrics opened(struct budget *budget, uint32_t slots_count)
{
    struct metrics metrics;
    budget_init(budget, "telemetry", NULL, BUDGET_UNLIMITED);
    CHECK_OK(metrics_open(&metrics, budget, slots_count));
    return metrics;
}

/* All of it as a string, which the caller frees. */
static char *rendered(const struct metrics *metrics)
{
    uint8_t *area = malloc(METRICS_TEXT_BYTES + 1);
    struct writer writer = writer_of(area, METRICS_TEXT_BYTES);
    metrics_render(metrics, &writer);
    CHECK(!writer.is_full);
    *writer.at = 0;
    return (char *)area;
}

TEST(a_figure_is_the_sum_of_what_each_thread_counted)
{
    struct budget budget;
    struct metrics metrics = opened(&budget, 3);
    for (uint32_t i = 0; i < 3; i++) {
        metric_add(metrics_slot(&metrics, i), METRIC_LOGINS, i + 1);
    }
    CHECK_EQ(metrics_sum(&metrics, METRIC_LOGINS), 6);
    CHECK_EQ(metrics_sum(&metrics, METRIC_LOGINS_DENIED), 0);
    metrics_close(&metrics);
}

TEST(a_gauge_is_the_sum_of_its_parts_and_goes_down_again)
{
    struct budget budget;
    struct metrics metrics = opened(&budget, 2);
    metric_set(metrics_slot(&metrics, 0), METRIC_SESSIONS, 10);
    metric_add(metrics_slot(&metrics, 1), METRIC_SESSIONS, 5);
    metric_subtract(metrics_slot(&metrics, 1), METRIC_SESSIONS, 2);
    CHECK_EQ(metrics_sum(&metrics, METRIC_SESSIONS), 13);
    metrics_close(&metrics);
}

TEST(the_slots_are_charged_while_they_exist)
{
    struct budget budget;
    struct metrics metrics = opened(&budget, 4);
    CHECK_EQ(budget_used(&budget), metrics_bytes(4));
    metrics_close(&metrics);
    CHECK_EQ(budget_used(&budget), 0);
    metrics_close(&metrics); /* closing twice does nothing */

    budget_init(&budget, "small", NULL, 1000);
    CHECK_EQ(metrics_open(&metrics, &budget, 4), ERR_BUDGET);
    CHECK_EQ(budget_used(&budget), 0);
}

TEST(everything_that_is_counted_fits_into_the_stated_text)
{
    struct budget budget;
    struct metrics metrics = opened(&budget, 2);
    for (uint32_t i = 0; i < METRICS_COUNT; i++) {
        metric_set(metrics_slot(&metrics, 0), (enum metric)i, UINT64_MAX);
    }
    for (uint32_t i = 0; i < LATENCIES_COUNT; i++) {
        metric_took(metrics_slot(&metrics, 1), (enum latency)i, UINT64_MAX / 2);
    }
    free(rendered(&metrics));
    metrics_close(&metrics);
}

static const char *type_of(const char *text, const char *family, size_t size)
{
    char line[128];
    CHECK(size + 10 < sizeof(line));
    strcpy(line, "# TYPE ");
    strncat(line, family, size);
    strcat(line, " ");
    const char *found = strstr(text, line);
    return found != NULL ? found + strlen(line) : "";
}

TEST(every_sample_belongs_to_a_family_that_was_announced_once)
{
    struct budget budget;
    struct metrics metrics = opened(&budget, 1);
    char *text = rendered(&metrics);
    uint32_t samples = 0;
    for (char *line = text; *line != 0; line = strchr(line, '\n') + 1) {
        if (*line == '#') {
            continue;
        }
        size_t size = strcspn(line, "{ ");
        const bool is_bucket = size > 7 && strncmp(line + size - 7, "_bucket", 7) == 0;
        const bool is_sum = size > 12 && strncmp(line + size - 12, "_seconds_sum", 12) == 0;
        const bool is_count = size > 14 && strncmp(line + size - 14, "_seconds_count", 14) == 0;
        size -= is_bucket ? 7 : (is_sum ? 4 : (is_count ? 6 : 0));
        const char *type = type_of(text, line, size);
        CHECK(*type != 0);
        CHECK(*type_of(type, line, size) == 0); /* once */
        samples++;
    }
    CHECK(samples > METRICS_COUNT);
    free(text);
    metrics_close(&metrics);
}

TEST(a_latency_appears_as_buckets_that_add_up)
{
    struct budget budget;
    struct metrics metrics = opened(&budget, 2);
    metric_took(metrics_slot(&metrics, 0), LATENCY_TURN, 15000);
    metric_took(metrics_slot(&metrics, 1), LATENCY_TURN, 3000000);
    char *text = rendered(&metrics);
    CHECK(strstr(text, "jingu_turn_seconds_bucket{le=\"0.00001\"} 0\n") != NULL);
    CHECK(strstr(text, "jingu_turn_seconds_bucket{le=\"0.00002\"} 1\n") != NULL);
    CHECK(strstr(text, "jingu_turn_seconds_bucket{le=\"0.005\"} 2\n") != NULL);
    CHECK(strstr(text, "jingu_turn_seconds_bucket{le=\"+Inf\"} 2\n") != NULL);
    CHECK(strstr(text, "jingu_turn_seconds_sum 0.003015\n") != NULL);
    CHECK(strstr(text, "jingu_turn_seconds_count 2\n") != NULL);
    free(text);
    metrics_close(&metrics);
}

TEST(the_names_of_wukongim_show_the_same_figures)
{
    struct budget budget;
    struct metrics metrics = opened(&budget, 1);
    struct metrics_slot *slot = metrics_slot(&metrics, 0);
    metric_add(slot, METRIC_CONNECTIONS_OPEN, 2);
    metric_add(slot, METRIC_CONNECTIONS_OPEN_WS, 3);
    metric_add(slot, METRIC_IN_SEND, 7);
    metric_add(slot, METRIC_CLIENT_BYTES_IN, 11);
    char *text = rendered(&metrics);
    CHECK(strstr(text, "\nsystem_extranet_incoming_bytes_total 11\n") != NULL);
    CHECK(strstr(text, "\nsystem_intranet_incoming_bytes_total 0\n") != NULL);
    CHECK(strstr(text, "\nsystem_intranet_outgoing_bytes_total 0\n") != NULL);
    CHECK(strstr(text, "\njingu_connections{transport=\"ws\"} 3\n") != NULL);
    CHECK(strstr(text, "\napp_conn_count_total 5\n") != NULL);
    CHECK(strstr(text, "\njingu_packets_received_total{type=\"send\"} 7\n") != NULL);
    CHECK(strstr(text, "\napp_send_packet_count_total 7\n") != NULL);
    free(text);
    metrics_close(&metrics);
}
