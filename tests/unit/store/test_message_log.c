#include "store/message_id.h"

#include "unit/store/fixture.h"

/* A plain model: the sizes of the messages of some logs, and their ids. */
#define LOGS_COUNT    5
#define MODEL_SEQ_MAX 4000

struct model_log {
    struct log_ref log;
    uint64_t last_seq;
    uint32_t sizes[MODEL_SEQ_MAX + 1];
    uint64_t ids[MODEL_SEQ_MAX + 1];
};

struct model {
    struct model_log logs[LOGS_COUNT];
    uint64_t next_id;
    uint8_t rows[FIXTURE_MESSAGES_MAX][2048]; /* of the batch in hand */
};

static uint8_t letter(uint64_t seq, size_t index)
{
    return (uint8_t)(seq * 31 + index);
}

static void model_init(struct model *model)
{
    memset(model, 0, sizeof(*model));
    static const struct log_ref logs[LOGS_COUNT] = {
        {.channel = {.slot = 7, .number = 1}, .kind = LOG_CHAT},
        {.channel = {.slot = 7, .number = 1}, .kind = LOG_COMMAND},
        {.channel = {.slot = 7, .number = 2}, .kind = LOG_CHAT},
        {.channel = {.slot = 8, .number = 1}, .kind = LOG_CHAT},
        {.channel = {.slot = 7, .number = UINT32_MAX}, .kind = LOG_COMMAND},
    };
    for (size_t i = 0; i < LOGS_COUNT; i++) {
        model->logs[i].log = logs[i];
    }
    model->next_id = 1;
}

/* Adds the next message of a log to the batch; its row stays in the model until the commit. */
static void model_add(struct model *model, struct model_log *log, struct fixture *fixture,
                      uint32_t row_index, uint32_t size)
{
    const uint64_t seq = ++log->last_seq;
    uint8_t payload[2000];
    for (uint32_t i = 0; i < size; i++) {
        payload[i] = letter(seq, i);
    }
    log->sizes[seq] = size;
    log->ids[seq] = model->next_id;
    const struct message_view view = {
        .message_id = model->next_id++,
        .seq = seq,
        .channel_type = 2,
        .channel_id = BYTES_OF("group"),
        .payload = {.data = payload, .size = size},
    };
    struct bytes row = {.data = model->rows[row_index], .size = message_row_size(&view)};
    CHECK(row.size <= sizeof(model->rows[0]));
    message_row_encode(&view, model->rows[row_index]);
    const struct store_message message = {.log = log->log, .seq = seq, .row = row};
    CHECK_OK(store_batch_add_message(fixture->batch, &message));
}

static void model_commit(struct model *model, struct fixture *fixture, struct prng *prng)
{
    const uint32_t count = 1 + (uint32_t)prng_below(prng, prng_below(prng, 4) == 0 ? 400 : 8);
    for (uint32_t i = 0; i < count; i++) {
        struct model_log *log = &model->logs[prng_below(prng, LOGS_COUNT)];
        const uint32_t size_max = prng_below(prng, 10) == 0 ? 1800 : 60;
        if (log->last_seq < MODEL_SEQ_MAX) {
            model_add(model, log, fixture, i, (uint32_t)prng_below(prng, size_max));
        }
    }
    CHECK_OK(store_batch_commit(fixture->batch, prng_below(prng, 5) == 0, &fixture->fault));
}

/* What must be visited, and what was. */
struct expectation {
    const struct model_log *log;
    uint64_t seqs[600];
    uint32_t count;
    uint32_t visited;
    uint32_t stop_at; /* the visitor says stop then; 0: never */
};

