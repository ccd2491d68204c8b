#include "cli/soak_api.h"
#include "cli/soak_crowd.h"
#include "cli/soak_scenarios.h"
#include "system/clock.h"
#include "wire/json_text.h"

#include <stdio.h>

#define NS_PER_MS 1000000ULL
#define GATHER_MS 3000u

/* ---- Senders that do not wait. ---- */

#define PUSHERS_COUNT 10u
#define PUSH_MAX      64u /* of one sender, then the sockets are looked at */

enum err soak_play_push(struct soak_attack *attack)
{
    static struct soak_crowd crowd;
    const enum err err = soak_crowd_open(&crowd, attack, 2 * PUSHERS_COUNT, SOAK_PAYLOAD_BYTES / 4);
    if (err != ERR_OK) {
        return err;
    }
    soak_crowd_gather(&crowd, GATHER_MS);
    while (!soak_attack_is_over(attack)) {
        for (uint32_t i = 0; i < PUSHERS_COUNT; i++) {
            const struct soak_target target = {PACKET_CHANNEL_PERSON,
                                               crowd.engine.clients[PUSHERS_COUNT + i].uid};
            for (uint32_t k = 0; k < PUSH_MAX && soak_crowd_send(&crowd, i, &target); k++) {
            }
        }
        soak_crowd_turn(&crowd, 1);
    }
    return ERR_OK;
}

/* ---- Channels touched once, long lists of conversations. ---- */

#define CHANNELS_HANDS      4u
#define CONVERSATIONS_COUNT 5000u
#define ONCE_SENDERS_COUNT  8u
#define ONCE_WINDOW         16u

/* Writes to somebody else each time. */
static enum err touch_channels(struct soak_attack *attack, uint32_t senders_count,
                               uint64_t channels_max)
{
    static struct soak_crowd crowd;
    const enum err err = soak_crowd_open(&crowd, attack, senders_count, SOAK_PAYLOAD_BYTES / 4);
    if (err != ERR_OK) {
        return err;
    }
    uint64_t channel = 0;
    while (!soak_attack_is_over(attack)) {
        for (uint32_t i = 0; i < senders_count; i++) {
            while (channel < channels_max && crowd.persons[i].open_count < ONCE_WINDOW) {
                char uid[40];
                snprintf(uid, sizeof(uid), "once-%08x-%llu", crowd.engine.run,
                         (unsigned long long)channel);
                const struct soak_target target = {PACKET_CHANNEL_PERSON, uid};
                if (!soak_crowd_send(&crowd, i, &target)) {
                    break;
                }
                channel++;
            }
        }
        soak_crowd_turn(&crowd, 5);
    }
    return ERR_OK;
}

/* Asks for the conversations of the first user of hand 1, again and again. */
static enum err sync_conversations(struct soak_attack *attack)
{
    static struct soak_api api;
    const enum err err = soak_api_open(&api, attack);
    while (err == ERR_OK && !soak_attack_is_over(attack)) {
        char body[128];
        snprintf(body, sizeof(body), "{\"uid\":\"bench-%08x-000000\",\"msg_count\":1}",
                 attack->run + 1);
        struct writer writer = writer_of(api.area, sizeof(api.area));
        writer_bytes_add(&writer, bytes_of_string(body));
        soak_api_post(&api, "/conversation/sync", &writer);
    }
    return err;
}

enum err soak_play_channels(struct soak_attack *attack)
{
    soak_attack_fork(attack, CHANNELS_HANDS);
    switch (attack->hand) {
    case 0:
        return touch_channels(attack, ONCE_SENDERS_COUNT, UINT64_MAX);
    case 1:
        return touch_channels(attack, 1, CONVERSATIONS_COUNT);
    default:
        return sync_conversations(attack);
    }
}

/* ---- Lists of uids. ---- */

#define LISTS_HANDS  4u
#define LIST_UIDS    100u
#define LISTED_COUNT 10000u /* users to choose from; none is there */

static void write_list(struct soak_attack *attack, struct writer *writer)
{
    struct json_text json = json_text_of(writer);
    json_text_object_begin(&json);
    json_text_key(&json, "header");
    json_text_raw(&json, BYTES_OF("{\"no_persist\":1,\"sync_once\":1}"));
    json_text_key(&json, "from_uid");
    json_text_string(&json, BYTES_OF("lister"));
    json_text_key(&json, "payload");
    json_text_string(&json, BYTES_OF("aGVsbG8gdG8gYSBsaXN0"));
    json_text_key(&json, "subscribers");
    json_text_array_begin(&json);
    for (uint32_t i = 0; i < LIST_UIDS; i++) {
        char uid[40];
        snprintf(uid, sizeof(uid), "listed-%llu",
                 (unsigned long long)prng_below(&attack->prng, LISTED_COUNT));
        json_text_string(&json, bytes_of_string(uid));
    }
    json_text_array_end(&json);
    json_text_object_end(&json);
}

enum err soak_play_lists(struct soak_attack *attack)
{
    static struct soak_api api;
    soak_attack_fork(attack, LISTS_HANDS);
    const enum err err = soak_api_open(&api, attack);
    while (err == ERR_OK && !soak_attack_is_over(attack)) {
        struct writer writer = writer_of(api.area, sizeof(api.area));
        write_list(attack, &writer);
        soak_api_post(&api, "/message/send", &writer);
    }
    return err;
}

