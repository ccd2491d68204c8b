#include "chat/newcomers.h"

#include "base/assert.h"
#include "chat/audience.h"
#include "chat/chat.h"
#include "chat/message.h"
#include "memory/allocator.h"
#include "telemetry/logger.h"

#define RETRY_MS    50
#define RETRIES_MAX 100 /* five seconds */

struct newcomer {
    uint64_t hash;
    uint32_t uid_at; /* in the bytes of the uids */
    uint16_t uid_size;
    bool is_member;
};

struct newcomers {
    struct reading reading;
    struct timer retry;
    struct chat *chat;
    struct list parts; /* that wait; the first is being looked up for */
    struct list_ref list;
    struct bytes visitor; /* a member without being on the list; borrowed from the message */
    enum err result;
    uint32_t retries;
    uint32_t count;
    uint32_t uids_size;
    struct newcomer items[NEWCOMERS_MAX];
    uint8_t uids[NEWCOMERS_BYTES_MAX];
};

struct newcomers *newcomers_acquire(struct chat *chat)
{
    struct newcomers *newcomers =
        memory_acquire_zeroed(&chat->rosters_budget, MEMORY_RANK_DRAIN, sizeof(*newcomers));
    if (newcomers != NULL) {
        newcomers->chat = chat;
        list_init(&newcomers->parts);
    }
    return newcomers;
}

void newcomers_release(struct newcomers *newcomers)
{
    ASSERT(list_is_empty(&newcomers->parts));
    memory_release(&newcomers->chat->rosters_budget, newcomers, sizeof(*newcomers));
}

static struct delivery *first_part(const struct newcomers *newcomers)
{
    return CONTAINER_OF(newcomers->parts.next, struct delivery, link);
}

struct delivery *newcomers_find(const struct newcomers *newcomers, uint64_t channel_hash)
{
    LIST_FOR_EACH (item, &newcomers->parts) {
        struct delivery *part = CONTAINER_OF(item, struct delivery, link);
        if (part->message->channel_hash == channel_hash) {
            return part;
        }
    }
    return NULL;
}

/* ---- Reading. ---- */

static struct bytes newcomer_uid(const struct newcomers *newcomers, const struct newcomer *newcomer)
{
    return (struct bytes){.data = newcomers->uids + newcomer->uid_at, .size = newcomer->uid_size};
}

/* On a reader thread. Touches nothing of the shard. */
static void newcomers_read(struct reading *reading)
{
    struct newcomers *newcomers = CONTAINER_OF(reading, struct newcomers, reading);
    newcomers->result = ERR_OK;
    for (uint32_t i = 0; i < newcomers->count && newcomers->result == ERR_OK; i++) {
        struct newcomer *newcomer = &newcomers->items[i];
        const struct bytes uid = newcomer_uid(newcomers, newcomer);
        newcomer->is_member = bytes_equal(uid, newcomers->visitor);
        if (newcomer->is_member || newcomers->list.channel.number == 0) {
            continue; /* a channel that is not stored has no list */
        }
        struct member_row row;
        const enum err err =
            store_find_member(newcomers->chat->store, STORE_MAY_BLOCK, newcomers->list, uid, &row);
        newcomer->is_member = err == ERR_OK;
        newcomers->result = err == ERR_ABSENT ? ERR_OK : err;
    }
}

/* Takes the next of them, as many as there is room for. False: there are no more. */
static bool take_some(struct newcomers *newcomers)
{
    struct users *users = &newcomers->chat->users;
    const struct delivery *part = first_part(newcomers);
    newcomers->count = 0;
    newcomers->uids_size = 0;
    struct user *user;
    while ((user = users_scan_at(users)) != NULL && user->arrival <= part->arrival_max &&
           newcomers->count < NEWCOMERS_MAX &&
           user->uid_size <= NEWCOMERS_BYTES_MAX - newcomers->uids_size) {
        newcomers->items[newcomers->count++] = (struct newcomer){
            .hash = user->hash, .uid_at = newcomers->uids_size, .uid_size = user->uid_size};
        memcpy(newcomers->uids + newcomers->uids_size, user->uid, user->uid_size);
        newcomers->uids_size += user->uid_size;
        users_scan_next(users);
    }
    return newcomers->count > 0;
}

