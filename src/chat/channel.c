#include "chat/channel.h"

#include "base/assert.h"
#include "chat/chat.h"
#include "chat/roster.h"
#include "memory/allocator.h"

#define CHANNELS_FIRST_BUCKETS 1024

static size_t channel_bytes(const struct channel *channel)
{
    return sizeof(*channel) + channel->id_size;
}

static struct channel **channels_bucket(const struct channels *channels, uint64_t hash)
{
    return &channels->buckets[hash & (channels->buckets_count - 1)];
}

/* The type is part of a channel's name: it goes into the hash as the last byte. */
uint64_t channel_name_hash(const struct chat *chat, struct channel_name name)
{
    return hash_siphash(&chat->hash_key, name.id) + name.type * 0x9e3779b97f4a7c15ULL;
}

enum err channels_init(struct channels *channels, struct budget *budget)
{
    struct channel **buckets = memory_acquire_zeroed(
        budget, MEMORY_RANK_DRAIN, CHANNELS_FIRST_BUCKETS * sizeof(struct channel *));
    if (buckets == NULL) {
        return ERR_BUDGET;
    }
    *channels = (struct channels){
        .buckets = buckets, .buckets_count = CHANNELS_FIRST_BUCKETS, .budget = budget};
    list_init(&channels->recency);
    return ERR_OK;
}

static bool channel_is_idle(const struct channel *channel)
{
    return channel->in_flight == 0 && channel->readings == 0 && channel->walks == 0 &&
           list_is_empty(&channel->queue) && channel->ahead == NULL && !channel->is_inquiring &&
           list_is_empty(&channel->undelivered) && list_is_empty(&channel->sends);
}

static void channel_release(struct chat *chat, struct channel *channel)
{
    ASSERT(channel_is_idle(channel));
    struct channels *channels = &chat->channels;
    struct channel **place = channels_bucket(channels, channel->hash);
    while (*place != channel) {
        place = &(*place)->next_in_bucket;
    }
    *place = channel->next_in_bucket;
    list_remove(&channel->recency);
    if (channel->roster != NULL) {
        roster_unref(channel->roster);
        channel->roster = NULL;
    }
    memory_release(channels->budget, channel, channel_bytes(channel));
    channels->count--;
    metric_subtract(chat->shard->metrics, METRIC_CHANNELS_ACTIVE, 1);
}

void channels_deinit(struct chat *chat)
{
    struct channels *channels = &chat->channels;
    while (!list_is_empty(&channels->recency)) {
        channel_release(chat, CONTAINER_OF(channels->recency.next, struct channel, recency));
    }
    memory_release(channels->budget, channels->buckets,
                   channels->buckets_count * sizeof(struct channel *));
    channels->buckets = NULL;
    shelf_clear(&chat->shelf);
}

/* What is known of it is true as long as nobody has an object of it. */
static void channel_put_away(struct chat *chat, const struct channel *channel)
{
    if (channel->is_stale || channel->ref.number == 0) {
        return;
    }
    const struct channel_state state = {
        .ref = channel->ref,
        .row = channel->row,
        .last_seq = {channel->last_seq[LOG_CHAT], channel->last_seq[LOG_COMMAND]},
    };
    shelf_put(&chat->shelf, channel->hash, &state, chat->shard->now_ms);
}

static void channels_evict(struct chat *chat, uint64_t wanted_bytes, bool is_put_away)
{
    struct channels *channels = &chat->channels;
    struct list *item = channels->recency.prev;
    while (item != &channels->recency &&
           (budget_available(channels->budget, MEMORY_RANK_CACHE) < wanted_bytes ||
            budget_available(&chat->rosters_budget, MEMORY_RANK_CACHE) < wanted_bytes)) {
        struct channel *channel = CONTAINER_OF(item, struct channel, recency);
        item = item->prev;
        if (channel_is_idle(channel)) {
            metric_add(chat->shard->metrics, METRIC_CHANNELS_EVICTED, 1);
            if (is_put_away) {
                channel_put_away(chat, channel);
            }
            channel_release(chat, channel);
        }
    }
}

void channels_shrink(struct chat *chat, uint64_t wanted_bytes)
{
    channels_evict(chat, wanted_bytes, true);
}

void channels_rest(struct chat *chat)
{
    channels_evict(chat, UINT64_MAX, false);
    shelf_clear(&chat->shelf);
}

bool channels_age(struct chat *chat, uint32_t count_max)
{
    struct channels *channels = &chat->channels;
    const uint64_t now_ms = chat->shard->now_ms;
    if (now_ms - chat->shelf.used_ms >= CHANNEL_IDLE_MS) {
        shelf_clear(&chat->shelf);
    }
    struct list *item = channels->recency.prev;
    while (item != &channels->recency && count_max > 0) {
        struct channel *channel = CONTAINER_OF(item, struct channel, recency);
        if (now_ms - channel->touched_ms < CHANNEL_IDLE_MS) {
            return false;
        }
        item = item->prev;
        count_max--;
        if (channel_is_idle(channel)) {
            metric_add(chat->shard->metrics, METRIC_CHANNELS_AGED, 1);
            channel_release(chat, channel);
        }
    }
    return item != &channels->recency;
}

