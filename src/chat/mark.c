#include "chat/mark.h"

#include "base/assert.h"
#include "chat/chat.h"
#include "memory/allocator.h"

struct mark *mark_acquire(struct budget *budget, struct bytes uid, struct channel_name name)
{
    const size_t id_size = name.id.size > 0 ? name.id.size : NAME_PAIR_BYTES_MAX;
    const size_t size = sizeof(struct mark) + uid.size + id_size;
    struct mark *mark = memory_acquire_zeroed(budget, MEMORY_RANK_READ, size);
    if (mark == NULL) {
        return NULL;
    }
    uint8_t *strings = (uint8_t *)(mark + 1);
    memcpy(strings, uid.data, uid.size);
    mark->uid = (struct bytes){.data = strings, .size = uid.size};
    mark->name.type = name.type;
    mark->name.id.data = strings + uid.size;
    if (name.id.size > 0) {
        memcpy(strings + uid.size, name.id.data, name.id.size);
        mark->name.id.size = name.id.size;
    }
    mark->budget = budget;
    mark->size_bytes = size;
    return mark;
}

void mark_release(struct mark *mark)
{
    memory_release(mark->budget, mark, mark->size_bytes);
}

static void mark_end(struct chat *chat, struct mark *mark, enum err result)
{
    mark->result = result;
    mark->channel = NULL;
    mark->op.letter.receive = mark->op.on_home;
    mailer_post(&chat->shard->mailer, mark->op.home, &mark->op.letter);
}

static void mark_fail(struct chat *chat, struct op *op, enum err why)
{
    mark_end(chat, CONTAINER_OF(op, struct mark, op), why);
}

/* ---- The arithmetic. ---- */

/* http-api 12.3: more unread than there are messages is all but the last. */
static uint64_t unread_position(int64_t unread, uint64_t last)
{
    if (unread == 0 || last == 0) {
        return last;
    }
    return unread < 0 || (uint64_t)unread > last ? last - 1 : last - (uint64_t)unread;
}

static enum mark_effect move_read(struct directory_row *row, uint64_t seq)
{
    const bool is_listed = (row->flags & DIRECTORY_FLAG_CHAT) != 0;
    const uint64_t before = is_listed ? row->read_seq : 0;
    if (before >= seq) {
        return MARK_STAYS;
    }
    if (!is_listed) {
        row->deleted_to_seq = 0;
    }
    row->flags |= DIRECTORY_FLAG_CHAT;
    row->read_seq = seq;
    return MARK_PUTS;
}

static enum mark_effect move_deleted(struct directory_row *row, uint64_t seq)
{
    if ((row->flags & DIRECTORY_FLAG_CHAT) == 0 || row->deleted_to_seq >= seq) {
        return MARK_STAYS;
    }
    row->deleted_to_seq = seq;
    row->activated_ms = 0;
    return MARK_PUTS;
}

static enum mark_effect move_commands(struct directory_row *row, int64_t value, uint64_t last)
{
    const uint64_t wanted = value > 0 ? (uint64_t)value : 0;
    const uint64_t seq = wanted < last ? wanted : last;
    if ((row->flags & DIRECTORY_FLAG_COMMAND) == 0 || row->command_read_seq >= seq) {
        return MARK_STAYS;
    }
    row->command_read_seq = seq;
    if (row->command_end_seq == 0 || seq < row->command_end_seq) {
        return MARK_PUTS;
    }
    row->flags &= ~(uint32_t)DIRECTORY_FLAG_COMMAND; /* he has left and got all of his */
    return row->flags == 0 ? MARK_DROPS : MARK_PUTS;
}

static enum mark_effect make_listed(struct directory_row *row)
{
    if ((row->flags & DIRECTORY_FLAG_CHAT) != 0) {
        return MARK_STAYS;
    }
    row->flags |= DIRECTORY_FLAG_CHAT;
    row->read_seq = 0;
    row->deleted_to_seq = 0;
    return MARK_PUTS;
}

enum mark_effect mark_apply(enum mark_kind kind, int64_t value,
                            const uint64_t last_seq[LOG_KINDS_COUNT], struct directory_row *row)
{
    const uint64_t last = last_seq[LOG_CHAT];
    switch (kind) {
    case MARK_READ:
        return move_read(row, last);
    case MARK_UNREAD:
        return move_read(row, unread_position(value, last));
    case MARK_DELETED:
        return move_deleted(row, last);
    case MARK_COMMANDS:
        return move_commands(row, value, last_seq[LOG_COMMAND]);
    case MARK_LISTED:
        return make_listed(row);
    case MARK_INVALID:
        break;
    }
    UNREACHABLE();
}

