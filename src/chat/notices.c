#include "chat/notices.h"

#include "base/assert.h"
#include "chat/chat.h"
#include "chat/message.h"
#include "chat/send.h"
#include "memory/allocator.h"

#define RECORD_BYTES         192u /* of an event, besides its strings */
#define STATUS_NUMBERS_BYTES 96u  /* five numbers and their dashes */

/* ---- Messages. ---- */

static bool is_stored(const struct send *send)
{
    return (send->flags & MESSAGE_NO_PERSIST) == 0;
}

/* The queue of msg.notify for it, or OUTBOX_INVALID. */
static enum outbox_queue notify_queue(const struct chat *chat, const struct send *send)
{
    const uint32_t wanted = chat->notices;
    if (!is_stored(send) || (wanted & NOTICE_MESSAGES) == 0) {
        return OUTBOX_INVALID;
    }
    const bool is_agent = send->channel_type == CHANNEL_AGENT;
    return is_agent && (wanted & NOTICE_AGENTS) != 0 ? OUTBOX_AGENT : OUTBOX_NOTIFY;
}

/* Recipients of an agent's channel are never offline (webhook 4.1). */
static bool wants_offline(const struct chat *chat, const struct send *send)
{
    return (chat->notices & NOTICE_OFFLINE) != 0 && send->channel_type != CHANNEL_AGENT;
}

bool notices_want(const struct chat *chat, const struct send *send)
{
    return notify_queue(chat, send) != OUTBOX_INVALID || wants_offline(chat, send);
}

enum err notices_take_recipients(struct chat *chat, struct send *send,
                                 const struct temporary *temporary)
{
    ASSERT(send->notice_uids == NULL);
    const struct bytes *uids = temporary != NULL ? temporary->uids : send->recipients;
    const uint32_t count = temporary != NULL ? temporary->uids_count : send->recipients_count;
    if (uids == NULL || !wants_offline(chat, send)) {
        return ERR_OK;
    }
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        size += sizeof(uint16_t) + uids[i].size;
    }
    if (size > NOTICES_UIDS_BYTES_MAX) {
        return ERR_LIMIT;
    }
    send->notice_uids = memory_acquire(&chat->messages_budget, MEMORY_RANK_DELIVER, size);
    if (send->notice_uids == NULL) {
        return ERR_BUDGET;
    }
    send->notice_uids_size = size;
    send->notice_uids_count = count;
    struct writer writer = writer_of(send->notice_uids, size);
    for (uint32_t i = 0; i < count; i++) {
        writer_u16(&writer, (uint16_t)uids[i].size);
        writer_bytes_add(&writer, uids[i]);
    }
    ASSERT(!writer.is_full);
    return ERR_OK;
}

void notices_forget_recipients(struct chat *chat, struct send *send)
{
    memory_release(&chat->messages_budget, send->notice_uids, send->notice_uids_size);
    send->notice_uids = NULL;
}

/* How many events the explicit list becomes: each but the last is full, or more than half full of
 * long names. */
static size_t parts_max(const struct send *send)
{
    return send->notice_uids_size / (NOTICES_PART_BYTES_MAX / 2) +
           send->notice_uids_count / NOTICES_PART_UIDS_MAX + 1;
}

size_t notices_reserve_bytes(const struct chat *chat, const struct send *send, size_t row_bytes)
{
    if (!notices_want(chat, send)) {
        return 0;
    }
    const size_t row = is_stored(send) ? 0 : row_bytes;
    const size_t names = send->channel_id.size + send->from_uid.size;
    return RECORD_BYTES + parts_max(send) * (RECORD_BYTES + row + names) + send->notice_uids_size;
}

