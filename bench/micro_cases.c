#include "micro.h"

#include "base/assert.h"
#include "chat/unacked.h"
#include "edge/seal.h"
#include "journal/record.h"
#include "memory/allocator.h"
#include "shard/mailbox.h"
#include "shard/timers.h"
#include "store/message_row.h"
#include "store/seq_cache.h"
#include "system/crypto.h"
#include "telemetry/histogram.h"
#include "wire/base64.h"
#include "wire/json_token.h"
#include "wire/packet.h"

#define PAYLOAD_BYTES  256u
#define FRAME_BYTES    1024u
#define VERSION        5u
#define TIMERS_COUNT   20000u /* one for each connection of a full shard */
#define LETTERS_COUNT  64u    /* of one turn */
#define OWNERS_COUNT   50000u
#define WINDOW_ENTRIES 16u /* unacknowledged messages of a session that reads */

struct micro_state {
    struct budget *budget;
    struct crypto_secret secret;
    struct timers timers;
    struct timer timer_items[TIMERS_COUNT];
    struct mailbox mailbox;
    struct letter letters[LETTERS_COUNT];
    uint64_t received;
    struct seq_cache owners;
    struct unacked window;
    struct histogram histogram;
    struct packet send; /* encrypted */
    struct packet recv;
    struct message_view view;
    uint8_t plain[PAYLOAD_BYTES];
    uint8_t sealed[FRAME_BYTES];
    uint8_t msg_key[32];
    uint8_t send_frame[FRAME_BYTES];
    size_t send_frame_size;
    uint8_t row[FRAME_BYTES];
    uint8_t record[FRAME_BYTES];
    size_t record_size;
    uint8_t out[FRAME_BYTES];
    uint8_t scratch[SEAL_SCRATCH_BYTES];
};

/* ---- Codec. ---- */

static uint64_t decode_send(struct micro_state *state, uint64_t count)
{
    uint64_t sum = 0;
    const struct bytes frame = {.data = state->send_frame, .size = state->send_frame_size};
    for (uint64_t i = 0; i < count; i++) {
        struct packet packet;
        const enum err err = packet_decode(frame, VERSION, &packet);
        ASSERT(err == ERR_OK);
        sum += packet.send.client_seq + packet.send.payload.size;
    }
    return sum;
}

static uint64_t encode_recv(struct micro_state *state, uint64_t count)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct writer writer = writer_of(state->out, sizeof(state->out));
        state->recv.recv.message_seq = i + 1;
        const enum err err = packet_encode(&state->recv, VERSION, &writer);
        ASSERT(err == ERR_OK);
        sum += writer_size(&writer);
    }
    return sum;
}

static uint64_t encode_base64(struct micro_state *state, uint64_t count)
{
    const struct bytes plain = {.data = state->plain, .size = sizeof(state->plain)};
    for (uint64_t i = 0; i < count; i++) {
        state->plain[0] = (uint8_t)i;
        base64_encode(plain, state->out);
    }
    return state->out[0];
}

static uint64_t read_json(struct micro_state *state, uint64_t count)
{
    (void)state;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct bytes text =
            BYTES_OF("{\"jsonrpc\":\"2.0\",\"method\":\"send\",\"id\":\"17\",\"params\":{"
                     "\"channelId\":\"u1002\",\"channelType\":1,\"payload\":"
                     "\"eyJ0eXBlIjoxLCJjb250ZW50IjoiaGVsbG8ifQ==\"}}");
        struct json_token token;
        const enum err err = json_token_take(&text, &token);
        ASSERT(err == ERR_OK);
        sum += token.text.size;
    }
    return sum;
}

/* ---- Encryption. ---- */

static struct seal_send signed_send(const struct micro_state *state)
{
    return (struct seal_send){
        .client_seq = state->send.send.client_seq,
        .client_msg_no = state->send.send.client_msg_no,
        .channel_id = state->send.send.channel_id,
        .channel_type = state->send.send.channel_type,
        .payload = state->send.send.payload,
    };
}

