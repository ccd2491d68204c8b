#include "chat/device.h"

#include "base/assert.h"
#include "chat/chat.h"
#include "memory/allocator.h"

/* Time for the DISCONNECT to reach the client (semantics 1.6). */
#define SET_KICK_DELAY_MS  10000
#define QUIT_KICK_DELAY_MS 2000

struct device_change *device_change_acquire(struct budget *budget)
{
    struct device_change *change =
        memory_acquire_zeroed(budget, MEMORY_RANK_READ, sizeof(struct device_change));
    if (change != NULL) {
        change->budget = budget;
    }
    return change;
}

void device_change_release(struct device_change *change)
{
    memory_release(change->budget, change, sizeof(*change));
}

static uint32_t flags_count(const struct device_change *change)
{
    if (change->kind == DEVICE_CHANGE_PLUGIN) {
        return 0;
    }
    return change->device_flag == DEVICE_FLAG_ALL ? DEVICE_FLAGS_MAX : 1;
}

/* The classes are app 0, web 1 and pc 2 (semantics 0.5). */
static uint8_t flag_at(const struct device_change *change, uint32_t index)
{
    return change->device_flag == DEVICE_FLAG_ALL ? (uint8_t)index : (uint8_t)change->device_flag;
}

/* The oldest of a user, or NULL. */
static struct device_change *find_change(struct chat *chat, uint64_t uid_hash)
{
    LIST_FOR_EACH (item, &chat->device_changes) {
        struct device_change *change = CONTAINER_OF(item, struct device_change, link);
        if (change->uid_hash == uid_hash) {
            return change;
        }
    }
    return NULL;
}

/* Sends it home. Whoever calls this lets the user's next begin: device_changes_advance. */
static void device_change_end(struct chat *chat, struct device_change *change, enum err result)
{
    change->result = result;
    list_remove(&change->link);
    change->letter.receive = change->on_home;
    mailer_post(&chat->shard->mailer, change->home, &change->letter);
}

/* ---- Who has to go. ---- */

static bool flag_is_meant(const struct device_change *change, uint8_t device_flag)
{
    for (uint32_t i = 0; i < flags_count(change); i++) {
        if (flag_at(change, i) == device_flag) {
            return true;
        }
    }
    return false;
}

static void device_change_kick(struct chat *chat, const struct device_change *change)
{
    struct user *user = users_find(&chat->users, change->uid_hash);
    if (user == NULL) {
        return;
    }
    const bool is_quit = change->kind == DEVICE_CHANGE_QUIT;
    const struct bytes text = is_quit ? BYTES_EMPTY : BYTES_OF("账号在其他设备上登录");
    /* The user goes with his last session, so his list is not touched after that one's kick. */
    struct list *item = user->sessions.next;
    for (uint32_t left = user->sessions_count; left > 0; left--) {
        struct session *session = CONTAINER_OF(item, struct session, link);
        item = item->next;
        if (flag_is_meant(change, session->device_flag)) {
            const struct kick kick = {
                .is_spoken = true,
                .text = text,
                .delay_ms = is_quit ? QUIT_KICK_DELAY_MS : SET_KICK_DELAY_MS,
            };
            chat->port->kick(chat, session, &kick);
        }
    }
}

/* ---- What becomes of it. ---- */

static void device_changes_advance(struct chat *chat, uint64_t uid_hash);

static void device_change_do(struct chat *chat, struct device_change *change)
{
    const bool is_set = change->kind == DEVICE_CHANGE_SET;
    if (change->kind == DEVICE_CHANGE_QUIT || (is_set && change->level == DEVICE_MASTER)) {
        device_change_kick(chat, change);
    }
    device_change_end(chat, change, ERR_OK);
}

