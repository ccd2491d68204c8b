#include "chat/login.h"

#include "base/assert.h"
#include "chat/chat.h"
#include "chat/notices.h"
#include "memory/allocator.h"
#include "telemetry/logger.h"

#define KICK_DELAY_MS 2000 /* time for the DISCONNECT to reach the client (semantics 1.5) */

struct login {
    struct reading reading;
    struct chat *chat;
    struct session_id id;
    uint8_t device_flag;
    bool is_token_needed;
    uint8_t token_hash[STORE_TOKEN_HASH_BYTES];
    bool has_token;
    /* What was read. */
    enum err result;
    bool has_device;
    struct device_row device;
    uint32_t person_flags;
    uint16_t uid_size;
    uint16_t device_id_size;
    uint8_t strings[]; /* uid, device id */
};

static struct bytes login_uid(const struct login *login)
{
    return (struct bytes){.data = login->strings, .size = login->uid_size};
}

static struct bytes login_device_id(const struct login *login)
{
    return (struct bytes){.data = login->strings + login->uid_size, .size = login->device_id_size};
}

static size_t login_bytes(const struct login *login)
{
    return sizeof(*login) + login->uid_size + login->device_id_size;
}

/* On a reader thread, or on the shard with what is in memory. */
static enum err login_read(struct login *login, enum store_wait wait)
{
    struct store *store = login->chat->store;
    if (login->is_token_needed) {
        const struct device_key key = {.uid = login_uid(login), .device_flag = login->device_flag};
        const enum err err = store_find_device(store, wait, key, &login->device);
        if (err != ERR_OK && err != ERR_ABSENT) {
            return err;
        }
        login->has_device = err == ERR_OK;
    }
    const struct channel_name person = {.type = CHANNEL_PERSON, .id = login_uid(login)};
    struct channel_row row;
    const enum err err = store_find_channel_row(store, wait, person, &row);
    if (err == ERR_OK) {
        login->person_flags = row.flags;
    }
    return err == ERR_ABSENT ? ERR_OK : err;
}

static void login_read_blocking(struct reading *reading)
{
    struct login *login = CONTAINER_OF(reading, struct login, reading);
    login->result = login_read(login, STORE_MAY_BLOCK);
}

/* Takes the same time wherever they differ. */
static bool hash_equal(const uint8_t *a, const uint8_t *b)
{
    uint8_t difference = 0;
    for (size_t i = 0; i < STORE_TOKEN_HASH_BYTES; i++) {
        difference |= a[i] ^ b[i];
    }
    return difference == 0;
}

static enum chat_reason login_judge(const struct login *login, uint8_t *out_level)
{
    *out_level = DEVICE_SLAVE;
    if (login->result != ERR_OK) {
        LOG_ERROR("login_failed", F_ERR(login->result));
        return CHAT_REASON_SYSTEM_ERROR;
    }
    if (login->is_token_needed) {
        if (!login->has_token || !login->has_device || !login->device.has_token ||
            !hash_equal(login->device.token_hash, login->token_hash)) {
            return CHAT_REASON_AUTH_FAIL;
        }
        *out_level = login->device.level;
    }
    if ((login->person_flags & CHANNEL_FLAG_BAN) != 0) {
        return CHAT_REASON_BAN;
    }
    return CHAT_REASON_SUCCESS;
}

/* Who has to go is decided by the level of the new session (semantics 1.5). */
static void kick_others(struct chat *chat, struct user *user, const struct session *session)
{
    LIST_FOR_EACH_SAFE (item, following, &user->sessions) {
        struct session *old = CONTAINER_OF(item, struct session, link);
        if (old == session || old->device_flag != session->device_flag) {
            continue;
        }
        const bool is_same_device = bytes_equal(session_device_id(old), session_device_id(session));
        if (is_same_device) {
            const struct kick kick = {.is_spoken = false, .delay_ms = KICK_DELAY_MS};
            chat->port->kick(chat, old, &kick);
        } else if (session->level == DEVICE_MASTER) {
            const struct kick kick = {.is_spoken = true,
                                      .text = BYTES_OF("login in other device"),
                                      .delay_ms = KICK_DELAY_MS};
            chat->port->kick(chat, old, &kick);
        }
    }
}

