#include "chat/system_accounts.h"

#include "base/assert.h"
#include "chat/chat.h"
#include "memory/allocator.h"

static size_t system_change_bytes(uint32_t shards_count)
{
    return sizeof(struct system_change) + shards_count * sizeof(struct system_notice);
}

struct system_change *system_change_acquire(struct budget *budget, uint32_t shards_count)
{
    struct system_change *change =
        memory_acquire_zeroed(budget, MEMORY_RANK_READ, system_change_bytes(shards_count));
    if (change != NULL) {
        change->budget = budget;
        change->notices_count = shards_count;
    }
    return change;
}

void system_change_release(struct system_change *change)
{
    memory_release(change->budget, change, system_change_bytes(change->notices_count));
}

/* Sends it home. Whoever calls this lets the next begin: system_changes_advance. */
static void system_change_end(struct chat *chat, struct system_change *change, enum err result)
{
    memory_release(&chat->channels_budget, change->hashes,
                   change->hashes_capacity * sizeof(uint64_t));
    change->hashes = NULL;
    change->result = result;
    list_remove(&change->link);
    change->letter.receive = change->on_home;
    mailer_post(&chat->shard->mailer, change->home, &change->letter);
}

static void system_changes_advance(struct chat *chat);

/* ---- Telling every shard. ---- */

static void notice_comes_home(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct system_notice *notice = CONTAINER_OF(letter, struct system_notice, letter);
    struct system_change *change = notice->change;
    change->notices_open--;
    if (change->notices_open > 0) {
        return;
    }
    enum err result = ERR_OK;
    for (uint32_t i = 0; i < change->notices_count; i++) {
        result = change->notices[i].result != ERR_OK ? change->notices[i].result : result;
    }
    system_change_end(chat, change, result);
    system_changes_advance(chat);
}

static void notice_arrives(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct system_notice *notice = CONTAINER_OF(letter, struct system_notice, letter);
    const struct system_change *change = notice->change;
    notice->result = chat_set_system(chat, change->hashes, change->hashes_count);
    notice->letter.receive = notice_comes_home;
    shard_post(chat->shard, SYSTEM_ACCOUNTS_SHARD, &notice->letter);
}

static void system_change_tell(struct chat *chat, struct system_change *change)
{
    change->notices_open = change->notices_count;
    for (uint32_t i = 0; i < change->notices_count; i++) {
        change->notices[i] =
            (struct system_notice){.letter = {.receive = notice_arrives}, .change = change};
        shard_post(chat->shard, i, &change->notices[i].letter);
    }
}

static void system_change_committed(struct chat *chat, struct waiter *waiter, enum err result)
{
    struct system_change *change = CONTAINER_OF(waiter, struct system_change, waiter);
    if (result != ERR_OK) {
        system_change_end(chat, change, result);
        system_changes_advance(chat);
        return;
    }
    system_change_tell(chat, change);
}

/* ---- The set as it will be. ---- */

static uint32_t find_hash(const struct system_change *change, uint64_t hash)
{
    uint32_t i = 0;
    while (i < change->hashes_count && change->hashes[i] != hash) {
        i++;
    }
    return i;
}

/* How many of those that there are now stay, or may. */
static uint32_t kept_count(const struct chat *chat, const struct system_change *change)
{
    return change->is_replacement ? 0 : chat->system_count;
}

static void compute_set(const struct chat *chat, struct system_change *change)
{
    change->hashes_count = kept_count(chat, change);
    if (change->hashes_count > 0) {
        memcpy(change->hashes, chat->system_hashes, change->hashes_count * sizeof(uint64_t));
    }
    for (uint32_t i = 0; i < change->uids_count; i++) {
        const uint64_t hash = chat_hash(chat, change->uids[i]);
        const uint32_t place = find_hash(change, hash);
        const bool is_there = place < change->hashes_count;
        if (change->is_removal && is_there) {
            change->hashes[place] = change->hashes[--change->hashes_count];
        } else if (!change->is_removal && !is_there) {
            change->hashes[change->hashes_count++] = hash;
        }
    }
}

