#include "edge/api_connection.h"

#include "base/assert.h"
#include "chat/chat.h"
#include "edge/api_checks.h"
#include "edge/api_time.h"
#include "edge/edge.h"
#include "system/clock.h"

#define LIMIT_DEFAULT    20u
#define CONN_BYTES       1024u /* of the answer, for a connection with short names */
#define ANSWER_BYTES_MIN 4096u
#define GROWTH           4u
#define KICK_DELAY_MS    2000u

/* ---- One connection, written on its shard. ---- */

static const char *device_name(const struct conn *conn)
{
    static const char *const names[][2] = {
        {"App(从)", "App(主)"}, {"Web(从)", "Web(主)"}, {"PC(从)", "PC(主)"}};
    static const char *const unknown[2] = {"未知(从)", "未知(主)"};
    const bool is_master = conn->session.level == DEVICE_MASTER;
    const uint8_t flag = conn->session.device_flag;
    return flag < COUNT_OF(names) ? names[flag][is_master] : unknown[is_master];
}

static void write_times(struct json_text *json, const struct edge *edge, const struct conn *conn)
{
    const uint64_t idle_ms = edge->shard->now_ms - conn->last_in_ms;
    json_text_key(json, "last_activity");
    api_time_write(json, edge->shard->wall_ms - idle_ms);
    json_text_key(json, "uptime");
    api_time_write_span(json, edge->shard->now_ms - conn->accepted_ms);
    json_text_key(json, "idle");
    api_time_write_span(json, idle_ms);
}

static void write_traffic(struct json_text *json, const struct conn_traffic *traffic)
{
    json_text_member_unsigned(json, "pending_bytes", 0);
    json_text_member_unsigned(json, "in_msgs", traffic->in_messages);
    json_text_member_unsigned(json, "out_msgs", traffic->out_messages);
    json_text_member_unsigned(json, "in_msg_bytes", traffic->in_message_bytes);
    json_text_member_unsigned(json, "out_msg_bytes", traffic->out_message_bytes);
    json_text_member_unsigned(json, "in_packets", traffic->in_packets);
    json_text_member_unsigned(json, "out_packets", traffic->out_packets);
    json_text_member_unsigned(json, "in_packet_bytes", traffic->in_bytes);
    json_text_member_unsigned(json, "out_packet_bytes", traffic->out_bytes);
}

static bool write_conn(void *context, const struct edge *edge, const struct conn *conn)
{
    struct http_request *request = context;
    struct json_text *json = &request->json;
    char ip[ADDRESS_TEXT_MAX];
    address_text(&conn->peer, ip);
    json_text_object_begin(json);
    json_text_member_unsigned(json, "id", session_number(conn->session.id));
    json_text_member_string(json, "uid", session_uid(&conn->session));
    json_text_member_string(json, "ip", bytes_of_string(ip));
    json_text_member_unsigned(json, "port", conn->peer.port);
    write_times(json, edge, conn);
    write_traffic(json, &conn->traffic);
    json_text_member_string(json, "device", bytes_of_string(device_name(conn)));
    json_text_member_string(json, "device_id", session_device_id(&conn->session));
    json_text_member_unsigned(json, "version", conn->version);
    json_text_member_string(json, "proxy_type_format", BYTES_OF("本地连接"));
    json_text_member_unsigned(json, "leader_id", edge->settings->node_id);
    json_text_member_unsigned(json, "node_id", edge->settings->node_id);
    json_text_object_end(json);
    return !request->out.is_full;
}

/* ---- A page of them. ---- */

struct page_work {
    const struct api_conn_page *page;
    struct conn_listing *listing;
    size_t size; /* of the answer's room */
};

static void send_listing(struct http_request *request);

static void end_page(struct http_request *request)
{
    struct page_work *work = request->work;
    json_text_array_end(&request->json);
    work->page->end(request, work->page);
    json_text_object_end(&request->json);
    const bool is_full = work->listing->is_full || request->out.is_full;
    const uint64_t answer_bytes_max = request->http->options.limits.answer_bytes_max;
    if (is_full && work->size < answer_bytes_max) {
        work->size *= GROWTH;
        work->size = work->size < answer_bytes_max ? work->size : answer_bytes_max;
        send_listing(request);
        return;
    }
    conn_listing_release(work->listing);
    if (is_full) {
        http_answer_error(request, "the answer would be too large: ask for less");
    } else {
        http_answer_out(request, 200, HTTP_JSON_TYPE);
    }
}