/* ---- What is stored. ---- */

static enum err mark_read_row(struct mark *mark, enum store_wait wait)
{
    const struct directory_key key = {.uid = mark->uid, .channel = mark->name};
    const enum err err = store_find_directory(mark->chat->store, wait, &key, &mark->row);
    mark->has_row = err == ERR_OK;
    if (err == ERR_ABSENT) {
        mark->row = (struct directory_row){.flags = 0};
    }
    return err == ERR_ABSENT ? ERR_OK : err;
}

static void mark_read_blocking(struct reading *reading)
{
    struct mark *mark = CONTAINER_OF(reading, struct mark, reading);
    mark->result = mark_read_row(mark, STORE_MAY_BLOCK);
}

static void mark_read_arrives(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct reading *reading = CONTAINER_OF(letter, struct reading, letter);
    struct mark *mark = CONTAINER_OF(reading, struct mark, reading);
    mark->is_reading = false;
    mark->is_read = true;
    mark->channel->readings--;
    channel_advance(chat, mark->channel);
}

/* ERR_AGAIN: a reader was asked. */
static enum err mark_learn_row(struct chat *chat, struct mark *mark)
{
    if (mark->is_read) {
        return mark->result;
    }
    const enum err err = mark_read_row(mark, STORE_CACHED_ONLY);
    if (err != ERR_AGAIN) {
        return err;
    }
    mark->reading = (struct reading){.letter = {.receive = mark_read_arrives},
                                     .run = mark_read_blocking,
                                     .home = &chat->shard->mailbox};
    mark->is_reading = true;
    mark->channel->readings++;
    readers_ask(chat->readers, &mark->reading);
    return ERR_AGAIN;
}

/* ---- Its way. ---- */

static void mark_committed(struct chat *chat, struct waiter *waiter, enum err result)
{
    struct mark *mark = CONTAINER_OF(waiter, struct mark, waiter);
    struct channel *channel = mark->channel;
    list_remove(&mark->in_flight);
    channel->in_flight--;
    mark_end(chat, mark, result);
    channel_advance(chat, channel);
}

static struct record mark_record(const struct mark *mark, enum mark_effect effect)
{
    return (struct record){
        .kind = effect == MARK_DROPS ? RECORD_DIRECTORY_DROP : RECORD_DIRECTORY_PUT,
        .directory = {.key = {.uid = mark->uid, .channel = mark->name}, .row = mark->row},
    };
}

static enum err mark_journal(struct chat *chat, struct mark *mark, enum mark_effect effect)
{
    struct channel *channel = mark->channel;
    struct record record = mark_record(mark, effect);
    if (chat_reserve(chat, record_size_max(&record) + channel_reserve_bytes(channel)) != ERR_OK) {
        return ERR_BUDGET;
    }
    if (channel->ref.number == 0) {
        channel_establish(chat, channel); /* only a listed conversation comes before its channel */
    }
    const uint64_t now_ms = chat->shard->wall_ms;
    struct directory_row *row = &record.directory.row;
    row->channel = channel->ref;
    row->created_ms = mark->has_row ? row->created_ms : now_ms;
    if (mark->kind == MARK_READ || mark->kind == MARK_UNREAD || mark->kind == MARK_LISTED) {
        row->updated_ms = now_ms;
        row->activated_ms = now_ms;
    }
    chat_add(chat, &record);
    mark->waiter.committed = mark_committed;
    chat_wait(chat, &mark->waiter);
    list_push_back(&channel->marks, &mark->in_flight);
    channel->in_flight++;
    return ERR_OK;
}

/* Is the row being written by something before this? */
static bool mark_must_wait(const struct channel *channel, const struct mark *mark)
{
    if (channel->row_sends > 0) {
        return true;
    }
    LIST_FOR_EACH (item, &channel->marks) {
        if (bytes_equal(CONTAINER_OF(item, struct mark, in_flight)->uid, mark->uid)) {
            return true;
        }
    }
    return false;
}