static void device_change_committed(struct chat *chat, struct waiter *waiter, enum err result)
{
    struct device_change *change = CONTAINER_OF(waiter, struct device_change, waiter);
    const uint64_t uid_hash = change->uid_hash;
    if (result == ERR_OK) {
        device_change_do(chat, change);
    } else {
        device_change_end(chat, change, result);
    }
    device_changes_advance(chat, uid_hash);
}

static struct record user_record(const struct chat *chat, const struct device_change *change)
{
    const uint64_t now_ms = chat->shard->wall_ms;
    return (struct record){
        .kind = RECORD_USER,
        .user = {.uid = change->uid,
                 .created_ms = change->is_user_known ? change->user_created_ms : now_ms,
                 .plugin_no = change->plugin_no}};
}

static struct record device_record(const struct chat *chat, const struct device_change *change,
                                   uint32_t index)
{
    struct record record = {
        .kind = RECORD_DEVICE,
        .device = {.key = {.uid = change->uid, .device_flag = flag_at(change, index)},
                   .row = {.level = DEVICE_MASTER, .updated_ms = chat->shard->wall_ms}},
    };
    if (change->kind == DEVICE_CHANGE_SET) {
        record.device.row.has_token = true;
        record.device.row.level = change->level;
        memcpy(record.device.row.token_hash, change->token_hash, sizeof(change->token_hash));
    }
    return record;
}

static bool wants_device_record(const struct device_change *change, uint32_t index)
{
    return change->kind == DEVICE_CHANGE_SET || change->is_device_known[index];
}

static bool wants_user_record(const struct device_change *change)
{
    return change->kind == DEVICE_CHANGE_PLUGIN ||
           (change->kind == DEVICE_CHANGE_SET && !change->is_user_known);
}

/* The bytes of all records; 0: there is nothing to journal. */
static size_t device_change_bytes(const struct chat *chat, const struct device_change *change)
{
    size_t size = 0;
    if (wants_user_record(change)) {
        const struct record record = user_record(chat, change);
        size += record_size_max(&record);
    }
    for (uint32_t i = 0; i < flags_count(change); i++) {
        if (wants_device_record(change, i)) {
            const struct record record = device_record(chat, change, i);
            size += record_size_max(&record);
        }
    }
    return size;
}

static void device_change_write(struct chat *chat, struct device_change *change)
{
    if (wants_user_record(change)) {
        const struct record record = user_record(chat, change);
        chat_add(chat, &record);
    }
    for (uint32_t i = 0; i < flags_count(change); i++) {
        if (wants_device_record(change, i)) {
            const struct record record = device_record(chat, change, i);
            chat_add(chat, &record);
        }
    }
    change->waiter.committed = device_change_committed;
    chat_wait(chat, &change->waiter);
}

static void device_change_decide(struct chat *chat, struct device_change *change)
{
    change->reason = CHAT_REASON_SUCCESS;
    if ((change->person_flags & CHANNEL_FLAG_BAN) != 0) {
        change->reason = CHAT_REASON_BAN;
    } else if ((change->person_flags & CHANNEL_FLAG_DISBAND) != 0) {
        change->reason = CHAT_REASON_DISBAND;
    }
    if (change->read_result != ERR_OK || change->reason != CHAT_REASON_SUCCESS) {
        device_change_end(chat, change, change->read_result);
        return;
    }
    const size_t size = device_change_bytes(chat, change);
    if (size == 0) { /* a quit of what was never set: the sessions go all the same */
        device_change_do(chat, change);
        return;
    }
    const enum err err = chat_reserve(chat, size);
    if (err != ERR_OK) {
        device_change_end(chat, change, err);
        return;
    }
    device_change_write(chat, change);
}

/* ---- What is stored. ---- */

static enum err read_user(struct device_change *change, enum store_wait wait)
{
    struct user_row user;
    const enum err err = store_find_user(change->chat->store, wait, change->uid, &user);
    change->is_user_known = err == ERR_OK;
    if (change->is_user_known) {
        change->user_created_ms = user.created_ms;
    }
    return err == ERR_ABSENT ? ERR_OK : err;
}