static uint64_t check_key(struct micro_state *state, uint64_t count)
{
    uint64_t sum = 0;
    const struct seal_send send = signed_send(state);
    for (uint64_t i = 0; i < count; i++) {
        /* It is a wrong one: that takes as long, since it is compared in constant time. */
        sum +=
            (uint64_t)seal_check(&state->secret, &send, state->send.send.msg_key, state->scratch);
    }
    return sum;
}

static uint64_t open_payload(struct micro_state *state, uint64_t count)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        size_t size = 0;
        const enum err err = seal_open(&state->secret, state->send.send.payload, state->out, &size);
        ASSERT(err == ERR_OK);
        sum += size;
    }
    return sum;
}

static uint64_t agree(struct micro_state *state, uint64_t count)
{
    (void)state;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct crypto_secret secret;
        struct seal_offer offer;
        const enum err err =
            seal_agree(BYTES_OF("3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="), &secret, &offer);
        ASSERT(err == ERR_OK);
        sum += secret.key[0];
    }
    return sum;
}

static uint64_t frame_sealed(struct micro_state *state, uint64_t count)
{
    uint64_t sum = 0;
    struct packet packet = state->recv;
    packet.recv.msg_key.size = sizeof(state->msg_key);
    packet.recv.payload.size = seal_payload_size(PAYLOAD_BYTES);
    const struct bytes plain = {.data = state->plain, .size = sizeof(state->plain)};
    for (uint64_t i = 0; i < count; i++) {
        struct writer writer = writer_of(state->out, sizeof(state->out));
        struct packet_recv_room room;
        const enum err err = packet_encode_recv(&packet, VERSION, &writer, &room);
        ASSERT(err == ERR_OK);
        const struct seal_recv recv = {
            .message_id = packet.recv.message_id + i,
            .seq = i + 1,
            .timestamp_s = packet.recv.timestamp_s,
            .channel_type = packet.recv.channel_type,
            .client_msg_no = packet.recv.client_msg_no,
            .from_uid = packet.recv.from_uid,
            .channel_id = packet.recv.channel_id,
        };
        const struct seal_place place = {
            .payload = room.payload, .msg_key = room.msg_key, .scratch = state->scratch};
        seal_recv(&state->secret, &recv, plain, &place);
        sum += writer_size(&writer);
    }
    return sum;
}

/* ---- One thread's furniture. ---- */

static void fire(struct timer *timer, void *context)
{
    (void)timer;
    (void)context;
}

static uint64_t move_timer(struct micro_state *state, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        timers_set(&state->timers, &state->timer_items[i % TIMERS_COUNT], 1000 + i % 60000, fire);
    }
    return state->timers.count;
}

static void receive(struct letter *letter, void *receiver)
{
    (void)letter;
    ++*(uint64_t *)receiver;
}

/* A turn's letters, then their receiving; one operation is one letter. */
static uint64_t post_letters(struct micro_state *state, uint64_t count)
{
    for (uint64_t i = 0; i < count; i += LETTERS_COUNT) {
        struct mailer mailer = {.wakes_count = 0};
        for (uint32_t k = 0; k < LETTERS_COUNT; k++) {
            state->letters[k].receive = receive;
            mailer_post(&mailer, &state->mailbox, &state->letters[k]);
        }
        mailer_flush(&mailer);
        (void)mailbox_drain(&state->mailbox);
    }
    return state->received;
}

static uint64_t find_in_cache(struct micro_state *state, uint64_t count)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t seq = 0;
        const uint64_t key = (i * 7919 % OWNERS_COUNT + 1) * 0x9e3779b97f4a7c15ULL;
        (void)seq_cache_find(&state->owners, key, &seq);
        sum += seq;
    }
    return sum;
}

