#include "chat/send.h"

#include "base/assert.h"
#include "chat/chat.h"
#include "chat/first_rows.h"
#include "chat/message.h"
#include "chat/notices.h"
#include "chat/recipients.h"
#include "chat/roster.h"
#include "chat/tending.h"
#include "memory/allocator.h"
#include "store/message_log.h"
#include "telemetry/logger.h"

static struct bytes copy_in(struct writer *writer, struct bytes bytes)
{
    const uint8_t *at = writer->at;
    writer_bytes_add(writer, bytes);
    return (struct bytes){.data = at, .size = bytes.size};
}

struct send *send_acquire(struct budget *budget, const struct send_input *input)
{
    const size_t strings = input->from_uid.size + input->channel_id.size +
                           input->client_msg_no.size + input->topic.size + input->stream_no.size +
                           input->tag.size;
    const size_t size = sizeof(struct send) + strings + input->payload_size;
    struct send *send = memory_acquire(budget, MEMORY_RANK_READ, size);
    if (send == NULL) {
        return NULL;
    }
    memset(send, 0, sizeof(*send));
    send->budget = budget;
    send->size_bytes = size;
    struct writer writer = writer_of((uint8_t *)(send + 1), size - sizeof(*send));
    send->from_uid = copy_in(&writer, input->from_uid);
    send->channel_id = copy_in(&writer, input->channel_id);
    send->client_msg_no = copy_in(&writer, input->client_msg_no);
    send->topic = copy_in(&writer, input->topic);
    send->stream_no = copy_in(&writer, input->stream_no);
    send->tag = copy_in(&writer, input->tag);
    send->payload = (struct bytes){.data = writer.at, .size = input->payload_size};
    ASSERT(!writer.is_full);
    return send;
}

void send_release(struct send *send)
{
    ASSERT(send->message == NULL);
    ASSERT(send->twin == NULL);
    ASSERT(send->first_rows == NULL);
    ASSERT(send->notice_uids == NULL);
    memory_release(send->budget, send, send->size_bytes);
}

uint8_t *send_payload(struct send *send)
{
    return (uint8_t *)(uintptr_t)send->payload.data; /* it lies behind the struct, which is ours */
}

static struct channel_name send_channel_name(const struct send *send)
{
    return (struct channel_name){.type = send->channel_type, .id = send->channel_id};
}

/* ---- Answering. ---- */

static void send_answer(struct chat *chat, struct send *send, enum chat_reason reason)
{
    first_rows_release(send->first_rows); /* of one that was refused */
    send->first_rows = NULL;
    struct send *twin = send->twin;
    send->twin = NULL;
    send->reason = reason;
    send->channel = NULL;
    send->op.letter.receive = send->op.on_home;
    const uint64_t message_id = send->message_id;
    const uint64_t seq = send->seq;
    mailer_post(&chat->shard->mailer, send->op.home, &send->op.letter);
    while (twin != NULL) { /* repeats get the first result (design promise 3) */
        struct send *following = twin->twin;
        twin->twin = NULL;
        twin->message_id = message_id;
        twin->seq = seq;
        twin->reason = reason;
        twin->channel = NULL;
        twin->op.letter.receive = twin->op.on_home;
        mailer_post(&chat->shard->mailer, twin->op.home, &twin->op.letter);
        twin = following;
    }
}

static enum metric refusal_metric(enum chat_reason reason)
{
    if (reason == CHAT_REASON_BUSY) {
        return METRIC_SENDS_FULL;
    }
    return reason == CHAT_REASON_SYSTEM_ERROR ? METRIC_SENDS_FAILED : METRIC_SENDS_DENIED;
}

static void send_refuse(struct chat *chat, struct send *send, enum chat_reason reason)
{
    send->message_id = chat_passing_id(chat, slot_of_channel(send_channel_name(send)));
    send->seq = 0;
    metric_add(chat->shard->metrics, refusal_metric(reason), 1);
    send_answer(chat, send, reason);
}

