#include "store/streams.h"

#include "store/row_codec.h"
#include "unit/store/fixture.h"

static const struct stream_ref stream = {
    .channel = {.slot = 7, .number = 3},
    .client_msg_no = {.data = (const uint8_t *)"no", .size = 2}};

/* What a reading saw, in words. */
struct seen {
    char text[512];
    uint32_t rows_max; /* it stops there */
    uint32_t rows;
};

static bool see(struct seen *seen, const char *what, uint64_t a, uint64_t b, struct bytes bytes)
{
    const size_t used = strlen(seen->text);
    snprintf(seen->text + used, sizeof(seen->text) - used, "%s %u/%u %.*s; ", what, (unsigned)a,
             (unsigned)b, (int)bytes.size, (const char *)bytes.data);
    seen->rows++;
    return seen->rows != seen->rows_max;
}

static bool see_lane(void *context, struct bytes key, const struct lane_row *row)
{
    return see(context, "lane", row->number, row->seq, key);
}

static bool see_piece(void *context, const struct lane_piece *piece)
{
    return see(context, "piece", piece->lane, piece->index, piece->bytes);
}

static struct seen seen_of(struct fixture *fixture, const struct stream_ref *ref, uint32_t rows_max)
{
    struct seen seen = {.rows_max = rows_max};
    const struct stream_visit visit = {.lane = see_lane, .piece = see_piece, .context = &seen};
    CHECK_OK(store_read_stream(fixture->store, ref, &visit));
    return seen;
}

static void put_lane(struct fixture *fixture, const struct stream_ref *ref, const char *key,
                     uint16_t number, uint64_t seq)
{
    const struct lane_row row = {.number = number, .seq = seq};
    CHECK_OK(store_batch_put_lane(fixture->batch, ref, bytes_of_string(key), &row));
}

static void put_piece(struct fixture *fixture, const struct stream_ref *ref, uint16_t lane,
                      uint32_t index, const char *text)
{
    const struct lane_piece piece = {.lane = lane, .index = index, .bytes = bytes_of_string(text)};
    CHECK_OK(store_batch_put_piece(fixture->batch, ref, &piece));
}

TEST(a_stream_is_read_lanes_first_and_pieces_in_order)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    CHECK_STRING(seen_of(&fixture, &stream, 0).text, "");
    put_piece(&fixture, &stream, 1, 0, "x");
    put_piece(&fixture, &stream, 0, 300, "c");
    put_piece(&fixture, &stream, 0, 1, "b");
    put_piece(&fixture, &stream, 0, 0, "a");
    put_lane(&fixture, &stream, "p", 0, 5);
    put_lane(&fixture, &stream, "main", 1, 6);
    fixture_commit(&fixture);
    put_piece(&fixture, &stream, 0, 1, "B");
    fixture_commit(&fixture);
    fixture_restart(&fixture);
    CHECK_STRING(
        seen_of(&fixture, &stream, 0).text,
        "lane 1/6 main; lane 0/5 p; piece 0/0 a; piece 0/1 B; piece 0/300 c; piece 1/0 x; ");
    CHECK_STRING(seen_of(&fixture, &stream, 2).text, "lane 1/6 main; lane 0/5 p; ");
    fixture_deinit(&fixture);
}

TEST(streams_whose_names_begin_alike_are_apart)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    struct stream_ref other = stream;
    other.client_msg_no = BYTES_OF("nol");
    struct stream_ref elsewhere = stream;
    elsewhere.channel.number = 4;
    put_lane(&fixture, &stream, "main", 0, 1);
    put_lane(&fixture, &other, "main", 0, 2);
    put_lane(&fixture, &elsewhere, "main", 0, 3);
    fixture_commit(&fixture);
    CHECK_STRING(seen_of(&fixture, &stream, 0).text, "lane 0/1 main; ");
    CHECK_STRING(seen_of(&fixture, &other, 0).text, "lane 0/2 main; ");
    CHECK_STRING(seen_of(&fixture, &elsewhere, 0).text, "lane 0/3 main; ");
    fixture_deinit(&fixture);
}

