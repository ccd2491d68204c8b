#include "chat/event_records.h"

#include "base/assert.h"
#include "chat/chat.h"

#define RECORD_EXTRA_BYTES 192u /* of a piece or a cut, besides its strings */

size_t event_records_bytes(const struct event *event, const struct lane *lane)
{
    const size_t size = event->content.bytes.size;
    const size_t pieces = size / STREAM_PIECE_BYTES_MAX + 3; /* the last one, the tail, the cut */
    const size_t strings = event->key.size + event->id.size + event->type_kept.size +
                           event->visibility.size + event->error.size + lane->id_size +
                           lane->type_size + lane->visibility_size;
    return pieces * (RECORD_EXTRA_BYTES + event->client_msg_no.size) + size + STREAM_TAIL_BYTES +
           RECORD_EXTRA_BYTES + event->client_msg_no.size + strings;
}

/* What the functions below share. */
struct recording {
    struct chat *chat;
    const struct event *event;
    struct stream_ref ref;
    struct lane *lane;
};

static void add_piece(const struct recording *recording, uint32_t index, struct bytes bytes)
{
    const struct record record = {
        .kind = RECORD_LANE_PIECE,
        .lane_piece = {.stream = recording->ref,
                       .piece = {.lane = recording->lane->number, .index = index, .bytes = bytes}},
    };
    chat_add(recording->chat, &record);
}

/* Adds pieces behind those that are there; the last one becomes the tail if it may grow. */
static void add_pieces(const struct recording *recording, struct bytes bytes)
{
    struct lane *lane = recording->lane;
    lane->tail_size = 0;
    while (bytes.size > 0) {
        const size_t size =
            bytes.size < STREAM_PIECE_BYTES_MAX ? bytes.size : STREAM_PIECE_BYTES_MAX;
        const struct bytes piece = {.data = bytes.data, .size = size};
        add_piece(recording, lane->pieces_count++, piece);
        bytes = bytes_skip(bytes, size);
        if (bytes.size == 0 && lane->tail != NULL && size < STREAM_TAIL_BYTES) {
            memcpy(lane->tail, piece.data, size);
            lane->tail_size = (uint32_t)size;
        }
    }
}

static void grow(const struct recording *recording)
{
    struct lane *lane = recording->lane;
    const struct bytes text = recording->event->content.bytes;
    ASSERT(lane->tail != NULL);
    if (lane->tail_size == 0 || lane->tail_size + text.size > STREAM_TAIL_BYTES) {
        add_pieces(recording, text);
        return;
    }
    memcpy(lane->tail + lane->tail_size, text.data, text.size);
    lane->tail_size += (uint32_t)text.size;
    add_piece(recording, lane->pieces_count - 1,
              (struct bytes){.data = lane->tail, .size = lane->tail_size});
}

static void replace(const struct recording *recording)
{
    struct lane *lane = recording->lane;
    const uint32_t before = lane->pieces_count;
    lane->pieces_count = 0;
    add_pieces(recording, recording->event->content.bytes);
    if (lane->pieces_count < before) {
        const struct record record = {
            .kind = RECORD_LANE_CUT,
            .lane_piece = {.stream = recording->ref,
                           .piece = {.lane = lane->number, .index = lane->pieces_count}},
        };
        chat_add(recording->chat, &record);
    }
}

static void change_content(const struct recording *recording, struct stream *stream,
                           enum content_change change)
{
    struct lane *lane = recording->lane;
    const uint32_t size = (uint32_t)recording->event->content.bytes.size;
    switch (change) {
    case CONTENT_STAYS:
        return;
    case CONTENT_GROWS:
        grow(recording);
        break;
    case CONTENT_REPLACED:
        replace(recording);
        stream->content_bytes -= lane->content_size;
        lane->content_size = 0;
        break;
    }
    lane->content_size += size;
    stream->content_bytes += size;
}

static uint8_t keep(uint8_t *area, struct bytes string)
{
    if (string.size > 0) {
        memcpy(area, string.data, string.size);
    }
    return (uint8_t)string.size;
}

/* The event is the lane's last stored one. */
static void store_event(const struct recording *recording, struct stream *stream)
{
    const struct event *event = recording->event;
    struct lane *lane = recording->lane;
    lane->seq = ++stream->seq;
    lane->occurred_ms =
        event->occurred_ms != 0 ? event->occurred_ms : (int64_t)recording->chat->shard->wall_ms;
    lane->id_size = keep(lane->id, event->id);
    lane->type_size = keep(lane->type, event->type_kept);
    lane->visibility_size = keep(lane->visibility, event->visibility);
}

static void add_lane(const struct recording *recording)
{
    const struct lane *lane = recording->lane;
    const struct event *event = recording->event;
    const struct record record = {
        .kind = RECORD_LANE,
        .lane =
            {
                .stream = recording->ref,
                .key = lane_key(lane),
                .row = {.number = lane->number,
                        .status = lane->status,
                        .form = lane->form,
                        .is_given = lane->is_given,
                        .end_reason = event->kind == EVENT_CLOSE ? event->end_reason : 0,
                        .seq = lane->seq,
                        .occurred_ms = lane->occurred_ms,
                        .event_id = lane_event_id(lane),
                        .event_type = {.data = lane->type, .size = lane->type_size},
                        .visibility = {.data = lane->visibility, .size = lane->visibility_size},
                        .error = event->kind == EVENT_ERROR ? event->error : BYTES_EMPTY},
            },
    };
    chat_add(recording->chat, &record);
}

void event_records_add(struct chat *chat, const struct event *event, struct stream *stream,
                       struct lane *lane, const struct event_plan *plan)
{
    const struct recording recording = {
        .chat = chat,
        .event = event,
        .ref = {.channel = event->ref, .client_msg_no = event->client_msg_no},
        .lane = lane,
    };
    change_content(&recording, stream, plan->change);
    lane->status = plan->status;
    lane->form = plan->form;
    lane->is_given = plan->is_given;
    if (plan->is_stored) {
        store_event(&recording, stream);
    }
    if (plan->has_lane_record) {
        add_lane(&recording);
    }
    if (lane_status_is_final(lane->status)) {
        lane_close_tail(chat, lane);
    }
}
