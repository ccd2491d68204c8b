#include "journal/record.h"

#include "support/test.h"

#define AREA_BYTES 1024

static const struct channel_ref ref = {.slot = 12, .number = 7};

/* One of each kind. */
static uint32_t make_records(struct record records[16])
{
    const struct channel_name pair = {.type = 1, .id = BYTES_OF("u1@u2")};
    uint32_t count = 0;
    records[count++] = (struct record){
        .kind = RECORD_MESSAGE,
        .message = {.log = {.channel = ref, .kind = LOG_COMMAND},
                    .seq = 9,
                    .is_remembered = true,
                    .is_sole = true,
                    .row = BYTES_OF("any bytes: whoever applies it looks into it")}};
    records[count++] = (struct record){
        .kind = RECORD_CHANNEL,
        .channel = {.name = pair, .row = {.number = 7, .flags = 5, .created_ms = 1}}};
    records[count++] = (struct record){.kind = RECORD_MEMBER_ADD,
                                       .member = {.list = {.channel = ref, .kind = LIST_ALLOW},
                                                  .uid = BYTES_OF("u1"),
                                                  .row = {.joined_seq = 3, .created_ms = 4}}};
    records[count++] = (struct record){
        .kind = RECORD_MEMBER_REMOVE,
        .member = {.list = {.channel = ref, .kind = LIST_DENY}, .uid = BYTES_OF("u1")}};
    records[count++] = (struct record){.kind = RECORD_MEMBERS_CLEAR,
                                       .list = {.channel = ref, .kind = LIST_SUBSCRIBER}};
    records[count++] = (struct record){
        .kind = RECORD_DIRECTORY_PUT,
        .directory = {.key = {.uid = BYTES_OF("u1"), .channel = pair},
                      .row = {.flags = DIRECTORY_FLAG_CHAT, .channel = ref, .read_seq = 8}}};
    records[count++] =
        (struct record){.kind = RECORD_DIRECTORY_DROP,
                        .directory = {.key = {.uid = BYTES_OF("u1"), .channel = pair}}};
    records[count++] = (struct record){
        .kind = RECORD_DEVICE,
        .device = {.key = {.uid = BYTES_OF("u1"), .device_flag = 2},
                   .row = {.has_token = true, .token_hash = {1, 2, 3}, .level = 1}}};
    records[count++] = (struct record){
        .kind = RECORD_USER,
        .user = {.uid = BYTES_OF("u1"), .created_ms = 5, .plugin_no = BYTES_OF("plugin")}};
    records[count++] = (struct record){.kind = RECORD_SYSTEM_UID,
                                       .system_uid = {.uid = BYTES_OF("bot"), .is_system = true}};
    records[count++] = (struct record){.kind = RECORD_CLOCK, .clock_ms = 1767225600000};
    return count;
}

static struct bytes encode(const struct record *record, uint8_t area[AREA_BYTES])
{
    struct writer writer = writer_of(area, AREA_BYTES);
    CHECK(record_size_max(record) <= AREA_BYTES);
    record_encode(record, &writer);
    CHECK(writer_size(&writer) <= record_size_max(record));
    return writer_bytes(&writer);
}

TEST(a_record_says_the_same_when_it_is_read_again)
{
    struct record records[16];
    const uint32_t count = make_records(records);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t area[AREA_BYTES];
        uint8_t again[AREA_BYTES];
        const struct bytes encoded = encode(&records[i], area);
        struct reader reader = reader_of(encoded);
        struct record record;
        CHECK_OK(record_decode(&reader, &record));
        CHECK_EQ(reader_left(&reader), 0);
        CHECK_EQ(record.kind, records[i].kind);
        CHECK_BYTES(encode(&record, again), encoded);
    }
}

TEST(a_record_that_is_cut_anywhere_is_corrupt)
{
    struct record records[16];
    const uint32_t count = make_records(records);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t area[AREA_BYTES];
        const struct bytes encoded = encode(&records[i], area);
        for (size_t size = 0; size < encoded.size; size++) {
            struct reader reader = reader_of((struct bytes){.data = area, .size = size});
            struct record record;
            CHECK_EQ(record_decode(&reader, &record), ERR_CORRUPT);
        }
    }
}

TEST(a_record_whose_size_is_not_that_of_its_fields_is_corrupt)
{
    const struct record clock = {.kind = RECORD_CLOCK, .clock_ms = 1};
    uint8_t area[AREA_BYTES];
    const struct bytes encoded = encode(&clock, area);
    area[4]++; /* the last byte of the size */
    struct reader reader = reader_of((struct bytes){.data = area, .size = encoded.size + 1});
    struct record record;
    CHECK_EQ(record_decode(&reader, &record), ERR_CORRUPT);
}

TEST(a_record_of_no_kind_is_corrupt)
{
    static const uint8_t bytes[] = {0, 0, 0, 0, 0, 99, 0, 0, 0, 0};
    for (size_t at = 0; at < sizeof(bytes); at += 5) {
        struct reader reader = reader_of((struct bytes){.data = bytes + at, .size = 5});
        struct record record;
        CHECK_EQ(record_decode(&reader, &record), ERR_CORRUPT);
    }
}