static void channels_rehash(struct channels *channels)
{
    const uint32_t buckets_count = channels->buckets_count * 2;
    struct channel **buckets = memory_acquire_zeroed(channels->budget, MEMORY_RANK_CACHE,
                                                     buckets_count * sizeof(struct channel *));
    if (buckets == NULL) {
        return; /* longer chains until there is room */
    }
    struct channels grown = {.buckets = buckets, .buckets_count = buckets_count};
    LIST_FOR_EACH (item, &channels->recency) {
        struct channel *channel = CONTAINER_OF(item, struct channel, recency);
        struct channel **bucket = channels_bucket(&grown, channel->hash);
        channel->next_in_bucket = *bucket;
        *bucket = channel;
    }
    memory_release(channels->budget, channels->buckets,
                   channels->buckets_count * sizeof(struct channel *));
    channels->buckets = buckets;
    channels->buckets_count = buckets_count;
}

struct channel *channels_find(struct chat *chat, struct channel_name name)
{
    const uint64_t hash = channel_name_hash(chat, name);
    struct channel *channel = *channels_bucket(&chat->channels, hash);
    while (channel != NULL) {
        if (channel->hash == hash && channel->type == name.type &&
            bytes_equal(channel_name(channel).id, name.id)) {
            return channel;
        }
        channel = channel->next_in_bucket;
    }
    return NULL;
}

/* Runs on a reader thread, or on the shard with what is in memory. */
static enum err channel_read(struct channel *channel, enum store_wait wait)
{
    struct store *store = channel->chat->store;
    const struct channel_name name = channel_name(channel);
    enum err err = store_load_channel(store, wait, name, &channel->loaded_state);
    if (err == ERR_ABSENT) {
        const uint16_t slot = slot_of_channel(name);
        channel->loaded_state = (struct channel_state){.ref = {.slot = slot}};
        err = channel->wants_number ? store_last_number(store, wait, slot, &channel->loaded_number)
                                    : ERR_OK;
    }
    return err;
}

static void channel_read_blocking(struct reading *reading)
{
    struct channel *channel = CONTAINER_OF(reading, struct channel, reading);
    channel->loaded = channel_read(channel, STORE_MAY_BLOCK);
}

static void channel_fail(struct chat *chat, struct channel *channel, enum err why)
{
    struct op *ahead = channel->ahead;
    channel->ahead = NULL;
    channel->is_begun = false;
    if (ahead != NULL) {
        ahead->fail(chat, ahead, why);
    }
    struct list *item;
    while ((item = list_pop_front(&channel->queue)) != NULL) {
        struct op *op = CONTAINER_OF(item, struct op, link);
        op->fail(chat, op, why);
    }
}

static void channel_take_loaded(struct chat *chat, struct channel *channel)
{
    const struct channel_state *state = &channel->loaded_state;
    channel->ref = state->ref;
    channel->row = state->row;
    for (uint32_t i = 0; i < LOG_KINDS_COUNT; i++) {
        channel->last_seq[i] = state->last_seq[i];
    }
    const uint16_t slot = channel->ref.slot;
    if (channel->ref.number == 0 && channel->wants_number && !channel->is_stale &&
        (chat->numbers_last[slot] == UINT32_MAX ||
         chat->numbers_last[slot] < channel->loaded_number)) {
        chat->numbers_last[slot] = channel->loaded_number;
    }
    channel->state = CHANNEL_OBJECT_READY;
}

static void channel_loaded(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct reading *reading = CONTAINER_OF(letter, struct reading, letter);
    struct channel *channel = CONTAINER_OF(reading, struct channel, reading);
    channel->readings--;
    if (channel->loaded != ERR_OK) {
        channel_fail(chat, channel, channel->loaded);
        channel->is_stale = true; /* the next op tries again */
        return;
    }
    channel_take_loaded(chat, channel);
    channel_advance(chat, channel);
}

static void channel_load(struct chat *chat, struct channel *channel)
{
    channel->state = CHANNEL_OBJECT_LOADING;
    channel->is_stale = false;
    channel->member_version = chat_next_version(chat);
    channel->roster_version = channel->member_version;
    channel->is_large = false;
    /* Known from the first channel of the slot on. When it is forgotten meanwhile, so is what is
     * read now: see channels_forget_uncommitted. */
    const uint16_t slot = slot_of_channel(channel_name(channel));
    channel->wants_number = chat->numbers_last[slot] == UINT32_MAX;
    if (shelf_take(&chat->shelf, channel->hash, slot, chat->shard->now_ms,
                   &channel->loaded_state)) {
        metric_add(chat->shard->metrics, METRIC_CHANNELS_RECALLED, 1);
        channel_take_loaded(chat, channel);
        return;
    }
    metric_add(chat->shard->metrics, METRIC_CHANNELS_LOADED, 1);
    if (channel_read(channel, STORE_CACHED_ONLY) == ERR_OK) {
        channel_take_loaded(chat, channel);
        return;
    }
    channel->reading = (struct reading){
        .letter = {.receive = channel_loaded},
        .run = channel_read_blocking,
        .home = &chat->shard->mailbox,
    };
    channel->readings++;
    readers_ask(chat->readers, &channel->reading);
}

