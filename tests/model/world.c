#include "model/world.h"

#include "base/assert.h"
#include "chat/system_accounts.h"
#include "model/trouble.h"
#include "store/batch.h"
#include "store/read.h"
#include "system/clock.h"

#include "support/test.h"

#include <poll.h>
#include <stdio.h>

#define MIB             (1024u * 1024u)
#define READERS_COUNT   2u
#define STUCK_MS        60000 /* nothing has come for so long: it never will */
#define LOOK_UP_WAIT_MS 10    /* passes for the server */
#define LOOK_UP_POLL_MS 2     /* while so much passes here */
#define SLOT_COMMITTER  WORLD_SHARDS_MAX
#define SLOTS_COUNT_MAX (WORLD_SHARDS_MAX + 1)

/* ---- Opening. ---- */

struct store *world_open_store(const char *path, struct budget *budget)
{
    const struct store_options options = {
        .budget = budget,
        .path = path,
        .cache_bytes = 8 * MIB,
        .memtables_bytes = 8 * MIB,
        .filters_bytes = 1 * MIB,
        .files_open_max = 64,
        .threads_count = 2,
        .is_new_allowed = true,
    };
    struct store *store = NULL;
    struct store_fault fault = {.text = ""};
    const enum err err = store_open(&options, &store, &fault);
    if (err != ERR_OK) {
        print_error("%s\n", fault.text);
    }
    CHECK_OK(err);
    return store;
}

static void open_side(struct world *world, uint32_t index, uint64_t clock_floor_ms)
{
    struct side *side = &world->sides[index];
    side->world = world;
    CHECK_OK(shard_open(&side->shard, index, world->shards, world->options.shards_count,
                        world->options.shard_bytes));
    side->shard.metrics = metrics_slot(&world->metrics, index);
    if (world->now_ms < side->shard.now_ms) {
        world->now_ms = side->shard.now_ms;
    }
    const struct chat_options options = {
        .shard = &side->shard,
        .store = world->store,
        .journal = &world->journal,
        .readers = &world->readers,
        .settings = &world->options.settings,
        .port = connection_port(),
        .clock_floor_ms = clock_floor_ms,
    };
    CHECK_OK(chat_init(&side->chat, &options));
    world_enter(world, index);
}

void world_open(struct world *world, const struct world_options *options)
{
    world->options = *options;
    budget_init(&world->budget, "world", NULL, BUDGET_UNLIMITED);
    CHECK_OK(metrics_open(&world->metrics, &world->budget, SLOTS_COUNT_MAX));
    CHECK_OK(mailbox_open(&world->asker, world));
    world->store = world_open_store(options->path, &world->budget);
    CHECK_OK(readers_start(&world->readers, READERS_COUNT));
    const struct journal_options journal = {
        .store = world->store,
        .path = options->path,
        .is_synced = true,
        .batch_bytes = 4 * MIB,
        .batch_messages = JOURNAL_BATCH_MESSAGES,
        .budget = &world->budget,
        .metrics = metrics_slot(&world->metrics, SLOT_COMMITTER),
    };
    CHECK_OK(journal_start(&world->journal, &journal));
    uint64_t clock_floor_ms = 0;
    CHECK_OK(store_last_ms(world->store, &clock_floor_ms));
    struct chat *chats[WORLD_SHARDS_MAX];
    for (uint32_t i = 0; i < options->shards_count; i++) {
        world->shards[i] = &world->sides[i].shard;
    }
    for (uint32_t i = 0; i < options->shards_count; i++) {
        open_side(world, i, clock_floor_ms);
        chats[i] = &world->sides[i].chat;
    }
    CHECK_OK(system_accounts_load(world->store, chats, options->shards_count));
}

void world_close(struct world *world, bool is_flushed)
{
    CHECK_EQ(world->asked, 0);
    readers_stop(&world->readers);
    journal_stop(&world->journal);
    for (uint32_t i = 0; i < world->options.shards_count; i++) {
        struct side *side = world_enter(world, i);
        chat_deinit(&side->chat);
        CHECK_EQ(budget_used(&side->shard.budget), 0);
        shard_close(&side->shard);
    }
    if (is_flushed) {
        CHECK_OK(store_flush(world->store));
    }
    store_close(world->store);
    mailbox_close(&world->asker);
    metrics_close(&world->metrics);
    CHECK_EQ(budget_used(&world->budget), 0);
}

/* ---- Turns. ---- */

struct side *world_enter(struct world *world, uint32_t shard)
{
    struct side *side = &world->sides[shard];
    side->shard.now_ms = world->now_ms;
    side->shard.now_ns = world->now_ms * 1000000u;
    side->shard.wall_ms = world->wall_ms;
    shard_enter(&side->shard);
    return side;
}

/* As server/turn.c, whose edge is connection.h. */
bool world_turn(struct world *world, uint32_t shard)
{
    struct side *side = world_enter(world, shard);
    world->step++;
    bool has_more = mailbox_drain(&side->shard.mailbox) > 0;
    if (prng_below(&world->prng, 2) == 0) { /* behind the reading, if any */
        has_more |= mailbox_drain(&side->shard.mailbox) > 0;
    }
    const uint64_t until_ns = prng_below(&world->prng, 2) == 0 ? 0 : UINT64_MAX; /* some, or all */
    has_more |= intake_run(&side->shard.intake, &side->shard, until_ns);
    has_more |= deliveries_run(&side->chat);
    timers_run(&side->shard.timers, world->now_ms);
    chat_turn_end(&side->chat);
    has_more |= connections_end_turn(world, shard);
    mailer_flush(&side->shard.mailer);
    return has_more;
}

