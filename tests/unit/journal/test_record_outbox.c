#include "journal/record.h"

#include "journal/entry.h"

#include "support/test.h"

static struct bytes encode(const struct record *record, uint8_t *area, size_t size)
{
    struct writer writer = writer_of(area, size);
    record_encode(record, &writer);
    CHECK(writer_size(&writer) <= record_size_max(record));
    return writer_bytes(&writer);
}

TEST(an_event_of_the_outbox_is_a_record)
{
    uint8_t area[512];
    const struct outbox_row row = {
        .queued_ms = 12345,
        .log = {.channel = {.slot = 7, .number = 9}, .kind = LOG_COMMAND},
        .seq = 3,
        .data = BYTES_OF("some uids"),
    };
    const struct record put = {
        .kind = RECORD_OUTBOX_PUT,
        .outbox = {.key = {.queue = OUTBOX_PENDING, .id = 99, .part = 1}, .made = &row},
    };
    struct reader reader = reader_of(encode(&put, area, sizeof(area)));
    struct record again;
    CHECK_OK(record_decode(&reader, &again));
    CHECK_EQ(again.kind, RECORD_OUTBOX_PUT);
    CHECK_EQ(again.outbox.key.queue, OUTBOX_PENDING);
    CHECK(again.outbox.key.id == 99);
    struct outbox_row decoded;
    CHECK_OK(outbox_row_decode(again.outbox.row, &decoded));
    CHECK_BYTES(decoded.data, row.data);

    const struct record drop = {.kind = RECORD_OUTBOX_DROP, .outbox = {.key = put.outbox.key}};
    reader = reader_of(encode(&drop, area, sizeof(area)));
    CHECK_OK(record_decode(&reader, &again));
    CHECK_EQ(again.kind, RECORD_OUTBOX_DROP);
    CHECK_EQ(again.outbox.row.size, 0);
}

TEST(an_event_record_that_is_cut_short_is_refused)
{
    uint8_t area[64];
    const struct record drop = {
        .kind = RECORD_OUTBOX_DROP,
        .outbox = {.key = {.queue = OUTBOX_NOTIFY, .id = 1}},
    };
    struct bytes bytes = encode(&drop, area, sizeof(area));
    struct record again;
    area[4]--; /* the size says that the key has a byte less */
    struct reader reader = reader_of(bytes);
    CHECK_EQ(record_decode(&reader, &again), ERR_CORRUPT);
    area[4]++;
    area[5] = 0; /* no queue */
    reader = reader_of(bytes);
    CHECK_EQ(record_decode(&reader, &again), ERR_CORRUPT);
}

TEST(an_entry_knows_what_its_events_cost)
{
    struct budget budget;
    budget_init(&budget, "test", NULL, BUDGET_UNLIMITED);
    struct entry entry;
    entry_init(&entry, &budget);
    uint64_t cost = 0;
    for (uint64_t id = 20; id >= 10; id--) {
        uint8_t area[256];
        const struct outbox_row row = {.queued_ms = id, .data = BYTES_OF("text")};
        struct writer writer = writer_of(area, sizeof(area));
        outbox_row_encode(&row, &writer);
        const struct record record = {
            .kind = RECORD_OUTBOX_PUT,
            .outbox = {.key = {.queue = OUTBOX_STATUS, .id = id}, .made = &row},
        };
        CHECK_OK(entry_reserve(&entry, record_size_max(&record)));
        entry_add(&entry, &record);
        cost += outbox_cost(writer_size(&writer));
    }
    CHECK(entry.outbox_bytes == cost);
    CHECK(entry.outbox_id_least == 10);
    entry_clear(&entry);
    CHECK(entry.outbox_bytes == 0);
    entry_deinit(&entry);
    CHECK(budget_used(&budget) == 0);
}
