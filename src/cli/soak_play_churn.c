#include "cli/soak_crowd.h"
#include "cli/soak_scenarios.h"
#include "system/clock.h"

#include <stdio.h>

#define PASSERS_COUNT 64u  /* connections of users that come once */
#define STORM_COUNT   200u /* users that break off and return together */
#define RIVALS_COUNT  20u  /* connections of users that two devices fight for */
#define STORM_MS      2000u
#define NS_PER_MS     1000000ULL

struct churn {
    uint64_t born_count;
    uint64_t storm_ns;
};

static void break_off(struct soak_crowd *crowd, struct bench_client *client)
{
    bench_client_close(&crowd->engine, client);
    crowd->persons[client->index].back_ns = 0;
    crowd->persons[client->index].sent_count = 0;
}

/* A passer has its answer: it breaks off, and somebody who was never seen takes its place. */
static void on_sendack(struct soak_crowd *crowd, struct bench_client *client)
{
    struct churn *churn = crowd->scenario;
    if (client->index < PASSERS_COUNT) {
        break_off(crowd, client);
        snprintf(client->uid, sizeof(client->uid), "passer-%08x-%llu", crowd->engine.run,
                 (unsigned long long)churn->born_count++);
    }
}

/* Passers write to the one next to them, who may have gone. */
static void let_pass(struct soak_crowd *crowd)
{
    struct bench_client *clients = crowd->engine.clients;
    for (uint32_t i = 0; i < PASSERS_COUNT; i++) {
        const struct soak_target target = {PACKET_CHANNEL_PERSON,
                                           clients[(i + 1) % PASSERS_COUNT].uid};
        if (clients[i].state == BENCH_CLIENT_ONLINE && crowd->persons[i].open_count == 0) {
            (void)soak_crowd_send(crowd, i, &target);
        }
    }
}

static void storm(struct soak_crowd *crowd, struct churn *churn)
{
    const uint64_t now_ns = clock_now_ns();
    if (now_ns < churn->storm_ns) {
        return;
    }
    churn->storm_ns = now_ns + STORM_MS * NS_PER_MS;
    for (uint32_t i = PASSERS_COUNT; i < PASSERS_COUNT + STORM_COUNT; i++) {
        break_off(crowd, &crowd->engine.clients[i]);
    }
}

enum err soak_play_churn(struct soak_attack *attack)
{
    static struct soak_crowd crowd;
    struct churn churn = {.storm_ns = clock_now_ns() + STORM_MS * NS_PER_MS};
    const uint32_t rivals_first = PASSERS_COUNT + STORM_COUNT;
    const enum err err =
        soak_crowd_open(&crowd, attack, rivals_first + RIVALS_COUNT, SOAK_PAYLOAD_BYTES / 4);
    if (err != ERR_OK) {
        return err;
    }
    crowd.on_sendack = on_sendack;
    crowd.scenario = &churn;
    for (uint32_t i = 0; i < RIVALS_COUNT; i++) {
        struct bench_client *client = &crowd.engine.clients[rivals_first + i];
        snprintf(client->uid, sizeof(client->uid), "rival-%08x-%u", crowd.engine.run, i / 2);
    }
    while (!soak_attack_is_over(attack)) {
        let_pass(&crowd);
        storm(&crowd, &churn);
        soak_crowd_turn(&crowd, 5);
    }
    return ERR_OK;
}