/* The store could not answer: the operator hears why, the client of a system error. */
static void send_break(struct chat *chat, struct send *send, const char *step, enum err why)
{
    struct store_fault fault;
    store_last_fault(chat->store, &fault);
    LOG_ERROR("send_failed", F_STR("step", step), F_ERR(why), F_STR("why", fault.text));
    send_refuse(chat, send, CHAT_REASON_SYSTEM_ERROR);
}

static void send_fail(struct chat *chat, struct op *op, enum err why)
{
    send_break(chat, CONTAINER_OF(op, struct send, op), "load_channel", why);
}

/* ---- What must be known first. ---- */

static void send_read_blocking(struct reading *reading)
{
    struct send *send = CONTAINER_OF(reading, struct send, reading);
    send->read_result = facts_read(&send->question, STORE_MAY_BLOCK, &send->facts);
}

static void send_read_arrives(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct reading *reading = CONTAINER_OF(letter, struct reading, letter);
    struct send *send = CONTAINER_OF(reading, struct send, reading);
    send->is_reading = false;
    send->channel->readings--;
    channel_advance(chat, send->channel);
}

static enum err send_read(struct chat *chat, struct send *send, reading_fn *run)
{
    send->reading = (struct reading){
        .letter = {.receive = send_read_arrives}, .run = run, .home = &chat->shard->mailbox};
    send->is_reading = true;
    send->channel->readings++;
    readers_ask(chat->readers, &send->reading);
    return ERR_AGAIN;
}

/* Knows the facts of the sender, or has them read (ERR_AGAIN). */
static enum err send_learn_facts(struct chat *chat, struct channel *channel, struct send *send)
{
    const uint64_t sender_hash = chat_hash(chat, send->from_uid);
    if (inquiry_holds_for_receiver(chat, channel, send)) {
        return ERR_AGAIN;
    }
    if (facts_find(&chat->facts, channel, sender_hash, &send->facts)) {
        return ERR_OK;
    }
    if (send->facts_version == channel->member_version) { /* the reader has been asked */
        if (send->read_result == ERR_OK) {
            facts_keep(&chat->facts, channel, sender_hash, send->facts_version, &send->facts);
        }
        return send->read_result;
    }
    send->question = (struct facts_question){
        .store = chat->store,
        .ref = channel->ref,
        .sender = send->from_uid,
        .receiver = channel->type == CHANNEL_PERSON
                        ? name_as_seen(channel_name(channel).id, CHANNEL_PERSON, send->from_uid)
                        : BYTES_EMPTY,
    };
    const enum err err = facts_read(&send->question, STORE_CACHED_ONLY, &send->facts);
    if (err == ERR_OK) {
        facts_keep(&chat->facts, channel, sender_hash, channel->member_version, &send->facts);
        return ERR_OK;
    }
    if (err != ERR_AGAIN) {
        return err;
    }
    send->facts_version = channel->member_version;
    return send_read(chat, send, send_read_blocking);
}

static enum err send_check_permission(struct chat *chat, struct channel *channel, struct send *send,
                                      enum chat_reason *out_reason)
{
    if (permission_is_plain(chat, channel, send, out_reason)) {
        return ERR_OK;
    }
    const enum err err = send_learn_facts(chat, channel, send);
    if (err == ERR_OK) {
        *out_reason = permission_by_facts(chat, channel, &send->facts);
    }
    return err;
}

/* ---- The same send again. ---- */

static enum log_kind send_log(const struct send *send)
{
    return (send->flags & MESSAGE_SYNC_ONCE) != 0 ? LOG_COMMAND : LOG_CHAT;
}

static bool send_is_same(const struct send *send, const struct message_view *view)
{
    return bytes_equal(send->from_uid, view->from_uid) &&
           bytes_equal(send->client_msg_no, view->client_msg_no);
}

static bool first_visit(void *context, const struct message_view *view, struct bytes row)
{
    (void)row;
    struct send *send = context;
    if (send_is_same(send, view)) {
        send->message_id = view->message_id;
        send->seq = view->seq;
    }
    return false;
}