static enum err make_set(struct chat *chat, struct system_change *change)
{
    if (change->uids_count > SYSTEM_ACCOUNTS_MAX) {
        return ERR_LIMIT;
    }
    /* One more, so that an empty set has an array as well. */
    const uint32_t capacity = kept_count(chat, change) + change->uids_count + 1;
    change->hashes =
        memory_acquire(&chat->channels_budget, MEMORY_RANK_READ, capacity * sizeof(uint64_t));
    if (change->hashes == NULL) {
        return ERR_BUDGET;
    }
    change->hashes_capacity = capacity;
    compute_set(chat, change);
    return change->hashes_count > SYSTEM_ACCOUNTS_MAX ? ERR_LIMIT : ERR_OK;
}

static struct record system_record(const struct system_change *change, uint32_t index)
{
    return (struct record){
        .kind = RECORD_SYSTEM_UID,
        .system_uid = {.uid = change->uids[index], .is_system = !change->is_removal},
    };
}

static enum err system_change_reserve(struct chat *chat, const struct system_change *change)
{
    size_t size = 0;
    for (uint32_t i = 0; i < change->uids_count; i++) {
        const struct record record = system_record(change, i);
        size += record_size_max(&record);
    }
    return chat_reserve(chat, size);
}

static void system_change_begin(struct chat *chat, struct system_change *change)
{
    change->is_begun = true;
    enum err err = make_set(chat, change);
    if (err == ERR_OK && change->is_replacement) {
        system_change_tell(chat, change);
        return;
    }
    if (err == ERR_OK && change->uids_count > 0) {
        err = system_change_reserve(chat, change);
    }
    if (err != ERR_OK || change->uids_count == 0) {
        system_change_end(chat, change, err);
        return;
    }
    for (uint32_t i = 0; i < change->uids_count; i++) {
        const struct record record = system_record(change, i);
        chat_add(chat, &record);
    }
    change->waiter.committed = system_change_committed;
    chat_wait(chat, &change->waiter);
}

/* Begins the oldest unless it is under way; some end as soon as they are begun. */
static void system_changes_advance(struct chat *chat)
{
    while (!list_is_empty(&chat->system_changes)) {
        struct list *oldest = chat->system_changes.next;
        struct system_change *change = CONTAINER_OF(oldest, struct system_change, link);
        if (change->is_begun) {
            return;
        }
        system_change_begin(chat, change);
    }
}

/* ---- Asking. ---- */

static void system_change_arrives(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct system_change *change = CONTAINER_OF(letter, struct system_change, letter);
    list_push_back(&chat->system_changes, &change->link);
    system_changes_advance(chat);
}

void system_change_post(struct system_change *change, struct mailer *mailer,
                        struct shard *const *shards)
{
    ASSERT(change->home != NULL);
    ASSERT(change->on_home != NULL);
    change->letter.receive = system_change_arrives;
    mailer_post(mailer, &shards[SYSTEM_ACCOUNTS_SHARD]->mailbox, &change->letter);
}

/* ---- At start. ---- */

struct loading {
    const struct chat *chat;
    uint64_t *hashes;
    uint32_t count;
    bool is_too_many;
};

static bool load_visit(void *context, struct bytes uid)
{
    struct loading *loading = context;
    if (loading->count == SYSTEM_ACCOUNTS_MAX) {
        loading->is_too_many = true;
        return false;
    }
    loading->hashes[loading->count++] = chat_hash(loading->chat, uid);
    return true;
}

enum err system_accounts_load(struct store *store, struct chat *const *chats, uint32_t chats_count)
{
    struct budget *budget = &chats[0]->channels_budget;
    const size_t size = SYSTEM_ACCOUNTS_MAX * sizeof(uint64_t);
    struct loading loading = {.chat = chats[0]};
    loading.hashes = memory_acquire(budget, MEMORY_RANK_CACHE, size);
    if (loading.hashes == NULL) {
        return ERR_BUDGET;
    }
    enum err err = store_read_system_uids(store, load_visit, &loading);
    if (err == ERR_OK && loading.is_too_many) {
        err = ERR_LIMIT;
    }
    for (uint32_t i = 0; i < chats_count && err == ERR_OK; i++) {
        err = chat_set_system(chats[i], loading.hashes, loading.count);
    }
    memory_release(budget, loading.hashes, size);
    return err;
}
