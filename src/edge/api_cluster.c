#include "edge/api_cluster.h"

#include "base/hash.h"
#include "edge/api_checks.h"
#include "edge/api_manager.h"
#include "edge/api_time.h"
#include "edge/http_request.h"
#include "system/clock.h"

#define NODE_BYTES   1024u
#define SLOT_BYTES   192u
#define IDS_MAX      API_CLUSTER_SLOTS /* slots asked for at once */
#define NODE_JOINED  3u
#define ROLE_LEADER  3u
#define ONLY_ONE     "there is only one node"
#define NO_SUCH_SLOT "slot not found"

uint32_t api_cluster_slot_of(struct bytes name)
{
    return hash_crc32(name) % API_CLUSTER_SLOTS;
}

static uint64_t node_id(const struct http_request *request)
{
    return request->http->options.identity.node_id;
}

bool api_cluster_is_this_node(const struct http_request *request, struct bytes text)
{
    uint64_t id = 0;
    for (size_t i = 0; i < text.size; i++) {
        const uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (digit > 9 || id > (UINT64_MAX - digit) / 10) {
            return false;
        }
        id = id * 10 + digit;
    }
    return text.size > 0 && id == node_id(request);
}

static void write_replicas(struct http_request *request)
{
    struct json_text *json = &request->json;
    json_text_key(json, "replicas");
    json_text_array_begin(json);
    json_text_unsigned(json, node_id(request));
    json_text_array_end(json);
}

/* ---- The node. ---- */

static void write_node(struct http_request *request)
{
    struct json_text *json = &request->json;
    const struct http_identity *identity = &request->http->options.identity;
    json_text_object_begin(json);
    json_text_member_unsigned(json, "id", identity->node_id);
    json_text_member_unsigned(json, "is_leader", 1);
    json_text_member_unsigned(json, "role", 0);
    json_text_member_string(json, "cluster_addr", BYTES_EMPTY);
    json_text_member_string(json, "api_server_addr", identity->api_url);
    json_text_member_unsigned(json, "online", 1);
    json_text_member_unsigned(json, "allow_vote", 1);
    json_text_member_unsigned(json, "slot_count", API_CLUSTER_SLOTS);
    json_text_member_unsigned(json, "term", 1);
    json_text_member_unsigned(json, "slot_leader_count", API_CLUSTER_SLOTS);
    json_text_key(json, "uptime");
    api_time_write_span(json, clock_wall_ms() - identity->started_wall_ms);
    json_text_member_string(json, "app_version", bytes_of_string(identity->version));
    json_text_member_unsigned(json, "config_version", 1);
    json_text_member_unsigned(json, "status", NODE_JOINED);
    json_text_member_string(json, "status_format", BYTES_OF("已加入"));
    json_text_object_end(json);
}

static size_t node_bytes(const struct http_request *request)
{
    return NODE_BYTES + json_text_string_size(request->http->options.identity.api_url);
}

void api_cluster_node(struct http_request *request)
{
    if (http_out_open(request, node_bytes(request))) {
        write_node(request);
        http_answer_out(request, 200, HTTP_JSON_TYPE);
    }
}

void api_cluster_nodes(struct http_request *request)
{
    if (!http_out_open(request, node_bytes(request))) {
        return;
    }
    json_text_object_begin(&request->json);
    json_text_member_unsigned(&request->json, "total", 1);
    json_text_key(&request->json, "data");
    json_text_array_begin(&request->json);
    write_node(request);
    json_text_array_end(&request->json);
    json_text_object_end(&request->json);
    http_answer_out(request, 200, HTTP_JSON_TYPE);
}

static void write_info_slots(struct http_request *request)
{
    struct json_text *json = &request->json;
    json_text_key(json, "slots");
    json_text_array_begin(json);
    for (uint32_t i = 0; i < API_CLUSTER_SLOTS; i++) {
        json_text_object_begin(json);
        json_text_member_unsigned(json, "id", i);
        json_text_member_unsigned(json, "leader", node_id(request));
        json_text_member_unsigned(json, "term", 1);
        write_replicas(request);
        json_text_object_end(json);
    }
    json_text_array_end(json);
}