TEST(a_cut_content_ends_there_and_others_stay)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    put_lane(&fixture, &stream, "main", 0, 1);
    for (uint32_t i = 0; i < 4; i++) {
        put_piece(&fixture, &stream, 0, i, "0");
        put_piece(&fixture, &stream, 1, i, "1");
    }
    fixture_commit(&fixture);
    put_piece(&fixture, &stream, 0, 0, "new");
    CHECK_OK(store_batch_cut_pieces(fixture.batch, &stream, 0, 1));
    CHECK_OK(store_batch_cut_pieces(fixture.batch, &stream, 1, 3));
    fixture_commit(&fixture);
    CHECK_STRING(seen_of(&fixture, &stream, 0).text,
                 "lane 0/1 main; piece 0/0 new; piece 1/0 1; piece 1/1 1; piece 1/2 1; ");
    fixture_deinit(&fixture);
}

TEST(a_lanes_row_comes_back_as_it_was)
{
    struct row_area area;
    const struct lane_row row = {
        .number = 63,
        .status = LANE_ERROR,
        .form = LANE_JSON,
        .is_given = true,
        .end_reason = 200,
        .seq = 1ull << 40,
        .occurred_ms = -5,
        .event_id = BYTES_OF("id"),
        .event_type = BYTES_OF("stream.error"),
        .visibility = BYTES_OF("private"),
        .error = BYTES_OF("broken"),
    };
    lane_row_encode(&area, &row);
    struct lane_row read;
    CHECK_OK(lane_row_decode(row_bytes(&area), &read));
    CHECK_EQ(read.number, row.number);
    CHECK_EQ(read.status, row.status);
    CHECK_EQ(read.form, row.form);
    CHECK(read.is_given);
    CHECK_EQ(read.end_reason, row.end_reason);
    CHECK(read.seq == row.seq);
    CHECK(read.occurred_ms == row.occurred_ms);
    CHECK_BYTES(read.event_id, row.event_id);
    CHECK_BYTES(read.event_type, row.event_type);
    CHECK_BYTES(read.visibility, row.visibility);
    CHECK_BYTES(read.error, row.error);
}

TEST(a_damaged_row_of_a_lane_is_corrupt_and_never_read_beyond_its_end)
{
    struct row_area area;
    const struct lane_row row = {.number = 1, .event_id = BYTES_OF("id"), .error = BYTES_OF("e")};
    lane_row_encode(&area, &row);
    struct lane_row read;
    for (size_t size = 0; size < area.size; size++) {
        uint8_t *copy = malloc(size + 1); /* a sanitizer sees what is behind it */
        memcpy(copy, area.data, size);
        CHECK_EQ(lane_row_decode((struct bytes){.data = copy, .size = size}, &read), ERR_CORRUPT);
        free(copy);
    }
    for (uint32_t round = 0; round < 20000; round++) {
        struct row_area damaged = area;
        damaged.data[prng_below(prng, area.size)] = (uint8_t)prng_next(prng);
        if (lane_row_decode(row_bytes(&damaged), &read) == ERR_OK) {
            CHECK(read.number < STREAM_LANES_MAX);
            CHECK(read.status <= LANE_CANCELLED);
            CHECK(read.event_id.size <= STREAM_NAME_BYTES_MAX);
            CHECK(read.event_type.size <= STREAM_WORD_BYTES_MAX);
        }
    }
}

TEST(what_a_stream_may_not_have_is_refused)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    static uint8_t longest[STREAM_PIECE_BYTES_MAX + 1];
    const struct bytes name = {.data = longest, .size = STREAM_NAME_BYTES_MAX + 1};
    const struct lane_row row = {.number = 0};
    CHECK_EQ(store_batch_put_lane(fixture.batch, &stream, name, &row), ERR_LIMIT);
    CHECK_EQ(store_batch_put_lane(fixture.batch, &stream, BYTES_EMPTY, &row), ERR_LIMIT);
    const struct lane_row long_id = {.event_id = name};
    CHECK_EQ(store_batch_put_lane(fixture.batch, &stream, BYTES_OF("k"), &long_id), ERR_LIMIT);
    const struct lane_piece piece = {.bytes = {.data = longest, .size = sizeof(longest)}};
    CHECK_EQ(store_batch_put_piece(fixture.batch, &stream, &piece), ERR_LIMIT);
    const struct stream_ref nameless = {.channel = stream.channel};
    CHECK_EQ(store_batch_put_lane(fixture.batch, &nameless, BYTES_OF("k"), &row), ERR_LIMIT);
    CHECK(store_batch_is_empty(fixture.batch));
    fixture_deinit(&fixture);
}