static bool check_visit(void *context, const struct message_view *view, struct bytes row)
{
    struct expectation *expected = context;
    CHECK(expected->visited < expected->count);
    const uint64_t seq = expected->seqs[expected->visited++];
    CHECK(view->seq == seq);
    CHECK(view->message_id == expected->log->ids[seq]);
    CHECK_EQ(view->payload.size, expected->log->sizes[seq]);
    for (size_t i = 0; i < view->payload.size; i += 7) {
        CHECK_EQ(view->payload.data[i], letter(seq, i));
    }
    struct message_view again;
    CHECK_OK(message_row_decode(row, &again));
    CHECK(again.seq == seq);
    return expected->visited != expected->stop_at;
}

static size_t row_size(const struct model_log *log, uint64_t seq)
{
    const struct message_view view = {.channel_id = BYTES_OF("group"),
                                      .payload = {.data = NULL, .size = log->sizes[seq]}};
    return message_row_size(&view);
}

/* What the store must answer, in the plainest way. */
static void expect(struct expectation *expected, const struct message_range *range)
{
    const struct model_log *log = expected->log;
    const bool is_up = range->order == MESSAGES_OLDEST_ASCENDING;
    const uint64_t max = range->seq_max < log->last_seq ? range->seq_max : log->last_seq;
    const uint64_t min = range->seq_min == 0 ? 1 : range->seq_min;
    uint64_t bytes = range->bytes_max;
    expected->count = 0;
    for (uint64_t i = min; i <= max && expected->count < range->count_max; i++) {
        const uint64_t seq = is_up ? i : max - (i - min);
        if (expected->count > 0 && row_size(log, seq) > bytes) {
            break;
        }
        bytes -= row_size(log, seq) < bytes ? row_size(log, seq) : bytes;
        expected->seqs[expected->count++] = seq;
    }
    if (range->order == MESSAGES_NEWEST_ASCENDING) {
        for (uint32_t i = 0; i < expected->count / 2; i++) {
            const uint64_t swapped = expected->seqs[i];
            expected->seqs[i] = expected->seqs[expected->count - 1 - i];
            expected->seqs[expected->count - 1 - i] = swapped;
        }
    }
}

/* A bound near something interesting: nothing, the end, a chunk, anywhere, beyond. */
static uint64_t some_seq(struct prng *prng, uint64_t last_seq)
{
    switch (prng_below(prng, 6)) {
    case 0:
        return prng_below(prng, 3);
    case 1:
        return last_seq + prng_below(prng, 3) - (last_seq > 0 ? 1 : 0);
    case 2:
        return UINT64_MAX - prng_below(prng, 2);
    case 3:
        return prng_below(prng, last_seq / 64 + 1) * 64 + prng_below(prng, 3);
    default:
        return prng_below(prng, last_seq + 2);
    }
}

static void check_range(struct model *model, struct fixture *fixture, struct prng *prng)
{
    static struct expectation expected;
    expected = (struct expectation){.log = &model->logs[prng_below(prng, LOGS_COUNT)]};
    const uint64_t last_seq = expected.log->last_seq;
    const struct message_range range = {
        .log = expected.log->log,
        .seq_min = some_seq(prng, last_seq),
        .seq_max = some_seq(prng, last_seq),
        .order = (enum message_order)prng_below(prng, 3),
        .count_max = 1 + (uint32_t)prng_below(prng, prng_below(prng, 3) == 0 ? 500 : 20),
        .bytes_max = (uint32_t)prng_below(prng, prng_below(prng, 2) == 0 ? 1000000 : 3000),
        .visit = check_visit,
        .context = &expected,
    };
    expect(&expected, &range);
    const uint32_t count = expected.count;
    expected.stop_at = prng_below(prng, 8) == 0 ? 1 + (uint32_t)prng_below(prng, 10) : 0;
    CHECK_OK(store_read_messages(fixture->store, STORE_MAY_BLOCK, &range));
    const bool is_stopped = expected.stop_at != 0 && expected.stop_at < count;
    CHECK_EQ(expected.visited, is_stopped ? expected.stop_at : count);
}

