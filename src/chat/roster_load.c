#include "chat/roster_load.h"

#include "base/assert.h"
#include "chat/chat.h"
#include "chat/roster.h"
#include "memory/allocator.h"
#include "telemetry/logger.h"

#define PAGE_MEMBERS_MAX 2048

struct page_member {
    uint64_t hash;
    uint32_t shard;
};

/* One load: the roster as far as it has come, and the page that is being read. */
struct loading {
    struct reading reading;
    struct chat *chat;
    struct channel *channel; /* pinned by its count of readings */
    struct roster *roster;
    struct channel_ref ref; /* of the channel; number 0: it has no list yet */
    enum err result;
    uint32_t count; /* members on the page */
    uint16_t after_size;
    uint8_t after[STORE_UID_BYTES_MAX]; /* the last uid of the page before */
    struct page_member members[PAGE_MEMBERS_MAX];
};

static bool page_visit(void *context, struct bytes uid, const struct member_row *row)
{
    (void)row;
    struct loading *loading = context;
    const struct chat *chat = loading->chat;
    loading->members[loading->count++] = (struct page_member){
        .hash = chat_hash(chat, uid),
        .shard = routing_shard_of_slot(slot_of_user(uid), chat->shard->shards_count),
    };
    memcpy(loading->after, uid.data, uid.size);
    loading->after_size = (uint16_t)uid.size;
    return true;
}

/* On a reader thread. Touches nothing of the shard but constants. */
static void page_read(struct reading *reading)
{
    struct loading *loading = CONTAINER_OF(reading, struct loading, reading);
    loading->count = 0;
    loading->result = ERR_OK;
    if (loading->ref.number == 0) {
        return;
    }
    const struct member_page page = {
        .list = {.channel = loading->ref, .kind = LIST_SUBSCRIBER},
        .after = {.data = loading->after, .size = loading->after_size},
        .count_max = PAGE_MEMBERS_MAX,
        .visit = page_visit,
        .context = loading,
    };
    loading->result = store_read_members(loading->chat->store, STORE_MAY_BLOCK, &page);
}

bool roster_give_up_one(struct chat *chat, const struct channel *spared)
{
    struct list *recency = &chat->channels.recency;
    for (struct list *item = recency->prev; item != recency; item = item->prev) {
        struct channel *channel = CONTAINER_OF(item, struct channel, recency);
        if (channel->roster != NULL && channel != spared) {
            roster_unref(channel->roster);
            channel->roster = NULL;
            metric_add(chat->shard->metrics, METRIC_ROSTERS_EVICTED, 1);
            return true;
        }
    }
    return false;
}

static enum err page_take(struct loading *loading)
{
    for (uint32_t i = 0; i < loading->count; i++) {
        const struct page_member *member = &loading->members[i];
        while (roster_add(loading->roster, member->shard, member->hash) != ERR_OK) {
            if (!roster_give_up_one(loading->chat, loading->channel)) {
                return ERR_BUDGET;
            }
        }
    }
    return ERR_OK;
}

static enum err add_uid(struct loading *loading, struct bytes uid)
{
    const struct chat *chat = loading->chat;
    const uint64_t hash = chat_hash(chat, uid);
    const uint32_t shard = routing_shard_of_slot(slot_of_user(uid), chat->shard->shards_count);
    return roster_has(loading->roster, shard, hash) ? ERR_OK
                                                    : roster_add(loading->roster, shard, hash);
}

/* A member that is not on the list: the visitor (semantics 2.1, types 3 and 10). */
static enum err add_visitor(struct loading *loading)
{
    const struct channel *channel = loading->channel;
    const struct bytes visitor = name_visitor(channel_name(channel).id, channel->type);
    return visitor.size > 0 ? add_uid(loading, visitor) : ERR_OK;
}

static void loading_end(struct loading *loading, bool is_good)
{
    struct chat *chat = loading->chat;
    struct channel *channel = loading->channel;
    channel->readings--;
    channel->is_roster_loading = false;
    if (is_good) {
        metric_add(chat->shard->metrics, METRIC_ROSTERS_LOADED, 1);
        channel->roster = loading->roster;
    } else {
        roster_unref(loading->roster);
    }
    memory_release(&chat->readings_budget, loading, sizeof(*loading));
    delivery_resume(chat, channel);
    channel_advance(chat, channel);
}

static bool is_too_long(const struct loading *loading)
{
    const uint64_t members_max =
        loading->chat->rosters_budget.limit_bytes / ROSTER_PART / sizeof(uint64_t);
    return loading->roster->members_count + loading->count > members_max;
}

static void page_arrives(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct reading *reading = CONTAINER_OF(letter, struct reading, letter);
    struct loading *loading = CONTAINER_OF(reading, struct loading, reading);
    struct chat *chat = loading->chat;
    if (loading->result != ERR_OK) {
        LOG_ERROR("members_unreadable", F_ERR(loading->result));
        loading_end(loading, false);
        return;
    }
    if (is_too_long(loading)) {
        loading->channel->is_large = true;
        loading_end(loading, false);
        return;
    }
    enum err err = page_take(loading);
    if (err == ERR_OK && loading->count == PAGE_MEMBERS_MAX) {
        readers_ask(chat->readers, &loading->reading);
        return;
    }
    if (err == ERR_OK) {
        err = add_visitor(loading);
    }
    loading_end(loading, err == ERR_OK);
}

void roster_load(struct chat *chat, struct channel *channel)
{
    ASSERT(channel->roster == NULL);
    ASSERT(!channel->is_roster_loading);
    struct roster *roster = roster_acquire(&chat->rosters_budget, chat->shard->shards_count);
    struct loading *loading =
        memory_acquire(&chat->readings_budget, MEMORY_RANK_DELIVER, sizeof(*loading));
    if (roster == NULL || loading == NULL) {
        if (roster != NULL) {
            roster_unref(roster);
        }
        memory_release(&chat->readings_budget, loading, sizeof(*loading));
        delivery_resume(chat, channel);
        return;
    }
    loading->reading = (struct reading){
        .letter = {.receive = page_arrives}, .run = page_read, .home = &chat->shard->mailbox};
    loading->chat = chat;
    loading->channel = channel;
    loading->roster = roster;
    loading->ref = channel->ref;
    loading->count = 0;
    loading->after_size = 0;
    channel->is_roster_loading = true;
    channel->readings++;
    readers_ask(chat->readers, &loading->reading);
}