static bool asker_turn(struct world *world)
{
    mailer_flush(&world->asker_mailer);
    return mailbox_drain(&world->asker) > 0;
}

void world_turns(struct world *world, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        world_turn(world, (uint32_t)prng_below(&world->prng, world->options.shards_count));
        asker_turn(world);
        trouble_send_late(&world->prng, false);
    }
}

/* ---- Settling. ---- */

static bool connection_is_settled(const struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_FREE:
    case CONNECTION_CLOSED:
        return true;
    case CONNECTION_LOGGING_IN:
    case CONNECTION_DOOMED:
        return false;
    case CONNECTION_OPEN:
        return !connection->is_reading || !connection->session.is_behind;
    }
    return false;
}

static bool side_is_settled(const struct side *side)
{
    if (!chat_is_idle(&side->chat) || side->chat.deliveries.count > 0) {
        return false;
    }
    for (uint32_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (!connection_is_settled(&side->connections[i])) {
            return false;
        }
    }
    return true;
}

static bool world_is_settled(const struct world *world)
{
    if (world->asked > 0 || trouble_late_count() > 0) {
        return false;
    }
    for (uint32_t i = 0; i < world->options.shards_count; i++) {
        if (!side_is_settled(&world->sides[i])) {
            return false;
        }
    }
    return true;
}

/* Sleeps until a letter has come for anybody. */
static void world_wait(struct world *world, int timeout_ms)
{
    struct mailbox *boxes[WORLD_SHARDS_MAX + 2];
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->options.shards_count; i++) {
        boxes[count++] = &world->sides[i].shard.mailbox;
    }
    boxes[count++] = &world->asker;
    boxes[count++] = trouble_late_mailbox();
    struct pollfd fds[WORLD_SHARDS_MAX + 2];
    bool may_sleep = true;
    for (uint32_t i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = boxes[i]->wakeup.fd, .events = POLLIN};
        may_sleep &= mailbox_may_sleep(boxes[i]);
    }
    const int ready = may_sleep ? poll(fds, count, timeout_ms) : 1;
    for (uint32_t i = 0; i < count; i++) {
        mailbox_awake(boxes[i]);
        wakeup_clear(&boxes[i]->wakeup);
    }
    if (ready == 0 && timeout_ms == STUCK_MS) {
        print_error("stuck: %u requests never came home\n", world->asked);
        for (uint32_t i = 0; i < world->options.shards_count; i++) {
            const struct chat *chat = &world->sides[i].chat;
            print_error("shard %u: %u entries, %u parts, %llu bytes of readings, %u walks away\n",
                        i, chat->entries_away, chat->parts_away,
                        (unsigned long long)budget_used(&chat->readings_budget),
                        chat->deliveries.count);
        }
        fail();
    }
}

static bool turn_of_all(struct world *world)
{
    bool has_more = asker_turn(world);
    const uint32_t count = world->options.shards_count;
    const uint32_t first = (uint32_t)prng_below(&world->prng, count);
    for (uint32_t i = 0; i < count; i++) {
        has_more |= world_turn(world, (first + i) % count);
    }
    has_more |= asker_turn(world);
    has_more |= trouble_send_late(&world->prng, true) > 0;
    return has_more;
}

/* A part of a delivery whose look-up has failed waits for a timer (chat/newcomers), and time passes
 * only when we say so. */
static bool waits_for_time(const struct world *world)
{
    for (uint32_t i = 0; i < world->options.shards_count; i++) {
        const struct side *side = &world->sides[i];
        if (side->chat.parts_away > 0 && budget_used(&side->chat.readings_budget) == 0) {
            return true;
        }
    }
    return false;
}

void world_settle(struct world *world)
{
    uint32_t waited_ms = 0;
    for (;;) {
        const bool has_more = turn_of_all(world);
        if (!has_more && world_is_settled(world)) {
            return;
        }
        if (has_more) {
            waited_ms = 0; /* each of many parts may have to wait in its turn */
        } else if (waits_for_time(world) && waited_ms < STUCK_MS) {
            world_wait(world, LOOK_UP_POLL_MS);
            world->now_ms += LOOK_UP_WAIT_MS;
            waited_ms += LOOK_UP_WAIT_MS;
        } else {
            world_wait(world, STUCK_MS);
        }
    }
}

static bool is_anything_away(const struct world *world)
{
    for (uint32_t i = 0; i < world->options.shards_count; i++) {
        if (world->sides[i].chat.entries_away > 0) {
            return true;
        }
    }
    return false;
}

void world_settle_or_hold(struct world *world)
{
    uint32_t quiet = 0;
    while (!trouble_is_held() && quiet < 2) {
        const bool has_more = turn_of_all(world);
        quiet = has_more || is_anything_away(world) || !world_is_settled(world) ? 0 : quiet + 1;
        if (!has_more && quiet == 0) {
            world_wait(world, 1); /* a held commit sends no letter */
        }
    }
}

void world_nudge(struct world *world)
{
    wakeup_raise(&world->journal.mailbox.wakeup);
    world_wait(world, 2);
}

uint32_t world_home(const struct world *world, struct bytes uid)
{
    return routing_shard_of_slot(slot_of_user(uid), world->options.shards_count);
}
