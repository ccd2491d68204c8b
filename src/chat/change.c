#include "chat/change.h"

#include "base/assert.h"
#include "chat/chat.h"
#include "chat/mark.h"
#include "chat/roster.h"
#include "memory/allocator.h"

struct change *change_acquire(struct budget *budget, uint32_t shards_count)
{
    const size_t size = sizeof(struct change) + shards_count * sizeof(struct change_notice);
    struct change *change = memory_acquire_zeroed(budget, MEMORY_RANK_READ, size);
    if (change != NULL) {
        change->budget = budget;
        change->notices_count = shards_count;
    }
    return change;
}

void change_release(struct change *change)
{
    memory_release(change->budget, change,
                   sizeof(*change) + change->notices_count * sizeof(struct change_notice));
}

static void change_answer(struct chat *chat, struct change *change)
{
    change->channel = NULL;
    change->op.letter.receive = change->op.on_home;
    mailer_post(&chat->shard->mailer, change->op.home, &change->op.letter);
}

/* ---- Telling every shard. ---- */

/* Facts of the channels between a person and these uids may have changed; with no uids, between him
 * and anybody. */
static void forget_facts(struct chat *chat, const struct change *change)
{
    const struct bytes owner = change->name.id;
    if (change->kind == CHANGE_CLEAR || change->is_reset) {
        LIST_FOR_EACH (item, &chat->channels.recency) {
            struct channel *channel = CONTAINER_OF(item, struct channel, recency);
            if (channel->type == CHANNEL_PERSON) {
                channel->member_version = chat_next_version(chat);
            }
        }
        return;
    }
    for (uint32_t i = 0; i < change->uids_count; i++) {
        uint8_t area[NAME_PAIR_BYTES_MAX];
        const struct channel_name pair = {
            .type = CHANNEL_PERSON,
            .id = {.data = area, .size = name_pair(owner, change->uids[i], area)},
        };
        struct channel *channel = channels_find(chat, pair);
        if (channel != NULL) {
            channel->member_version = chat_next_version(chat);
        }
    }
}

static void notice_comes_home(struct letter *letter, void *receiver)
{
    struct change_notice *notice = CONTAINER_OF(letter, struct change_notice, letter);
    struct change *change = notice->change;
    change->notices_open--;
    if (change->notices_open == 0) {
        change_answer(chat_of(receiver), change);
    }
}

static void notice_arrives(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct change_notice *notice = CONTAINER_OF(letter, struct change_notice, letter);
    const struct change *change = notice->change;
    if (change->kind == CHANGE_PUT) {
        struct user *user = users_find(&chat->users, chat_hash(chat, change->name.id));
        if (user != NULL && change->result == ERR_OK) {
            user->is_mute = (change->flags & CHANNEL_FLAG_SEND_BAN) != 0;
        }
        struct change all = {.kind = CHANGE_CLEAR, .name = change->name};
        forget_facts(chat, &all); /* allow_stranger may have changed */
    } else {
        forget_facts(chat, change);
    }
    notice->letter.receive = notice_comes_home;
    const uint16_t slot = slot_of_channel(change->name);
    shard_post(chat->shard, routing_shard_of_slot(slot, chat->shard->shards_count),
               &notice->letter);
}

/* A person's record and lists are asked by others: by his home, and by the owners of the channels
 * between him and anybody. */
static void change_tell(struct chat *chat, struct change *change)
{
    change->notices_open = change->notices_count;
    for (uint32_t i = 0; i < change->notices_count; i++) {
        change->notices[i] =
            (struct change_notice){.letter = {.receive = notice_arrives}, .change = change};
        shard_post(chat->shard, i, &change->notices[i].letter);
    }
}

/* The next message finds the list as it is now. */
static void change_members(struct chat *chat, struct channel *channel, const struct change *change)
{
    const bool may_be_shorter =
        change->kind == CHANGE_REMOVE || change->kind == CHANGE_CLEAR || change->is_reset;
    channel->roster_version = chat_next_version(chat);
    channel->is_large = channel->is_large && !may_be_shorter;
    if (channel->roster != NULL) {
        roster_unref(channel->roster);
        channel->roster = NULL;
    }
}