/* ---- What was found. ---- */

/* Those who are members join the audience, or get the message now. */
static void take_found(struct newcomers *newcomers)
{
    struct chat *chat = newcomers->chat;
    struct delivery *part = first_part(newcomers);
    uint64_t hashes[NEWCOMERS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < newcomers->count; i++) {
        if (newcomers->items[i].is_member) {
            hashes[count++] = newcomers->items[i].hash;
        }
    }
    metric_add(chat->shard->metrics, METRIC_NEWCOMERS_LOOKED_UP, newcomers->count);
    if (part->audience != NULL && audience_add(chat, part->audience, hashes, count) == ERR_OK) {
        return;
    }
    part->is_audience_complete = false;
    for (uint32_t i = 0; i < count; i++) {
        const bool is_known = part->audience != NULL && audience_has(part->audience, hashes[i]);
        struct user *user = is_known ? NULL : users_find(&chat->users, hashes[i]);
        if (user != NULL) {
            delivery_to_user(chat, user, part->message);
        }
    }
}

static void newcomers_arrive(struct letter *letter, void *receiver);

static void newcomers_ask(struct newcomers *newcomers)
{
    newcomers->reading = (struct reading){.letter = {.receive = newcomers_arrive},
                                          .run = newcomers_read,
                                          .home = &newcomers->chat->shard->mailbox};
    readers_ask(newcomers->chat->readers, &newcomers->reading);
}

static void ask_again(struct timer *timer, void *context)
{
    (void)context;
    newcomers_ask(CONTAINER_OF(timer, struct newcomers, retry));
}

static void begin_first(struct newcomers *newcomers)
{
    const struct delivery *part = first_part(newcomers);
    const struct message *message = part->message;
    newcomers->list = (struct list_ref){.channel = message->log.channel, .kind = LIST_SUBSCRIBER};
    newcomers->visitor = name_visitor(message->view.channel_id, message->view.channel_type);
    newcomers->retries = 0;
    users_scan_begin(&newcomers->chat->users, part->audience != NULL ? part->audience->arrival : 0);
}

/* Goes on with the first part, or the next one that has somebody to look up. */
static void newcomers_advance(struct newcomers *newcomers)
{
    while (!list_is_empty(&newcomers->parts)) {
        if (take_some(newcomers)) {
            newcomers_ask(newcomers);
            return;
        }
        struct delivery *part = first_part(newcomers);
        list_remove(&part->link);
        newcomers->chat->users.scan = NULL;
        if (!list_is_empty(&newcomers->parts)) {
            begin_first(newcomers);
        }
        delivery_found(newcomers->chat, part);
    }
}

static void newcomers_arrive(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct reading *reading = CONTAINER_OF(letter, struct reading, letter);
    struct newcomers *newcomers = CONTAINER_OF(reading, struct newcomers, reading);
    struct chat *chat = newcomers->chat;
    if (newcomers->result != ERR_OK && newcomers->retries < RETRIES_MAX) {
        newcomers->retries++;
        timers_set(&chat->shard->timers, &newcomers->retry, chat->shard->now_ms + RETRY_MS,
                   ask_again);
        return;
    }
    if (newcomers->result != ERR_OK) {
        LOG_ERROR("members_unreadable", F_ERR(newcomers->result));
        metric_add(chat->shard->metrics, METRIC_DELIVERIES_WITHOUT_ROSTER, 1);
        first_part(newcomers)->is_audience_complete = false;
        first_part(newcomers)->arrival_max = 0; /* the others would not be found either */
    } else {
        take_found(newcomers);
    }
    newcomers_advance(newcomers);
}

void newcomers_look_up(struct newcomers *newcomers, struct delivery *part)
{
    const bool is_first = list_is_empty(&newcomers->parts);
    list_push_back(&newcomers->parts, &part->link);
    if (is_first) {
        begin_first(newcomers);
        newcomers_advance(newcomers);
    }
}
