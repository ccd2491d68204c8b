#include "server/capacity.h"

#include "edge/source.h"

#include "support/test.h"

#define MIB         1048576ull
#define DESCRIPTORS 20000u

static enum err plan(uint64_t memory_mib, uint64_t shards, uint64_t connections,
                     struct capacity *out_capacity, struct capacity_refusal *out_refusal)
{
    static struct config config;
    config = (struct config){.webhook_http_addr = "",
                             .datasource_addr = "",
                             .memory_bytes = memory_mib * MIB,
                             .shards_count = shards,
                             .connections_max = connections,
                             .conversation_count_max = 1000};
    return capacity_plan(&config, DESCRIPTORS, out_capacity, out_refusal);
}

TEST(the_lines_add_up_to_the_memory_that_was_given)
{
    for (uint64_t mib = 48; mib <= 4096; mib += 37) {
        struct capacity capacity;
        struct capacity_refusal refusal;
        CHECK_OK(plan(mib, 2, 0, &capacity, &refusal));
        uint64_t sum = 0;
        for (uint32_t i = 0; i < capacity.lines_count; i++) {
            sum += capacity.lines[i].bytes;
        }
        CHECK_EQ(sum, mib * MIB);
        CHECK(http_memory_min(&capacity.http) <= capacity.http_bytes);
    }
}

TEST(a_data_source_has_a_line_only_if_there_is_one)
{
    struct config config = {.webhook_http_addr = "",
                            .datasource_addr = "",
                            .datasource_answer_bytes = MIB,
                            .memory_bytes = 256 * MIB,
                            .shards_count = 2,
                            .conversation_count_max = 1000};
    struct capacity capacity;
    struct capacity_refusal refusal;
    CHECK_OK(capacity_plan(&config, DESCRIPTORS, &capacity, &refusal));
    CHECK_EQ(capacity.source_bytes, 0);
    const uint32_t lines = capacity.lines_count;
    config.datasource_addr = "http://127.0.0.1/";
    CHECK_OK(capacity_plan(&config, DESCRIPTORS, &capacity, &refusal));
    CHECK_EQ(capacity.source_bytes, SOURCE_MEMORY_MIN(MIB));
    CHECK_EQ(capacity.lines_count, lines + 1);
}

TEST(forty_eight_mebibytes_are_enough_for_two_shards)
{
    struct capacity capacity;
    struct capacity_refusal refusal;
    CHECK_OK(plan(48, 2, 0, &capacity, &refusal));
    CHECK(capacity.conns_per_shard >= 64);
}

TEST(there_are_never_more_connections_in_all_than_were_asked_for)
{
    struct capacity capacity;
    struct capacity_refusal refusal;
    CHECK_OK(plan(256, 4, 100, &capacity, &refusal));
    CHECK_EQ(capacity.conns_all, 100);
    CHECK(capacity.conns_per_shard * 4 >= 100);
    CHECK_OK(plan(256, 4, 0, &capacity, &refusal));
    CHECK_EQ(capacity.conns_all, capacity.conns_per_shard * 4);
}

TEST(what_does_not_fit_is_told_the_smallest_memory_that_would)
{
    struct capacity capacity;
    struct capacity_refusal refusal;
    CHECK_EQ(plan(20, 2, 0, &capacity, &refusal), ERR_BUDGET);
    const uint64_t smallest_mib = refusal.smallest_bytes / MIB;
    CHECK_EQ(refusal.connections_max, 0);
    CHECK_OK(plan(smallest_mib, 2, 0, &capacity, &refusal));
    CHECK_EQ(plan(smallest_mib - 1, 2, 0, &capacity, &refusal), ERR_BUDGET);
}

TEST(too_many_connections_are_told_how_many_would_fit)
{
    struct capacity capacity;
    struct capacity_refusal refusal;
    CHECK_EQ(plan(64, 2, 19000, &capacity, &refusal), ERR_BUDGET);
    const uint64_t smallest_mib = refusal.smallest_bytes / MIB;
    CHECK(refusal.connections_max > 0);
    CHECK_OK(plan(64, 2, refusal.connections_max, &capacity, &refusal));
    CHECK_OK(plan(smallest_mib, 2, 19000, &capacity, &refusal));
    CHECK_EQ(plan(smallest_mib - 1, 2, 19000, &capacity, &refusal), ERR_BUDGET);
}