/* Also of one that has failed: a part of it may be stored, or all of it (journal.h, promise 4), so
 * that nobody may go by what was known before. */
static void change_end(struct chat *chat, struct change *change)
{
    struct channel *channel = change->channel;
    channel->member_version = chat_next_version(chat);
    if (change->list == LIST_SUBSCRIBER &&
        (change->uids_count > 0 || change->is_reset || change->kind == CHANGE_CLEAR)) {
        change_members(chat, channel, change);
    }
    if (channel->type == CHANNEL_PERSON) {
        change_tell(chat, change);
    } else {
        change_answer(chat, change);
    }
}

/* The channel cannot be loaded: for the first time, or again in the middle of the change. */
static void change_fail(struct chat *chat, struct op *op, enum err why)
{
    struct change *change = CONTAINER_OF(op, struct change, op);
    change->result = why;
    if (change->channel != NULL) {
        change_end(chat, change);
    } else {
        change_answer(chat, change);
    }
}

/* ---- What it means for the conversations. ---- */

enum row_effect { ROW_STAYS, ROW_OVERWRITTEN, ROW_IF_ABSENT, ROW_HIDDEN, ROW_ENDS };

/* A person's allow list is another matter: see change_list_pairs. */
static enum row_effect change_row_effect(const struct change *change, struct bytes uid)
{
    if (change->name.type == CHANNEL_LIVE || change->name.type == CHANNEL_PERSON) {
        return ROW_STAYS; /* live channels are in nobody's list (semantics 2.1) */
    }
    const bool is_removal = change->kind == CHANGE_REMOVE;
    switch (change->list) {
    case LIST_SUBSCRIBER:
        if (is_removal && bytes_equal(name_visitor(change->name.id, change->name.type), uid)) {
            return ROW_HIDDEN; /* the visitor is a member without being on the list */
        }
        return is_removal ? ROW_ENDS : ROW_OVERWRITTEN;
    case LIST_DENY:
        return is_removal ? ROW_IF_ABSENT : ROW_HIDDEN;
    case LIST_ALLOW:
    case LIST_INVALID:
        break;
    }
    return ROW_STAYS;
}

static enum err change_read_page(struct change *change, enum store_wait wait)
{
    for (uint32_t i = 0; i < change->page_count; i++) {
        const struct directory_key key = {.uid = change->uids[change->uids_done + i],
                                          .channel = change->name};
        const enum err err =
            store_find_directory(change->chat->store, wait, &key, &change->page_rows[i]);
        if (err != ERR_OK && err != ERR_ABSENT) {
            return err;
        }
        change->page_has_row[i] = err == ERR_OK;
    }
    return ERR_OK;
}

static void change_read_blocking(struct reading *reading)
{
    struct change *change = CONTAINER_OF(reading, struct change, reading);
    change->read_result = change_read_page(change, STORE_MAY_BLOCK);
}

static void change_read_arrives(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct reading *reading = CONTAINER_OF(letter, struct reading, letter);
    struct change *change = CONTAINER_OF(reading, struct change, reading);
    change->channel->readings--;
    change->result = change->read_result;
    change->stage = change->result == ERR_OK ? CHANGE_WRITES : CHANGE_ENDS;
    channel_advance(chat, change->channel);
}

/* In which channels a member finds the commands that he has missed (http-api 12.1). */
static bool change_has_commands(const struct change *change)
{
    return change->list == LIST_SUBSCRIBER && change->name.type != CHANNEL_DATA &&
           change->name.type != CHANNEL_TEMP;
}

/* In the list with everything read, and without the commands from before he joined. Who is a member
 * already keeps those that he has not received yet. */
