#include "chat/facts.h"

#include "chat/chat.h"
#include "chat/send.h"

static enum err find_on_list(const struct facts_question *question, enum store_wait wait,
                             struct list_ref list, bool *out_is_on)
{
    struct member_row row;
    const enum err err = store_find_member(question->store, wait, list, question->sender, &row);
    *out_is_on = err == ERR_OK;
    return err == ERR_ABSENT ? ERR_OK : err;
}

/* The record whose lists are asked: for a pair the receiver's own (semantics 2.5, rule 10). */
static enum err find_lists(const struct facts_question *question, enum store_wait wait,
                           struct channel_ref *out_ref, struct facts *facts)
{
    if (question->receiver.size == 0) {
        *out_ref = question->ref;
        return ERR_OK;
    }
    const struct channel_name name = {.type = CHANNEL_PERSON, .id = question->receiver};
    struct channel_row row;
    const enum err err = store_find_channel_row(question->store, wait, name, &row);
    if (err != ERR_OK) {
        *out_ref = (struct channel_ref){.number = 0};
        return err == ERR_ABSENT ? ERR_OK : err;
    }
    *out_ref = (struct channel_ref){.slot = slot_of_channel(name), .number = row.number};
    facts->is_stranger_free = (row.flags & CHANNEL_FLAG_ALLOW_STRANGER) != 0;
    return ERR_OK;
}

/* Whether there is an allow list decides only about a member who is not on it. It is not asked of
 * what is in memory: RocksDB 7.8 releases a range tombstone twice when it cannot make an iterator
 * without reading, and lists are emptied by range tombstones. */
static enum err find_allow_list(const struct facts_question *question, enum store_wait wait,
                                struct channel_ref ref, struct facts *facts)
{
    if (question->receiver.size > 0 || !facts->is_subscriber || facts->is_denied ||
        facts->is_allowed) {
        return ERR_OK;
    }
    if (wait == STORE_CACHED_ONLY) {
        return ERR_AGAIN;
    }
    const struct list_ref allow = {.channel = ref, .kind = LIST_ALLOW};
    bool is_empty = true;
    const enum err err = store_list_is_empty(question->store, wait, allow, &is_empty);
    facts->has_allow_list = !is_empty;
    return err;
}

enum err facts_read(const struct facts_question *question, enum store_wait wait,
                    struct facts *out_facts)
{
    struct facts facts = {.is_subscriber = false};
    struct channel_ref ref;
    enum err err = find_lists(question, wait, &ref, &facts);
    if (err == ERR_OK && ref.number != 0) {
        const struct list_ref deny = {.channel = ref, .kind = LIST_DENY};
        const struct list_ref allow = {.channel = ref, .kind = LIST_ALLOW};
        const struct list_ref subscribers = {.channel = ref, .kind = LIST_SUBSCRIBER};
        err = find_on_list(question, wait, deny, &facts.is_denied);
        if (err == ERR_OK) {
            err = find_on_list(question, wait, allow, &facts.is_allowed);
        }
        if (err == ERR_OK && question->receiver.size == 0) {
            err = find_on_list(question, wait, subscribers, &facts.is_subscriber);
        }
        if (err == ERR_OK) {
            err = find_allow_list(question, wait, ref, &facts);
        }
    }
    if (err == ERR_OK) {
        *out_facts = facts;
    }
    return err;
}

static struct facts_slot *facts_slot(const struct facts_cache *cache, const struct channel *channel,
                                     uint64_t sender_hash)
{
    const uint64_t mixed = (channel->hash ^ (sender_hash * 0x9e3779b97f4a7c15ULL)) >> 20;
    return &cache->slots[mixed & (FACTS_SLOTS - 1)];
}

bool facts_find(const struct facts_cache *cache, const struct channel *channel,
                uint64_t sender_hash, struct facts *out_facts)
{
    for (uint32_t i = 0; i < FACTS_KEPT; i++) {
        const struct facts_kept *kept = &channel->facts[i];
        if (kept->version == channel->member_version && kept->sender_hash == sender_hash) {
            *out_facts = kept->facts;
            return true;
        }
    }
    const struct facts_slot *slot = facts_slot(cache, channel, sender_hash);
    if (slot->version != channel->member_version || slot->channel_hash != channel->hash ||
        slot->sender_hash != sender_hash) {
        return false;
    }
    *out_facts = slot->facts;
    return true;
}