struct channel *channels_get(struct chat *chat, struct channel_name name)
{
    ASSERT(shard_is_current(chat->shard));
    struct channels *channels = &chat->channels;
    struct channel *channel = channels_find(chat, name);
    if (channel != NULL) {
        channel->touched_ms = chat->shard->now_ms;
        list_remove(&channel->recency);
        list_push_front(&channels->recency, &channel->recency);
        return channel;
    }
    const size_t size = sizeof(*channel) + name.id.size;
    channels_shrink(chat, memory_cost(size));
    channel = memory_acquire_zeroed(channels->budget, MEMORY_RANK_CACHE, size);
    if (channel == NULL) {
        return NULL;
    }
    channel->chat = chat;
    channel->touched_ms = chat->shard->now_ms;
    channel->type = name.type;
    channel->id_size = (uint16_t)name.id.size;
    memcpy(channel->id, name.id.data, name.id.size);
    channel->hash = channel_name_hash(chat, name);
    list_init(&channel->queue);
    list_init(&channel->sends);
    list_init(&channel->marks);
    list_init(&channel->undelivered);
    if (channels->count >= channels->buckets_count) {
        channels_rehash(channels);
    }
    struct channel **bucket = channels_bucket(channels, channel->hash);
    channel->next_in_bucket = *bucket;
    *bucket = channel;
    list_push_front(&channels->recency, &channel->recency);
    channels->count++;
    metric_add(chat->shard->metrics, METRIC_CHANNELS_ACTIVE, 1);
    channel->is_stale = true;
    return channel;
}

void channel_enqueue(struct chat *chat, struct channel *channel, struct op *op)
{
    list_push_back(&channel->queue, &op->link);
    if (channel->queue.next == &op->link) {
        channel_advance(chat, channel);
    }
}

void channel_go_ahead(struct chat *chat, struct channel *channel, struct op *op)
{
    ASSERT(channel->ahead == NULL);
    channel->ahead = op;
    channel_advance(chat, channel);
}

/* False: it has to wait. */
static bool channel_run_ahead(struct chat *chat, struct channel *channel)
{
    struct op *op = channel->ahead;
    channel->ahead = NULL;
    if (op->run(chat, channel, op) == ERR_AGAIN) {
        channel->ahead = op;
        return false;
    }
    return true;
}

static bool channel_run_first(struct chat *chat, struct channel *channel)
{
    struct op *op = CONTAINER_OF(channel->queue.next, struct op, link);
    list_remove(&op->link);
    op->is_held = false;
    channel->is_begun = false;
    if (op->run(chat, channel, op) == ERR_AGAIN) {
        list_push_front(&channel->queue, &op->link);
        channel->is_begun = !op->is_held;
        return false;
    }
    return true;
}

void channel_advance(struct chat *chat, struct channel *channel)
{
    if (channel->is_advancing) {
        return; /* an op that answered at once called back; the loop below goes on */
    }
    channel->is_advancing = true;
    bool is_going = true;
    while (is_going && (channel->ahead != NULL || !list_is_empty(&channel->queue))) {
        if (channel->is_stale && channel->in_flight == 0 && channel->readings == 0) {
            channel_load(chat, channel);
        }
        if (channel->is_stale || channel->state == CHANNEL_OBJECT_LOADING) {
            break;
        }
        is_going = channel->ahead != NULL && !channel->is_begun ? channel_run_ahead(chat, channel)
                                                                : channel_run_first(chat, channel);
    }
    channel->is_advancing = false;
}

void channels_forget_uncommitted(struct chat *chat)
{
    LIST_FOR_EACH (item, &chat->channels.recency) {
        CONTAINER_OF(item, struct channel, recency)->is_stale = true;
    }
    shelf_clear(&chat->shelf);
    chat->clock_limit_ms = 0; /* the record that said so may have been refused as well */
    /* Numbers may have been given out that were refused; the store tells which are in use. */
    memset(chat->numbers_last, 0xff, SLOTS_COUNT * sizeof(uint32_t));
}

size_t channel_reserve_bytes(const struct channel *channel)
{
    const struct record record = {.kind = RECORD_CHANNEL,
                                  .channel = {.name = channel_name(channel)}};
    return record_size_max(&record);
}

void channel_establish(struct chat *chat, struct channel *channel)
{
    ASSERT(channel->state == CHANNEL_OBJECT_READY);
    if (channel->ref.number == 0) {
        const uint16_t slot = channel->ref.slot;
        ASSERT(chat->numbers_last[slot] != UINT32_MAX);
        channel->ref.number = ++chat->numbers_last[slot];
        channel->row.number = channel->ref.number;
        channel->row.created_ms = chat->shard->wall_ms;
    }
    channel->row.updated_ms = chat->shard->wall_ms;
    const struct record record = {
        .kind = RECORD_CHANNEL,
        .channel = {.name = channel_name(channel), .row = channel->row},
    };
    chat_add(chat, &record);
}
