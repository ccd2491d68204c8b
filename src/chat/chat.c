#include "chat/chat.h"

#include "base/assert.h"
#include "chat/newcomers.h"
#include "chat/send.h"
#include "memory/allocator.h"
#include "shard/bell.h"
#include "store/message_id.h"
#include "telemetry/logger.h"

#define CLOCK_AHEAD_MS        10000 /* one RECORD_CLOCK every ten seconds covers all ids */
#define SYSTEM_FIRST_CAPACITY 8
#define AGING_EVERY_MS        1000
#define AGING_CHANNELS_MAX    512      /* given back at a time */
#define REST_CHANNELS_BYTES   1048576u /* so much of channels and members may stay */

static size_t slots_bytes(void)
{
    return SLOTS_COUNT * (sizeof(uint64_t) + sizeof(uint32_t));
}

static void chat_init_budgets(struct chat *chat)
{
    struct budget *root = &chat->shard->budget;
    const uint64_t streams = chat->settings->streams_bytes;
    const uint64_t limit = root->limit_bytes > streams ? root->limit_bytes - streams : 0;
    budget_init(&chat->sessions_budget, "sessions", root, limit / 4);
    budget_init(&chat->channels_budget, "channels", root, limit / 8);
    budget_init(&chat->rosters_budget, "rosters", root, limit / 8);
    budget_init(&chat->messages_budget, "messages", root, limit / 2);
    budget_init(&chat->readings_budget, "readings", root, limit / 8);
    budget_init(&chat->streams_budget, "streams", root, streams);
    budget_init(&chat->temporaries_budget, "temporaries", root, limit / 16);
    budget_init(&chat->shelf_budget, "shelf", root, limit / 16);
}

/* What was not wanted for a while is given back, little by little. */
static void chat_ages(struct timer *timer, void *context)
{
    struct chat *chat = chat_of(context);
    audiences_age(chat);
    temporaries_age(chat);
    const bool has_more = channels_age(chat, AGING_CHANNELS_MAX);
    timers_set(&chat->shard->timers, timer,
               chat->shard->now_ms + (has_more ? TIMERS_STEP_MS : AGING_EVERY_MS), chat_ages);
}

/* What large channels need to be delivered to, whatever else is held. */
static enum err chat_init_audiences(struct chat *chat)
{
    if (audiences_init(chat) != ERR_OK) {
        return ERR_BUDGET;
    }
    chat->newcomers = newcomers_acquire(chat);
    if (chat->newcomers == NULL) {
        audiences_deinit(chat);
        return ERR_BUDGET;
    }
    return ERR_OK;
}

enum err chat_init(struct chat *chat, const struct chat_options *options)
{
    *chat = (struct chat){
        .shard = options->shard,
        .store = options->store,
        .journal = options->journal,
        .readers = options->readers,
        .settings = options->settings,
        .hash_key = options->settings->hash_key,
        .port = options->port,
        .notices = options->notices,
        .bell = options->bell,
        .epoch = 1,
        .clock_floor_ms = options->clock_floor_ms,
        .version_last = 1,
    };
    chat_init_budgets(chat);
    list_init(&chat->entries_idle);
    list_init(&chat->device_changes);
    list_init(&chat->system_changes);
    deliveries_init(&chat->deliveries);
    chat->ids_last =
        memory_acquire_zeroed(&chat->channels_budget, MEMORY_RANK_DRAIN, slots_bytes());
    chat->facts.slots = memory_acquire_zeroed(&chat->channels_budget, MEMORY_RANK_DRAIN,
                                              FACTS_SLOTS * sizeof(struct facts_slot));
    chat->commits_by_hash = memory_acquire_zeroed(&chat->channels_budget, MEMORY_RANK_DRAIN,
                                                  SEND_HASHES_COUNT * sizeof(uint16_t));
    if (chat->ids_last == NULL || chat->facts.slots == NULL || chat->commits_by_hash == NULL ||
        inquiries_init(chat, options->desk) != ERR_OK) {
        goto fail;
    }
    chat->numbers_last = (uint32_t *)&chat->ids_last[SLOTS_COUNT];
    memset(chat->numbers_last, 0xff, SLOTS_COUNT * sizeof(uint32_t));
    if (users_init(&chat->users, &chat->sessions_budget) != ERR_OK) {
        goto fail;
    }
    if (channels_init(&chat->channels, &chat->channels_budget) != ERR_OK) {
        users_deinit(&chat->users);
        goto fail;
    }
    if (chat_init_audiences(chat) != ERR_OK) {
        channels_deinit(chat);
        users_deinit(&chat->users);
        goto fail;
    }
    shelf_init(&chat->shelf, &chat->shelf_budget);
    streams_init(&chat->streams, &chat->streams_budget);
    temporaries_init(&chat->temporaries, &chat->temporaries_budget);
    chat->shard->chat = chat;
    timers_set(&chat->shard->timers, &chat->aging, chat->shard->now_ms + AGING_EVERY_MS, chat_ages);
    return ERR_OK;

fail:
    inquiries_deinit(chat);
    memory_release(&chat->channels_budget, chat->commits_by_hash,
                   SEND_HASHES_COUNT * sizeof(uint16_t));
    memory_release(&chat->channels_budget, chat->facts.slots,
                   FACTS_SLOTS * sizeof(struct facts_slot));
    memory_release(&chat->channels_budget, chat->ids_last, slots_bytes());
    return ERR_BUDGET;
}

