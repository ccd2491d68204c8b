#include "chat/first_rows.h"

#include "chat/chat.h"
#include "chat/send.h"
#include "memory/allocator.h"

#define ROW_RECORD_BYTES 256u /* more than a directory record without its strings */

static bool is_command(const struct send *send)
{
    return (send->flags & MESSAGE_SYNC_ONCE) != 0;
}

bool first_rows_are_due(const struct chat *chat, const struct channel *channel,
                        const struct send *send)
{
    if (is_command(send)) {
        const bool has_people = channel_type_is_pair(channel->type) || send->recipients != NULL ||
                                channel->type == CHANNEL_CUSTOMER_SERVICE ||
                                channel->type == CHANNEL_VISITORS;
        return has_people && channel->last_seq[LOG_COMMAND] == 0 &&
               send->recipients_count <= FIRST_ROWS_RECIPIENTS_MAX;
    }
    const bool is_listed =
        channel->type == CHANNEL_PERSON || channel->type == CHANNEL_CUSTOMER_SERVICE;
    /* Enforced allow lists make the rows when they are told; what is asked for makes none. */
    return is_listed && channel->last_seq[LOG_CHAT] == 0 &&
           (chat->settings->is_person_allow_list_off || inquiries_have_lists(chat));
}

struct first_rows *first_rows_acquire(struct chat *chat, const struct channel *channel)
{
    struct first_rows *rows =
        memory_acquire_zeroed(&chat->readings_budget, MEMORY_RANK_READ, sizeof(*rows));
    if (rows == NULL) {
        return NULL;
    }
    rows->store = chat->store;
    rows->budget = &chat->readings_budget;
    rows->channel = channel_name(channel);
    const struct bytes visitor = name_visitor(rows->channel.id, channel->type);
    if (visitor.size > 0) {
        rows->uids[rows->count++] = visitor;
    } else if (channel_type_is_pair(channel->type) &&
               name_split_pair(rows->channel.id, &rows->uids[0], &rows->uids[1]) == ERR_OK) {
        rows->count = bytes_equal(rows->uids[0], rows->uids[1]) ? 1 : 2;
    }
    return rows;
}

void first_rows_release(struct first_rows *rows)
{
    if (rows != NULL) {
        memory_release(rows->budget, rows, sizeof(*rows));
    }
}

enum err first_rows_read(struct first_rows *rows, enum store_wait wait)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct directory_key key = {.uid = rows->uids[i], .channel = rows->channel};
        const enum err err = store_find_directory(rows->store, wait, &key, &rows->rows[i]);
        if (err == ERR_ABSENT) {
            rows->rows[i] = (struct directory_row){.flags = 0};
        } else if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

size_t first_rows_bytes(const struct channel *channel, const struct send *send)
{
    size_t size = FIRST_ROWS_PEOPLE_MAX * (ROW_RECORD_BYTES + 2 * (size_t)channel->id_size);
    for (uint32_t i = 0; i < send->recipients_count; i++) {
        size += ROW_RECORD_BYTES + channel->id_size + send->recipients[i].size;
    }
    return size;
}

static void add_row(struct chat *chat, const struct channel *channel, const struct send *send,
                    struct bytes uid, struct directory_row row)
{
    const uint64_t now_ms = chat->shard->wall_ms;
    const enum directory_flag flag =
        is_command(send) ? DIRECTORY_FLAG_COMMAND : DIRECTORY_FLAG_CHAT;
    if ((row.flags & flag) != 0) {
        return;
    }
    const uint64_t read_seq = bytes_equal(uid, send->from_uid) ? send->seq : 0;
    row.created_ms = row.flags == 0 ? now_ms : row.created_ms;
    row.flags |= flag;
    row.channel = channel->ref;
    if (flag == DIRECTORY_FLAG_COMMAND) {
        row.command_read_seq = read_seq;
        row.command_end_seq = 0;
    } else {
        row.read_seq = read_seq;
        row.deleted_to_seq = 0;
        row.activated_ms = now_ms;
        row.updated_ms = now_ms;
    }
    const struct record record = {
        .kind = RECORD_DIRECTORY_PUT,
        .directory = {.key = {.uid = uid, .channel = channel_name(channel)}, .row = row},
    };
    chat_add(chat, &record);
}

void first_rows_add(struct chat *chat, const struct channel *channel, const struct send *send,
                    const struct first_rows *rows)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        add_row(chat, channel, send, rows->uids[i], rows->rows[i]);
    }
    for (uint32_t i = 0; i < send->recipients_count; i++) {
        add_row(chat, channel, send, send->recipients[i], (struct directory_row){.flags = 0});
    }
}