void api_cluster_info(struct http_request *request)
{
    if (!http_out_open(request, NODE_BYTES + API_CLUSTER_SLOTS * SLOT_BYTES)) {
        return;
    }
    struct json_text *json = &request->json;
    json_text_object_begin(json);
    json_text_member_unsigned(json, "version", 1);
    json_text_member_unsigned(json, "slotCount", API_CLUSTER_SLOTS);
    json_text_member_unsigned(json, "slotReplicaCount", 1);
    json_text_member_unsigned(json, "channelReplicaCount", 1);
    json_text_member_unsigned(json, "term", 1);
    json_text_key(json, "nodes");
    json_text_array_begin(json);
    json_text_object_begin(json);
    json_text_member_unsigned(json, "id", node_id(request));
    json_text_member_string(json, "clusterAddr", BYTES_EMPTY);
    json_text_key(json, "online");
    json_text_bool(json, true);
    json_text_key(json, "allowVote");
    json_text_bool(json, true);
    json_text_member_unsigned(json, "status", NODE_JOINED);
    json_text_member_unsigned(json, "createdAt",
                              request->http->options.identity.started_wall_ms / 1000);
    json_text_object_end(json);
    json_text_array_end(json);
    write_info_slots(request);
    json_text_object_end(json);
    http_answer_out(request, 200, HTTP_JSON_TYPE);
}

/* ---- Slots. ---- */

static void write_slot(struct http_request *request, uint32_t slot)
{
    struct json_text *json = &request->json;
    json_text_object_begin(json);
    json_text_member_unsigned(json, "id", slot);
    json_text_member_unsigned(json, "leader_id", node_id(request));
    json_text_member_unsigned(json, "term", 1);
    write_replicas(request);
    json_text_member_unsigned(json, "channel_count", 0);
    json_text_member_unsigned(json, "log_index", 0);
    json_text_member_unsigned(json, "status", 0);
    json_text_member_string(json, "status_format", BYTES_OF("正常"));
    json_text_object_end(json);
}

void api_cluster_all_slots(struct http_request *request)
{
    if (!http_out_open(request, NODE_BYTES + API_CLUSTER_SLOTS * SLOT_BYTES)) {
        return;
    }
    json_text_object_begin(&request->json);
    json_text_member_unsigned(&request->json, "total", API_CLUSTER_SLOTS);
    json_text_key(&request->json, "data");
    json_text_array_begin(&request->json);
    for (uint32_t i = 0; i < API_CLUSTER_SLOTS; i++) {
        write_slot(request, i);
    }
    json_text_array_end(&request->json);
    json_text_object_end(&request->json);
    http_answer_out(request, 200, HTTP_JSON_TYPE);
}

/* False: that is no slot's number. */
static bool parse_slot(struct bytes text, uint32_t *out_slot)
{
    uint32_t slot = 0;
    if (text.size == 0 || text.size > 4) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        slot = slot * 10 + (text.data[i] - '0');
    }
    *out_slot = slot;
    return slot < API_CLUSTER_SLOTS;
}

void api_cluster_slots(struct http_request *request)
{
    struct bytes ids = http_query(request, "ids");
    if (!http_out_open(request, NODE_BYTES + IDS_MAX * SLOT_BYTES)) {
        return;
    }
    json_text_array_begin(&request->json);
    for (uint32_t count = 0; ids.size > 0; count++) {
        const uint8_t *comma = memchr(ids.data, ',', ids.size);
        const size_t size = comma != NULL ? (size_t)(comma - ids.data) : ids.size;
        uint32_t slot = 0;
        if (!parse_slot((struct bytes){.data = ids.data, .size = size}, &slot) ||
            count == IDS_MAX) {
            http_answer_error(request, NO_SUCH_SLOT);
            return;
        }
        write_slot(request, slot);
        ids = bytes_skip(ids, comma != NULL ? size + 1 : size);
    }
    json_text_array_end(&request->json);
    http_answer_out(request, 200, HTTP_JSON_TYPE);
}

/* The slot in the path, and room to answer. */
static bool begin_slot(struct http_request *request, uint32_t *out_slot)
{
    return api_check(request, parse_slot(http_segment(request, 2), out_slot), NO_SUCH_SLOT) &&
           http_out_open(request, NODE_BYTES);
}

