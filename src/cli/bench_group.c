#include "cli/bench_group.h"

#include "cli/bench_http.h"
#include "cli/bench_scenario.h"
#include "cli/bench_traffic.h"
#include "wire/json_text.h"

#include <stdio.h>

#define SUBSCRIBERS_PER_REQUEST 500u

uint32_t bench_group_online_count(const struct bench_options *options)
{
    return (uint32_t)((uint64_t)options->members_count * options->online_percent / 100);
}

uint32_t bench_group_clients_count(const struct bench_options *options)
{
    return options->groups_count * bench_group_online_count(options);
}

void bench_group_join(const struct bench_run *run, struct bench_traffic *traffic,
                      uint32_t first_client)
{
    const uint32_t online = bench_group_online_count(&run->options);
    for (uint32_t group = 0; group < run->options.groups_count; group++) {
        const uint32_t channel = bench_traffic_add_channel(traffic, PACKET_CHANNEL_GROUP);
        for (uint32_t i = 0; i < online; i++) {
            bench_traffic_join(traffic, channel, first_client + group * online + i);
        }
    }
}

void bench_group_add_sender(const struct bench_run *run, struct bench_traffic *traffic,
                            const struct bench_group_place *first, struct bench_group_place place)
{
    const uint32_t online = bench_group_online_count(&run->options);
    const uint32_t channel = first->group + place.group;
    bench_traffic_add_sender(traffic, channel, first->client + place.group * online + place.client,
                             traffic->channels[channel].id);
}

/* The clients of a group stand together; its first ones send. */
static void set_up(struct bench_run *run, struct bench_traffic *traffic)
{
    const struct bench_group_place first = {.group = 0};
    bench_group_join(run, traffic, 0);
    /* In turn, so that evenly spaced messages are evenly spaced over the groups, too. */
    for (uint32_t i = 0; i < run->options.senders_count; i++) {
        for (uint32_t group = 0; group < run->options.groups_count; group++) {
            const struct bench_group_place place = {.group = group, .client = i};
            bench_group_add_sender(run, traffic, &first, place);
        }
    }
}

/* ---- Making the groups. ---- */

/* Members that are not online have names like the others, and no connection; `place` has the
 * group's first client. */
static void write_member(const struct bench_run *run, struct json_text *json,
                         struct bench_group_place place, uint32_t index)
{
    const uint32_t online = bench_group_online_count(&run->options);
    char uid[BENCH_UID_CHARS_MAX];
    if (index < online) {
        json_text_string(json, bytes_of_string(run->engine.clients[place.client + index].uid));
        return;
    }
    snprintf(uid, sizeof(uid), "bench-%08x-%u-%u", run->engine.run, place.group, index);
    json_text_string(json, bytes_of_string(uid));
}

static struct bytes write_request(const struct bench_run *run, struct writer *writer,
                                  const struct bench_channel *channel,
                                  struct bench_group_place place, uint32_t first)
{
    struct json_text json = json_text_of(writer);
    json_text_object_begin(&json);
    json_text_key(&json, "channel_id");
    json_text_string(&json, bytes_of_string(channel->id));
    json_text_key(&json, "channel_type");
    json_text_unsigned(&json, PACKET_CHANNEL_GROUP);
    json_text_key(&json, "subscribers");
    json_text_array_begin(&json);
    const uint32_t members_count = run->options.members_count;
    for (uint32_t i = first; i < members_count && i < first + SUBSCRIBERS_PER_REQUEST; i++) {
        write_member(run, &json, place, i);
    }
    json_text_array_end(&json);
    json_text_object_end(&json);
    return writer_bytes(writer);
}

static enum err make_group(const struct bench_run *run, struct bench_http *http,
                           const struct bench_channel *channel, struct bench_group_place place)
{
    /* 500 uids of at most 42 characters, quoted. */
    uint8_t area[BENCH_HTTP_BYTES_MAX];
    for (uint32_t first = 0; first < run->options.members_count; first += SUBSCRIBERS_PER_REQUEST) {
        struct writer writer = writer_of(area, sizeof(area));
        const struct bytes body = write_request(run, &writer, channel, place, first);
        const char *path = first == 0 ? "/channel" : "/channel/subscriber_add";
        uint32_t status = 0;
        const enum err err = bench_http_post(http, path, body, &status);
        if (err != ERR_OK || status != 200) {
            fprintf(stderr, "jingu bench: POST %s at %s: %s %u\n", path, run->options.http,
                    err != ERR_OK ? err_name(err) : "status", status);
            return ERR_CLOSED;
        }
    }
    return ERR_OK;
}

enum err bench_group_make(struct bench_run *run, const struct bench_traffic *traffic,
                          struct bench_group_place first)
{
    const uint32_t online = bench_group_online_count(&run->options);
    struct bench_http http;
    enum err err = bench_http_open(&http, &run->options.http_address, run->options.api_token,
                                   &run->engine.budget);
    for (uint32_t group = 0; group < run->options.groups_count && err == ERR_OK; group++) {
        const struct bench_group_place place = {.group = group,
                                                .client = first.client + group * online};
        err = make_group(run, &http, &traffic->channels[first.group + group], place);
    }
    bench_http_close(&http);
    return err;
}

enum err bench_group_run(struct bench_run *run)
{
    const struct bench_traffic_size size = {
        .channels_count = run->options.groups_count,
        .inboxes_count = run->engine.clients_count,
        .senders_count = run->options.groups_count * run->options.senders_count,
    };
    struct bench_traffic traffic;
    enum err err = bench_traffic_open(&traffic, &run->engine, &run->watch, &size);
    if (err != ERR_OK) {
        return err;
    }
    set_up(run, &traffic);
    run->engine.scenario = &traffic;
    run->engine.handler = &bench_traffic_handler;
    err = bench_group_make(run, &traffic, (struct bench_group_place){.group = 0});
    if (err == ERR_OK) {
        err = bench_run_login(run, 0, run->engine.clients_count);
    }
    if (err == ERR_OK) {
        err = bench_traffic_run(&traffic);
    }
    if (err == ERR_OK) {
        bench_traffic_report(&traffic, &run->report);
    }
    bench_traffic_close(&traffic);
    return err;
}