static enum err read_for_set(struct device_change *change, enum store_wait wait)
{
    struct store *store = change->chat->store;
    const struct channel_name person = {.type = CHANNEL_PERSON, .id = change->uid};
    struct channel_row row;
    enum err err = store_find_channel_row(store, wait, person, &row);
    if (err == ERR_OK) {
        change->person_flags = row.flags;
    } else if (err != ERR_ABSENT) {
        return err;
    }
    return read_user(change, wait);
}

static enum err read_for_quit(struct device_change *change, enum store_wait wait)
{
    for (uint32_t i = 0; i < flags_count(change); i++) {
        const struct device_key key = {.uid = change->uid, .device_flag = flag_at(change, i)};
        struct device_row device;
        const enum err err = store_find_device(change->chat->store, wait, key, &device);
        if (err != ERR_OK && err != ERR_ABSENT) {
            return err;
        }
        change->is_device_known[i] = err == ERR_OK;
    }
    return ERR_OK;
}

static enum err device_change_read(struct device_change *change, enum store_wait wait)
{
    switch (change->kind) {
    case DEVICE_CHANGE_SET:
        return read_for_set(change, wait);
    case DEVICE_CHANGE_QUIT:
        return read_for_quit(change, wait);
    case DEVICE_CHANGE_PLUGIN:
        return read_user(change, wait);
    case DEVICE_CHANGE_INVALID:
        break;
    }
    UNREACHABLE();
}

static void device_change_read_blocking(struct reading *reading)
{
    struct device_change *change = CONTAINER_OF(reading, struct device_change, reading);
    change->read_result = device_change_read(change, STORE_MAY_BLOCK);
}

static void device_change_read_arrives(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct reading *reading = CONTAINER_OF(letter, struct reading, letter);
    struct device_change *change = CONTAINER_OF(reading, struct device_change, reading);
    const uint64_t uid_hash = change->uid_hash;
    device_change_decide(chat, change);
    device_changes_advance(chat, uid_hash);
}

static void device_change_begin(struct chat *chat, struct device_change *change)
{
    change->is_begun = true;
    change->read_result = device_change_read(change, STORE_CACHED_ONLY);
    if (change->read_result != ERR_AGAIN) {
        device_change_decide(chat, change);
        return;
    }
    change->reading = (struct reading){.letter = {.receive = device_change_read_arrives},
                                       .run = device_change_read_blocking,
                                       .home = &chat->shard->mailbox};
    readers_ask(chat->readers, &change->reading);
}

/* Begins the user's oldest unless it is under way; some end as soon as they are begun. */
static void device_changes_advance(struct chat *chat, uint64_t uid_hash)
{
    struct device_change *change = find_change(chat, uid_hash);
    while (change != NULL && !change->is_begun) {
        device_change_begin(chat, change);
        change = find_change(chat, uid_hash);
    }
}

/* ---- Asking. ---- */

static void device_change_arrives(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct device_change *change = CONTAINER_OF(letter, struct device_change, letter);
    change->chat = chat;
    change->uid_hash = chat_hash(chat, change->uid);
    list_push_back(&chat->device_changes, &change->link);
    device_changes_advance(chat, change->uid_hash);
}

void device_change_post(struct device_change *change, struct mailer *mailer,
                        struct shard *const *shards, uint32_t shards_count)
{
    ASSERT(change->kind != DEVICE_CHANGE_INVALID);
    ASSERT(change->home != NULL);
    ASSERT(change->on_home != NULL);
    ASSERT(change->uid.size > 0);
    if (change->kind == DEVICE_CHANGE_SET) {
        ASSERT(change->device_flag >= 0);
    }
    struct shard *home = shards[routing_shard_of_slot(slot_of_user(change->uid), shards_count)];
    change->letter.receive = device_change_arrives;
    mailer_post(mailer, &home->mailbox, &change->letter);
}