void api_cluster_slot_config(struct http_request *request)
{
    uint32_t slot = 0;
    if (!begin_slot(request, &slot)) {
        return;
    }
    struct json_text *json = &request->json;
    json_text_object_begin(json);
    json_text_member_unsigned(json, "id", slot);
    json_text_member_unsigned(json, "leader_id", node_id(request));
    json_text_member_unsigned(json, "term", 1);
    write_replicas(request);
    json_text_member_unsigned(json, "log_max_index", 0);
    json_text_member_unsigned(json, "leader_log_max_index", 0);
    json_text_member_unsigned(json, "applied_index", 0);
    json_text_object_end(json);
    http_answer_out(request, 200, HTTP_JSON_TYPE);
}

static void write_slot_replica(struct http_request *request, bool is_detailed)
{
    struct json_text *json = &request->json;
    json_text_object_begin(json);
    json_text_member_unsigned(json, "replica_id", node_id(request));
    json_text_member_unsigned(json, "leader_id", node_id(request));
    json_text_member_unsigned(json, "running", 1);
    json_text_member_unsigned(json, "last_log_seq", 0);
    json_text_member_unsigned(json, "last_log_time", 0);
    json_text_member_unsigned(json, "term", 1);
    json_text_member_unsigned(json, "applied_index", 0);
    json_text_member_unsigned(json, "committed_index", 0);
    json_text_member_unsigned(json, "conf_version", 0);
    if (is_detailed) {
        json_text_member_unsigned(json, "role", ROLE_LEADER);
        json_text_member_string(json, "role_format", BYTES_OF("leader"));
        json_text_member_string(json, "last_log_time_format", BYTES_EMPTY);
    }
    json_text_object_end(json);
}

void api_cluster_slot_replicas(struct http_request *request)
{
    uint32_t slot = 0;
    if (begin_slot(request, &slot)) {
        json_text_array_begin(&request->json);
        write_slot_replica(request, true);
        json_text_array_end(&request->json);
        http_answer_out(request, 200, HTTP_JSON_TYPE);
    }
}

void api_cluster_slot_replica(struct http_request *request)
{
    uint32_t slot = 0;
    if (begin_slot(request, &slot)) {
        write_slot_replica(request, false);
        http_answer_out(request, 200, HTTP_JSON_TYPE);
    }
}

void api_cluster_check_log(struct http_request *request)
{
    http_answer_text(request, 200, NULL, BYTES_EMPTY);
}

/* The agreements of the nodes: one node has nobody to agree with, so there are none. */
void api_cluster_logs(struct http_request *request)
{
    const struct bytes node = http_query(request, "node_id");
    if (!api_check(request, node.size == 0 || api_cluster_is_this_node(request, node),
                   API_CLUSTER_NO_SUCH_NODE) ||
        !http_out_open(request, NODE_BYTES)) {
        return;
    }
    struct json_text *json = &request->json;
    json_text_object_begin(json);
    json_text_member_unsigned(json, "next", 0);
    json_text_member_unsigned(json, "pre", 0);
    json_text_member_unsigned(json, "applied", 0);
    json_text_member_unsigned(json, "last", 0);
    json_text_member_unsigned(json, "more", 0);
    json_text_key(json, "logs");
    json_text_array_begin(json);
    json_text_array_end(json);
    json_text_object_end(json);
    http_answer_out(request, 200, HTTP_JSON_TYPE);
}

/* ---- What would move something to another node. ---- */

static void refuse_to_move(struct http_request *request, const char *right)
{
    if (api_check_right(request, right)) {
        http_answer_error(request, ONLY_ONE);
    }
}

void api_cluster_slot_migrate(struct http_request *request)
{
    refuse_to_move(request, "slotMigrate");
}

void api_cluster_slot_election(struct http_request *request)
{
    refuse_to_move(request, "slotElection");
}

void api_cluster_channel_migrate(struct http_request *request)
{
    http_answer_error(request, ONLY_ONE);
}

/* A channel runs whenever it is needed. */
void api_cluster_channel_start(struct http_request *request)
{
    if (api_check_right(request, "clusterchannelStart")) {
        http_answer_ok(request);
    }
}

void api_cluster_channel_stop(struct http_request *request)
{
    if (api_check_right(request, "clusterchannelStop")) {
        http_answer_error(request, "a channel is stopped by a ban: /channel/info");
    }
}