static uint64_t put_in_cache(struct micro_state *state, uint64_t count)
{
    seq_cache_begin(&state->owners);
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t key = (i * 7919 % OWNERS_COUNT + 1) * 0x9e3779b97f4a7c15ULL;
        seq_cache_add(&state->owners, key, i);
    }
    seq_cache_end(&state->owners);
    return count;
}

/* A message enters the window of a session, another is acknowledged and leaves it. */
static uint64_t move_window(struct micro_state *state, uint64_t count)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct unacked_entry gone;
        sum += unacked_add(&state->window, state->budget,
                           (struct unacked_entry){.message_id = i + WINDOW_ENTRIES + 1, .seq = i});
        sum += unacked_remove(&state->window, i + 1, &gone);
    }
    while (unacked_oldest(&state->window) != NULL) {
        unacked_pop(&state->window);
    }
    return sum;
}

static uint64_t add_time(struct micro_state *state, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        histogram_add(&state->histogram, 1000 + i * 977 % 10000000);
    }
    return histogram_count(&state->histogram);
}

/* ---- What is stored. ---- */

static uint64_t encode_row(struct micro_state *state, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        state->view.seq = i + 1;
        message_row_encode(&state->view, state->row);
    }
    return state->row[8];
}

static uint64_t decode_row(struct micro_state *state, uint64_t count)
{
    uint64_t sum = 0;
    message_row_encode(&state->view, state->row);
    const struct bytes row = {.data = state->row, .size = message_row_size(&state->view)};
    for (uint64_t i = 0; i < count; i++) {
        struct message_view view;
        const enum err err = message_row_decode(row, &view);
        ASSERT(err == ERR_OK);
        sum += view.payload.size;
    }
    return sum;
}

static struct record record_of(const struct micro_state *state)
{
    return (struct record){
        .kind = RECORD_MESSAGE,
        .message =
            {
                .log = {.channel = {.slot = 5, .number = 1}, .kind = LOG_CHAT},
                .seq = state->view.seq,
                .is_remembered = true,
                .row = {.data = state->row, .size = message_row_size(&state->view)},
            },
    };
}

static uint64_t encode_record(struct micro_state *state, uint64_t count)
{
    const struct record record = record_of(state);
    for (uint64_t i = 0; i < count; i++) {
        struct writer writer = writer_of(state->record, sizeof(state->record));
        record_encode(&record, &writer);
        state->record_size = writer_size(&writer);
    }
    return state->record_size;
}

static uint64_t decode_record(struct micro_state *state, uint64_t count)
{
    uint64_t sum = encode_record(state, 1);
    for (uint64_t i = 0; i < count; i++) {
        struct record record;
        struct reader reader =
            reader_of((struct bytes){.data = state->record, .size = state->record_size});
        const enum err err = record_decode(&reader, &record);
        ASSERT(err == ERR_OK);
        sum += record.message.seq;
    }
    return sum;
}

const struct micro_case micro_cases[] = {
    {"codec_base64_encode", "256 bytes", encode_base64},
    {"codec_json_take", "a send of JSON-RPC, checked", read_json},
    {"codec_recv_encode", "RECV of 256 bytes, in the clear", encode_recv},
    {"codec_send_decode", "SEND of 256 bytes, encrypted", decode_send},
    {"histogram_add", "one time", add_time},
    {"lru_find", "an own last seq, 50,000 there", find_in_cache},
    {"lru_put", "the same, put in", put_in_cache},
    {"mailbox_letter", "posted and received, 64 a turn", post_letters},
    {"record_decode", "a message's, of an entry", decode_record},
    {"record_encode", "the same", encode_record},
    {"row_decode", "a stored message of 256 bytes, with its checksum", decode_row},
    {"row_encode", "the same", encode_row},
    {"seal_agree", "the keys of a login agreed upon", agree},
    {"seal_frame", "RECV of 256 bytes, encrypted and signed into its frame", frame_sealed},
    {"seal_msgkey", "SEND of 256 bytes, its key checked", check_key},
    {"seal_open", "its payload decrypted", open_payload},
    {"timer_move", "one of 20,000 timers set anew", move_timer},
    {"window_move", "a message sent, another acknowledged", move_window},
};
const uint32_t micro_cases_count = COUNT_OF(micro_cases);

