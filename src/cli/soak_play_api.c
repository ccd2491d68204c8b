#include "base/assert.h"
#include "cli/soak_api.h"
#include "cli/soak_scenarios.h"
#include "cli/soak_swarm.h"
#include "wire/json_text.h"

#include <stdio.h>

#define BODY_BYTES 512u
#define HEAD_CHARS 512u

/* ---- Streams that nobody finishes. ---- */

#define STREAMS_HANDS     4u
#define DELTAS_PER_STREAM 8u
#define DELTA_BYTES       2000u

static void write_delta(struct soak_attack *attack, uint64_t number, struct writer *writer)
{
    char text[DELTA_BYTES + 1];
    char name[64];
    const uint64_t stream = number / DELTAS_PER_STREAM;
    memset(text, 'd', DELTA_BYTES);
    text[DELTA_BYTES] = '\0';
    struct json_text json = json_text_of(writer);
    json_text_object_begin(&json);
    json_text_key(&json, "channel_id");
    snprintf(name, sizeof(name), "listener-%08x-%llu", attack->run,
             (unsigned long long)(stream % 100));
    json_text_string(&json, bytes_of_string(name));
    json_text_key(&json, "channel_type");
    json_text_unsigned(&json, 1);
    json_text_key(&json, "from_uid");
    json_text_string(&json, BYTES_OF("teller"));
    json_text_key(&json, "client_msg_no");
    snprintf(name, sizeof(name), "stream-%08x-%u-%llu", attack->run, attack->hand,
             (unsigned long long)stream);
    json_text_string(&json, bytes_of_string(name));
    json_text_key(&json, "event_id");
    snprintf(name, sizeof(name), "e%llu", (unsigned long long)(number % DELTAS_PER_STREAM));
    json_text_string(&json, bytes_of_string(name));
    json_text_key(&json, "event_type");
    json_text_string(&json, BYTES_OF("stream.delta"));
    json_text_key(&json, "payload");
    json_text_object_begin(&json);
    json_text_key(&json, "kind");
    json_text_string(&json, BYTES_OF("text"));
    json_text_key(&json, "delta");
    json_text_string(&json, bytes_of_string(text));
    json_text_object_end(&json);
    json_text_object_end(&json);
}

enum err soak_play_streams(struct soak_attack *attack)
{
    static struct soak_api api;
    soak_attack_fork(attack, STREAMS_HANDS);
    const enum err err = soak_api_open(&api, attack);
    for (uint64_t number = 0; err == ERR_OK && !soak_attack_is_over(attack); number++) {
        struct writer writer = writer_of(api.area, sizeof(api.area));
        write_delta(attack, number, &writer);
        soak_api_post(&api, "/message/event", &writer);
    }
    return err;
}

/* ---- Every kind of request in turn. ---- */

#define API_SOCKETS_COUNT 16u
#define API_STEP_MS       5u
#define API_NAMES_COUNT   200u

/* All that the API has (its test looks), but for what takes seconds or writes a copy of the store:
 * profiles and /backup. '@' and '#' in a body are two numbers of users or channels. No body: a GET.
 */
struct request_kind {
    const char *path;
    const char *body;
};

