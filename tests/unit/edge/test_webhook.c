#include "chat/names.h"
#include "edge/courier.h"
#include "edge/webhook_body.h"
#include "edge/webhook_lane.h"

#include "support/test.h"

static void uids_add(struct writer *writer, const char *uid)
{
    writer_u16(writer, (uint16_t)strlen(uid));
    writer_bytes_add(writer, bytes_of_string(uid));
}

static struct message_view make_hello(void)
{
    return (struct message_view){
        .message_id = 2046861562479546375,
        .seq = 1,
        .timestamp_s = 1776844800,
        .flags = MESSAGE_RED_DOT,
        .channel_type = CHANNEL_PERSON,
        .channel_id = BYTES_OF("u1002@u1001"),
        .from_uid = BYTES_OF("u1001"),
        .client_msg_no = BYTES_OF("ord-1"),
        .payload = BYTES_OF("{\"type\":1,\"content\":\"hello\"}"),
    };
}

#define HELLO_TEXT                                                                                 \
    "\"header\":{\"no_persist\":0,\"red_dot\":1,\"sync_once\":0},\"setting\":0,"                   \
    "\"message_id\":2046861562479546375,\"message_idstr\":\"2046861562479546375\","                \
    "\"client_msg_no\":\"ord-1\",\"message_seq\":1,\"from_uid\":\"u1001\","                        \
    "\"channel_id\":\"u1002\",\"channel_type\":1,\"expire\":0,\"timestamp\":1776844800,"           \
    "\"payload\":\"eyJ0eXBlIjoxLCJjb250ZW50IjoiaGVsbG8ifQ==\""

TEST(a_notify_is_the_documented_text)
{
    const struct message_view hello = make_hello();
    struct budget budget;
    budget_init(&budget, "test", NULL, BUDGET_UNLIMITED);
    struct webhook_body body;
    webhook_body_init(&body, &budget);
    CHECK_OK(webhook_body_add_message(&body, &hello, SIZE_MAX));
    webhook_body_end(&body);
    CHECK_BYTES(webhook_body_text(&body), BYTES_OF("[{" HELLO_TEXT "}]"));
    webhook_body_clear(&body);
    CHECK(budget_used(&budget) == 0);
}

TEST(an_offline_is_the_documented_text)
{
    const struct message_view hello = make_hello();
    struct budget budget;
    budget_init(&budget, "test", NULL, BUDGET_UNLIMITED);
    uint8_t area[64];
    struct writer uids = writer_of(area, sizeof(area));
    uids_add(&uids, "u1002");
    uids_add(&uids, "u\"3");
    const struct webhook_offline offline = {
        .view = &hello, .uids = writer_bytes(&uids), .source_id = 1001};
    struct webhook_body body;
    webhook_body_init(&body, &budget);
    CHECK_OK(webhook_body_write_offline(&body, &offline));
    CHECK_BYTES(webhook_body_text(&body),
                BYTES_OF("{" HELLO_TEXT ",\"to_uids\":[\"u1002\",\"u\\\"3\"],\"source_id\":1001}"));
    webhook_body_clear(&body);
    CHECK(budget_used(&budget) == 0);
}

TEST(a_status_array_is_the_documented_text)
{
    struct budget budget;
    budget_init(&budget, "test", NULL, BUDGET_UNLIMITED);
    struct webhook_body body;
    webhook_body_init(&body, &budget);
    CHECK_OK(webhook_body_add_status(&body, BYTES_OF("u1001-0-1-87-1-1"), SIZE_MAX));
    CHECK_OK(webhook_body_add_status(&body, BYTES_OF("u1001-1-1-88-1-2"), SIZE_MAX));
    webhook_body_end(&body);
    CHECK_BYTES(webhook_body_text(&body), BYTES_OF("[\"u1001-0-1-87-1-1\",\"u1001-1-1-88-1-2\"]"));
    webhook_body_clear(&body);
}

TEST(a_body_ends_at_its_limit_but_takes_one_item_of_any_size)
{
    const struct message_view hello = make_hello();
    struct budget budget;
    budget_init(&budget, "test", NULL, BUDGET_UNLIMITED);
    struct webhook_body body;
    webhook_body_init(&body, &budget);
    CHECK_OK(webhook_body_add_message(&body, &hello, 100));
    const struct bytes before = webhook_body_text(&body);
    CHECK_EQ(webhook_body_add_message(&body, &hello, 100), ERR_LIMIT);
    CHECK_EQ(webhook_body_text(&body).size, before.size);
    webhook_body_clear(&body);
}

TEST(a_body_without_room_is_refused_and_nothing_stays)
{
    const struct message_view hello = make_hello();
    struct budget budget;
    budget_init(&budget, "test", NULL, 2048);
    struct webhook_body body;
    webhook_body_init(&body, &budget);
    struct message_view large = hello;
    static uint8_t payload[4096];
    large.payload = (struct bytes){.data = payload, .size = sizeof(payload)};
    CHECK_EQ(webhook_body_add_message(&body, &large, SIZE_MAX), ERR_BUDGET);
    webhook_body_clear(&body);
    CHECK(budget_used(&budget) == 0);
}

TEST(a_signature_covers_the_time_and_the_body)
{
    /* From an implementation that is not ours:
     * printf '1776844800.[]' | openssl dgst -sha256 -hmac secret */
    uint8_t buffer[COURIER_HEADROOM + 2];
    memcpy(buffer + COURIER_HEADROOM, "[]", 2);
    char text[COURIER_SIGNATURE_CHARS + 1];
    courier_sign(buffer, 2, BYTES_OF("secret"), 1776844800, text);
    CHECK_STRING(text, "db0c6833790471dafca24994ba8f18a4ced0bc5efece333e65f02d62f4d2dc02");
    CHECK_EQ(memcmp(buffer + COURIER_HEADROOM, "[]", 2), 0);
}

TEST(the_back_off_doubles_up_to_half_a_minute_and_spreads)
{
    for (uint32_t fails = 1; fails < 100; fails++) {
        const uint64_t full_ms = fails < 6 ? 1000u << (fails - 1) : 30000;
        uint64_t least_ms = UINT64_MAX;
        uint64_t most_ms = 0;
        for (uint32_t i = 0; i < 1000; i++) {
            const uint64_t wait_ms = webhook_backoff_ms(fails, prng_next(prng));
            least_ms = wait_ms < least_ms ? wait_ms : least_ms;
            most_ms = wait_ms > most_ms ? wait_ms : most_ms;
        }
        CHECK(least_ms >= full_ms / 2);
        CHECK(most_ms <= full_ms);
        CHECK(most_ms - least_ms > full_ms / 4);
    }
}
