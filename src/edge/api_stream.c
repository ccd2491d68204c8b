#include "edge/api_stream.h"

#include "base/assert.h"
#include "edge/event_payload.h"

/* ---- Reading. ---- */

static struct bytes keep(struct api_stream *stream, struct bytes bytes)
{
    const uint8_t *at = stream->room.at;
    writer_bytes_add(&stream->room, bytes);
    return (struct bytes){.data = at, .size = stream->room.is_full ? 0 : bytes.size};
}

static bool lane_visit(void *context, struct bytes key, const struct lane_row *row)
{
    struct api_stream *stream = context;
    if (stream->lanes_count == STREAM_LANES_MAX) {
        return false; /* more were never written */
    }
    struct api_lane *lane = &stream->lanes[stream->lanes_count++];
    *lane = (struct api_lane){.key = keep(stream, key), .row = *row};
    lane->row.event_id = keep(stream, row->event_id);
    lane->row.event_type = keep(stream, row->event_type);
    lane->row.visibility = keep(stream, row->visibility);
    lane->row.error = keep(stream, row->error);
    return !stream->room.is_full;
}

/* Pieces of one lane follow each other, and so do their bytes in the room. */
static bool piece_visit(void *context, const struct lane_piece *piece)
{
    struct api_stream *stream = context;
    if (!stream->wants_contents) {
        return false;
    }
    for (uint32_t i = 0; i < stream->lanes_count; i++) {
        struct api_lane *lane = &stream->lanes[i];
        if (lane->row.number == piece->lane) {
            const struct bytes kept = keep(stream, piece->bytes);
            lane->content.data = lane->content.size == 0 ? kept.data : lane->content.data;
            lane->content.size += kept.size;
        }
    }
    return !stream->room.is_full;
}

enum err api_stream_open(struct api_stream *stream, struct http_request *request,
                         struct channel_name channel, struct bytes client_msg_no,
                         bool wants_contents)
{
    struct writer *out = &request->out;
    const size_t left = out->is_full ? 0 : (size_t)(out->end - out->at);
    stream->request = request;
    stream->answer_end = out->end;
    stream->wants_contents = wants_contents;
    stream->wants_snapshots = !request->is_stream_basic;
    stream->lanes_count = 0;
    out->end -= left / 2;
    stream->room = writer_of(out->end, left / 2);
    const struct stream_visit visit = {.lane = lane_visit, .piece = piece_visit, .context = stream};
    const enum err err =
        store_read_stream_of(request->http->options.store, channel, client_msg_no, &visit);
    if (err != ERR_OK || stream->room.is_full) {
        stream->lanes_count = 0;
    }
    out->is_full |= stream->room.is_full; /* with more room it is read again */
    return err == ERR_ABSENT || err == ERR_LIMIT ? ERR_OK : err;
}

void api_stream_close(struct api_stream *stream)
{
    stream->request->out.end = stream->answer_end;
    stream->lanes_count = 0;
}

/* ---- Writing. ---- */

struct bytes api_stream_status(enum lane_status status)
{
    switch (status) {
    case LANE_UNSET:
        return BYTES_EMPTY;
    case LANE_OPEN:
        return BYTES_OF("open");
    case LANE_CLOSED:
        return BYTES_OF("closed");
    case LANE_ERROR:
        return BYTES_OF("error");
    case LANE_CANCELLED:
        return BYTES_OF("cancelled");
    }
    UNREACHABLE();
}

void api_stream_content(struct json_text *json, const struct api_lane *lane)
{
    if (lane->row.form != LANE_TEXT) {
        json_text_raw(json, lane->content);
        return;
    }
    json_text_object_begin(json);
    json_text_member_string(json, "kind", BYTES_OF("text"));
    json_text_member_string(json, "text", lane->content);
    json_text_object_end(json);
}

/* How it ended; what did not happen is left out. */
static void write_end(struct json_text *json, const struct lane_row *row)
{
    if (row->end_reason != 0) {
        json_text_member_unsigned(json, "end_reason", row->end_reason);
    }
    if (row->error.size > 0) {
        json_text_member_string(json, "error", row->error);
    }
}

