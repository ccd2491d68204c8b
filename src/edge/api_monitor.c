#include "edge/api_monitor.h"

#include "edge/api_connection.h"
#include "edge/api_time.h"
#include "edge/http_request.h"
#include "system/clock.h"
#include "system/file.h"

#define CONNS_DEFAULT 20u
#define VARZ_BYTES    2048u /* without the addresses */

static uint64_t sum(const struct http_request *request, enum metric first, enum metric last)
{
    uint64_t total = 0;
    for (uint32_t i = first; i <= (uint32_t)last; i++) {
        total += metrics_sum(request->http->options.metrics, (enum metric)i);
    }
    return total;
}

static void write_counts(struct http_request *request)
{
    struct json_text *json = &request->json;
    const struct http_identity *identity = &request->http->options.identity;
    const uint64_t uptime_ms = clock_wall_ms() - identity->started_wall_ms;
    json_text_key(json, "server_id");
    json_text_decimal_string(json, identity->node_id);
    json_text_member_string(json, "server_name", BYTES_OF("WuKongIM"));
    json_text_member_string(json, "version", bytes_of_string(identity->version));
    json_text_member_unsigned(json, "connections",
                              sum(request, METRIC_CONNECTIONS_OPEN, METRIC_CONNECTIONS_OPEN_WSS));
    json_text_member_unsigned(json, "user_handler_count",
                              sum(request, METRIC_USERS_ONLINE, METRIC_USERS_ONLINE));
    json_text_member_unsigned(json, "user_handler_conn_count",
                              sum(request, METRIC_SESSIONS, METRIC_SESSIONS));
    json_text_key(json, "uptime");
    api_time_write_span(json, uptime_ms);
    json_text_member_unsigned(json, "goroutine", file_threads_count());
    json_text_member_unsigned(json, "mem", file_resident_bytes());
    json_text_member_unsigned(json, "cpu", clock_worked_ms() * 100 / (uptime_ms + 1));
    json_text_member_unsigned(json, "in_msgs", sum(request, METRIC_IN_CONNECT, METRIC_IN_OTHER));
    json_text_member_unsigned(json, "out_msgs", sum(request, METRIC_OUT_CONNACK, METRIC_OUT_OTHER));
    json_text_member_unsigned(json, "in_bytes",
                              sum(request, METRIC_IN_CONNECT_BYTES, METRIC_IN_OTHER_BYTES));
    json_text_member_unsigned(json, "out_bytes",
                              sum(request, METRIC_OUT_CONNACK_BYTES, METRIC_OUT_OTHER_BYTES));
    json_text_member_unsigned(json, "slow_clients",
                              sum(request, METRIC_SESSIONS_BEHIND, METRIC_SESSIONS_BEHIND));
    json_text_member_unsigned(json, "retry_queue",
                              0); /* what waits for its RECVACK is a session's own */
}

static void write_identity(struct http_request *request)
{
    struct json_text *json = &request->json;
    const struct http_options *options = &request->http->options;
    json_text_member_string(json, "tcp_addr", options->addresses.tcp);
    json_text_member_string(json, "ws_addr", options->addresses.ws);
    json_text_member_string(json, "wss_addr", options->addresses.wss);
    json_text_member_string(json, "manager_addr", options->identity.manager_address);
    json_text_member_unsigned(json, "manager_on", options->is_manager_on);
    json_text_member_string(json, "commit", BYTES_EMPTY);
    json_text_member_string(json, "commit_date", BYTES_EMPTY);
    json_text_member_string(json, "tree_state", BYTES_EMPTY);
    json_text_member_string(json, "api_url", options->identity.api_url);
    json_text_member_string(json, "manager_uid", options->identity.manager_uid);
    json_text_member_unsigned(json, "manager_token_on", options->access.has_token);
}

static void begin_varz(struct http_request *request, const struct api_conn_page *page)
{
    (void)page;
    write_counts(request);
    write_identity(request);
    json_text_key(&request->json, "conns");
}

static void end_varz(struct http_request *request, const struct api_conn_page *page)
{
    (void)page;
    json_text_member_unsigned(&request->json, "conversation_cache_count", 0);
}

static size_t varz_bytes(const struct http_options *options)
{
    return VARZ_BYTES + json_text_string_size(options->addresses.tcp) +
           json_text_string_size(options->addresses.ws) +
           json_text_string_size(options->addresses.wss) +
           json_text_string_size(options->identity.manager_address) +
           json_text_string_size(options->identity.api_url) +
           json_text_string_size(options->identity.manager_uid);
}

static void answer_varz(struct http_request *request)
{
    if (!http_out_open(request, varz_bytes(&request->http->options))) {
        return;
    }
    json_text_object_begin(&request->json);
    write_counts(request);
    write_identity(request);
    end_varz(request, NULL);
    json_text_object_end(&request->json);
    http_answer_out(request, 200, HTTP_JSON_TYPE);
}

void api_varz(struct http_request *request)
{
    if (!api_check_node(request, "节点不存在！")) {
        return;
    }
    if (!bytes_equal(http_query(request, "show"), BYTES_OF("conn"))) {
        answer_varz(request);
        return;
    }
    struct api_conn_page *page = http_acquire(request, sizeof(*page));
    if (page == NULL) {
        return;
    }
    const uint64_t limit = http_query_number(request, "conn_limit", UINT32_MAX);
    *page = (struct api_conn_page){
        .order = CONN_ORDER_IN_MESSAGES,
        .is_descending = true,
        .limit = limit == 0
                     ? CONNS_DEFAULT
                     : (uint32_t)(limit < CONN_LISTING_LIMIT_MAX ? limit : CONN_LISTING_LIMIT_MAX),
        .begin = begin_varz,
        .end = end_varz,
    };
    api_answer_conns(request, page);
}

void api_varz_setting(struct http_request *request)
{
    http_answer_text(request, 200, HTTP_JSON_TYPE,
                     BYTES_OF("{\"logger\":{\"trace_on\":0,\"loki_on\":0},\"prometheus_on\":0,"
                              "\"stress_on\":0}"));
}

/* Nothing was ever imported (http-api 15.4). */
void api_migrate_result(struct http_request *request)
{
    http_answer_text(
        request, 200, HTTP_JSON_TYPE,
        BYTES_OF("{\"status\":\"running\",\"step\":\"\",\"last_err\":null,\"try_count\":0}"));
}