static void row_list(const struct change *change, struct directory_row *row)
{
    const struct channel *channel = change->channel;
    const uint64_t now_ms = change->chat->shard->wall_ms;
    const bool gets_commands =
        (row->flags & DIRECTORY_FLAG_COMMAND) != 0 && row->command_end_seq == 0;
    if (change_has_commands(change) && !gets_commands) {
        row->flags |= DIRECTORY_FLAG_COMMAND;
        row->command_read_seq = channel->last_seq[LOG_COMMAND];
        row->command_end_seq = 0;
    }
    row->flags |= DIRECTORY_FLAG_CHAT;
    row->read_seq = channel->last_seq[LOG_CHAT];
    row->deleted_to_seq = 0;
    row->joined_seq = channel->last_seq[LOG_CHAT] + 1;
    row->activated_ms = now_ms;
    row->created_ms = row->created_ms > 0 ? row->created_ms : now_ms;
    row->updated_ms = now_ms;
}

/* What was sent to him as a member and not received is still his (and nothing later). */
static void row_end(const struct change *change, struct directory_row *row)
{
    if (row->command_end_seq == 0) {
        row->command_end_seq = change->channel->last_seq[LOG_COMMAND];
    }
    const bool is_owed =
        (row->flags & DIRECTORY_FLAG_COMMAND) != 0 && row->command_read_seq < row->command_end_seq;
    row->flags = is_owed ? DIRECTORY_FLAG_COMMAND : 0;
}

/* Changes the row; false: it stays as it is. Without flags it is to be dropped. */
static bool change_row(const struct change *change, struct bytes uid, bool has_row,
                       struct directory_row *row)
{
    switch (change_row_effect(change, uid)) {
    case ROW_STAYS:
        return false;
    case ROW_IF_ABSENT:
        if ((row->flags & DIRECTORY_FLAG_CHAT) != 0) {
            return false;
        }
        row_list(change, row);
        return true;
    case ROW_OVERWRITTEN:
        row_list(change, row);
        return true;
    case ROW_HIDDEN: /* he stays a member and gets the commands */
        row->flags &= ~(uint32_t)DIRECTORY_FLAG_CHAT;
        return has_row;
    case ROW_ENDS:
        row_end(change, row);
        return has_row;
    }
    UNREACHABLE();
}

static void change_write_row(struct chat *chat, struct change *change, uint32_t place)
{
    struct directory_row *row = &change->page_rows[place];
    const struct bytes uid = change->uids[change->uids_done + place];
    const bool has_row = change->page_has_row[place];
    if (!has_row) {
        *row = (struct directory_row){.flags = 0};
    }
    if (!change_row(change, uid, has_row, row)) {
        return;
    }
    row->channel = change->channel->ref;
    const struct record record = {
        .kind = row->flags != 0 ? RECORD_DIRECTORY_PUT : RECORD_DIRECTORY_DROP,
        .directory = {.key = {.uid = uid, .channel = change->name}, .row = *row},
    };
    chat_add(chat, &record);
}

static void change_write_clear(struct chat *chat, const struct change *change)
{
    const struct record record = {
        .kind = RECORD_MEMBERS_CLEAR,
        .list = {.channel = change->channel->ref, .kind = change->list},
    };
    chat_add(chat, &record);
}

static void change_write_member(struct chat *chat, const struct change *change, struct bytes uid)
{
    const struct record record = {
        .kind = change->kind == CHANGE_REMOVE ? RECORD_MEMBER_REMOVE : RECORD_MEMBER_ADD,
        .member = {.list = {.channel = change->channel->ref, .kind = change->list},
                   .uid = uid,
                   .row = {.joined_seq = change->channel->last_seq[LOG_CHAT] + 1,
                           .created_ms = chat->shard->wall_ms}},
    };
    chat_add(chat, &record);
}

/* ---- The conversations that a person's allow list makes. ---- */

/* Whom a person allows gets a conversation with him (http-api 7.14). Its row belongs to the channel
 * of the two, so that one is asked. */
static bool change_lists_pairs(const struct change *change)
{
    return change->name.type == CHANNEL_PERSON && change->list == LIST_ALLOW &&
           change->kind == CHANGE_ADD && !change->is_reset && !change->is_answer;
}