/* A content that was given whole may have its text in it, which is decoded behind the contents. */
static struct bytes plain_content(const struct api_stream *stream, const struct api_lane *lane)
{
    if (lane->row.form == LANE_TEXT || lane->content.size == 0) {
        return lane->content;
    }
    const struct writer *room = &stream->room;
    if ((size_t)(room->end - room->at) < lane->content.size) {
        stream->request->out.is_full = true; /* with more room it is read again */
        return BYTES_EMPTY;
    }
    return event_payload_plain(lane->content, room->at);
}

/* Older clients know one text a message: that of the lane `main`. */
static void write_main(struct json_text *json, const struct api_stream *stream,
                       const struct api_lane *lane)
{
    const struct bytes plain = plain_content(stream, lane);
    if (lane_status_is_final(lane->row.status)) {
        json_text_member_unsigned(json, "end", 1);
    }
    write_end(json, &lane->row);
    if (plain.size > 0) {
        json_text_key(json, "stream_data");
        json_text_base64(json, plain);
    }
}

static void write_lane(struct json_text *json, const struct api_lane *lane, bool wants_snapshot)
{
    json_text_object_begin(json);
    json_text_member_string(json, "event_key", lane->key);
    json_text_member_string(json, "status", api_stream_status(lane->row.status));
    if (lane->row.seq != 0) {
        json_text_member_unsigned(json, "last_msg_event_seq", lane->row.seq);
    }
    if (lane->content.size > 0 && wants_snapshot) {
        json_text_key(json, "snapshot");
        api_stream_content(json, lane);
    }
    write_end(json, &lane->row);
    json_text_object_end(json);
}

struct summary {
    bool is_completed;
    uint64_t seq; /* of the lanes that are shown */
    uint32_t lanes_count;
    uint32_t open_count;
};

static bool is_finish(const struct api_lane *lane)
{
    return bytes_equal(lane->key, API_STREAM_FINISH);
}

static struct summary summarise(const struct api_stream *stream)
{
    struct summary summary = {.is_completed = false};
    for (uint32_t i = 0; i < stream->lanes_count; i++) {
        const struct api_lane *lane = &stream->lanes[i];
        if (is_finish(lane)) {
            summary.is_completed = true;
            continue;
        }
        summary.lanes_count++;
        summary.open_count += lane->row.status == LANE_OPEN ? 1 : 0;
        summary.seq = lane->row.seq > summary.seq ? lane->row.seq : summary.seq;
    }
    return summary;
}

static void write_meta(struct json_text *json, const struct api_stream *stream)
{
    const struct summary summary = summarise(stream);
    json_text_object_begin(json);
    json_text_key(json, "has_events");
    json_text_bool(json, true);
    json_text_key(json, "completed");
    json_text_bool(json, summary.is_completed);
    if (summary.seq != 0) {
        json_text_member_unsigned(json, "event_version", summary.seq);
        json_text_member_unsigned(json, "last_msg_event_seq", summary.seq);
    }
    if (summary.lanes_count != 0) {
        json_text_member_unsigned(json, "event_count", summary.lanes_count);
    }
    if (summary.open_count != 0) {
        json_text_member_unsigned(json, "open_event_count", summary.open_count);
    }
    if (summary.lanes_count != 0) {
        json_text_key(json, "events");
        json_text_array_begin(json);
        for (uint32_t i = 0; i < stream->lanes_count; i++) {
            if (!is_finish(&stream->lanes[i])) {
                write_lane(json, &stream->lanes[i], stream->wants_snapshots);
            }
        }
        json_text_array_end(json);
    }
    json_text_object_end(json);
}

void api_stream_fields(struct json_text *json, const struct api_stream *stream,
                       struct bytes client_msg_no)
{
    if (stream->lanes_count == 0) {
        return;
    }
    for (uint32_t i = 0; i < stream->lanes_count; i++) {
        if (bytes_equal(stream->lanes[i].key, API_STREAM_MAIN)) {
            write_main(json, stream, &stream->lanes[i]);
        }
    }
    json_text_key(json, "event_meta");
    write_meta(json, stream);
    json_text_key(json, "event_sync_hint");
    json_text_object_begin(json);
    json_text_member_string(json, "client_msg_no", client_msg_no);
    json_text_member_unsigned(json, "from_msg_event_seq", 0);
    json_text_object_end(json);
}