/* ---- Large groups. ---- */

#define GROUPS_COUNT      2u
#define PRESENT_COUNT     200u /* members of each group that are online */
#define SLOW_COUNT        50u  /* of them read SLOW_BYTES every SLOW_MS */
#define DEAF_COUNT        10u  /* of them do not read at all */
#define SLOW_BYTES        4096u
#define SLOW_MS           50u
#define GROUP_RATE        100u /* messages a second */
#define BURST_COUNT       600u /* messages at once */
#define BURST_MS          4000u
#define MEMBERS_PER_ORDER 500u

static const uint32_t group_members_counts[GROUPS_COUNT] = {5000, 20000};

static void write_member(struct json_text *json, const struct soak_crowd *crowd, uint32_t index)
{
    char uid[BENCH_UID_CHARS_MAX];
    snprintf(uid, sizeof(uid), "absent-%u", index);
    json_text_string(
        json, bytes_of_string(index < PRESENT_COUNT ? crowd->engine.clients[index].uid : uid));
}

static void group_name(const struct soak_crowd *crowd, uint32_t group, char out_name[32])
{
    snprintf(out_name, 32, "crowd-%08x-%u", crowd->engine.run, group);
}

static void make_group(struct soak_api *api, const struct soak_crowd *crowd, uint32_t group)
{
    char name[32];
    group_name(crowd, group, name);
    const uint32_t members_count = group_members_counts[group];
    for (uint32_t first = 0; first < members_count; first += MEMBERS_PER_ORDER) {
        struct writer writer = writer_of(api->area, sizeof(api->area));
        struct json_text json = json_text_of(&writer);
        json_text_object_begin(&json);
        json_text_key(&json, "channel_id");
        json_text_string(&json, bytes_of_string(name));
        json_text_key(&json, "channel_type");
        json_text_unsigned(&json, PACKET_CHANNEL_GROUP);
        json_text_key(&json, "subscribers");
        json_text_array_begin(&json);
        for (uint32_t i = first; i < first + MEMBERS_PER_ORDER; i++) {
            write_member(&json, crowd, i);
        }
        json_text_array_end(&json);
        json_text_object_end(&json);
        soak_api_post(api, first == 0 ? "/channel" : "/channel/subscriber_add", &writer);
    }
}

static void read_slowly(struct soak_crowd *crowd, uint64_t *slow_ns)
{
    const uint64_t now_ns = clock_now_ns();
    if (now_ns < *slow_ns) {
        return;
    }
    *slow_ns = now_ns + SLOW_MS * NS_PER_MS;
    for (uint32_t i = 0; i < SLOW_COUNT; i++) {
        if (crowd->engine.clients[i].state == BENCH_CLIENT_ONLINE) {
            bench_client_read(&crowd->engine, &crowd->engine.clients[i], SLOW_BYTES);
        }
    }
}

/* Sends `count` messages, in turn to each group, from those who read well. */
static void talk(struct soak_crowd *crowd, uint64_t *sent_count, uint64_t count)
{
    char name[32];
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t number = (*sent_count)++;
        group_name(crowd, (uint32_t)(number % GROUPS_COUNT), name);
        const struct soak_target target = {PACKET_CHANNEL_GROUP, name};
        (void)soak_crowd_send(crowd, PRESENT_COUNT - 1 - (uint32_t)(number % 16), &target);
    }
}

enum err soak_play_groups(struct soak_attack *attack)
{
    static struct soak_crowd crowd;
    static struct soak_api api;
    enum err err = soak_crowd_open(&crowd, attack, PRESENT_COUNT, SOAK_PAYLOAD_BYTES);
    if (err == ERR_OK) {
        err = soak_api_open(&api, attack);
    }
    if (err != ERR_OK) {
        return err;
    }
    for (uint32_t i = 0; i < SLOW_COUNT + DEAF_COUNT; i++) {
        crowd.engine.clients[i].vice = i < SLOW_COUNT ? BENCH_VICE_SLOW : BENCH_VICE_DEAF;
    }
    for (uint32_t group = 0; group < GROUPS_COUNT; group++) {
        make_group(&api, &crowd, group);
    }
    soak_crowd_gather(&crowd, GATHER_MS);
    const uint64_t began_ns = clock_now_ns();
    uint64_t slow_ns = 0;
    uint64_t sent_count = 0;
    uint64_t bursts_count = 0;
    while (!soak_attack_is_over(attack)) {
        const uint64_t ms = (clock_now_ns() - began_ns) / NS_PER_MS;
        if (ms / BURST_MS > bursts_count) {
            bursts_count++;
            talk(&crowd, &sent_count, BURST_COUNT);
        }
        const uint64_t due_count = ms * GROUP_RATE / 1000 + bursts_count * BURST_COUNT;
        talk(&crowd, &sent_count, due_count > sent_count ? due_count - sent_count : 0);
        read_slowly(&crowd, &slow_ns);
        soak_crowd_turn(&crowd, 5);
    }
    return ERR_OK;
}
