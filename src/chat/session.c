#include "chat/session.h"

#include "base/assert.h"
#include "chat/catch_up.h"
#include "chat/chat.h"
#include "chat/login.h"
#include "chat/mark.h"
#include "chat/notices.h"
#include "memory/allocator.h"

enum err session_login(struct chat *chat, struct session *session,
                       const struct login_request *request)
{
    ASSERT(shard_is_current(chat->shard));
    ASSERT(name_is_plain(request->uid));
    return login_begin(chat, session, request);
}

static void mark_comes_home(struct letter *letter, void *receiver)
{
    struct mark *mark = CONTAINER_OF(CONTAINER_OF(letter, struct op, letter), struct mark, op);
    struct chat *chat = chat_of(receiver);
    if (mark->result != ERR_OK) {
        metric_add(chat->shard->metrics, METRIC_COMMAND_ACKS_SKIPPED, 1);
    }
    mark_release(mark);
    chat->marks_away--;
}

/* The user's main device has a command: message/sync need not tell of it again (semantics 4.4.5).
 * Other devices have no say, since they would take commands away from that one. */
static void command_received(struct chat *chat, const struct session *session,
                             const struct unacked_entry *entry)
{
    struct mark *mark = mark_acquire(&chat->sessions_budget, session_uid(session),
                                     (struct channel_name){.id = BYTES_EMPTY});
    if (mark == NULL) {
        metric_add(chat->shard->metrics, METRIC_COMMAND_ACKS_SKIPPED, 1);
        return;
    }
    mark->kind = MARK_COMMANDS;
    mark->ref = (struct channel_ref){.slot = entry->slot, .number = entry->number};
    mark->value = (int64_t)entry->seq;
    mark->op.home = &chat->shard->mailbox;
    mark->op.on_home = mark_comes_home;
    chat->marks_away++;
    mark_post(mark, &chat->shard->mailer, chat->shard->shards, chat->shard->shards_count);
}

void session_received(struct chat *chat, struct session *session, uint64_t message_id)
{
    ASSERT(session->state == SESSION_OPEN);
    struct unacked_entry entry;
    if (session->backlog == NULL ||
        !unacked_remove(&session->backlog->unacked, message_id, &entry)) {
        metric_add(chat->shard->metrics, METRIC_RECVACKS_UNKNOWN, 1);
        return;
    }
    metric_add(chat->shard->metrics, METRIC_RECVACKS, 1);
    if (entry.log == LOG_COMMAND && session->level == DEVICE_MASTER) {
        command_received(chat, session, &entry);
    }
}

void session_drained(struct chat *chat, struct session *session)
{
    if (session->state == SESSION_OPEN) {
        catch_up_continue(chat, session);
    }
}

void session_close(struct chat *chat, struct session *session)
{
    ASSERT(session->state != SESSION_CLOSED);
    if (session->state == SESSION_OPEN) {
        struct user *user = session->user;
        list_remove(&session->link);
        user->sessions_count--;
        notices_add_session(chat, session, false);
        if (user->sessions_count == 0) {
            users_remove(&chat->users, user);
            metric_set(chat->shard->metrics, METRIC_USERS_ONLINE, chat->users.count);
        }
        session->user = NULL;
        catch_up_forget(chat, session);
        memory_release(&chat->sessions_budget, session->device_id, session->device_id_size);
        session->device_id = NULL;
        session->device_id_size = 0;
    }
    session->state = SESSION_CLOSED;
}

struct bytes session_uid(const struct session *session)
{
    ASSERT(session->state == SESSION_OPEN);
    return user_uid(session->user);
}

bool session_is_mute(const struct session *session)
{
    ASSERT(session->state == SESSION_OPEN);
    return session->user->is_mute;
}
