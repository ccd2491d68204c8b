#include "chat/delivery.h"

#include "base/assert.h"
#include "chat/audience.h"
#include "chat/catch_up.h"
#include "chat/chat.h"
#include "chat/message.h"
#include "chat/newcomers.h"
#include "chat/roster.h"
#include "chat/roster_load.h"

void deliveries_init(struct deliveries *deliveries)
{
    list_init(&deliveries->walks);
    deliveries->count = 0;
}

/* ---- On the channel's shard: sending the parts out, and taking them home. ---- */

static void part_comes_home(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct message *message = CONTAINER_OF(letter, struct delivery, letter)->message;
    struct channel *channel = message->is_to_audiences ? message->channel : NULL;
    chat->parts_away--;
    message_unref(message);
    if (channel != NULL) {
        channel->walks--;
        if (channel->walks == 0) {
            channel_advance(chat, channel); /* a change may wait for that */
        }
    }
}

static void part_arrives(struct letter *letter, void *receiver);

static void part_send(struct chat *chat, struct message *message, uint32_t shard,
                      const uint64_t *hashes, uint32_t count)
{
    struct delivery *part = &message->parts[shard];
    *part = (struct delivery){
        .letter = {.receive = part_arrives},
        .message = message,
        .hashes = hashes,
        .hashes_count = count,
    };
    message_ref(message);
    chat->parts_away++;
    shard_post(chat->shard, shard, &part->letter);
}

/* The two uids of the channel's id; their hashes lie in the message. */
static void send_to_pair(struct chat *chat, struct channel *channel, struct message *message)
{
    struct bytes uids[2];
    if (name_split_pair(channel_name(channel).id, &uids[0], &uids[1]) != ERR_OK) {
        return;
    }
    const uint32_t shards_count = chat->shard->shards_count;
    uint32_t shards[2];
    for (uint32_t i = 0; i < 2; i++) {
        message->pair[i] = chat_hash(chat, uids[i]);
        shards[i] = routing_shard_of_slot(slot_of_user(uids[i]), shards_count);
    }
    if (bytes_equal(uids[0], uids[1])) {
        part_send(chat, message, shards[0], message->pair, 1); /* a message to oneself comes once */
    } else if (shards[0] == shards[1]) {
        part_send(chat, message, shards[0], message->pair, 2);
    } else {
        part_send(chat, message, shards[0], &message->pair[0], 1);
        part_send(chat, message, shards[1], &message->pair[1], 1);
    }
}

static void send_to_roster(struct chat *chat, struct message *message)
{
    const struct roster *roster = message->roster;
    for (uint32_t i = 0; i < roster->parts_count; i++) {
        if (roster->parts[i].count > 0) {
            part_send(chat, message, i, roster->parts[i].hashes, roster->parts[i].count);
        }
    }
}

/* To every shard: each knows who is online there. */
static void send_to_audiences(struct chat *chat, struct channel *channel, struct message *message)
{
    message->is_to_audiences = true;
    message->roster_version = channel->roster_version;
    for (uint32_t i = 0; i < message->parts_count; i++) {
        channel->walks++;
        part_send(chat, message, i, NULL, 0);
    }
}

static void send_out(struct chat *chat, struct channel *channel, struct message *message)
{
    message->channel_hash = channel->hash;
    if (message->roster != NULL) {
        send_to_roster(chat, message); /* an explicit list of recipients */
    } else if (channel_type_is_pair(channel->type)) {
        send_to_pair(chat, channel, message);
    } else if (channel->roster != NULL) {
        roster_ref(channel->roster);
        message->roster = channel->roster;
        send_to_roster(chat, message);
    } else {
        send_to_audiences(chat, channel, message);
    }
    message_unref(message);
}

void delivery_begin(struct chat *chat, struct channel *channel, struct message *message)
{
    ASSERT(shard_is_current(chat->shard));
    const bool needs_roster = message->roster == NULL && !channel_type_is_pair(channel->type);
    const bool must_wait = needs_roster && channel->roster == NULL && !channel->is_large;
    if (!must_wait && list_is_empty(&channel->undelivered)) {
        send_out(chat, channel, message);
        return;
    }
    list_push_back(&channel->undelivered, &message->link);
    if (must_wait && !channel->is_roster_loading) {
        roster_load(chat, channel);
    }
}