/* ---- Setting up. ---- */

static void make_packets(struct micro_state *state)
{
    const struct bytes plain = {.data = state->plain, .size = sizeof(state->plain)};
    const struct bytes number = BYTES_OF("0123456789abcdef0123456789abcdef");
    memset(state->plain, 'x', sizeof(state->plain));
    memset(state->msg_key, 'a', sizeof(state->msg_key));
    const struct seal_recv recv = {.from_uid = BYTES_OF("u1001"), .channel_id = BYTES_OF("u1001")};
    const struct seal_place place = {
        .payload = state->sealed, .msg_key = state->out, .scratch = state->scratch};
    seal_recv(&state->secret, &recv, plain, &place);
    state->send = (struct packet){
        .type = PACKET_SEND,
        .flags = PACKET_FLAG_RED_DOT,
        .send = {.client_seq = 17,
                 .channel_type = PACKET_CHANNEL_PERSON,
                 .client_msg_no = number,
                 .channel_id = BYTES_OF("u1002"),
                 .msg_key = {.data = state->msg_key, .size = sizeof(state->msg_key)},
                 .payload = {.data = state->sealed, .size = seal_payload_size(PAYLOAD_BYTES)}},
    };
    state->recv = (struct packet){
        .type = PACKET_RECV,
        .flags = PACKET_FLAG_RED_DOT,
        .recv = {.channel_type = PACKET_CHANNEL_PERSON,
                 .timestamp_s = 1776844800,
                 .message_id = 2046861562479546375,
                 .message_seq = 1,
                 .from_uid = BYTES_OF("u1001"),
                 .channel_id = BYTES_OF("u1001"),
                 .client_msg_no = number,
                 .payload = plain},
    };
    state->view = (struct message_view){
        .message_id = 2046861562479546375,
        .seq = 1,
        .channel_type = PACKET_CHANNEL_PERSON,
        .channel_id = BYTES_OF("u1002@u1001"),
        .from_uid = BYTES_OF("u1001"),
        .client_msg_no = number,
        .payload = plain,
    };
}

static void fill(struct micro_state *state)
{
    make_packets(state);
    struct writer writer = writer_of(state->send_frame, sizeof(state->send_frame));
    const enum err err = packet_encode(&state->send, VERSION, &writer);
    ASSERT(err == ERR_OK);
    state->send_frame_size = writer_size(&writer);
    message_row_encode(&state->view, state->row);
    timers_init(&state->timers, 0, NULL);
    for (uint32_t i = 0; i < TIMERS_COUNT; i++) {
        timers_set(&state->timers, &state->timer_items[i], 1000 + i, fire);
    }
    (void)put_in_cache(state, OWNERS_COUNT);
}

enum err micro_state_open(struct micro_state **out_state, struct budget *budget)
{
    struct micro_state *state = memory_acquire_zeroed(budget, MEMORY_RANK_READ, sizeof(*state));
    if (state == NULL) {
        return ERR_BUDGET;
    }
    state->budget = budget;
    enum err err = mailbox_open(&state->mailbox, &state->received);
    if (err == ERR_OK) {
        err = seq_cache_open(&state->owners, budget, OWNERS_COUNT * 2);
    }
    if (err == ERR_OK) {
        fill(state);
    }
    *out_state = state;
    return err;
}

void micro_state_close(struct micro_state *state, struct budget *budget)
{
    unacked_deinit(&state->window, budget);
    seq_cache_close(&state->owners);
    mailbox_close(&state->mailbox);
    memory_release(budget, state, sizeof(*state));
}