static void check_id(struct model *model, struct fixture *fixture, struct prng *prng)
{
    const struct model_log *log = &model->logs[prng_below(prng, LOGS_COUNT)];
    struct message_place place;
    if (log->last_seq > 0) {
        const uint64_t seq = 1 + prng_below(prng, log->last_seq);
        CHECK_OK(
            store_find_message_in_channel(fixture->store, log->log.channel, log->ids[seq], &place));
        CHECK(place.seq == seq);
        CHECK_EQ(place.log.kind, log->log.kind);
    }
    CHECK_EQ(
        store_find_message_in_channel(fixture->store, log->log.channel, model->next_id, &place),
        ERR_ABSENT);
}

TEST(a_log_answers_every_range_as_an_array_would)
{
    static struct model model;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    model_init(&model);
    for (uint32_t step = 0; step < 120; step++) {
        model_commit(&model, &fixture, prng);
        for (uint32_t i = 0; i < 40; i++) {
            check_range(&model, &fixture, prng);
            check_id(&model, &fixture, prng);
        }
        uint64_t last = 0;
        for (size_t i = 0; i < LOGS_COUNT; i++) {
            CHECK_OK(store_last_seq(fixture.store, STORE_MAY_BLOCK, model.logs[i].log, &last));
            CHECK(last == model.logs[i].last_seq);
        }
        switch (prng_below(prng, 20)) {
        case 0:
            fixture_restart(&fixture);
            break;
        case 1:
            CHECK_OK(store_reopen(fixture.store, &fixture.fault));
            break;
        case 2:
            CHECK_OK(store_compact(fixture.store));
            break;
        default:
            break;
        }
    }
    fixture_deinit(&fixture);
}

TEST(a_chunk_ends_at_its_count_and_at_its_bytes)
{
    static struct model model;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    model_init(&model);
    struct model_log *log = &model.logs[0];
    for (uint32_t i = 0; i < 200; i++) { /* chunks of 64, 64, 64 and 8 */
        model_add(&model, log, &fixture, i, 5);
    }
    fixture_commit(&fixture);
    for (uint32_t i = 0; i < 100; i++) { /* some 35 rows make 64 KiB */
        model_add(&model, log, &fixture, i, 1800);
    }
    fixture_commit(&fixture);
    for (uint32_t i = 0; i < 300; i++) {
        check_range(&model, &fixture, prng);
    }
    for (uint64_t seq = 1; seq <= log->last_seq; seq++) {
        static struct expectation expected;
        expected = (struct expectation){.log = log, .seqs = {seq}, .count = 1};
        const struct message_range range = {
            .log = log->log,
            .seq_min = seq,
            .seq_max = seq,
            .order = (enum message_order)prng_below(prng, 3),
            .count_max = 2,
            .visit = check_visit,
            .context = &expected,
        };
        CHECK_OK(store_read_messages(fixture.store, STORE_MAY_BLOCK, &range));
        CHECK_EQ(expected.visited, 1);
    }
    fixture_deinit(&fixture);
}

TEST(a_message_larger_than_a_chunk_is_a_chunk_of_its_own)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    const struct log_ref log = {.channel = {.slot = 3, .number = 1}, .kind = LOG_CHAT};
    static uint8_t payload[1024 * 1024];
    static uint8_t row[sizeof(payload) + 256];
    memset(payload, 'x', sizeof(payload));
    for (uint64_t seq = 1; seq <= 3; seq++) {
        const struct message_view view = {
            .seq = seq, .payload = {.data = payload, .size = seq == 2 ? sizeof(payload) : 10}};
        message_row_encode(&view, row);
        const struct store_message message = {
            .log = log, .seq = seq, .row = {.data = row, .size = message_row_size(&view)}};
        CHECK_OK(store_batch_add_message(fixture.batch, &message));
        fixture_commit(&fixture);
    }
    fixture_restart(&fixture);
    uint64_t last = 0;
    CHECK_OK(store_last_seq(fixture.store, STORE_MAY_BLOCK, log, &last));
    CHECK_EQ(last, 3);
    fixture_deinit(&fixture);
}