static void change_go_on(struct chat *chat, struct change *change)
{
    const bool has_more = change->result == ERR_OK && change->uids_done < change->uids_count;
    change->stage = has_more ? CHANGE_READS : CHANGE_ENDS;
    channel_advance(chat, change->channel);
}

static void pair_comes_home(struct letter *letter, void *receiver)
{
    struct mark *mark = CONTAINER_OF(CONTAINER_OF(letter, struct op, letter), struct mark, op);
    struct change *change = mark->op.context;
    if (mark->result != ERR_OK) {
        change->result = mark->result;
    }
    mark_release(mark);
    change->pairs_open--;
    if (change->pairs_open == 0) {
        change->channel->in_flight--;
        change_go_on(chat_of(receiver), change);
    }
}

static enum err change_list_pair(struct chat *chat, struct change *change, struct bytes uid)
{
    uint8_t area[NAME_PAIR_BYTES_MAX];
    const struct bytes id = {.data = area, .size = name_pair(change->name.id, uid, area)};
    struct mark *mark = mark_acquire(&chat->messages_budget, uid,
                                     (struct channel_name){.type = CHANNEL_PERSON, .id = id});
    if (mark == NULL) {
        return ERR_BUDGET;
    }
    mark->kind = MARK_LISTED;
    mark->op.home = &chat->shard->mailbox;
    mark->op.on_home = pair_comes_home;
    mark->op.context = change;
    mark_post(mark, &chat->shard->mailer, chat->shard->shards, chat->shard->shards_count);
    change->pairs_open++;
    return ERR_OK;
}

/* For the uids of the page that has been committed. */
static void change_list_pairs(struct chat *chat, struct change *change)
{
    const struct bytes *uids = &change->uids[change->uids_done - change->page_count];
    change->channel->in_flight++;
    change->stage = CHANGE_COMMITS; /* until all are home */
    for (uint32_t i = 0; i < change->page_count && change->result == ERR_OK; i++) {
        change->result = change_list_pair(chat, change, uids[i]);
    }
    if (change->pairs_open == 0) {
        change->channel->in_flight--;
        change->stage = CHANGE_ENDS;
    }
}

/* ---- Its way. ---- */

static void change_committed(struct chat *chat, struct waiter *waiter, enum err result)
{
    struct change *change = CONTAINER_OF(waiter, struct change, waiter);
    change->channel->in_flight--;
    change->result = result;
    if (result == ERR_OK && change->page_count > 0 && change_lists_pairs(change)) {
        change->stage = CHANGE_LISTS;
        channel_advance(chat, change->channel);
    } else {
        change_go_on(chat, change);
    }
}

static void change_commit(struct chat *chat, struct change *change)
{
    change->waiter.committed = change_committed;
    chat_wait(chat, &change->waiter);
    change->channel->in_flight++;
    change->stage = CHANGE_COMMITS;
}

/* The record goes first, and what empties a list if nobody is to be on it; else that comes with the
 * first page of the new list, so that a crash leaves no list empty that never was to be. */
static void change_begin(struct chat *chat, struct change *change)
{
    struct channel *channel = change->channel;
    const bool is_known = channel->ref.number != 0;
    const bool is_removal = change->kind == CHANGE_REMOVE || change->kind == CHANGE_CLEAR ||
                            change->kind == CHANGE_DISBAND;
    if (is_removal && !is_known) {
        change->stage = CHANGE_ENDS; /* nothing to take away */
        return;
    }
    if (chat_reserve(chat, channel_reserve_bytes(channel) + 256) != ERR_OK) {
        change->result = ERR_BUDGET;
        change->stage = CHANGE_ENDS;
        return;
    }
    if (change->kind == CHANGE_PUT) {
        channel->row.flags = (channel->row.flags & change->flags_kept) | change->flags;
    } else if (change->kind == CHANGE_DISBAND) {
        channel->row.flags |= CHANNEL_FLAG_DISBAND;
    }
    channel_establish(chat, channel);
    if (change->kind == CHANGE_CLEAR || (change->is_reset && change->uids_count == 0)) {
        change_write_clear(chat, change);
    }
    change_commit(chat, change);
}

