#include "chat/temporary.h"

#include "base/assert.h"
#include "chat/chat.h"
#include "chat/recipients.h"
#include "chat/roster.h"
#include "memory/allocator.h"

#define BUCKETS_COUNT 1024u /* a power of two: 8 KiB a shard that has a list */

static struct temporary **bucket_of(const struct temporaries *temporaries, uint64_t hash)
{
    return &temporaries->buckets[hash & (BUCKETS_COUNT - 1)];
}

void temporaries_init(struct temporaries *temporaries, struct budget *budget)
{
    *temporaries = (struct temporaries){.budget = budget};
    list_init(&temporaries->recency);
}

static void temporary_release(struct chat *chat, struct temporary *temporary)
{
    struct temporaries *temporaries = &chat->temporaries;
    struct temporary **place = bucket_of(temporaries, temporary->hash);
    while (*place != temporary) {
        place = &(*place)->next_in_bucket;
    }
    *place = temporary->next_in_bucket;
    list_remove(&temporary->recency);
    roster_unref(temporary->roster);
    memory_release(temporaries->budget, temporary, temporary->size_bytes);
    temporaries->count--;
    metric_set(chat->shard->metrics, METRIC_TEMPORARIES, temporaries->count);
}

void temporaries_deinit(struct chat *chat)
{
    struct temporaries *temporaries = &chat->temporaries;
    while (!list_is_empty(&temporaries->recency)) {
        temporary_release(chat, CONTAINER_OF(temporaries->recency.next, struct temporary, recency));
    }
    memory_release(temporaries->budget, temporaries->buckets,
                   BUCKETS_COUNT * sizeof(struct temporary *));
    temporaries->buckets = NULL;
}

void temporaries_age(struct chat *chat)
{
    struct temporaries *temporaries = &chat->temporaries;
    const uint64_t now_ms = chat->shard->now_ms;
    while (!list_is_empty(&temporaries->recency)) {
        struct temporary *oldest =
            CONTAINER_OF(temporaries->recency.prev, struct temporary, recency);
        if (now_ms - oldest->used_ms < TEMPORARY_IDLE_MS) {
            break;
        }
        temporary_release(chat, oldest);
    }
}

static struct temporary *find(const struct chat *chat, const struct channel *channel)
{
    const struct temporaries *temporaries = &chat->temporaries;
    struct temporary *temporary =
        temporaries->buckets != NULL ? *bucket_of(temporaries, channel->hash) : NULL;
    while (temporary != NULL && (temporary->hash != channel->hash ||
                                 !bytes_equal(temporary->channel_id, channel_name(channel).id))) {
        temporary = temporary->next_in_bucket;
    }
    return temporary;
}

const struct temporary *temporary_find(struct chat *chat, const struct channel *channel)
{
    ASSERT(channel->type == CHANNEL_TEMP);
    struct temporary *temporary = find(chat, channel);
    if (temporary != NULL) {
        temporary->used_ms = chat->shard->now_ms;
        list_remove(&temporary->recency);
        list_push_front(&chat->temporaries.recency, &temporary->recency);
    }
    return temporary;
}

static struct bytes copy_in(struct writer *writer, struct bytes bytes)
{
    const uint8_t *at = writer->at;
    writer_bytes_add(writer, bytes);
    return (struct bytes){.data = at, .size = bytes.size};
}

/* A list that is in no table yet. `strings_bytes` is the size of its id and uids. */
static struct temporary *temporary_make(struct chat *chat, const struct channel *channel,
                                        const struct bytes *uids, uint32_t uids_count,
                                        size_t strings_bytes)
{
    struct budget *budget = chat->temporaries.budget;
    const size_t size =
        sizeof(struct temporary) + uids_count * sizeof(struct bytes) + strings_bytes;
    struct temporary *temporary = memory_acquire_zeroed(budget, MEMORY_RANK_CACHE, size);
    struct roster *roster =
        temporary != NULL ? recipients_roster(chat, budget, uids, uids_count) : NULL;
    if (roster == NULL) {
        memory_release(budget, temporary, size);
        return NULL;
    }
    temporary->hash = channel->hash;
    temporary->used_ms = chat->shard->now_ms;
    temporary->size_bytes = size;
    temporary->roster = roster;
    temporary->uids_count = uids_count;
    struct writer writer = writer_of((uint8_t *)&temporary->uids[uids_count], strings_bytes);
    temporary->channel_id = copy_in(&writer, channel_name(channel).id);
    for (uint32_t i = 0; i < uids_count; i++) {
        temporary->uids[i] = copy_in(&writer, uids[i]);
    }
    ASSERT(!writer.is_full);
    return temporary;
}