static enum chat_reason session_open(struct chat *chat, struct session *session,
                                     const struct login *login, uint8_t level)
{
    const struct bytes device_id = login_device_id(login);
    uint8_t *device_id_copy = NULL;
    if (device_id.size > 0) {
        device_id_copy = memory_acquire(&chat->sessions_budget, MEMORY_RANK_ADMIT, device_id.size);
        if (device_id_copy == NULL) {
            return CHAT_REASON_BUSY;
        }
        memcpy(device_id_copy, device_id.data, device_id.size);
    }
    const struct bytes uid = login_uid(login);
    struct user *user = users_add(&chat->users, chat_hash(chat, uid), uid);
    if (user == NULL) {
        memory_release(&chat->sessions_budget, device_id_copy, device_id.size);
        return CHAT_REASON_BUSY;
    }
    session->device_id = device_id_copy;
    session->device_id_size = (uint16_t)device_id.size;
    session->device_flag = login->device_flag;
    session->level = level;
    session->user = user;
    session->state = SESSION_OPEN;
    user->is_mute = (login->person_flags & CHANNEL_FLAG_SEND_BAN) != 0;
    user->sessions_count++;
    list_push_back(&user->sessions, &session->link);
    metric_set(chat->shard->metrics, METRIC_USERS_ONLINE, chat->users.count);
    notices_add_session(chat, session, true);
    kick_others(chat, user, session);
    return CHAT_REASON_SUCCESS;
}

static void login_end(struct chat *chat, struct login *login)
{
    struct session *session = chat->port->find(chat, login->id);
    if (session != NULL && session->state == SESSION_PENDING) {
        uint8_t level = DEVICE_SLAVE;
        enum chat_reason reason = login_judge(login, &level);
        if (reason == CHAT_REASON_SUCCESS) {
            reason = session_open(chat, session, login, level);
        }
        if (reason != CHAT_REASON_SUCCESS) {
            session->state = SESSION_NEW;
        }
        chat->port->on_login(chat, session, reason);
    }
    memory_release(&chat->readings_budget, login, login_bytes(login));
}

static void login_arrives(struct letter *letter, void *receiver)
{
    struct reading *reading = CONTAINER_OF(letter, struct reading, letter);
    login_end(chat_of(receiver), CONTAINER_OF(reading, struct login, reading));
}

/* Which logins need a token: all but the manager's without one configured, and visitors' if they
 * are let in (semantics 1.3). */
static bool login_needs_token(const struct chat_settings *settings, struct bytes uid)
{
    if (!settings->is_token_required || bytes_equal(uid, settings->manager_uid)) {
        return false;
    }
    return !settings->is_visitor_free || !bytes_end_with(uid, settings->visitor_suffix);
}

static bool login_is_bad_manager(const struct chat_settings *settings,
                                 const struct login_request *request)
{
    return bytes_equal(request->uid, settings->manager_uid) &&
           settings->manager_token_hash.size > 0 &&
           !hash_equal(request->token_hash, settings->manager_token_hash.data);
}

enum err login_begin(struct chat *chat, struct session *session,
                     const struct login_request *request)
{
    ASSERT(session->state == SESSION_NEW);
    const size_t size = sizeof(struct login) + request->uid.size + request->device_id.size;
    struct login *login = memory_acquire(&chat->readings_budget, MEMORY_RANK_ADMIT, size);
    if (login == NULL) {
        return ERR_BUDGET;
    }
    memset(login, 0, sizeof(*login));
    login->chat = chat;
    login->id = session->id;
    login->device_flag = request->device_flag;
    login->is_token_needed = login_needs_token(chat->settings, request->uid);
    login->has_token = request->has_token;
    memcpy(login->token_hash, request->token_hash, sizeof(login->token_hash));
    login->uid_size = (uint16_t)request->uid.size;
    login->device_id_size = (uint16_t)request->device_id.size;
    struct writer strings = writer_of(login->strings, size - sizeof(*login));
    writer_bytes_add(&strings, request->uid);
    writer_bytes_add(&strings, request->device_id);
    session->state = SESSION_PENDING;

    if (login_is_bad_manager(chat->settings, request)) {
        login->is_token_needed = true; /* and it has none that would do */
        login->has_token = false;
        login_end(chat, login);
        return ERR_OK;
    }
    login->result = login_read(login, STORE_CACHED_ONLY);
    if (login->result != ERR_AGAIN) {
        login_end(chat, login);
        return ERR_OK;
    }
    login->reading = (struct reading){.letter = {.receive = login_arrives},
                                      .run = login_read_blocking,
                                      .home = &chat->shard->mailbox};
    readers_ask(chat->readers, &login->reading);
    return ERR_OK;
}
