/* Includes the source: what it reads, drops and sends is looked at in place of a store. */
#include "edge/outbox_writer.h"
#include "edge/webhook.h"
#include "store/store.h"

/* NOLINTBEGIN(readability-identifier-naming): the names are those of the functions */
#define store_read_outbox  read_table
#define outbox_writer_drop note_drop
#define outbox_writer_send note_send
/* NOLINTEND(readability-identifier-naming) */

static enum err read_table(struct store *store, const struct outbox_range *range,
                           struct outbox_key *out_bad);
static enum err note_drop(struct outbox_writer *writer, const struct outbox_key *key,
                          uint64_t cost);
static void note_send(struct outbox_writer *writer);

#include "edge/outbox_trimmer.c" /* NOLINT(bugprone-suspicious-include) */

#include "support/test.h"

#define EVENTS_MAX 6000u
#define ROW_BYTES  72u
#define COST       (outbox_cost(ROW_BYTES))

enum fate { LIVE, ON_ITS_WAY, GONE };

/* All in the one lane of OUTBOX_NOTIFY, by id. */
static struct event {
    uint64_t id;
    uint64_t queued_ms;
    enum fate fate;
} events[EVENTS_MAX];
static uint32_t events_count;
static struct webhook webhook;
static struct metrics_slot metrics;

static enum err read_table(struct store *store, const struct outbox_range *range,
                           struct outbox_key *out_bad)
{
    (void)store;
    (void)out_bad;
    uint32_t visited = 0;
    for (uint32_t i = 0; i < events_count && range->from.queue == OUTBOX_NOTIFY; i++) {
        const struct event *event = &events[i];
        const struct outbox_key key = {.queue = OUTBOX_NOTIFY, .id = event->id};
        const struct outbox_row row = {.queued_ms = event->queued_ms};
        if (event->fate == GONE || is_below(&key, &range->from)) {
            continue;
        }
        if (visited++ == range->count_max || !range->visit(range->context, &key, &row, ROW_BYTES)) {
            break;
        }
    }
    return ERR_OK;
}

static enum err note_drop(struct outbox_writer *writer, const struct outbox_key *key, uint64_t cost)
{
    writer->bytes_dropped += cost;
    for (uint32_t i = 0; i < events_count; i++) {
        if (events[i].id == key->id) {
            CHECK_EQ(events[i].fate, LIVE);
            events[i].fate = ON_ITS_WAY;
            return ERR_OK;
        }
    }
    CHECK(false);
    return ERR_ABSENT;
}

static void note_send(struct outbox_writer *writer)
{
    writer->is_away = true;
}

/* What was sent is gone from the disk. */
static void commit(void)
{
    struct outbox_writer *writer = &webhook.trimmer.writer;
    CHECK(writer->is_away);
    for (uint32_t i = 0; i < events_count; i++) {
        events[i].fate = events[i].fate == ON_ITS_WAY ? GONE : events[i].fate;
    }
    webhook.office.bytes -= writer->bytes_dropped;
    writer->bytes_dropped = 0;
    writer->is_away = false;
    writer->done(writer);
}

static void begin(uint64_t bytes_max)
{
    events_count = 0;
    webhook = (struct webhook){.options = {.metrics = &metrics, .outbox_age_ms_max = 1000},
                               .wall_ms = 100000};
    memset(&metrics, 0, sizeof(metrics));
    outbox_office_init(&webhook.office);
    webhook.office.now_ns = 1;
    outbox_trimmer_init(&webhook.trimmer, &webhook, bytes_max);
}

static void add(uint64_t id, uint64_t queued_ms)
{
    events[events_count++] = (struct event){.id = id, .queued_ms = queued_ms};
    webhook.office.bytes += COST;
}

static uint32_t count(enum fate fate)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < events_count; i++) {
        count += events[i].fate == fate ? 1 : 0;
    }
    return count;
}

static uint64_t counted(enum metric metric)
{
    return atomic_load(&metrics.values[metric]);
}

TEST(while_much_becomes_too_old_others_have_a_turn_between_two_commits)
{
    begin(UINT64_MAX);
    for (uint32_t i = 0; i < 5000; i++) {
        add(i + 1, 1);
    }
    add(5001, webhook.wall_ms);
    for (uint32_t commits = 0; commits < 3; commits++) {
        CHECK_EQ(outbox_trimmer_run(&webhook.trimmer), UINT64_MAX);
        CHECK(!webhook_may_post(&webhook, OUTBOX_NOTIFY));
        commit();
        CHECK_EQ(outbox_trimmer_run(&webhook.trimmer), webhook.office.now_ns);
        CHECK(webhook_may_post(&webhook, OUTBOX_NOTIFY));
    }
    CHECK(outbox_trimmer_run(&webhook.trimmer) > webhook.office.now_ns);
    CHECK_EQ(count(LIVE), 1);
    CHECK_EQ(counted(METRIC_WEBHOOK_EXPIRED), 5000);
}

TEST(what_came_in_below_goes_when_nothing_else_is_left)
{
    begin(1);
    add(500, webhook.wall_ms);
    events[0].fate = GONE; /* it will come again, as a letter does that is sent once more */
    webhook.office.bytes = 0;
    add(1000, webhook.wall_ms);
    CHECK_EQ(outbox_trimmer_run(&webhook.trimmer), UINT64_MAX);
    commit();
    events[0].fate = LIVE;
    webhook.office.bytes += COST;
    for (uint32_t i = 0; i < 4 && count(LIVE) > 0; i++) {
        const uint64_t due_ns = outbox_trimmer_run(&webhook.trimmer);
        webhook.office.now_ns = due_ns != UINT64_MAX ? due_ns : webhook.office.now_ns;
    }
    commit();
    CHECK_EQ(count(GONE), 2);
    CHECK_EQ(counted(METRIC_WEBHOOK_DROPPED), 2);
    CHECK_EQ(webhook.office.bytes, 0);
}
