#include "store/gate.h"
#include "store/send_filters.h"
#include "system/clock.h"
#include "system/thread.h"

#include "unit/store/fixture.h"

#include <stdatomic.h>

static const struct log_ref chat = {.channel = {.slot = 5, .number = 1}, .kind = LOG_CHAT};

struct guest {
    struct gate *gate;
    _Atomic bool is_inside;
};

static void guest_run(void *context)
{
    struct guest *guest = context;
    CHECK(gate_enter(guest->gate));
    atomic_store(&guest->is_inside, true);
    gate_leave(guest->gate);
}

TEST(a_pause_begins_only_when_nobody_is_inside_and_guests_wait_for_its_end)
{
    struct gate gate;
    gate_init(&gate);
    CHECK(!gate_pause(&gate, 1000)); /* closed */
    gate_open(&gate);
    CHECK(gate_enter(&gate));
    CHECK(!gate_pause(&gate, 0));
    CHECK(!gate_pause(&gate, 2));
    gate_leave(&gate);

    CHECK(gate_pause(&gate, 0));
    struct guest guest = {.gate = &gate};
    struct thread thread;
    CHECK_OK(thread_start(&thread, "guest", guest_run, &guest));
    usleep(20000); /* time to come in, if it could */
    CHECK(!atomic_load(&guest.is_inside));
    gate_resume(&gate);
    thread_join(&thread);
    CHECK(atomic_load(&guest.is_inside));
    gate_close(&gate);
    gate_deinit(&gate);
}

static void add_filter(struct send_filters *filters, uint32_t number)
{
    const struct log_ref log = {.channel = {.slot = 5, .number = number}, .kind = LOG_CHAT};
    CHECK(send_filters_begin(filters, log, 1000));
    const uint64_t send = number;
    send_filters_load(filters, log, &send, 1);
    send_filters_finish(filters, log, true, 0);
}

static enum send_answer ask(struct send_filters *filters, uint32_t number)
{
    const struct log_ref log = {.channel = {.slot = 5, .number = number}, .kind = LOG_CHAT};
    bool wants_care = false;
    return send_filters_ask(filters, log, number, &wants_care);
}

TEST(a_filter_rests_when_nobody_asked_between_two_rests)
{
    struct budget budget;
    struct send_filters filters;
    budget_init(&budget, "test", NULL, BUDGET_UNLIMITED);
    CHECK_OK(send_filters_open(&filters, &budget, 1024 * 1024));
    for (uint32_t number = 1; number <= 8; number++) {
        add_filter(&filters, number);
    }
    CHECK_EQ(send_filters_rest(&filters), 0);
    CHECK_EQ(ask(&filters, 3), SEND_IS_KNOWN_PERHAPS);
    CHECK(send_filters_rest(&filters) > 0);
    CHECK_EQ(ask(&filters, 3), SEND_IS_KNOWN_PERHAPS);
    for (uint32_t number = 1; number <= 8; number++) {
        CHECK_EQ(ask(&filters, number), number == 3 ? SEND_IS_KNOWN_PERHAPS : SEND_IS_UNKNOWN);
    }
    add_filter(&filters, 1); /* what was given back is there again */
    CHECK_EQ(ask(&filters, 1), SEND_IS_KNOWN_PERHAPS);
    send_filters_close(&filters);
    CHECK_EQ(budget_used(&budget), 0);
}

static void append(struct fixture *fixture, uint64_t first, uint64_t last)
{
    static uint8_t rows[FIXTURE_MESSAGES_MAX][4096];
    static uint8_t payload[3000];
    for (uint64_t seq = first; seq <= last;) {
        for (uint32_t i = 0; i < 256 && seq <= last; i++, seq++) {
            const struct message_view view = {
                .seq = seq,
                .from_uid = BYTES_OF("u1"),
                .payload = {.data = payload, .size = sizeof(payload)}};
            message_row_encode(&view, rows[i]);
            const struct store_message message = {
                .log = chat,
                .seq = seq,
                .row = {.data = rows[i], .size = message_row_size(&view)},
                .sender = view.from_uid,
            };
            CHECK_OK(store_batch_add_message(fixture->batch, &message));
        }
        fixture_commit(fixture);
    }
}

static uint64_t own_last(struct fixture *fixture)
{
    uint64_t seq = 0;
    CHECK_OK(store_own_last_seq(fixture->store, STORE_MAY_BLOCK, chat, BYTES_OF("u1"), &seq));
    return seq;
}

