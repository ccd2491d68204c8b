#include "journal/apply.h"

#include "store/message_row.h"

static enum err apply_message(struct store_batch *batch, const struct record_message *message)
{
    struct message_view view;
    const enum err err = message_row_split(message->row, &view); /* the batch checks it */
    if (err != ERR_OK) {
        return err;
    }
    const struct store_message row = {
        .log = message->log,
        .seq = message->seq,
        .row = message->row,
        .sender = view.from_uid,
        .client_msg_no = message->is_remembered ? view.client_msg_no : BYTES_EMPTY,
        .is_sole = message->is_sole,
    };
    return store_batch_add_message(batch, &row);
}

static enum err apply_user(struct store_batch *batch, const struct record_user *user)
{
    struct user_row row = {.created_ms = user->created_ms};
    if (user->plugin_no.size > sizeof(row.plugin_no)) {
        return ERR_LIMIT;
    }
    row.plugin_no_size = (uint8_t)user->plugin_no.size;
    if (user->plugin_no.size > 0) {
        memcpy(row.plugin_no, user->plugin_no.data, user->plugin_no.size);
    }
    return store_batch_put_user(batch, user->uid, &row);
}

static enum err apply_clock(struct store_batch *batch, uint64_t record_ms, uint64_t *clock_ms)
{
    *clock_ms = record_ms > *clock_ms ? record_ms : *clock_ms;
    return store_batch_put_last_ms(batch, *clock_ms);
}

static enum err apply_record(struct store_batch *batch, const struct record *record,
                             uint64_t *clock_ms)
{
    switch (record->kind) {
    case RECORD_MESSAGE:
        return apply_message(batch, &record->message);
    case RECORD_CHANNEL:
        return store_batch_put_channel(batch, record->channel.name, &record->channel.row);
    case RECORD_MEMBER_ADD:
        return store_batch_put_member(batch, record->member.list, record->member.uid,
                                      &record->member.row);
    case RECORD_MEMBER_REMOVE:
        return store_batch_delete_member(batch, record->member.list, record->member.uid);
    case RECORD_MEMBERS_CLEAR:
        return store_batch_clear_list(batch, record->list);
    case RECORD_DIRECTORY_PUT:
        return store_batch_put_directory(batch, &record->directory.key, &record->directory.row);
    case RECORD_DIRECTORY_DROP:
        return store_batch_delete_directory(batch, &record->directory.key);
    case RECORD_DEVICE:
        return store_batch_put_device(batch, record->device.key, &record->device.row);
    case RECORD_USER:
        return apply_user(batch, &record->user);
    case RECORD_SYSTEM_UID:
        return record->system_uid.is_system
                   ? store_batch_put_system_uid(batch, record->system_uid.uid)
                   : store_batch_delete_system_uid(batch, record->system_uid.uid);
    case RECORD_CLOCK:
        return apply_clock(batch, record->clock_ms, clock_ms);
    case RECORD_OUTBOX_PUT:
        return store_batch_put_outbox(batch, &record->outbox.key, record->outbox.row);
    case RECORD_OUTBOX_DROP:
        return store_batch_delete_outbox(batch, &record->outbox.key);
    case RECORD_LANE:
        return store_batch_put_lane(batch, &record->lane.stream, record->lane.key,
                                    &record->lane.row);
    case RECORD_LANE_PIECE:
        return store_batch_put_piece(batch, &record->lane_piece.stream, &record->lane_piece.piece);
    case RECORD_LANE_CUT:
        return store_batch_cut_pieces(batch, &record->lane_piece.stream,
                                      record->lane_piece.piece.lane,
                                      record->lane_piece.piece.index);
    case RECORD_INVALID:
        break;
    }
    return ERR_CORRUPT;
}

enum err apply_entry(struct store_batch *batch, struct bytes bytes, uint64_t *clock_ms)
{
    struct reader reader = reader_of(bytes);
    while (reader_left(&reader) > 0) {
        struct record record;
        enum err err = record_decode(&reader, &record);
        if (err == ERR_OK) {
            err = apply_record(batch, &record, clock_ms);
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}