void delivery_resume(struct chat *chat, struct channel *channel)
{
    struct list *item;
    while ((item = list_pop_front(&channel->undelivered)) != NULL) {
        send_out(chat, channel, CONTAINER_OF(item, struct message, link));
    }
}

/* ---- On each shard with members: walking a part. ---- */

static bool is_persisted(const struct message *message)
{
    return (message->view.flags & MESSAGE_NO_PERSIST) == 0;
}

/* How long it took to here. The turn of this shard may have begun before the sender's. */
static void count_way(struct chat *chat, const struct message *message)
{
    const uint64_t now_ns = chat->shard->now_ns;
    metric_took(chat->shard->metrics, LATENCY_SEND_TO_RECV,
                now_ns > message->sent_ns ? now_ns - message->sent_ns : 0);
}

static void deliver_to_session(struct chat *chat, struct session *session,
                               const struct message *message)
{
    if (session_id_equal(session->id, message->origin)) {
        return;
    }
    if (message->is_event) {
        if (!chat->port->push_event(chat, session, &message->event)) {
            metric_add(chat->shard->metrics, METRIC_EVENTS_DROPPED, 1);
        }
    } else if (is_persisted(message)) {
        if (catch_up_push(chat, session, message->log, &message->view)) {
            count_way(chat, message);
        }
    } else if (!session_push(chat, session, &message->view)) {
        metric_add(chat->shard->metrics, METRIC_PASSING_DROPPED, 1); /* worthless late (design 7) */
    } else {
        count_way(chat, message);
    }
}

void delivery_to_user(struct chat *chat, struct user *user, const struct message *message)
{
    if (bytes_equal(user_uid(user), NAME_SYSTEM_UID)) {
        return;
    }
    LIST_FOR_EACH_SAFE (item, following, &user->sessions) {
        deliver_to_session(chat, CONTAINER_OF(item, struct session, link), message);
    }
}

/* Does the part behind it go to the very members that this one is about to go to? */
static bool is_same_way(const struct chat *chat, const struct delivery *part,
                        const struct delivery *next)
{
    if (!part->message->is_to_audiences) {
        return next->hashes == part->hashes && next->hashes_count == part->hashes_count;
    }
    return part->audience != NULL && part->is_audience_complete &&
           part->arrival_max == chat->users.arrivals && next->message->is_to_audiences &&
           next->message->roster_version == part->message->roster_version;
}

/* Whoever gets several messages gets them in one write, so those that wait for the same walk go
 * together. */
static void part_gather(const struct chat *chat, struct delivery *part)
{
    const struct delivery *next = part->next_of_channel;
    while (next != NULL && part->company < DELIVERY_COMPANY_MAX && is_same_way(chat, part, next)) {
        part->company++;
        next = next->next_of_channel;
    }
    metric_add(chat->shard->metrics, METRIC_DELIVERIES_TOGETHER, part->company);
}

/* Returns how many steps it took. */
static uint32_t push_to(struct chat *chat, const struct delivery *part, struct user *user)
{
    const uint64_t hash = user->hash;
    const struct delivery *each = part;
    uint32_t steps = 0;
    for (uint32_t i = 0; i <= part->company && user != NULL; i++) {
        steps += user->sessions_count * DELIVERY_PUSH_STEPS;
        delivery_to_user(chat, user, each->message);
        user = users_find(&chat->users, hash); /* a push may end a session, and its user with it */
        each = each->next_of_channel;
    }
    return steps;
}