static bool has_buckets(struct temporaries *temporaries)
{
    if (temporaries->buckets == NULL) {
        temporaries->buckets = memory_acquire_zeroed(temporaries->budget, MEMORY_RANK_CACHE,
                                                     BUCKETS_COUNT * sizeof(struct temporary *));
    }
    return temporaries->buckets != NULL;
}

static enum err put(struct chat *chat, const struct channel *channel, const struct bytes *uids,
                    uint32_t uids_count)
{
    struct temporaries *temporaries = &chat->temporaries;
    struct temporary *former = find(chat, channel);
    size_t uids_bytes = 0;
    for (uint32_t i = 0; i < uids_count; i++) {
        uids_bytes += uids[i].size;
    }
    if (uids_bytes + uids_count * sizeof(uint16_t) > TEMPORARY_UIDS_BYTES_MAX ||
        (former == NULL && temporaries->count == TEMPORARY_LISTS_MAX)) {
        return ERR_LIMIT;
    }
    if (!has_buckets(temporaries)) {
        return ERR_BUDGET;
    }
    struct temporary *temporary =
        temporary_make(chat, channel, uids, uids_count, channel->id_size + uids_bytes);
    if (temporary == NULL) {
        return ERR_BUDGET;
    }
    if (former != NULL) {
        temporary_release(chat, former);
    }
    struct temporary **bucket = bucket_of(temporaries, temporary->hash);
    temporary->next_in_bucket = *bucket;
    *bucket = temporary;
    list_push_front(&temporaries->recency, &temporary->recency);
    temporaries->count++;
    metric_set(chat->shard->metrics, METRIC_TEMPORARIES, temporaries->count);
    return ERR_OK;
}

enum err temporary_put(struct chat *chat, const struct channel *channel, const struct bytes *uids,
                       uint32_t uids_count)
{
    ASSERT(channel->type == CHANNEL_TEMP);
    const enum err err = put(chat, channel, uids, uids_count);
    if (err != ERR_OK) {
        metric_add(chat->shard->metrics, METRIC_TEMPORARIES_REFUSED, 1);
    }
    return err;
}

/* ---- Asking for it. ---- */

struct temporary_set *temporary_set_acquire(struct budget *budget)
{
    struct temporary_set *set =
        memory_acquire_zeroed(budget, MEMORY_RANK_READ, sizeof(struct temporary_set));
    if (set != NULL) {
        set->budget = budget;
    }
    return set;
}

void temporary_set_release(struct temporary_set *set)
{
    memory_release(set->budget, set, sizeof(*set));
}

static void set_end(struct chat *chat, struct temporary_set *set, enum err result)
{
    set->result = result;
    set->op.letter.receive = set->op.on_home;
    mailer_post(&chat->shard->mailer, set->op.home, &set->op.letter);
}

static void set_fail(struct chat *chat, struct op *op, enum err why)
{
    set_end(chat, CONTAINER_OF(op, struct temporary_set, op), why);
}

static enum err set_run(struct chat *chat, struct channel *channel, struct op *op)
{
    struct temporary_set *set = CONTAINER_OF(op, struct temporary_set, op);
    set_end(chat, set, temporary_put(chat, channel, set->uids, set->uids_count));
    return ERR_OK;
}

static struct channel_name set_channel(const struct temporary_set *set)
{
    return (struct channel_name){.type = CHANNEL_TEMP, .id = set->channel_id};
}

static void set_begins(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct temporary_set *set =
        CONTAINER_OF(CONTAINER_OF(letter, struct op, letter), struct temporary_set, op);
    struct channel *channel = channels_get(chat, set_channel(set));
    if (channel == NULL) {
        set_end(chat, set, ERR_BUDGET);
        return;
    }
    set->op.run = set_run;
    set->op.fail = set_fail;
    channel_enqueue(chat, channel, &set->op);
}

static void set_arrives(struct letter *letter, void *receiver)
{
    shard_take_in(receiver, INTAKE_OTHER, letter, set_begins);
}

void temporary_set_post(struct temporary_set *set, struct mailer *mailer,
                        struct shard *const *shards, uint32_t shards_count)
{
    ASSERT(set->op.home != NULL);
    ASSERT(set->op.on_home != NULL);
    const uint16_t slot = slot_of_channel(set_channel(set));
    set->op.letter.receive = set_arrives;
    mailer_post(mailer, &shards[routing_shard_of_slot(slot, shards_count)]->mailbox,
                &set->op.letter);
}
