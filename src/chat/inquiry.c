#include "chat/inquiry.h"

#include "base/assert.h"
#include "chat/chat.h"
#include "chat/send.h"
#include "memory/allocator.h"

#define AGAIN_WITHOUT_ROOM_MS 1000u

enum err inquiries_init(struct chat *chat, const struct inquiry_desk *desk)
{
    struct inquiries *inquiries = &chat->inquiries;
    *inquiries = (struct inquiries){.desk = desk};
    if (desk == NULL) {
        return ERR_OK;
    }
    inquiries->slots = memory_acquire_zeroed(&chat->channels_budget, MEMORY_RANK_DRAIN,
                                             INQUIRY_SLOTS * sizeof(struct inquiry_slot));
    return inquiries->slots != NULL ? ERR_OK : ERR_BUDGET;
}

void inquiries_deinit(struct chat *chat)
{
    ASSERT(chat->inquiries.away_count == 0);
    memory_release(&chat->channels_budget, chat->inquiries.slots,
                   INQUIRY_SLOTS * sizeof(struct inquiry_slot));
    chat->inquiries.slots = NULL;
}

bool inquiries_have_lists(const struct chat *chat)
{
    return chat->inquiries.desk != NULL && chat->inquiries.desk->has_lists;
}

static struct inquiry_slot *slot_of(struct chat *chat, uint64_t hash)
{
    return &chat->inquiries.slots[hash & (INQUIRY_SLOTS - 1)];
}

/* Whoever asks before then goes on with what is stored. */
static void remember(struct chat *chat, uint64_t hash, uint64_t again_ms)
{
    *slot_of(chat, hash) =
        (struct inquiry_slot){.hash = hash, .due_ms = chat->shard->now_ms + again_ms + 1};
}

/* ---- Asking. ---- */

static void inquiry_comes_home(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct inquiry *inquiry = CONTAINER_OF(letter, struct inquiry, letter);
    struct channel *channel = inquiry->channel;
    chat->inquiries.away_count--;
    remember(chat, inquiry->hash, inquiry->again_ms);
    memory_release(&chat->channels_budget, inquiry, inquiry->size_bytes);
    if (channel != NULL) {
        channel->is_inquiring = false;
        channel_advance(chat, channel);
    }
}

/* ERR_BUDGET: no room to ask. */
static enum err inquiry_post(struct chat *chat, struct channel *channel, struct channel_name name,
                             uint64_t hash)
{
    const size_t size = sizeof(struct inquiry) + name.id.size;
    struct inquiry *inquiry = memory_acquire_zeroed(&chat->channels_budget, MEMORY_RANK_READ, size);
    if (inquiry == NULL) {
        metric_add(chat->shard->metrics, METRIC_SOURCE_INQUIRIES_FULL, 1);
        return ERR_BUDGET;
    }
    memcpy(inquiry + 1, name.id.data, name.id.size);
    inquiry->name = (struct channel_name){
        .type = name.type, .id = {.data = (uint8_t *)(inquiry + 1), .size = name.id.size}};
    inquiry->size_bytes = size;
    inquiry->home = &chat->shard->mailbox;
    inquiry->on_home = inquiry_comes_home;
    inquiry->hash = hash;
    inquiry->channel = channel;
    inquiry->asked_ns = chat->shard->now_ns;
    inquiry->letter.receive = chat->inquiries.desk->receive;
    chat->inquiries.away_count++;
    mailer_post(&chat->shard->mailer, chat->inquiries.desk->mailbox, &inquiry->letter);
    return ERR_OK;
}

/* What was answered before is asked again in the background. */
static void refresh(struct chat *chat, struct channel_name name, struct inquiry_slot *slot)
{
    if (slot->is_under_way || chat->shard->now_ms < slot->due_ms) {
        return;
    }
    if (inquiry_post(chat, NULL, name, slot->hash) == ERR_OK) {
        slot->is_under_way = true;
    } else {
        slot->due_ms = chat->shard->now_ms + AGAIN_WITHOUT_ROOM_MS;
    }
}

static bool holds(struct chat *chat, struct channel *channel, struct send *send,
                  struct channel_name name)
{
    if (channel->is_inquiring) {
        send->op.is_held = true;
        return true;
    }
    const uint64_t hash = channel_name_hash(chat, name);
    struct inquiry_slot *slot = slot_of(chat, hash);
    send->is_inquired = true;
    if (slot->hash == hash && slot->due_ms > 0) {
        refresh(chat, name, slot);
        return false;
    }
    if (inquiry_post(chat, channel, name, hash) != ERR_OK) {
        remember(chat, hash, AGAIN_WITHOUT_ROOM_MS);
        return false;
    }
    send->is_inquired = false;
    channel->is_inquiring = true;
    send->op.is_held = true;
    return true;
}

/* ---- For whom. ---- */

/* Whose members are on a list of their own. */
static bool type_has_lists(uint8_t type)
{
    return !channel_type_is_pair(type) && type != CHANNEL_TEMP;
}

bool inquiry_holds(struct chat *chat, struct channel *channel, struct send *send)
{
    if (chat->inquiries.desk == NULL || send->is_inquired || send->recipients != NULL ||
        !type_has_lists(channel->type)) {
        return false;
    }
    return holds(chat, channel, send, channel_name(channel));
}

bool inquiry_holds_for_receiver(struct chat *chat, struct channel *channel, struct send *send)
{
    if (!inquiries_have_lists(chat) || send->is_inquired || channel->type != CHANNEL_PERSON) {
        return false;
    }
    const struct bytes receiver =
        name_as_seen(channel_name(channel).id, CHANNEL_PERSON, send->from_uid);
    return holds(chat, channel, send,
                 (struct channel_name){.type = CHANNEL_PERSON, .id = receiver});
}