/* Finds the first result of this send in the log: sets message_id and seq, or leaves them 0. */
static enum err send_search(struct send *send, enum store_wait wait)
{
    const struct store_send question = {
        .log = {.channel = send->channel->ref, .kind = send_log(send)},
        .sender = send->from_uid,
        .client_msg_no = send->client_msg_no,
    };
    struct store_sent sent = {.seq = 0};
    enum err err = store_find_send(send->chat->store, wait, &question, &sent);
    if (sent.wants_care && wait == STORE_CACHED_ONLY) {
        tending_begin(send->chat, send->channel, question.log);
    }
    if (err == ERR_OK) {
        const struct message_range range = {
            .log = question.log,
            .seq_min = sent.seq,
            .seq_max = sent.seq,
            .order = MESSAGES_OLDEST_ASCENDING,
            .count_max = 1,
            .bytes_max = MESSAGE_ROW_BYTES_MAX,
            .visit = first_visit,
            .context = send,
        };
        err = store_read_messages(send->chat->store, wait, &range);
    }
    return err == ERR_ABSENT ? ERR_OK : err;
}

static void send_search_blocking(struct reading *reading)
{
    struct send *send = CONTAINER_OF(reading, struct send, reading);
    send->read_result = send_search(send, STORE_MAY_BLOCK);
}

static uint16_t *commits_like(struct chat *chat, const struct send *send)
{
    return &chat->commits_by_hash[send->duplicate_hash % SEND_HASHES_COUNT];
}

/* One that has stood at its most stays there: what it counts is then looked for, in vain. */
static void count_commit(struct chat *chat, const struct send *send, bool is_over)
{
    uint16_t *count = commits_like(chat, send);
    if (send->duplicate_hash != 0 && *count < UINT16_MAX) {
        *count = (uint16_t)(is_over ? *count - 1 : *count + 1);
    }
}

static struct send *find_in_flight(struct chat *chat, const struct channel *channel,
                                   const struct send *send)
{
    if (*commits_like(chat, send) == 0) {
        return NULL;
    }
    LIST_FOR_EACH (item, &channel->sends) {
        struct send *other = CONTAINER_OF(item, struct send, in_flight);
        if (other->duplicate_hash == send->duplicate_hash && send_log(other) == send_log(send) &&
            bytes_equal(other->from_uid, send->from_uid) &&
            bytes_equal(other->client_msg_no, send->client_msg_no)) {
            return other;
        }
    }
    return NULL;
}

static uint64_t send_duplicate_hash(const struct chat *chat, const struct send *send)
{
    const uint64_t hash =
        chat_hash(chat, send->client_msg_no) ^ (chat_hash(chat, send->from_uid) * 31);
    return hash != 0 ? hash : 1;
}

/* ERR_OK and message_id set: it was stored before. ERR_OK and 0: it is new. */
static enum err send_find_first(struct chat *chat, struct channel *channel, struct send *send)
{
    if (send->duplicate_hash == 0 || channel->ref.number == 0) {
        return ERR_OK;
    }
    if (send->is_searched) {
        return send->read_result;
    }
    enum err err = send_search(send, STORE_CACHED_ONLY);
    if (err == ERR_AGAIN) {
        send->is_searched = true;
        return send_read(chat, send, send_search_blocking);
    }
    return err;
}

/* ---- The conversation rows of a first message. ---- */

static void send_read_rows_blocking(struct reading *reading)
{
    struct send *send = CONTAINER_OF(reading, struct send, reading);
    send->rows_result = first_rows_read(send->first_rows, STORE_MAY_BLOCK);
    send->has_read_rows = true;
}

/* Knows the rows that this message writes besides itself, if any; ERR_AGAIN: not yet. */
static enum err send_learn_rows(struct chat *chat, struct channel *channel, struct send *send)
{
    if (send->has_read_rows) {
        return send->rows_result;
    }
    if (!first_rows_are_due(chat, channel, send)) {
        return ERR_OK;
    }
    if (channel->row_sends > 0 || !list_is_empty(&channel->marks)) {
        return ERR_AGAIN; /* what is stored of them is about to change */
    }
    send->first_rows = first_rows_acquire(chat, channel);
    if (send->first_rows == NULL) {
        return ERR_BUDGET;
    }
    if (channel->ref.number == 0) {
        return ERR_OK; /* nobody has a row of a channel that does not exist */
    }
    const enum err err = first_rows_read(send->first_rows, STORE_CACHED_ONLY);
    return err == ERR_AGAIN ? send_read(chat, send, send_read_rows_blocking) : err;
}