static void listing_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    end_page(CONTAINER_OF(letter, struct conn_listing, letter)->context);
}

static void send_listing(struct http_request *request)
{
    struct page_work *work = request->work;
    struct http *http = request->http;
    if (!http_out_open(request, work->size)) {
        conn_listing_release(work->listing);
        return;
    }
    json_text_object_begin(&request->json);
    work->page->begin(request, work->page);
    json_text_array_begin(&request->json);
    conn_listing_post(work->listing, &http->mailer, http->options.shards,
                      http->options.shards_count);
}

void api_answer_conns(struct http_request *request, const struct api_conn_page *page)
{
    struct page_work *work = http_acquire(request, sizeof(*work));
    if (work == NULL) {
        return;
    }
    work->page = page;
    work->size = ANSWER_BYTES_MIN + page->limit * CONN_BYTES;
    work->listing =
        conn_listing_acquire(&request->http->requests_budget, page->offset, page->limit);
    if (work->listing == NULL) {
        http_answer_busy(request);
        return;
    }
    work->listing->home = &request->http->mailbox;
    work->listing->on_home = listing_comes_home;
    work->listing->context = request;
    work->listing->order = page->order;
    work->listing->is_descending = page->is_descending;
    work->listing->uid_part = page->uid_part;
    work->listing->write = write_conn;
    request->work = work;
    send_listing(request);
}

/* ---- /connz: http-api 14.2. ---- */

static void choose_order(struct bytes sort, struct api_conn_page *page)
{
    static const char *const names[] = {
        [CONN_ORDER_ID] = "id",
        [CONN_ORDER_IN_MESSAGES] = "inMsg",
        [CONN_ORDER_OUT_MESSAGES] = "outMsg",
        [CONN_ORDER_IN_MESSAGE_BYTES] = "inMsgBytes",
        [CONN_ORDER_OUT_MESSAGE_BYTES] = "outMsgBytes",
        [CONN_ORDER_IN_PACKETS] = "inPacket",
        [CONN_ORDER_OUT_PACKETS] = "outPacket",
        [CONN_ORDER_IN_BYTES] = "inPacketBytes",
        [CONN_ORDER_OUT_BYTES] = "outPacketBytes",
        [CONN_ORDER_UPTIME] = "uptime",
        [CONN_ORDER_IDLE] = "idle",
        [CONN_ORDER_VERSION] = "protoVersion",
    };
    page->order = CONN_ORDER_ID;
    page->is_descending = bytes_end_with(sort, BYTES_OF("Desc"));
    sort.size -= page->is_descending ? 4 : 0;
    for (uint32_t i = 0; i < COUNT_OF(names); i++) {
        if (bytes_equal(sort, bytes_of_string(names[i]))) {
            page->order = (enum conn_order)i;
            return;
        }
    }
    page->is_descending = false; /* an order that nobody knows is none */
}

static void begin_connz(struct http_request *request, const struct api_conn_page *page)
{
    (void)page;
    json_text_key(&request->json, "connections");
}

static void end_connz(struct http_request *request, const struct api_conn_page *page)
{
    const struct metrics *metrics = request->http->options.metrics;
    struct json_text *json = &request->json;
    uint64_t total = 0;
    for (uint32_t i = METRIC_CONNECTIONS_OPEN; i <= METRIC_CONNECTIONS_OPEN_WSS; i++) {
        total += metrics_sum(metrics, (enum metric)i);
    }
    json_text_key(json, "now");
    api_time_write(json, clock_wall_ms());
    json_text_member_unsigned(json, "total", total);
    json_text_member_unsigned(json, "offset", page->offset);
    json_text_member_unsigned(json, "limit", page->limit);
}

