#include "cli/soak_crowd.h"

#include "base/assert.h"
#include "system/clock.h"

#define NS_PER_MS      1000000ULL
#define CONNECTING_MAX 64u
#define LOGIN_MS_MAX   5000u
#define PROTOCOL       5u

static struct soak_person *person_of(struct bench_engine *engine, const struct bench_client *client)
{
    struct soak_crowd *crowd = engine->scenario;
    return &crowd->persons[client->index];
}

static void on_online(struct bench_engine *engine, struct bench_client *client)
{
    const struct soak_crowd *crowd = engine->scenario;
    person_of(engine, client)->open_count = 0;
    soak_count(crowd->attack, SOAK_COUNT_LOGINS, 1);
}

static void on_sendack(struct bench_engine *engine, struct bench_client *client,
                       const struct packet_sendack *sendack)
{
    struct soak_crowd *crowd = engine->scenario;
    struct soak_person *person = person_of(engine, client);
    const bool is_good = sendack->reason == PACKET_REASON_SUCCESS;
    soak_count(crowd->attack, is_good ? SOAK_COUNT_ACKED : SOAK_COUNT_REFUSED, 1);
    person->open_count -= person->open_count > 0 ? 1 : 0;
    if (crowd->on_sendack != NULL) {
        crowd->on_sendack(crowd, client);
    }
}

static void on_recv(struct bench_engine *engine, struct bench_client *client,
                    const struct packet_recv *recv)
{
    (void)client;
    (void)recv;
    const struct soak_crowd *crowd = engine->scenario;
    soak_count(crowd->attack, SOAK_COUNT_RECEIVED, 1);
}

static void on_end(struct bench_engine *engine, struct bench_client *client, enum bench_end end)
{
    (void)end;
    const struct soak_crowd *crowd = engine->scenario;
    soak_count(crowd->attack, SOAK_COUNT_ENDED, 1);
    person_of(engine, client)->back_ns = clock_now_ns() + SOAK_RETURN_MS * NS_PER_MS;
}

static const struct bench_handler handler = {
    .on_online = on_online,
    .on_sendack = on_sendack,
    .on_recv = on_recv,
    .on_end = on_end,
};

enum err soak_crowd_open(struct soak_crowd *crowd, struct soak_attack *attack, uint32_t count,
                         uint32_t payload_bytes)
{
    *crowd = (struct soak_crowd){
        .attack = attack,
        .options = {.tcp_address = attack->options->tcp_address,
                    .protocol = PROTOCOL,
                    .payload_bytes = payload_bytes,
                    .run = attack->run + attack->hand},
    };
    const enum err err = bench_engine_open(&crowd->engine, &crowd->options, count);
    if (err != ERR_OK) {
        return err;
    }
    crowd->persons = memory_acquire_zeroed(&crowd->engine.budget, MEMORY_RANK_READ,
                                           count * sizeof(struct soak_person));
    if (crowd->persons == NULL) {
        bench_engine_close(&crowd->engine);
        return ERR_BUDGET;
    }
    crowd->engine.scenario = crowd;
    crowd->engine.handler = &handler;
    return ERR_OK;
}

/* Opens those that are gone and whose time has come; gives up logins that nobody answers. */
static void bring_back(struct soak_crowd *crowd, uint64_t now_ns)
{
    struct bench_engine *engine = &crowd->engine;
    if (now_ns < crowd->return_ns) {
        return;
    }
    crowd->return_ns = now_ns + 10 * NS_PER_MS;
    for (uint32_t i = 0; i < engine->clients_count; i++) {
        struct bench_client *client = &engine->clients[i];
        struct soak_person *person = &crowd->persons[i];
        if (client->state == BENCH_CLIENT_FREE) {
            if (!person->is_absent && now_ns >= person->back_ns &&
                engine->connecting_count < CONNECTING_MAX) {
                soak_count(crowd->attack, SOAK_COUNT_CONNECTIONS, 1);
                person->back_ns = now_ns + SOAK_RETURN_MS * NS_PER_MS;
                ERR_IGNORE(bench_client_open(engine, client), "it is tried again");
            }
        } else if (client->state != BENCH_CLIENT_ONLINE &&
                   now_ns - client->began_ns > LOGIN_MS_MAX * NS_PER_MS) {
            bench_client_close(engine, client);
        }
    }
}

static void ping_all(struct soak_crowd *crowd, uint64_t now_ns)
{
    struct bench_engine *engine = &crowd->engine;
    if (now_ns < crowd->ping_ns) {
        return;
    }
    crowd->ping_ns = now_ns + SOAK_PING_MS * NS_PER_MS;
    for (uint32_t i = 0; i < engine->clients_count; i++) {
        if (bench_client_can_send(&engine->clients[i])) {
            ERR_IGNORE(bench_client_ping(engine, &engine->clients[i]), "there will be others");
        }
    }
}

void soak_crowd_turn(struct soak_crowd *crowd, uint32_t ms)
{
    const uint64_t now_ns = clock_now_ns();
    bring_back(crowd, now_ns);
    ping_all(crowd, now_ns);
    bench_engine_flush(&crowd->engine);
    bench_engine_turn(&crowd->engine, now_ns + ms * NS_PER_MS);
}

static uint32_t wanted_count(const struct soak_crowd *crowd)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < crowd->engine.clients_count; i++) {
        count += crowd->persons[i].is_absent ? 0 : 1;
    }
    return count;
}

void soak_crowd_gather(struct soak_crowd *crowd, uint32_t ms)
{
    const uint64_t end_ns = clock_now_ns() + ms * NS_PER_MS;
    while (crowd->engine.online_count < wanted_count(crowd) && clock_now_ns() < end_ns &&
           !soak_attack_is_over(crowd->attack)) {
        soak_crowd_turn(crowd, 5);
    }
}

bool soak_crowd_send(struct soak_crowd *crowd, uint32_t index, const struct soak_target *target)
{
    struct bench_engine *engine = &crowd->engine;
    struct bench_client *client = &engine->clients[index];
    struct soak_person *person = &crowd->persons[index];
    if (!bench_client_can_send(client)) {
        return false;
    }
    uint8_t message_no[BENCH_NO_CHARS];
    uint8_t tail[BENCH_TAIL_BYTES];
    const struct bench_message_id id = {.channel = index, .index = person->sent_count};
    bench_message_no_write(engine->run, id, message_no);
    bench_payload_tail(index, id.index, clock_now_ns(), tail);
    const struct bench_send send = {
        .channel_type = target->channel_type,
        .channel_id = bytes_of_string(target->channel_id),
        .client_msg_no = {.data = message_no, .size = sizeof(message_no)},
        .tail = {.data = tail, .size = sizeof(tail)},
    };
    if (bench_client_send(engine, client, &send) != ERR_OK) {
        return false;
    }
    person->sent_count++;
    person->open_count++;
    soak_count(crowd->attack, SOAK_COUNT_SENT, 1);
    return true;
}

void soak_crowd_keep_busy(struct soak_crowd *crowd, uint32_t index,
                          const struct soak_target *target, uint32_t window)
{
    while (crowd->persons[index].open_count < window && soak_crowd_send(crowd, index, target)) {
    }
}