static enum err mark_run(struct chat *chat, struct channel *channel, struct op *op)
{
    struct mark *mark = CONTAINER_OF(op, struct mark, op);
    if (mark->is_reading || mark_must_wait(channel, mark)) {
        return ERR_AGAIN; /* nothing is written into a mark that a reader may have */
    }
    enum err err = mark_learn_row(chat, mark);
    if (err == ERR_AGAIN) {
        return err;
    }
    if (err == ERR_OK) {
        const enum mark_effect effect =
            mark_apply(mark->kind, mark->value, channel->last_seq, &mark->row);
        if (effect != MARK_STAYS) {
            err = mark_journal(chat, mark, effect);
            if (err == ERR_OK) {
                return ERR_OK;
            }
        }
    }
    mark_end(chat, mark, err);
    return ERR_OK;
}

/* A message of the two may wait for the data source, whose answer waits for the change of the list
 * that wants this conversation listed. Passing the message changes nothing of it. */
static bool mark_goes_ahead(const struct chat *chat, const struct channel *channel,
                            const struct mark *mark)
{
    return mark->kind == MARK_LISTED && channel->ahead == NULL && inquiries_have_lists(chat);
}

static void mark_enqueue(struct chat *chat, struct mark *mark)
{
    struct channel *channel = channels_get(chat, mark->name);
    if (channel == NULL) {
        mark_end(chat, mark, ERR_BUDGET);
        return;
    }
    mark->channel = channel;
    mark->op.run = mark_run;
    mark->op.fail = mark_fail;
    if (mark_goes_ahead(chat, channel, mark)) {
        channel_go_ahead(chat, channel, &mark->op);
    } else {
        channel_enqueue(chat, channel, &mark->op);
    }
}

/* ---- The name of a channel of which only the number is known. ---- */

static enum err mark_find_name(struct mark *mark, enum store_wait wait)
{
    struct channel_identity identity;
    const enum err err = store_find_channel_name(mark->chat->store, wait, mark->ref, &identity);
    if (err != ERR_OK) {
        return err;
    }
    if (identity.id_size > NAME_PAIR_BYTES_MAX) {
        return ERR_LIMIT;
    }
    memcpy((uint8_t *)(mark + 1) + mark->uid.size, identity.id, identity.id_size);
    mark->name.id.size = identity.id_size;
    mark->name.type = identity.type;
    return ERR_OK;
}

static void mark_find_blocking(struct reading *reading)
{
    struct mark *mark = CONTAINER_OF(reading, struct mark, reading);
    mark->result = mark_find_name(mark, STORE_MAY_BLOCK);
}

static void mark_take_name(struct chat *chat, struct mark *mark, enum err err)
{
    if (err == ERR_OK) {
        mark_enqueue(chat, mark);
    } else {
        mark_end(chat, mark, err);
    }
}

static void mark_find_arrives(struct letter *letter, void *receiver)
{
    struct reading *reading = CONTAINER_OF(letter, struct reading, letter);
    struct mark *mark = CONTAINER_OF(reading, struct mark, reading);
    mark_take_name(chat_of(receiver), mark, mark->result);
}

static void mark_begins(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct mark *mark = CONTAINER_OF(CONTAINER_OF(letter, struct op, letter), struct mark, op);
    mark->chat = chat;
    if (mark->name.id.size > 0) {
        mark_enqueue(chat, mark);
        return;
    }
    const enum err err = mark_find_name(mark, STORE_CACHED_ONLY);
    if (err != ERR_AGAIN) {
        mark_take_name(chat, mark, err);
        return;
    }
    mark->reading = (struct reading){.letter = {.receive = mark_find_arrives},
                                     .run = mark_find_blocking,
                                     .home = &chat->shard->mailbox};
    readers_ask(chat->readers, &mark->reading);
}

static void mark_arrives(struct letter *letter, void *receiver)
{
    shard_take_in(receiver, INTAKE_OTHER, letter, mark_begins);
}

void mark_post(struct mark *mark, struct mailer *mailer, struct shard *const *shards,
               uint32_t shards_count)
{
    ASSERT(mark->kind != MARK_INVALID);
    ASSERT(mark->op.home != NULL);
    const uint16_t slot = mark->name.id.size > 0 ? slot_of_channel(mark->name) : mark->ref.slot;
    struct shard *owner = shards[routing_shard_of_slot(slot, shards_count)];
    mark->op.letter.receive = mark_arrives;
    mailer_post(mailer, &owner->mailbox, &mark->op.letter);
}