static void change_read(struct chat *chat, struct change *change)
{
    const uint32_t left = change->uids_count - change->uids_done;
    change->page_count = left < CHANGE_PAGE_UIDS ? left : CHANGE_PAGE_UIDS;
    const enum err err = change_read_page(change, STORE_CACHED_ONLY);
    if (err != ERR_AGAIN) {
        change->result = err;
        change->stage = err == ERR_OK ? CHANGE_WRITES : CHANGE_ENDS;
        return;
    }
    change->reading = (struct reading){.letter = {.receive = change_read_arrives},
                                       .run = change_read_blocking,
                                       .home = &chat->shard->mailbox};
    change->channel->readings++;
    change->stage = CHANGE_COMMITS; /* until it arrives */
    readers_ask(chat->readers, &change->reading);
}

static void change_write(struct chat *chat, struct change *change)
{
    size_t size = 256;
    for (uint32_t i = 0; i < change->page_count; i++) {
        const size_t uid_size = change->uids[change->uids_done + i].size;
        size += 512 + 3 * uid_size + change->name.id.size + 1;
    }
    if (chat_reserve(chat, size) != ERR_OK) {
        change->result = ERR_BUDGET;
        change->stage = CHANGE_ENDS;
        return;
    }
    if (change->is_reset && change->uids_done == 0) {
        change_write_clear(chat, change);
    }
    for (uint32_t i = 0; i < change->page_count; i++) {
        change_write_member(chat, change, change->uids[change->uids_done + i]);
        change_write_row(chat, change, i);
    }
    change->uids_done += change->page_count;
    change_commit(chat, change);
}

static enum err change_run(struct chat *chat, struct channel *channel, struct op *op)
{
    struct change *change = CONTAINER_OF(op, struct change, op);
    if (change->stage == CHANGE_BEGINS &&
        (channel->in_flight > 0 || channel->walks > 0 || !list_is_empty(&channel->undelivered))) {
        return ERR_AGAIN; /* what was sent before is judged, counted and delivered before */
    }
    for (;;) {
        switch (change->stage) {
        case CHANGE_BEGINS:
            change->chat = chat;
            change->channel = channel;
            change_begin(chat, change);
            continue;
        case CHANGE_READS:
            change_read(chat, change);
            continue;
        case CHANGE_WRITES:
            change_write(chat, change);
            continue;
        case CHANGE_LISTS:
            change_list_pairs(chat, change);
            continue;
        case CHANGE_COMMITS:
            return ERR_AGAIN;
        case CHANGE_ENDS:
            change_end(chat, change);
            return ERR_OK;
        }
    }
}

static void change_begins(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct change *change =
        CONTAINER_OF(CONTAINER_OF(letter, struct op, letter), struct change, op);
    struct channel *channel = channels_get(chat, change->name);
    if (channel == NULL) {
        change_fail(chat, &change->op, ERR_BUDGET);
        return;
    }
    change->op.run = change_run;
    change->op.fail = change_fail;
    if (change->is_answer) {
        channel_go_ahead(chat, channel, &change->op);
    } else {
        channel_enqueue(chat, channel, &change->op);
    }
}

static void change_arrives(struct letter *letter, void *receiver)
{
    shard_take_in(receiver, INTAKE_OTHER, letter, change_begins);
}

void change_post(struct change *change, struct mailer *mailer, struct shard *const *shards,
                 uint32_t shards_count)
{
    ASSERT(change->kind != CHANGE_INVALID);
    ASSERT(change->op.home != NULL);
    const uint16_t slot = slot_of_channel(change->name);
    struct shard *owner = shards[routing_shard_of_slot(slot, shards_count)];
    change->op.letter.receive = change_arrives;
    mailer_post(mailer, &owner->mailbox, &change->op.letter);
}