static void entry_release(struct chat *chat, struct entry *entry)
{
    entry_deinit(entry);
    memory_release(&chat->messages_budget, entry, sizeof(*entry));
}

void chat_rest(struct chat *chat)
{
    const uint64_t channels_bytes = budget_used(&chat->channels_budget);
    const uint64_t rosters_bytes = budget_used(&chat->rosters_budget);
    const uint64_t messages_bytes = budget_used(&chat->messages_budget);
    const uint64_t shelf_bytes = budget_used(&chat->shelf_budget);
    if (channels_bytes + rosters_bytes + shelf_bytes > REST_CHANNELS_BYTES) {
        channels_rest(chat);
    }
    struct list *item;
    while ((item = list_pop_front(&chat->entries_idle)) != NULL) {
        entry_release(chat, CONTAINER_OF(item, struct entry, link));
    }
    chat->entries_idle_count = 0;
    budget_rested(&chat->channels_budget, channels_bytes);
    budget_rested(&chat->rosters_budget, rosters_bytes);
    budget_rested(&chat->messages_budget, messages_bytes);
    budget_rested(&chat->shelf_budget, shelf_bytes);
}

void chat_deinit(struct chat *chat)
{
    ASSERT(chat_is_idle(chat));
    struct list *item;
    while ((item = list_pop_front(&chat->entries_idle)) != NULL) {
        entry_release(chat, CONTAINER_OF(item, struct entry, link));
    }
    timers_cancel(&chat->shard->timers, &chat->aging);
    streams_deinit(chat);
    temporaries_deinit(chat);
    channels_deinit(chat);
    newcomers_release(chat->newcomers);
    audiences_deinit(chat);
    users_deinit(&chat->users);
    memory_release(&chat->channels_budget, chat->system_hashes,
                   chat->system_capacity * sizeof(uint64_t));
    inquiries_deinit(chat);
    memory_release(&chat->channels_budget, chat->commits_by_hash,
                   SEND_HASHES_COUNT * sizeof(uint16_t));
    memory_release(&chat->channels_budget, chat->facts.slots,
                   FACTS_SLOTS * sizeof(struct facts_slot));
    memory_release(&chat->channels_budget, chat->ids_last, slots_bytes());
    chat->shard->chat = NULL;
}

bool chat_is_idle(const struct chat *chat)
{
    return chat->shard->intake.count == 0 && chat->entry == NULL && chat->entries_away == 0 &&
           chat->parts_away == 0 && chat->marks_away == 0 && chat->inquiries.away_count == 0 &&
           budget_used(&chat->readings_budget) == 0;
}

static void entry_comes_home(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct entry *entry = CONTAINER_OF(letter, struct entry, letter);
    ASSERT(chat->entries_away > 0);
    chat->entries_away--;

    /* By journal.h (3) what was decided after this entry is refused too. First forget it, so that
     * nobody who is answered now builds on it. */
    const bool is_refused = entry->result != ERR_OK;
    if (is_refused && entry->epoch == chat->epoch) {
        chat_turn_end(chat); /* what this turn has gathered so far is of the same epoch */
        chat->epoch++;
        chat->clock_limit_ms =
            0; /* its RECORD_CLOCK may have been refused: the next id brings one */
        channels_forget_uncommitted(chat);
        streams_forget_uncommitted(chat);
    }
    if (!is_refused && entry->outbox_bytes > 0) {
        bell_ring(chat->bell, entry->outbox_id_least, entry->outbox_bytes);
    }
    struct list *item;
    while ((item = list_pop_front(&entry->waiters)) != NULL) {
        struct waiter *waiter = CONTAINER_OF(item, struct waiter, link);
        waiter->committed(chat, waiter, entry->result);
    }
    entry_clear(entry);
    if (chat->entries_idle_count < CHAT_ENTRIES_IDLE_MAX) {
        list_push_front(&chat->entries_idle, &entry->link);
        chat->entries_idle_count++;
    } else {
        entry_release(chat, entry);
    }
}

static struct entry *chat_take_entry(struct chat *chat)
{
    struct list *item = list_pop_front(&chat->entries_idle);
    if (item != NULL) {
        chat->entries_idle_count--;
        return CONTAINER_OF(item, struct entry, link);
    }
    struct entry *entry =
        memory_acquire(&chat->messages_budget, MEMORY_RANK_DELIVER, sizeof(*entry));
    if (entry != NULL) {
        entry_init(entry, &chat->messages_budget);
    }
    return entry;
}