/* ---- Journalling it. ---- */

static struct message_view send_view(const struct chat *chat, const struct send *send)
{
    return (struct message_view){
        .message_id = send->message_id,
        .seq = send->seq,
        .timestamp_s = (uint32_t)(chat->shard->wall_ms / 1000),
        .expire_s = send->expire_s,
        .client_seq = send->client_seq,
        .flags = send->flags & (uint8_t)~MESSAGE_DUP,
        .setting = send->setting,
        .channel_type = send->channel_type,
        .channel_id = send->channel_id,
        .from_uid = send->from_uid,
        .client_msg_no = send->client_msg_no,
        .topic = send->topic,
        .stream_no = send->stream_no,
        .payload = send->payload,
    };
}

/* The list that a temporary channel goes by now, or NULL: its members. */
static const struct temporary *send_temporary(struct chat *chat, const struct channel *channel,
                                              const struct send *send)
{
    const bool is_temporary = channel->type == CHANNEL_TEMP && send->recipients == NULL;
    return is_temporary ? temporary_find(chat, channel) : NULL;
}

/* The message with its row; its ids are those in `send`. */
static enum err send_make_message(struct chat *chat, struct channel *channel, struct send *send,
                                  const struct temporary *temporary)
{
    const struct message_view view = send_view(chat, send);
    struct message *message =
        message_acquire(&chat->messages_budget, chat->shard->shards_count, message_row_size(&view));
    if (message == NULL) {
        return ERR_BUDGET;
    }
    message->channel = channel;
    message->sent_ns = send->op.now_ns;
    message->origin = send->origin;
    message->home = (uint16_t)chat->shard->index;
    if (temporary != NULL) {
        message->roster = temporary->roster;
        roster_ref(message->roster);
    } else if (send->recipients != NULL) {
        message->roster = recipients_roster(chat, &chat->rosters_budget, send->recipients,
                                            send->recipients_count);
        if (message->roster == NULL) {
            message_unref(message);
            return ERR_BUDGET;
        }
    }
    send->message = message;
    return ERR_OK;
}

static enum err send_write_row(struct chat *chat, struct send *send)
{
    const struct message_view view = send_view(chat, send);
    struct message *message = send->message;
    message_row_encode(&view, message_row(message));
    const struct bytes row = {.data = message_row(message), .size = message_row_size(&view)};
    return message_row_split(row, &message->view);
}

static size_t send_reserve_bytes(const struct chat *chat, const struct channel *channel,
                                 const struct send *send)
{
    const struct message *message = send->message;
    const size_t row = message->size_bytes;
    const size_t rows = send->first_rows != NULL ? first_rows_bytes(channel, send) : 0;
    return CHAT_ID_RESERVE + channel_reserve_bytes(channel) + rows + row + 256 +
           notices_reserve_bytes(chat, send, row);
}

static void send_committed(struct chat *chat, struct waiter *waiter, enum err result);

/* It is answered when this turn's entry is on disk. */
static void send_await(struct chat *chat, struct channel *channel, struct send *send)
{
    send->waiter.committed = send_committed;
    chat_wait(chat, &send->waiter);
    list_push_back(&channel->sends, &send->in_flight);
    count_commit(chat, send, false);
    channel->in_flight++;
}

static void send_tell(struct chat *chat, struct send *send)
{
    notices_add_message(chat, send, send->message);
    notices_forget_recipients(chat, send);
}