/* clang-format off */
static const struct request_kind kinds[] = {
    {"/health", NULL},
    {"/route", NULL},
    {"/route/batch", "[\"api-@\",\"api-#\"]"},
    {"/metrics", NULL},
    {"/varz", NULL},
    {"/varz/setting", NULL},
    {"/connz?limit=20", NULL},
    {"/ledger", NULL},
    {"/ledger/top", NULL},
    {"/ledger/history", NULL},
    {"/debug/pprof/threads", NULL},
    {"/docs/openapi.json", NULL},
    {"/user/token", "{\"uid\":\"api-@\",\"token\":\"t#\",\"device_flag\":1,\"device_level\":0}"},
    {"/user/device_quit", "{\"uid\":\"api-@\",\"device_flag\":-1}"},
    {"/user/onlinestatus", "[\"api-@\",\"api-#\"]"},
    {"/user/systemuids_add", "{\"uids\":[\"system-@\"]}"},
    {"/user/systemuids_remove", "{\"uids\":[\"system-@\"]}"},
    {"/user/systemuids", NULL},
    {"/channel", "{\"channel_id\":\"apig-@\",\"channel_type\":2,\"subscribers\":[\"api-@\",\"api-#\"]}"},
    {"/channel/info", "{\"channel_id\":\"apig-@\",\"channel_type\":2,\"ban\":0}"},
    {"/channel/subscriber_add", "{\"channel_id\":\"apig-@\",\"channel_type\":2,\"subscribers\":[\"api-#\"]}"},
    {"/channel/subscriber_remove", "{\"channel_id\":\"apig-@\",\"channel_type\":2,\"subscribers\":[\"api-#\"]}"},
    {"/channel/blacklist_add", "{\"channel_id\":\"apig-@\",\"channel_type\":2,\"uids\":[\"api-#\"]}"},
    {"/channel/blacklist_set", "{\"channel_id\":\"apig-@\",\"channel_type\":2,\"uids\":[]}"},
    {"/channel/whitelist_add", "{\"channel_id\":\"apig-@\",\"channel_type\":2,\"uids\":[\"api-#\"]}"},
    {"/channel/whitelist_remove_all", "{\"channel_id\":\"apig-@\",\"channel_type\":2}"},
    {"/channel/whitelist?channel_id=apig-1&channel_type=2", NULL},
    {"/channel/delete", "{\"channel_id\":\"apig-@\",\"channel_type\":2}"},
    {"/tmpchannel/subscriber_set", "{\"channel_id\":\"apit-@\",\"uids\":[\"api-@\",\"api-#\"]}"},
    {"/message/send", "{\"from_uid\":\"api-@\",\"channel_id\":\"api-#\",\"channel_type\":1,\"payload\":\"aGVsbG8=\"}"},
    {"/message/send", "{\"header\":{\"sync_once\":1},\"from_uid\":\"api-@\",\"channel_id\":\"apig-#\",\"channel_type\":2,\"payload\":\"aGVsbG8=\"}"},
    {"/message/sendbatch", "{\"from_uid\":\"api-@\",\"subscribers\":[\"api-@\",\"api-#\"],\"payload\":\"aGVsbG8=\"}"},
    {"/message/event", "{\"channel_id\":\"api-#\",\"channel_type\":1,\"from_uid\":\"api-@\",\"client_msg_no\":\"api-@\",\"event_id\":\"e#\",\"event_type\":\"stream.delta\",\"payload\":{\"kind\":\"text\",\"delta\":\"x\"}}"},
    {"/streammessage/start", "{\"from_uid\":\"api-@\",\"channel_id\":\"api-#\",\"channel_type\":1,\"client_msg_no\":\"old-@\",\"payload\":\"aGVsbG8=\"}"},
    {"/message/send", "{\"from_uid\":\"api-@\",\"channel_id\":\"api-#\",\"channel_type\":1,\"stream_no\":\"old-@\",\"payload\":\"aGVsbG8=\"}"},
    {"/streammessage/end", "{\"stream_no\":\"old-@\",\"channel_id\":\"api-#\",\"channel_type\":1}"},
    {"/message/eventsync", "{\"channel_id\":\"api-#\",\"channel_type\":1,\"from_uid\":\"api-@\",\"client_msg_no\":\"api-@\"}"},
    {"/messages", "{\"login_uid\":\"api-@\",\"channel_id\":\"api-#\",\"channel_type\":1,\"message_seqs\":[1,2,3]}"},
    {"/message", "{\"login_uid\":\"api-@\",\"channel_id\":\"api-#\",\"channel_type\":1,\"client_msg_no\":\"none\"}"},
    {"/message/byclientmsgno?channel_id=apig-1&channel_type=2&client_msg_no=none", NULL},
    {"/channel/messagesync", "{\"login_uid\":\"api-@\",\"channel_id\":\"api-#\",\"channel_type\":1,\"limit\":100}"},
    {"/channel/max_message_seq?channel_id=apig-1&channel_type=2", NULL},
    {"/channel/last_message?channel_id=apig-1&channel_type=2&login_uid=api-1", NULL},
    {"/message/sync", "{\"uid\":\"api-@\",\"message_seq\":0,\"limit\":100}"},
    {"/message/syncack", "{\"uid\":\"api-@\",\"last_message_seq\":1}"},
    {"/conversations/clearUnread", "{\"uid\":\"api-@\",\"channel_id\":\"api-#\",\"channel_type\":1}"},
    {"/conversations/setUnread", "{\"uid\":\"api-@\",\"channel_id\":\"api-#\",\"channel_type\":1,\"unread\":1}"},
    {"/conversations/delete", "{\"uid\":\"api-@\",\"channel_id\":\"api-#\",\"channel_type\":1}"},
    {"/conversation/sync", "{\"uid\":\"api-@\",\"version\":0,\"last_msg_seqs\":\"\",\"msg_count\":10}"},
    {"/conversations?uid=api-1", NULL},
    {"/conversation/channels", "{\"uid\":\"api-@\"}"},
    {"/conversation/syncByChannels", "{\"uid\":\"api-@\",\"channels\":[{\"channel_id\":\"api-#\",\"channel_type\":1}],\"msg_count\":1}"},
    {"/cluster/nodes", NULL},
    {"/cluster/slots?ids=1,2,3", NULL},
    {"/cluster/messages?limit=20", NULL},
    {"/cluster/channels?limit=20", NULL},
    {"/cluster/users?limit=20", NULL},
    {"/cluster/devices?limit=20", NULL},
    {"/cluster/conversations?limit=20&uid=api-1", NULL},
    {"/channel/blacklist_remove", "{\"channel_id\":\"apig-@\",\"channel_type\":2,\"uids\":[\"api-#\"]}"},
    {"/channel/blacklist_remove_all", "{\"channel_id\":\"apig-@\",\"channel_type\":2}"},
    {"/channel/whitelist_set", "{\"channel_id\":\"apig-@\",\"channel_type\":2,\"uids\":[]}"},
    {"/channel/whitelist_remove", "{\"channel_id\":\"apig-@\",\"channel_type\":2,\"uids\":[\"api-#\"]}"},
    {"/channel/subscriber_remove_all", "{\"channel_id\":\"apig-@\",\"channel_type\":2}"},
    {"/user/systemuids_add_to_cache", "{\"uids\":[\"system-@\"]}"},
    {"/user/systemuids_remove_from_cache", "{\"uids\":[\"system-@\"]}"},
    {"/user/update_plugin_no", "{\"uid\":\"api-@\",\"plugin_no\":\"none\"}"},
    {"/conn/kick", "{\"uid\":\"api-@\",\"conn_id\":0}"},
    {"/conn/remove", "{\"uid\":\"api-@\",\"conn_id\":#}"},
    {"/conversation/syncMessages", "{\"uid\":\"api-@\",\"channels\":[{\"channel_id\":\"apig-#\",\"channel_type\":2,\"last_msg_seq\":0}],\"msg_count\":5}"},
    {"/webhook/deadletters?limit=10", NULL},
    {"/webhook/resend", "{\"ids\":[\"1-@-0\"]}"},
    {"/manager/login", "{\"username\":\"api-@\",\"password\":\"wrong\"}"},
    {"/ledger/page", NULL},
    {"/debug/pprof/", NULL},
    {"/debug/pprof/symbol", NULL},
    {"/debug/pprof/symbol", "0x400000"},
    {"/docs", NULL},
    {"/docs/", NULL},
    {"/docs/health", NULL},
    {"/migrate/result", NULL},
    {"/tag?tag_key=none", NULL},
    {"/tag/remove", "{\"tag_key\":\"none\"}"},
    {"/tags", NULL},
    {"/plugins", NULL},
    {"/plugins/none/a/path", "{}"},
    {"/pluginconfig/none", "{}"},
    {"/plugin/bind", "{\"plugin_no\":\"none\",\"uid\":\"api-@\"}"},
    {"/plugin/bind?uid=api-1", NULL},
    {"/plugin/unbind", "{\"plugin_no\":\"none\",\"uid\":\"api-@\"}"},
    {"/plugin/uninstall", "{\"plugin_no\":\"none\"}"},
    {"/cluster/nodes/1001/channels?limit=20", NULL},
    {"/cluster/node", NULL},
    {"/cluster/simpleNodes", NULL},
    {"/cluster/info", NULL},
    {"/cluster/allslot", NULL},
    {"/cluster/slots/1/config", NULL},
    {"/cluster/slots/1/replicas", NULL},
    {"/cluster/slots/1/localReplica", NULL},
    {"/cluster/slots/1/migrate", "{}"},
    {"/cluster/slots/1/election", "{}"},
    {"/cluster/message/eventsync", "{\"channel_id\":\"api-#\",\"channel_type\":1,\"from_uid\":\"api-@\",\"client_msg_no\":\"api-@\"}"},
    {"/cluster/channels/apig-1/2/subscribers", NULL},
    {"/cluster/channels/apig-1/2/denylist", NULL},
    {"/cluster/channels/apig-1/2/allowlist", NULL},
    {"/cluster/channels/apig-1/2/config", NULL},
    {"/cluster/channels/apig-1/2/replicas", NULL},
    {"/cluster/channels/apig-1/2/localReplica", NULL},
    {"/cluster/channels/apig-1/2/migrate", "{}"},
    {"/cluster/channels/apig-1/2/start", "{}"},
    {"/cluster/channels/apig-1/2/stop", "{}"},
    {"/cluster/channel/status", "{\"channels\":[{\"channel_id\":\"apig-@\",\"channel_type\":2}]}"},
    {"/cluster/logs?limit=20", NULL},
    {"/cluster/devtools/checkLogConflict", NULL},
    {"/no/such/path", "{}"},
    {"/message/send", "{\"from_uid\":"},
};
/* clang-format on */