TEST(a_message_is_found_by_its_id_alone_in_the_channels_of_its_slot)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    uint64_t ids[60][4];
    for (uint32_t i = 0; i < 60; i++) {
        char id[16];
        snprintf(id, sizeof(id), "room%u", i % 30);
        const struct channel_name name = {.type = (uint8_t)(1 + i / 30), .id = bytes_of_string(id)};
        const uint16_t slot = slot_of_channel(name);
        const struct channel_row row = {.number = i + 1};
        CHECK_OK(store_batch_put_channel(fixture.batch, name, &row));
        uint8_t rows[4][128];
        for (uint64_t seq = 1; seq <= 4; seq++) {
            ids[i][seq - 1] = message_id_compose(1700000000000 + i * 10 + seq, slot, 0);
            const struct message_view view = {.message_id = ids[i][seq - 1], .seq = seq};
            message_row_encode(&view, rows[seq - 1]);
            const struct store_message message = {
                .log = {.channel = {.slot = slot, .number = i + 1}, .kind = LOG_COMMAND},
                .seq = seq,
                .row = {.data = rows[seq - 1], .size = message_row_size(&view)}};
            CHECK_OK(store_batch_add_message(fixture.batch, &message));
        }
        fixture_commit(&fixture);
    }
    for (uint32_t i = 0; i < 60; i++) {
        struct message_place place;
        for (uint64_t seq = 1; seq <= 4; seq++) {
            CHECK_OK(store_find_message_by_id(fixture.store, ids[i][seq - 1], &place));
            CHECK_EQ(place.log.channel.number, i + 1);
            CHECK_EQ(place.log.kind, LOG_COMMAND);
            CHECK_EQ(place.seq, seq);
        }
        CHECK_EQ(store_find_message_by_id(fixture.store, ids[i][0] + 1, &place), ERR_ABSENT);
    }
    fixture_deinit(&fixture);
}

TEST(a_log_with_a_gap_is_corrupt_not_short)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    const struct log_ref log = {.channel = {.slot = 3, .number = 1}, .kind = LOG_CHAT};
    fixture_append(&fixture, log, 2, 10);
    struct fixture_message message;
    fixture_message(&message, 5, 10);
    const struct store_message added = {.log = log, .seq = 5, .row = message.bytes};
    CHECK_OK(store_batch_add_message(fixture.batch, &added));
    fixture_commit(&fixture);
    static struct model_log model = {.sizes = {0, 10, 10, 0, 0, 10}};
    static struct expectation expected = {.log = &model};
    const struct message_range range = {.log = log,
                                        .seq_max = UINT64_MAX,
                                        .count_max = 9,
                                        .bytes_max = 9999,
                                        .order = MESSAGES_NEWEST_ASCENDING,
                                        .visit = check_visit,
                                        .context = &expected};
    CHECK_EQ(store_read_messages(fixture.store, STORE_MAY_BLOCK, &range), ERR_CORRUPT);
    CHECK_EQ(expected.visited, 0);
    store_last_fault(fixture.store, &fixture.fault);
    CHECK(strstr(fixture.fault.text, "messages") != NULL);
    fixture_deinit(&fixture);
}

static void add_damaged(void *context)
{
    struct fixture *fixture = context;
    struct fixture_message message;
    fixture_message(&message, 1, 100);
    message.row[50] ^= 1;
    const struct store_message added = {
        .log = {.channel = {.slot = 1, .number = 1}}, .seq = 1, .row = message.bytes};
    CHECK_OK(store_batch_add_message(fixture->batch, &added));
    fixture_commit(fixture);
}

TEST(a_row_that_was_damaged_before_the_commit_stops_the_process)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    CHECK_ABORTS(add_damaged, &fixture);
    fixture_deinit(&fixture);
}
