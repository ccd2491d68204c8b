#include "chat/roll_call.h"

#include "base/assert.h"
#include "chat/chat.h"
#include "memory/allocator.h"

#include <stdlib.h>

static size_t roll_call_bytes(uint32_t entries_max)
{
    return sizeof(struct roll_call) + entries_max * sizeof(struct roll_call_entry);
}

struct roll_call *roll_call_acquire(struct budget *budget, uint32_t entries_max)
{
    struct roll_call *call = memory_acquire(budget, MEMORY_RANK_READ, roll_call_bytes(entries_max));
    if (call != NULL) {
        *call = (struct roll_call){.budget = budget, .entries_max = entries_max};
    }
    return call;
}

void roll_call_release(struct roll_call *call)
{
    memory_release(call->budget, call, roll_call_bytes(call->entries_max));
}

static int compare_entries(const void *a, const void *b)
{
    const struct roll_call_entry *first = a;
    const struct roll_call_entry *second = b;
    if (first->uid_index != second->uid_index) {
        return first->uid_index < second->uid_index ? -1 : 1;
    }
    return (int)first->device_flag - (int)second->device_flag;
}

static void roll_call_comes_home(struct letter *letter, void *receiver)
{
    struct roll_call *call = CONTAINER_OF(letter, struct roll_call, letter);
    if (call->found_count <= call->entries_max) {
        qsort(call->entries, call->found_count, sizeof(call->entries[0]), compare_entries);
    }
    call->on_home(letter, receiver);
}

static void call_add(struct roll_call *call, uint32_t uid_index, uint8_t device_flag)
{
    if (call->found_count < call->entries_max) {
        call->entries[call->found_count] =
            (struct roll_call_entry){.uid_index = uid_index, .device_flag = device_flag};
    }
    call->found_count++;
}

static void look_for(const struct chat *chat, struct roll_call *call, uint32_t uid_index)
{
    const struct user *user = users_find(&chat->users, chat_hash(chat, call->uids[uid_index]));
    if (user == NULL) {
        return;
    }
    LIST_FOR_EACH (item, &user->sessions) {
        const struct session *session = CONTAINER_OF(item, struct session, link);
        if (!call->is_for_masters) {
            call_add(call, uid_index, session->device_flag);
        } else if (session->level == DEVICE_MASTER) {
            call_add(call, uid_index, session->device_flag);
            return;
        }
    }
}

static void roll_call_arrives(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct roll_call *call = CONTAINER_OF(letter, struct roll_call, letter);
    const uint32_t left = call->uids_count - call->uids_done;
    const uint32_t end =
        call->uids_done + (left < ROLL_CALL_PER_VISIT ? left : ROLL_CALL_PER_VISIT);
    for (uint32_t i = call->uids_done; i < end; i++) {
        if (routing_shard_of_slot(slot_of_user(call->uids[i]), call->shards_count) ==
            chat->shard->index) {
            look_for(chat, call, i);
        }
    }
    call->uids_done = end;
    if (end == call->uids_count) {
        call->shard++;
        call->uids_done = 0;
    }
    if (call->shard < call->shards_count) {
        shard_post(chat->shard, call->shard, &call->letter);
        return;
    }
    call->letter.receive = roll_call_comes_home;
    mailer_post(&chat->shard->mailer, call->home, &call->letter);
}

void roll_call_post(struct roll_call *call, struct mailer *mailer, struct shard *const *shards,
                    uint32_t shards_count)
{
    ASSERT(call->home != NULL);
    ASSERT(call->on_home != NULL);
    call->shards_count = shards_count;
    call->shard = 0;
    call->uids_done = 0;
    call->found_count = 0;
    call->letter.receive = roll_call_arrives;
    mailer_post(mailer, &shards[0]->mailbox, &call->letter);
}