TEST(a_store_at_rest_has_given_back_its_memtables_and_forgets_nothing)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.options.memtables_bytes = 32 * 1024 * 1024;
    fixture_open(&fixture);
    append(&fixture, 1, 1000);
    struct store_memory memory;
    store_memory(fixture.store, &memory);
    CHECK(memory.memtables_bytes > 2 * 1024 * 1024);

    struct store_rest rest;
    store_rest(fixture.store, &rest);
    CHECK(rest.memtables_bytes > 2 * 1024 * 1024);
    CHECK(rest.owns_bytes > 0);
    store_memory(fixture.store, &memory);
    CHECK(memory.memtables_bytes < 1024 * 1024);
    CHECK_EQ(own_last(&fixture), 1000);

    append(&fixture, 1001, 1010);
    CHECK_EQ(own_last(&fixture), 1010);
    store_rest(fixture.store, &rest);
    CHECK_EQ(rest.memtables_bytes, 0); /* too little to be worth it */
    fixture_close(&fixture);
    fixture_deinit(&fixture);
}

static bool pass(void *context, const struct message_view *view, struct bytes row)
{
    (void)view;
    *(uint64_t *)context += row.size;
    return true;
}

TEST(a_store_at_rest_keeps_no_block_that_nobody_uses)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    append(&fixture, 1, 400);
    CHECK_OK(store_flush(fixture.store));
    uint64_t bytes = 0;
    const struct message_range range = {
        .log = chat,
        .seq_min = 1,
        .seq_max = 400,
        .order = MESSAGES_OLDEST_ASCENDING,
        .count_max = 400,
        .bytes_max = UINT32_MAX,
        .visit = pass,
        .context = &bytes,
    };
    CHECK_OK(store_read_messages(fixture.store, STORE_MAY_BLOCK, &range));
    struct store_memory memory;
    store_memory(fixture.store, &memory);
    CHECK(memory.cache_bytes > 512 * 1024);

    const uint64_t end_ns = clock_now_ns() + 10 * 1000000000ull;
    do { /* while the flush is coming to its end, a little stays */
        struct store_rest rest;
        store_rest(fixture.store, &rest);
        store_memory(fixture.store, &memory);
        usleep(1000);
    } while (memory.cache_bytes >= 64 * 1024 && clock_now_ns() < end_ns);
    CHECK(memory.cache_bytes < 64 * 1024);
    const uint64_t bytes_before = bytes;
    CHECK_OK(store_read_messages(fixture.store, STORE_MAY_BLOCK, &range));
    CHECK_EQ(bytes, 2 * bytes_before);
    fixture_close(&fixture);
    fixture_deinit(&fixture);
}

/* A guest of the store for as long as it reads, who has it rest meanwhile. */
struct restless {
    struct store *store;
    uint64_t cached_bytes; /* before that */
};

static bool rest_while_inside(void *context, const struct message_view *view, struct bytes row)
{
    (void)view;
    (void)row;
    struct restless *restless = context;
    struct store_memory memory;
    store_memory(restless->store, &memory);
    restless->cached_bytes = memory.cache_bytes;
    struct store_rest rest;
    store_rest(restless->store, &rest);
    return false;
}

TEST(a_store_that_somebody_always_reads_keeps_no_more_blocks_than_he_may_need)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.options.cache_bytes = 12ull * 1024 * 1024;
    fixture_open(&fixture);
    append(&fixture, 1, 4000);
    CHECK_OK(store_flush(fixture.store));
    uint64_t bytes = 0;
    struct message_range range = {
        .log = chat,
        .seq_min = 1,
        .seq_max = 4000,
        .order = MESSAGES_OLDEST_ASCENDING,
        .count_max = 4000,
        .bytes_max = UINT32_MAX,
        .visit = pass,
        .context = &bytes,
    };
    CHECK_OK(store_read_messages(fixture.store, STORE_MAY_BLOCK, &range));
    struct restless restless = {.store = fixture.store};
    range.visit = rest_while_inside;
    range.context = &restless;
    CHECK_OK(store_read_messages(fixture.store, STORE_MAY_BLOCK, &range));
    CHECK(restless.cached_bytes > 6ull * 1024 * 1024);
    struct store_memory memory;
    store_memory(fixture.store, &memory);
    CHECK(memory.cache_bytes < 4ull * 1024 * 1024);
    fixture_close(&fixture);
    fixture_deinit(&fixture);
}