void facts_keep(struct facts_cache *cache, struct channel *channel, uint64_t sender_hash,
                uint32_t version, const struct facts *facts)
{
    for (uint32_t i = 0; i < FACTS_KEPT; i++) {
        struct facts_kept *kept = &channel->facts[i];
        if (kept->version != channel->member_version || kept->sender_hash == sender_hash) {
            *kept = (struct facts_kept){
                .sender_hash = sender_hash, .version = version, .facts = *facts};
            return;
        }
    }
    *facts_slot(cache, channel, sender_hash) = (struct facts_slot){
        .channel_hash = channel->hash,
        .sender_hash = sender_hash,
        .version = version,
        .facts = *facts,
    };
}

/* Types whose ban flag v2 does not look at (semantics 2.6, check 4). */
static bool type_ignores_ban(uint8_t type)
{
    return type == CHANNEL_CUSTOMER_SERVICE || type == CHANNEL_INFO || type == CHANNEL_VISITORS ||
           type == CHANNEL_AGENT;
}

static bool is_one_of_pair(const struct channel *channel, struct bytes uid)
{
    struct bytes first;
    struct bytes second;
    return name_split_pair(channel_name(channel).id, &first, &second) == ERR_OK &&
           (bytes_equal(uid, first) || bytes_equal(uid, second));
}

static bool is_free_by_type(struct chat *chat, const struct channel *channel,
                            const struct send *send)
{
    switch (channel->type) {
    case CHANNEL_INFO:
    case CHANNEL_CUSTOMER_SERVICE:
        return true;
    case CHANNEL_AGENT:
        return is_one_of_pair(channel, send->from_uid);
    case CHANNEL_VISITORS:
        return bytes_equal(channel_name(channel).id, send->from_uid);
    case CHANNEL_PERSON:
        return chat_is_system(
            chat, name_as_seen(channel_name(channel).id, CHANNEL_PERSON, send->from_uid));
    default:
        return false;
    }
}

bool permission_is_plain(struct chat *chat, const struct channel *channel, const struct send *send,
                         enum chat_reason *out_reason)
{
    *out_reason = CHAT_REASON_SUCCESS;
    if ((channel->row.flags & CHANNEL_FLAG_BAN) != 0 && !type_ignores_ban(channel->type)) {
        *out_reason = CHAT_REASON_BAN;
        return true;
    }
    if ((channel->row.flags & CHANNEL_FLAG_DISBAND) != 0) {
        *out_reason = CHAT_REASON_DISBAND;
        return true;
    }
    if (is_free_by_type(chat, channel, send) || send->is_privileged ||
        chat_is_system(chat, send->from_uid)) {
        return true;
    }
    if (channel->type == CHANNEL_AGENT) { /* it has no lists: who is not one of the two is nobody */
        *out_reason = CHAT_REASON_NOT_ALLOW_SEND;
        return true;
    }
    return false;
}

enum chat_reason permission_by_facts(const struct chat *chat, const struct channel *channel,
                                     const struct facts *facts)
{
    if (facts->is_denied) {
        return CHAT_REASON_IN_BLACKLIST;
    }
    if (channel->type == CHANNEL_PERSON) {
        const bool is_free = chat->settings->is_person_allow_list_off || facts->is_allowed ||
                             facts->is_stranger_free;
        return is_free ? CHAT_REASON_SUCCESS : CHAT_REASON_NOT_IN_WHITELIST;
    }
    if (!facts->is_subscriber) {
        return CHAT_REASON_NOT_SUBSCRIBER;
    }
    if (facts->has_allow_list && !facts->is_allowed) {
        return CHAT_REASON_NOT_IN_WHITELIST;
    }
    return CHAT_REASON_SUCCESS;
}