bool api_check_node(struct http_request *request, const char *text)
{
    const uint64_t node_id = http_query_number(request, "node_id", UINT64_MAX);
    return api_check(request, node_id == 0 || node_id == request->http->options.identity.node_id,
                     text);
}

void api_connz(struct http_request *request)
{
    struct api_conn_page *page = http_acquire(request, sizeof(*page));
    if (page == NULL || !api_check_node(request, "节点不存在！")) {
        return;
    }
    choose_order(http_query(request, "sort"), page);
    page->uid_part = http_query(request, "uid");
    page->offset = http_query_number(request, "offset", UINT32_MAX);
    page->limit = (uint32_t)http_query_number(request, "limit", UINT32_MAX);
    page->limit = page->limit == 0 ? LIMIT_DEFAULT : page->limit;
    page->limit = page->limit < CONN_LISTING_LIMIT_MAX ? page->limit : CONN_LISTING_LIMIT_MAX;
    page->begin = begin_connz;
    page->end = end_connz;
    api_answer_conns(request, page);
}

/* ---- Ending one: http-api 13. ---- */

struct conn_input {
    struct bytes uid;
    int64_t conn_id;
    uint64_t node_id;
    uint64_t op_node_id;
};

static const struct json_field conn_fields[] = {
    JSON_FIELD(struct conn_input, uid, JSON_STRING),
    JSON_FIELD(struct conn_input, conn_id, JSON_INT),
    JSON_FIELD(struct conn_input, node_id, JSON_U64),
    JSON_FIELD(struct conn_input, op_node_id, JSON_U64),
};
const struct json_shape api_shape_conn = JSON_SHAPE_OF(struct conn_input, conn_fields);

/* Goes to the connection's shard and comes back. */
struct conn_ending {
    struct letter letter;
    struct http_request *request;
    struct session_id id;
    bool is_kick; /* with a last word */
};

static void ending_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    http_answer_ok(CONTAINER_OF(letter, struct conn_ending, letter)->request);
}

static void ending_arrives(struct letter *letter, void *receiver)
{
    struct conn_ending *ending = CONTAINER_OF(letter, struct conn_ending, letter);
    const struct conn_input *input = ending->request->input;
    struct edge *edge = edge_of(receiver);
    struct conn *conn = conn_find(edge, ending->id);
    const bool is_meant = conn != NULL && conn->session.state == SESSION_OPEN &&
                          bytes_equal(session_uid(&conn->session), input->uid);
    if (is_meant && ending->is_kick) {
        const struct kick kick = {
            .is_spoken = true, .text = BYTES_OF("server kick"), .delay_ms = KICK_DELAY_MS};
        edge->chat->port->kick(edge->chat, &conn->session, &kick);
    } else if (is_meant) {
        conn_doom(edge, conn, CAUSE_KICKED);
    }
    letter->receive = ending_comes_home;
    mailer_post(&edge->shard->mailer, &ending->request->http->mailbox, letter);
}

static void end_conn(struct http_request *request, bool is_kick)
{
    const struct conn_input *input = request->input;
    struct http *http = request->http;
    const uint64_t own_id = http->options.identity.node_id;
    if (!api_check(request, input->op_node_id == 0 || input->op_node_id == own_id,
                   "node not found") ||
        !api_check(request, input->conn_id != 0, "conn_id is 0")) {
        return;
    }
    const struct session_id id = session_of_number((uint64_t)input->conn_id);
    if (id.shard >= http->options.shards_count ||
        (input->node_id != 0 && input->node_id != own_id)) {
        http_answer_ok(request); /* nobody's connection is ended in any case */
        return;
    }
    struct conn_ending *ending = http_acquire(request, sizeof(*ending));
    if (ending != NULL) {
        *ending = (struct conn_ending){.letter = {.receive = ending_arrives},
                                       .request = request,
                                       .id = id,
                                       .is_kick = is_kick};
        mailer_post(&http->mailer, &http->options.shards[id.shard]->mailbox, &ending->letter);
    }
}

void api_conn_remove(struct http_request *request)
{
    end_conn(request, false);
}

void api_conn_kick(struct http_request *request)
{
    end_conn(request, true);
}