/* By now nothing can fail: room was reserved for everything that follows. */
static void send_journal(struct chat *chat, struct channel *channel, struct send *send)
{
    const enum log_kind log = send_log(send);
    if (channel->ref.number == 0) {
        channel_establish(chat, channel);
    }
    send->message_id = chat_next_id(chat, channel->ref.slot);
    send->seq = ++channel->last_seq[log];
    const enum err err = send_write_row(chat, send);
    ASSERT(err == ERR_OK);
    struct message *message = send->message;
    message->log = (struct log_ref){.channel = channel->ref, .kind = log};
    const struct record record = {
        .kind = RECORD_MESSAGE,
        .message = {.log = message->log,
                    .seq = send->seq,
                    .is_remembered = send->duplicate_hash != 0,
                    .is_sole = channel->last_seq[log == LOG_CHAT ? LOG_COMMAND : LOG_CHAT] == 0,
                    .row = {.data = message_row(message),
                            .size = message_row_size(&message->view)}},
    };
    chat_add(chat, &record);
    if (send->first_rows != NULL) {
        first_rows_add(chat, channel, send, send->first_rows);
        channel->row_sends++;
    }
    if (send->recipients_count > FIRST_ROWS_RECIPIENTS_MAX) {
        metric_add(chat->shard->metrics, METRIC_COMMANDS_ONLINE_ONLY, 1);
    }
    send_tell(chat, send);
    send_await(chat, channel, send);
}

static void send_accept(struct chat *chat, struct channel *channel, struct send *send,
                        struct message *message)
{
    const bool is_stored = send->seq > 0;
    metric_add(chat->shard->metrics, is_stored ? METRIC_SENDS_STORED : METRIC_SENDS_PASSED, 1);
    send_answer(chat, send, CHAT_REASON_SUCCESS);
    delivery_begin(chat, channel, message);
}

static void send_committed(struct chat *chat, struct waiter *waiter, enum err result)
{
    struct send *send = CONTAINER_OF(waiter, struct send, waiter);
    struct channel *channel = send->channel;
    struct message *message = send->message;
    send->message = NULL;
    list_remove(&send->in_flight);
    count_commit(chat, send, true);
    channel->in_flight--;
    if (send->first_rows != NULL) {
        channel->row_sends--;
        first_rows_release(send->first_rows);
        send->first_rows = NULL;
    }
    if (result == ERR_OK) {
        send_accept(chat, channel, send, message);
    } else {
        message_unref(message);
        send->seq = 0;
        send_answer(chat, send, CHAT_REASON_SYSTEM_ERROR);
    }
    channel_advance(chat, channel);
}

/* Not to be stored: delivered to those who are online, and at once when nobody is to be told of it
 * (notices.h). Its event is on disk before it is answered, and is all that is written. */
static void send_passing(struct chat *chat, struct channel *channel, struct send *send)
{
    const bool is_told = notices_want(chat, send); /* its event needs an id that comes once */
    send->message_id =
        is_told ? chat_next_id(chat, channel->ref.slot) : chat_passing_id(chat, channel->ref.slot);
    send->seq = 0;
    const enum err err = send_write_row(chat, send);
    ASSERT(err == ERR_OK);
    struct message *message = send->message;
    message->log = (struct log_ref){.channel = channel->ref, .kind = send_log(send)};
    if (is_told) {
        send_tell(chat, send);
        send_await(chat, channel, send);
    } else {
        send->message = NULL;
        send_accept(chat, channel, send, message);
    }
}

static void send_admit(struct chat *chat, struct channel *channel, struct send *send)
{
    const struct temporary *temporary = send_temporary(chat, channel, send);
    if (send_make_message(chat, channel, send, temporary) != ERR_OK) {
        send_refuse(chat, send, CHAT_REASON_BUSY);
        return;
    }
    const bool is_passing = (send->flags & MESSAGE_NO_PERSIST) != 0;
    enum err err = notices_take_recipients(chat, send, temporary);
    if (err == ERR_OK && (!is_passing || notices_want(chat, send))) {
        err = chat_reserve(chat, send_reserve_bytes(chat, channel, send));
    }
    if (err != ERR_OK) {
        notices_forget_recipients(chat, send);
        message_unref(send->message);
        send->message = NULL;
        send_refuse(chat, send, err == ERR_LIMIT ? CHAT_REASON_NOT_ALLOW_SEND : CHAT_REASON_BUSY);
        return;
    }
    if (is_passing) {
        send_passing(chat, channel, send);
    } else {
        send_journal(chat, channel, send);
    }
}

