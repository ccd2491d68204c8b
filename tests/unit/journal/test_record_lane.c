#include "journal/record.h"

#include "support/test.h"

static const struct stream_ref stream = {
    .channel = {.slot = 7, .number = 3},
    .client_msg_no = {.data = (const uint8_t *)"ai-1", .size = 4},
};

/* Encodes into exactly the room that was asked for, and decodes that. */
static struct record through(const struct record *record, uint8_t *area, size_t size)
{
    CHECK(record_size_max(record) <= size);
    struct writer writer = writer_of(area, record_size_max(record));
    record_encode(record, &writer);
    struct reader reader = reader_of(writer_bytes(&writer));
    struct record decoded;
    CHECK_OK(record_decode(&reader, &decoded));
    CHECK_EQ(reader_left(&reader), 0);
    CHECK_EQ(decoded.kind, record->kind);
    return decoded;
}

TEST(a_lane_goes_through_the_journal_as_it_is)
{
    static uint8_t area[4096];
    static uint8_t error[STREAM_ERROR_BYTES_MAX];
    memset(error, 'e', sizeof(error));
    const struct record record = {
        .kind = RECORD_LANE,
        .lane =
            {
                .stream = stream,
                .key = BYTES_OF("main"),
                .row = {.number = 9,
                        .status = LANE_CLOSED,
                        .form = LANE_TEXT,
                        .is_given = true,
                        .end_reason = 8,
                        .seq = 7,
                        .occurred_ms = -6,
                        .event_id = BYTES_OF("id"),
                        .event_type = BYTES_OF("type"),
                        .visibility = BYTES_OF("public"),
                        .error = {.data = error, .size = sizeof(error)}},
            },
    };
    const struct record_lane lane = through(&record, area, sizeof(area)).lane;
    CHECK_EQ(lane.stream.channel.slot, 7);
    CHECK_EQ(lane.stream.channel.number, 3);
    CHECK_BYTES(lane.stream.client_msg_no, stream.client_msg_no);
    CHECK_BYTES(lane.key, BYTES_OF("main"));
    CHECK_EQ(lane.row.number, 9);
    CHECK_EQ(lane.row.status, LANE_CLOSED);
    CHECK_EQ(lane.row.form, LANE_TEXT);
    CHECK(lane.row.is_given);
    CHECK_EQ(lane.row.end_reason, 8);
    CHECK_EQ(lane.row.seq, 7);
    CHECK(lane.row.occurred_ms == -6);
    CHECK_BYTES(lane.row.event_id, BYTES_OF("id"));
    CHECK_BYTES(lane.row.event_type, BYTES_OF("type"));
    CHECK_BYTES(lane.row.visibility, BYTES_OF("public"));
    CHECK_BYTES(lane.row.error, record.lane.row.error);
}

TEST(a_piece_and_a_cut_go_through_the_journal_as_they_are)
{
    static uint8_t area[STREAM_PIECE_BYTES_MAX + 1024];
    static uint8_t bytes[STREAM_PIECE_BYTES_MAX];
    memset(bytes, 'b', sizeof(bytes));
    const struct record piece = {
        .kind = RECORD_LANE_PIECE,
        .lane_piece = {.stream = stream,
                       .piece = {.lane = 5,
                                 .index = 1u << 20,
                                 .bytes = {.data = bytes, .size = sizeof(bytes)}}},
    };
    const struct record_lane_piece found = through(&piece, area, sizeof(area)).lane_piece;
    CHECK_BYTES(found.stream.client_msg_no, stream.client_msg_no);
    CHECK_EQ(found.piece.lane, 5);
    CHECK_EQ(found.piece.index, 1u << 20);
    CHECK_BYTES(found.piece.bytes, piece.lane_piece.piece.bytes);

    struct record cut = piece;
    cut.kind = RECORD_LANE_CUT;
    cut.lane_piece.piece.bytes = BYTES_EMPTY;
    const struct record_lane_piece end = through(&cut, area, sizeof(area)).lane_piece;
    CHECK_EQ(end.piece.lane, 5);
    CHECK_EQ(end.piece.index, 1u << 20);
    CHECK_EQ(end.piece.bytes.size, 0);
}

TEST(records_of_streams_that_are_cut_short_are_corrupt)
{
    static uint8_t area[1024];
    const struct record records[] = {
        {.kind = RECORD_LANE, .lane = {.stream = stream, .key = BYTES_OF("main")}},
        {.kind = RECORD_LANE_CUT, .lane_piece = {.stream = stream}},
    };
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        struct writer writer = writer_of(area, sizeof(area));
        record_encode(&records[i], &writer);
        const size_t size = writer_size(&writer) - 5; /* behind kind and size */
        for (size_t cut = 0; cut < size; cut++) {
            struct writer head = writer_of(area + 1, sizeof(uint32_t));
            writer_u32(&head, (uint32_t)cut);
            struct reader reader = reader_of((struct bytes){.data = area, .size = 5 + cut});
            struct record decoded;
            CHECK_EQ(record_decode(&reader, &decoded), ERR_CORRUPT);
        }
    }
}