/* The first uids of the list that fit one event, cut off from it. */
static struct bytes take_part(struct bytes *uids)
{
    struct reader reader = reader_of(*uids);
    struct bytes part = {.data = uids->data, .size = 0};
    for (uint32_t i = 0; i < NOTICES_PART_UIDS_MAX && reader_left(&reader) > 0; i++) {
        (void)reader_bytes(&reader, reader_u16(&reader));
        const size_t size = uids->size - reader_left(&reader);
        if (size > NOTICES_PART_BYTES_MAX) {
            break;
        }
        part.size = size;
    }
    ASSERT(!reader.is_short);
    *uids = bytes_skip(*uids, part.size);
    return part;
}

static void add_event(struct chat *chat, const struct outbox_key *key, const struct outbox_row *row)
{
    const struct record record = {
        .kind = RECORD_OUTBOX_PUT,
        .outbox = {.key = *key, .made = row},
    };
    chat_add(chat, &record);
}

static void add_pending(struct chat *chat, const struct send *send, const struct outbox_row *base)
{
    struct outbox_key key = {.queue = OUTBOX_PENDING, .id = send->message_id};
    struct outbox_row row = *base;
    if (is_stored(send)) {
        row.flags |= OUTBOX_NAMED; /* who looks for its members does not have to read it */
        row.channel_type = send->channel_type;
        row.channel_id = send->channel_id;
        row.from_uid = send->from_uid;
    }
    if (send->notice_uids == NULL) {
        add_event(chat, &key, &row);
        return;
    }
    row.flags |= OUTBOX_EXPLICIT;
    struct bytes uids = {.data = send->notice_uids, .size = send->notice_uids_size};
    while (uids.size > 0) {
        row.data = take_part(&uids);
        add_event(chat, &key, &row);
        key.part++;
    }
}

void notices_add_message(struct chat *chat, const struct send *send, const struct message *message)
{
    const struct outbox_row row = {
        .queued_ms = chat->shard->wall_ms,
        .log = message->log,
        .seq = send->seq,
        .message = is_stored(send) ? BYTES_EMPTY : message_row_bytes(message),
    };
    const enum outbox_queue queue = notify_queue(chat, send);
    if (queue != OUTBOX_INVALID) {
        const struct outbox_key key = {.queue = (uint8_t)queue, .id = send->message_id};
        add_event(chat, &key, &row);
    }
    if (wants_offline(chat, send)) {
        add_pending(chat, send, &row);
    }
}

/* ---- Sessions. ---- */

static uint32_t sessions_of_class(const struct user *user, uint8_t device_flag)
{
    uint32_t count = 0;
    LIST_FOR_EACH (item, &user->sessions) {
        const struct session *session = CONTAINER_OF(item, struct session, link);
        count += session->device_flag == device_flag ? 1 : 0;
    }
    return count;
}

static void write_part(struct writer *writer, uint64_t number)
{
    writer_u8(writer, '-');
    writer_decimal(writer, number);
}

void notices_add_session(struct chat *chat, const struct session *session, bool is_online)
{
    if ((chat->notices & NOTICE_STATUS) == 0 || chat->is_stopping) {
        return;
    }
    const struct user *user = session->user;
    uint8_t text[NAME_BYTES_MAX + STATUS_NUMBERS_BYTES];
    if (chat_reserve(chat, CHAT_ID_RESERVE + RECORD_BYTES + sizeof(text)) != ERR_OK) {
        metric_add(chat->shard->metrics, METRIC_WEBHOOK_LOST, 1);
        return;
    }
    struct writer writer = writer_of(text, sizeof(text));
    writer_bytes_add(&writer, user_uid(user));
    write_part(&writer, session->device_flag);
    write_part(&writer, is_online ? 1 : 0);
    write_part(&writer, session_number(session->id));
    write_part(&writer, sessions_of_class(user, session->device_flag));
    write_part(&writer, user->sessions_count);
    ASSERT(!writer.is_full);
    const struct outbox_key key = {
        .queue = OUTBOX_STATUS,
        .id = chat_next_id(chat, slot_of_user(user_uid(user))),
    };
    const struct outbox_row row = {
        .queued_ms = chat->shard->wall_ms,
        .data = writer_bytes(&writer),
    };
    add_event(chat, &key, &row);
}
