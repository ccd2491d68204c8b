#include "edge/survey.h"

#include "base/assert.h"
#include "chat/channel.h"
#include "chat/chat.h"
#include "chat/roster.h"
#include "edge/edge.h"
#include "memory/allocator.h"

struct survey *survey_acquire(struct budget *budget)
{
    struct survey *survey = memory_acquire_zeroed(budget, MEMORY_RANK_READ, sizeof(*survey));
    if (survey != NULL) {
        survey->budget = budget;
    }
    return survey;
}

void survey_release(struct survey *survey)
{
    memory_release(survey->budget, survey, sizeof(*survey));
}

/* ---- What an object holds. ---- */

static uint64_t conn_bytes(const struct conn *conn)
{
    const struct session *session = &conn->session;
    uint64_t bytes = sizeof(*conn) + session->device_id_size;
    if (conn->held != NULL) {
        bytes += sizeof(*conn->held) + conn->held->capacity;
    }
    const struct backlog *backlog = session->backlog;
    if (backlog != NULL) {
        bytes += sizeof(*backlog);
        bytes += (uint64_t)backlog->unacked.capacity * sizeof(struct unacked_entry);
        bytes += backlog->cursors != NULL ? SESSION_CURSORS_MAX * sizeof(struct cursor) : 0;
    }
    for (const struct write_block *block = conn->queue.first; block != NULL; block = block->next) {
        bytes += sizeof(*block) + block->capacity;
    }
    return bytes;
}

static uint64_t user_bytes(const struct user *user)
{
    uint64_t bytes = sizeof(*user) + user->uid_size;
    LIST_FOR_EACH (item, &user->sessions) {
        struct session *session = CONTAINER_OF(item, struct session, link);
        bytes += conn_bytes(conn_of_session(session));
    }
    return bytes;
}

static uint64_t channel_bytes(const struct channel *channel)
{
    uint64_t bytes = sizeof(*channel) + channel->id_size;
    const struct roster *roster = channel->roster;
    if (roster != NULL) {
        bytes += sizeof(*roster) + roster->parts_count * sizeof(roster->parts[0]);
        for (uint32_t i = 0; i < roster->parts_count; i++) {
            bytes += (uint64_t)roster->parts[i].capacity * sizeof(uint64_t);
        }
    }
    return bytes;
}

/* ---- The lists. ---- */

/* Finds its place, and pushes the smallest out. */
static void list_offer(struct survey_list *list, const struct survey_entry *entry,
                       struct bytes name)
{
    if (list->count == SURVEY_TOP && entry->bytes <= list->entries[SURVEY_TOP - 1].bytes) {
        return;
    }
    uint32_t place = list->count < SURVEY_TOP ? list->count++ : SURVEY_TOP - 1;
    for (; place > 0 && list->entries[place - 1].bytes < entry->bytes; place--) {
        list->entries[place] = list->entries[place - 1];
    }
    struct survey_entry *kept = &list->entries[place];
    *kept = *entry;
    kept->name_size = (uint8_t)(name.size < sizeof(kept->name) ? name.size : sizeof(kept->name));
    if (kept->name_size > 0) {
        memcpy(kept->name, name.data, kept->name_size);
    }
}

static void survey_connections(struct survey *survey, const struct edge *edge)
{
    for (uint32_t i = 0; i < edge->conns.touched; i++) {
        const struct conn *conn = &edge->conns.slots[i];
        if (conn->state == CONN_FREE) {
            continue;
        }
        const struct survey_entry entry = {.bytes = conn_bytes(conn),
                                           .shard = (uint8_t)edge->shard->index,
                                           .detail = conn->device_flag};
        const struct bytes uid =
            conn->session.user != NULL ? user_uid(conn->session.user) : BYTES_EMPTY;
        list_offer(&survey->lists[SURVEY_CONNECTIONS], &entry, uid);
    }
}

static void survey_users(struct survey *survey, const struct chat *chat)
{
    for (uint32_t i = 0; i < chat->users.buckets_count; i++) {
        for (const struct user *user = chat->users.buckets[i]; user != NULL;
             user = user->next_in_bucket) {
            const struct survey_entry entry = {.bytes = user_bytes(user),
                                               .shard = (uint8_t)chat->shard->index};
            list_offer(&survey->lists[SURVEY_USERS], &entry, user_uid(user));
        }
    }
}

static void survey_channels(struct survey *survey, const struct chat *chat)
{
    LIST_FOR_EACH (item, &chat->channels.recency) {
        const struct channel *channel = CONTAINER_OF(item, struct channel, recency);
        const struct survey_entry entry = {.bytes = channel_bytes(channel),
                                           .shard = (uint8_t)chat->shard->index,
                                           .detail = channel->type};
        list_offer(&survey->lists[SURVEY_CHANNELS], &entry, channel_name(channel).id);
    }
}

/* ---- The way around. ---- */

static void survey_arrives(struct letter *letter, void *receiver)
{
    struct survey *survey = CONTAINER_OF(letter, struct survey, letter);
    struct shard *shard = receiver;
    survey_connections(survey, shard->edge);
    survey_users(survey, shard->chat);
    survey_channels(survey, shard->chat);
    if (shard->index + 1 < shard->shards_count) {
        shard_post(shard, shard->index + 1, letter);
        return;
    }
    letter->receive = survey->on_home;
    mailer_post(&shard->mailer, survey->home, letter);
}

void survey_post(struct survey *survey, struct mailer *mailer, struct shard *const *shards)
{
    ASSERT(survey->home != NULL);
    ASSERT(survey->on_home != NULL);
    survey->letter.receive = survey_arrives;
    mailer_post(mailer, &shards[0]->mailbox, &survey->letter);
}
