#include "cli/bench_fill.h"

#include "base/assert.h"
#include "system/clock.h"

#include <stdio.h>

#define NS_PER_MS     1000000ULL
#define NS_PER_S      1000000000ULL
#define STALL_NS_MAX  (30u * NS_PER_S) /* nothing acknowledged for so long: the server hangs */
#define PING_NS       (60u * NS_PER_S) /* servers close those who say nothing for minutes */
#define NUMBERS_SHIFT 20u              /* so many numbers a millisecond of the wall clock */

uint32_t bench_fill_users_count(const struct bench_options *options)
{
    return (options->channels_count + options->conversations_count - 1) /
           options->conversations_count;
}

uint32_t bench_fill_user_channels(const struct bench_fill *fill, uint32_t user)
{
    return (fill->channels_count - user + fill->users_count - 1) / fill->users_count;
}

void bench_fill_peer_name(const struct bench_fill *fill, uint32_t channel,
                          char out_name[BENCH_UID_CHARS_MAX])
{
    snprintf(out_name, BENCH_UID_CHARS_MAX, "bench-%08x-p%u", fill->engine->run, channel);
}

bool bench_fill_channel_of(const struct bench_fill *fill, struct bytes peer, uint32_t *out_channel)
{
    char front[BENCH_UID_CHARS_MAX];
    snprintf(front, sizeof(front), "bench-%08x-p", fill->engine->run);
    const struct bytes front_bytes = bytes_of_string(front);
    if (!bytes_begin_with(peer, front_bytes)) {
        return false;
    }
    const struct bytes digits = bytes_skip(peer, front_bytes.size);
    uint64_t channel = 0;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9' || channel >= fill->channels_count) {
            return false;
        }
        channel = channel * 10 + (uint64_t)(digits.data[i] - '0');
    }
    *out_channel = (uint32_t)channel;
    return digits.size > 0 && channel < fill->channels_count;
}

enum err bench_fill_open(struct bench_fill *fill, struct bench_engine *engine,
                         struct bench_watch *watch)
{
    const struct bench_options *options = engine->options;
    const uint32_t users_count = bench_fill_users_count(options);
    *fill = (struct bench_fill){
        .engine = engine,
        .watch = watch,
        .channels_count = options->channels_count,
        .users_count = users_count,
        .writers_count = engine->clients_count - users_count,
        .pinged_ns = clock_now_ns(),
        .number_base = clock_wall_ms() << NUMBERS_SHIFT,
        .seqs = memory_acquire_zeroed(&engine->budget, MEMORY_RANK_READ,
                                      options->channels_count * sizeof(uint64_t)),
        .user_sent = memory_acquire_zeroed(&engine->budget, MEMORY_RANK_READ,
                                           users_count * sizeof(uint64_t)),
    };
    if (fill->seqs == NULL || fill->user_sent == NULL) {
        bench_fill_close(fill);
        return ERR_BUDGET;
    }
    for (uint32_t i = 0; i < fill->writers_count; i++) {
        bench_fill_peer_name(fill, i * users_count, engine->clients[users_count + i].uid);
    }
    return ERR_OK;
}

void bench_fill_close(struct bench_fill *fill)
{
    struct budget *budget = &fill->engine->budget;
    memory_release(budget, fill->seqs, fill->channels_count * sizeof(uint64_t));
    memory_release(budget, fill->user_sent, fill->users_count * sizeof(uint64_t));
    fill->seqs = NULL;
    fill->user_sent = NULL;
}

/* ---- Writing. ---- */

static void write_message(struct bench_fill *fill, struct bench_client *client, uint32_t channel,
                          const char *target)
{
    uint8_t message_no[BENCH_NO_CHARS];
    uint8_t tail[BENCH_TAIL_BYTES];
    const struct bench_message_id id = {.channel = channel, .index = fill->number_base++};
    bench_message_no_write(fill->engine->run, id, message_no);
    bench_payload_tail(client->index, id.index, clock_now_ns(), tail);
    const struct bench_send send = {
        .channel_type = PACKET_CHANNEL_PERSON,
        .channel_id = bytes_of_string(target),
        .client_msg_no = {.data = message_no, .size = sizeof(message_no)},
        .tail = {.data = tail, .size = sizeof(tail)},
    };
    const enum err err = bench_client_send(fill->engine, client, &send);
    if (err != ERR_OK) {
        fill->failure = err;
    }
    fill->open_count++;
}

/* The channel that a user's n-th message goes to: so many to the first, as many to the next, and
 * from the beginning again until each has `--depth`. */
static uint32_t channel_of(const struct bench_fill *fill, uint32_t user, uint64_t sent)
{
    const uint64_t depth = fill->engine->options->depth;
    const uint64_t channels = bench_fill_user_channels(fill, user);
    const uint64_t talk = fill->engine->options->talk;
    const uint64_t rounds = (depth + talk - 1) / talk;
    const uint64_t full = (rounds - 1) * talk * channels;
    const uint64_t of_last = depth - (rounds - 1) * talk;
    const uint64_t place =
        sent < full ? sent / talk % channels : (sent - full) / of_last % channels;
    return user + (uint32_t)place * fill->users_count;
}