const char *soak_api_request(uint32_t index, const char **out_method)
{
    if (index >= COUNT_OF(kinds)) {
        return NULL;
    }
    *out_method = kinds[index].body != NULL ? "POST" : "GET";
    return kinds[index].path;
}

static void add_body(struct soak_attack *attack, const char *body, struct writer *writer)
{
    const uint64_t first = prng_below(&attack->prng, API_NAMES_COUNT);
    const uint64_t second = prng_below(&attack->prng, API_NAMES_COUNT);
    for (const char *at = body; *at != '\0'; at++) {
        if (*at == '@' || *at == '#') {
            char number[24];
            snprintf(number, sizeof(number), "%llu",
                     (unsigned long long)(*at == '@' ? first : second));
            writer_bytes_add(writer, bytes_of_string(number));
        } else {
            writer_u8(writer, (uint8_t)*at);
        }
    }
}

/* The next request of that socket; what is answered is thrown away. */
static size_t write_request(struct soak_attack *attack, struct soak_raw *raw, uint8_t *area)
{
    const struct request_kind *kind = &kinds[(raw->step + raw->index * 7) % COUNT_OF(kinds)];
    const char *token = attack->options->api_token;
    uint8_t body[BODY_BYTES];
    char head[HEAD_CHARS];
    struct writer body_writer = writer_of(body, sizeof(body));
    if (kind->body != NULL) {
        add_body(attack, kind->body, &body_writer);
    }
    ASSERT(!body_writer.is_full);
    snprintf(head, sizeof(head),
             "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%s%sContent-Length: %zu\r\n\r\n",
             kind->body != NULL ? "POST" : "GET", kind->path, token != NULL ? "token: " : "",
             token != NULL ? token : "", token != NULL ? "\r\n" : "", writer_size(&body_writer));
    struct writer writer = writer_of(area, SOAK_PIECE_BYTES);
    writer_bytes_add(&writer, bytes_of_string(head));
    writer_bytes_add(&writer, writer_bytes(&body_writer));
    soak_count(attack, SOAK_COUNT_REQUESTS, 1);
    return writer_size(&writer);
}

enum err soak_play_api(struct soak_attack *attack)
{
    const struct soak_plan plan = {
        .address = &attack->options->http_address,
        .count = API_SOCKETS_COUNT,
        .step_ms = API_STEP_MS,
        .next = write_request,
    };
    return soak_swarm_run(attack, &plan, 1);
}