void chat_turn_end(struct chat *chat)
{
    struct entry *entry = chat->entry;
    if (entry == NULL) {
        return;
    }
    chat->entry = NULL;
    if (entry_is_empty(entry)) {
        list_push_front(&chat->entries_idle, &entry->link);
        chat->entries_idle_count++;
        return;
    }
    entry->letter.receive = entry_comes_home;
    entry->home = &chat->shard->mailbox;
    entry->shard = chat->shard->index;
    chat->entries_away++;
    journal_append(chat->journal, &chat->shard->mailer, entry);
}

enum err chat_reserve(struct chat *chat, size_t size)
{
    if (chat->entry != NULL && entry_reserve(chat->entry, size) == ERR_OK) {
        return ERR_OK;
    }
    if (chat->entry != NULL && !entry_is_empty(chat->entry)) {
        chat_turn_end(chat); /* full: this one leaves now */
    }
    if (chat->entry == NULL) {
        chat->entry = chat_take_entry(chat);
        if (chat->entry == NULL) {
            return ERR_BUDGET;
        }
        chat->entry->epoch = chat->epoch;
    }
    return entry_reserve(chat->entry, size);
}

void chat_add(struct chat *chat, const struct record *record)
{
    ASSERT(chat->entry != NULL);
    entry_add(chat->entry, record);
}

void chat_wait(struct chat *chat, struct waiter *waiter)
{
    ASSERT(chat->entry != NULL);
    list_push_back(&chat->entry->waiters, &waiter->link);
}

/* The next id of a slot: the time, but never before the last id nor before what an earlier run may
 * have given out; then one more than the last. */
static uint64_t next_id(struct chat *chat, uint16_t slot)
{
    uint64_t wall_ms = chat->shard->wall_ms;
    wall_ms = wall_ms > chat->clock_floor_ms ? wall_ms : chat->clock_floor_ms + 1;
    const uint64_t last = chat->ids_last[slot];
    if (last != 0 && message_id_wall_ms(last) >= wall_ms) {
        wall_ms = message_id_wall_ms(last);
        if (message_id_counter(last) < MESSAGE_ID_COUNTER_MAX) {
            return last + 1;
        }
        wall_ms++;
    }
    return message_id_compose(wall_ms, slot, 0);
}

uint64_t chat_next_id(struct chat *chat, uint16_t slot)
{
    const uint64_t id = next_id(chat, slot);
    chat->ids_last[slot] = id;
    if (message_id_wall_ms(id) > chat->clock_limit_ms) {
        chat->clock_limit_ms = message_id_wall_ms(id) + CLOCK_AHEAD_MS;
        const struct record record = {.kind = RECORD_CLOCK, .clock_ms = chat->clock_limit_ms};
        chat_add(chat, &record);
    }
    return id;
}

uint64_t chat_passing_id(struct chat *chat, uint16_t slot)
{
    chat->ids_last[slot] = next_id(chat, slot);
    return chat->ids_last[slot];
}

uint32_t chat_next_version(struct chat *chat)
{
    chat->version_last++;
    if (chat->version_last == 0) {
        chat->version_last = 1;
    }
    return chat->version_last;
}

uint64_t chat_hash(const struct chat *chat, struct bytes uid)
{
    return hash_siphash(&chat->hash_key, uid);
}

bool chat_is_system(const struct chat *chat, struct bytes uid)
{
    if (bytes_equal(uid, NAME_SYSTEM_UID)) {
        return true;
    }
    if (chat->system_count == 0) {
        return false;
    }
    const uint64_t hash = chat_hash(chat, uid);
    for (uint32_t i = 0; i < chat->system_count; i++) {
        if (chat->system_hashes[i] == hash) {
            return true;
        }
    }
    return false;
}

enum err chat_set_system(struct chat *chat, const uint64_t *hashes, uint32_t count)
{
    if (count > chat->system_capacity) {
        uint32_t capacity =
            chat->system_capacity == 0 ? SYSTEM_FIRST_CAPACITY : chat->system_capacity;
        while (capacity < count) {
            capacity *= 2;
        }
        uint64_t *grown =
            memory_acquire(&chat->channels_budget, MEMORY_RANK_DRAIN, capacity * sizeof(*grown));
        if (grown == NULL) {
            return ERR_BUDGET;
        }
        memory_release(&chat->channels_budget, chat->system_hashes,
                       chat->system_capacity * sizeof(*grown));
        chat->system_hashes = grown;
        chat->system_capacity = capacity;
    }
    if (count > 0) {
        memcpy(chat->system_hashes, hashes, count * sizeof(*hashes));
    }
    chat->system_count = count;
    return ERR_OK;
}