static void write_next(struct bench_fill *fill, struct bench_client *client)
{
    char peer[BENCH_UID_CHARS_MAX];
    const uint32_t user = client->index;
    const uint64_t wanted =
        (uint64_t)fill->engine->options->depth * bench_fill_user_channels(fill, user);
    if (fill->user_sent[user] >= wanted) {
        return;
    }
    const uint32_t channel = channel_of(fill, user, fill->user_sent[user]++);
    bench_fill_peer_name(fill, channel, peer);
    write_message(fill, client, channel, peer);
}

static void on_sendack(struct bench_engine *engine, struct bench_client *client,
                       const struct packet_sendack *sendack)
{
    struct bench_fill *fill = engine->scenario;
    const bool is_writer = client->index >= fill->users_count;
    const uint32_t channel = is_writer ? (client->index - fill->users_count) * fill->users_count
                                       : channel_of(fill, client->index, sendack->client_seq - 1);
    fill->open_count -= fill->open_count > 0 ? 1 : 0;
    if (sendack->reason != PACKET_REASON_SUCCESS || sendack->client_seq == 0) {
        fill->refused_count++;
    } else {
        fill->acked_count++;
        if (sendack->message_seq > fill->seqs[channel]) {
            fill->seqs[channel] = sendack->message_seq;
        }
    }
    if (!is_writer) {
        write_next(fill, client);
    }
}

static void on_end(struct bench_engine *engine, struct bench_client *client, enum bench_end end)
{
    struct bench_fill *fill = engine->scenario;
    if (fill->failure == ERR_OK) {
        fprintf(stderr, "jingu bench: the connection of %s: %s\n", client->uid,
                bench_end_name(end));
    }
    fill->failure = ERR_CLOSED;
}

/* The writers have nothing to say while the users write. */
static void ping_all(struct bench_fill *fill, uint64_t now_ns)
{
    struct bench_engine *engine = fill->engine;
    fill->pinged_ns = now_ns;
    for (uint32_t i = 0; i < engine->clients_count; i++) {
        struct bench_client *client = &engine->clients[i];
        if (client->state == BENCH_CLIENT_ONLINE && bench_client_ping(engine, client) != ERR_OK) {
            fill->failure = ERR_BUDGET;
        }
    }
    bench_engine_flush(engine);
}

static void on_tick(struct bench_engine *engine)
{
    struct bench_fill *fill = engine->scenario;
    const uint64_t now_ns = clock_now_ns();
    if (now_ns - fill->pinged_ns >= PING_NS) {
        ping_all(fill, now_ns);
    }
    (void)bench_watch_sample(fill->watch);
    if (bench_watch_wants_progress(fill->watch)) {
        bench_watch_progress(fill->watch, "written %llu of %llu",
                             (unsigned long long)fill->acked_count,
                             (unsigned long long)fill->channels_count * engine->options->depth);
    }
}

const struct bench_handler bench_fill_handler = {
    .on_sendack = on_sendack,
    .on_end = on_end,
    .on_tick = on_tick,
};

/* Until nothing is open. ERR_AGAIN: the server does not go on. */
static enum err settle(struct bench_fill *fill)
{
    uint64_t acked_count = fill->acked_count;
    uint64_t moved_ns = clock_now_ns();
    while (fill->open_count > 0 && fill->failure == ERR_OK) {
        const uint64_t now_ns = clock_now_ns();
        if (fill->acked_count != acked_count) {
            acked_count = fill->acked_count;
            moved_ns = now_ns;
        }
        if (now_ns - moved_ns > STALL_NS_MAX) {
            return ERR_AGAIN;
        }
        bench_engine_turn(fill->engine, now_ns + BENCH_TICK_MS * NS_PER_MS);
    }
    return fill->failure;
}

enum err bench_fill_run(struct bench_fill *fill)
{
    const uint64_t begun_ns = clock_now_ns();
    for (uint32_t user = 0; user < fill->users_count; user++) {
        for (uint32_t i = 0; i < BENCH_FILL_WINDOW; i++) {
            write_next(fill, &fill->engine->clients[user]);
        }
    }
    bench_engine_flush(fill->engine);
    const enum err err = settle(fill);
    bench_watch_progress_end(fill->watch);
    fill->took_ns = clock_now_ns() - begun_ns;
    return err;
}

enum err bench_fill_change(struct bench_fill *fill)
{
    for (uint32_t i = 0; i < fill->writers_count; i++) {
        struct bench_client *writer = &fill->engine->clients[fill->users_count + i];
        write_message(fill, writer, i * fill->users_count, fill->engine->clients[0].uid);
    }
    bench_engine_flush(fill->engine);
    return settle(fill);
}