/* Takes up to DELIVERY_STEPS_MAX steps. True when the part and its company are done. */
static bool part_walk(struct chat *chat, struct delivery *part)
{
    if (part->hashes_done == 0) {
        part_gather(chat, part);
    }
    uint32_t steps = 0;
    while (part->hashes_done < part->hashes_count && steps < DELIVERY_STEPS_MAX) {
        const uint64_t hash = part->hashes[part->hashes_done];
        struct user *user = users_find(&chat->users, hash);
        part->hashes_done++;
        steps++;
        if (user == NULL) {
            continue;
        }
        if (part->audience != NULL) { /* who has gone is left out */
            part->audience->hashes[part->hashes_kept++] = hash;
        }
        steps += push_to(chat, part, user);
    }
    return part->hashes_done == part->hashes_count;
}

static void part_done(struct chat *chat, struct delivery *part)
{
    struct audience *audience = part->audience;
    if (audience != NULL) {
        audience->count = part->hashes_kept;
        if (part->is_audience_complete && audience->arrival < part->arrival_max) {
            audience->arrival = part->arrival_max;
        }
        audience_put(audience);
    }
    part->letter.receive = part_comes_home;
    shard_post(chat->shard, part->message->home, &part->letter);
}

/* The part and its company are done. Returns the part behind them, or NULL. */
static struct delivery *walk_done(struct chat *chat, struct delivery *part)
{
    struct delivery *following = part;
    for (uint32_t left = part->company + 1; left > 0; left--) {
        struct delivery *done = following;
        following = done->next_of_channel;
        part_done(chat, done);
    }
    return following;
}

static void walk_add(struct deliveries *deliveries, struct delivery *part)
{
    list_push_back(&deliveries->walks, &part->link);
    deliveries->count++;
}

/* The part of the same channel that is under way, or NULL. There are seldom more than a few. */
static struct delivery *find_walk(const struct chat *chat, uint64_t channel_hash)
{
    LIST_FOR_EACH (item, &chat->deliveries.walks) {
        struct delivery *walk = CONTAINER_OF(item, struct delivery, link);
        if (walk->message->channel_hash == channel_hash) {
            return walk;
        }
    }
    return newcomers_find(chat->newcomers, channel_hash);
}

/* The first part of its channel begins: with an audience when it is ready, otherwise at once. */
static void part_begin(struct chat *chat, struct delivery *part)
{
    const struct message *message = part->message;
    if (!message->is_to_audiences) {
        walk_add(&chat->deliveries, part);
        return;
    }
    part->audience = audience_take(chat, message->channel_hash, message->roster_version);
    part->arrival_max = chat->users.arrivals;
    part->is_audience_complete = true;
    if (part->audience != NULL && part->audience->arrival == part->arrival_max) {
        delivery_found(chat, part);
    } else {
        newcomers_look_up(chat->newcomers, part);
    }
}

void delivery_found(struct chat *chat, struct delivery *part)
{
    if (part->audience != NULL) {
        part->hashes = part->audience->hashes;
        part->hashes_count = part->audience->count;
    }
    walk_add(&chat->deliveries, part);
}

static void part_arrives(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct delivery *part = CONTAINER_OF(letter, struct delivery, letter);
    struct delivery *walk = find_walk(chat, part->message->channel_hash);
    if (walk != NULL) { /* order: behind those of its channel */
        while (walk->next_of_channel != NULL) {
            walk = walk->next_of_channel;
        }
        walk->next_of_channel = part;
        return;
    }
    /* Nearly all are done at once. A larger one may get company until this turn walks. */
    const bool is_small = part->hashes_count <= DELIVERY_STEPS_MAX / (1 + DELIVERY_PUSH_STEPS);
    if (!part->message->is_to_audiences && is_small && part_walk(chat, part)) {
        part_done(chat, part);
        return;
    }
    part_begin(chat, part);
}

bool deliveries_run(struct chat *chat)
{
    struct deliveries *deliveries = &chat->deliveries;
    for (uint32_t walks = deliveries->count; walks > 0; walks--) {
        struct delivery *part =
            CONTAINER_OF(list_pop_front(&deliveries->walks), struct delivery, link);
        deliveries->count--;
        if (!part_walk(chat, part)) {
            walk_add(deliveries, part);
            continue;
        }
        struct delivery *following = walk_done(chat, part);
        if (following != NULL) {
            part_begin(chat, following);
        }
    }
    return deliveries->count > 0;
}