/* Was it sent before? `out_is_over`: yes, and it is answered, or will be with the one that it
 * repeats; or we cannot know. ERR_AGAIN: the answer is being looked for. */
static enum err send_look_back(struct chat *chat, struct channel *channel, struct send *send,
                               bool *out_is_over)
{
    struct send *first = find_in_flight(chat, channel, send);
    *out_is_over = true;
    if (first != NULL) {
        send->twin = first->twin;
        first->twin = send;
        return ERR_OK;
    }
    const enum err err = send_find_first(chat, channel, send);
    if (err == ERR_AGAIN) {
        return err;
    }
    if (err != ERR_OK) {
        send_break(chat, send, "find_first", err);
    } else if (send->message_id != 0) {
        metric_add(chat->shard->metrics, METRIC_SENDS_DUPLICATE, 1);
        send_answer(chat, send, CHAT_REASON_SUCCESS);
    } else {
        *out_is_over = false;
    }
    return ERR_OK;
}

static enum err send_run(struct chat *chat, struct channel *channel, struct op *op)
{
    struct send *send = CONTAINER_OF(op, struct send, op);
    if (send->is_reading) {
        return ERR_AGAIN; /* something else of the channel has come, not what this waits for */
    }
    send->channel = channel;
    send->chat = chat;
    if (inquiry_holds(chat, channel, send)) {
        return ERR_AGAIN;
    }
    enum chat_reason reason = CHAT_REASON_SUCCESS;
    enum err err = send_check_permission(chat, channel, send, &reason);
    if (err == ERR_AGAIN) {
        return err;
    }
    if (err != ERR_OK) {
        send_break(chat, send, "read_facts", err);
        return ERR_OK;
    }
    if (reason != CHAT_REASON_SUCCESS) {
        send_refuse(chat, send, reason);
        return ERR_OK;
    }
    const bool is_stored = (send->flags & MESSAGE_NO_PERSIST) == 0;
    if (is_stored && send->client_msg_no.size > 0 && send->duplicate_hash == 0) {
        send->duplicate_hash = send_duplicate_hash(chat, send);
    }
    if (send->duplicate_hash != 0) {
        bool is_over = false;
        if (send_look_back(chat, channel, send, &is_over) == ERR_AGAIN) {
            return ERR_AGAIN;
        }
        if (is_over) {
            return ERR_OK;
        }
    }
    err = is_stored ? send_learn_rows(chat, channel, send) : ERR_OK;
    if (err == ERR_AGAIN) {
        return err;
    }
    if (err == ERR_OK) {
        send_admit(chat, channel, send);
    } else if (err == ERR_BUDGET) {
        send_refuse(chat, send, CHAT_REASON_BUSY);
    } else {
        send_break(chat, send, "read_rows", err);
    }
    return ERR_OK;
}

/* ---- Asking. ---- */

static void send_begins(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct send *send = CONTAINER_OF(CONTAINER_OF(letter, struct op, letter), struct send, op);
    struct channel *channel = channels_get(chat, send_channel_name(send));
    if (channel == NULL) {
        send_refuse(chat, send, CHAT_REASON_BUSY);
        return;
    }
    send->op.run = send_run;
    send->op.fail = send_fail;
    channel_enqueue(chat, channel, &send->op);
}

static void send_arrives(struct letter *letter, void *receiver)
{
    const struct send *send =
        CONTAINER_OF(CONTAINER_OF(letter, struct op, letter), struct send, op);
    shard_take_in(receiver, send->is_alone ? INTAKE_ALONE : INTAKE_OTHER, letter, send_begins);
}

void send_post(struct send *send, struct mailer *mailer, struct shard *const *shards,
               uint32_t shards_count)
{
    ASSERT(send->op.home != NULL);
    ASSERT(send->op.on_home != NULL);
    const uint16_t slot = slot_of_channel(send_channel_name(send));
    struct shard *owner = shards[routing_shard_of_slot(slot, shards_count)];
    send->op.letter.receive = send_arrives;
    mailer_post(mailer, &owner->mailbox, &send->op.letter);
}
