#include "edge/gate.h"

#include "base/assert.h"
#include "base/utf8.h"
#include "chat/chat.h"
#include "edge/conn.h"
#include "edge/edge.h"
#include "edge/rpc.h"
#include "edge/wk.h"
#include "store/message_row.h"
#include "store/slot.h"

bool gate_knows_uid(struct bytes uid)
{
    return name_is_plain(uid) && !bytes_equal(uid, NAME_SYSTEM_UID);
}

enum flow gate_route(struct edge *edge, struct conn *conn, struct bytes uid)
{
    const struct shard *shard = edge->shard;
    const uint32_t home = routing_shard_of_slot(slot_of_user(uid), shard->shards_count);
    if (home == shard->index) {
        return FLOW_NEXT;
    }
    /* The answer to an upgrade must be on its way: it does not travel. */
    if (!write_queue_is_empty(&conn->queue)) {
        conn_flush(edge, conn);
        if (conn->state == CONN_DOOMED) {
            return FLOW_STOP;
        }
    }
    conn->move_to = (uint8_t)home;
    return FLOW_MOVE;
}

enum flow gate_login(struct edge *edge, struct conn *conn, const struct gate_login *login)
{
    ASSERT(conn->state == CONN_OPENING);
    struct login_request request = {
        .uid = login->uid,
        .device_id = login->device_id,
        .device_flag = login->device_flag,
        .has_token = login->token.size > 0,
    };
    crypto_sha256(login->token, request.token_hash);
    conn->device_flag = login->device_flag;
    conn_enter(edge, conn, CONN_LOGGING_IN);
    if (session_login(edge->chat, &conn->session, &request) != ERR_OK) {
        metric_add(edge->shard->metrics, METRIC_LOGINS_FAILED, 1);
        conn_doom(edge, conn, CAUSE_MEMORY);
        return FLOW_STOP;
    }
    return FLOW_HOLD;
}

bool gate_login_has_failed(struct edge *edge, struct conn *conn)
{
    if (conn->login_reason != CHAT_REASON_SYSTEM_ERROR && conn->login_reason != CHAT_REASON_BUSY) {
        return false;
    }
    metric_add(edge->shard->metrics, METRIC_LOGINS_FAILED, 1);
    conn_doom(edge, conn, CAUSE_SYSTEM);
    return true;
}

static void sent_comes_home(struct letter *letter, void *receiver)
{
    struct edge *edge = edge_of(receiver);
    struct send *send = CONTAINER_OF(CONTAINER_OF(letter, struct op, letter), struct send, op);
    edge->sends--;
    struct conn *conn = conn_find(edge, send->origin);
    if (conn != NULL) {
        conn->sends--;
        metric_took(edge->shard->metrics, LATENCY_SEND_TO_ACK,
                    edge->shard->now_ns - send->op.now_ns);
        if (conn->state == CONN_OPEN) {
            if (conn->dialect == DIALECT_JSONRPC) {
                rpc_write_sent(edge, conn, send);
            } else {
                wk_write_sendack(edge, conn, send);
            }
        }
        if (conn->is_ended) {
            if (conn->sends == 0) {
                conn_end_answered(edge, conn);
            }
        } else if (conn->is_paused && conn->sends < CONN_SENDS_MAX / 2 &&
                   conn->state == CONN_OPEN && !list_is_linked(&conn->waiting)) {
            conn_resume(edge, conn);
        }
    }
    send_release(send);
}

/* The channel that the sender means. A command channel is named by its flag, never by its suffix
 * (semantics 0.7). */
static enum err internal_id(const struct conn *conn, const struct gate_send *input, uint8_t *area,
                            struct bytes *out_id)
{
    return name_internal(session_uid(&conn->session), input->channel_id, input->channel_type, area,
                         out_id);
}

/* What a client may not put into a message at all. */
static enum chat_reason gate_judge(const struct conn *conn, const struct gate_send *input)
{
    if (session_is_mute(&conn->session)) {
        return CHAT_REASON_SEND_BAN;
    }
    if (input->client_msg_no.size > CLIENT_MSG_NO_BYTES_MAX || input->topic.size > NAME_BYTES_MAX ||
        input->stream_no.size > NAME_BYTES_MAX || !utf8_is_valid(input->client_msg_no) ||
        !utf8_is_valid(input->topic) || !utf8_is_valid(input->stream_no)) {
        return CHAT_REASON_PAYLOAD_DECODE;
    }
    /* A WKProto frame cannot have one, a JSON object can (semantics 3.7). */
    return input->payload_size <= MESSAGE_PAYLOAD_BYTES_MAX ? CHAT_REASON_SUCCESS
                                                            : CHAT_REASON_SYSTEM_ERROR;
}

enum err gate_send(struct edge *edge, struct conn *conn, const struct gate_send *input,
                   struct send **out_send, enum chat_reason *out_reason)
{
    *out_reason = gate_judge(conn, input);
    uint8_t area[NAME_PAIR_BYTES_MAX];
    struct bytes channel_id = BYTES_EMPTY;
    if (*out_reason == CHAT_REASON_SUCCESS &&
        internal_id(conn, input, area, &channel_id) != ERR_OK) {
        *out_reason = CHAT_REASON_CHANNEL_ID;
    }
    if (*out_reason != CHAT_REASON_SUCCESS) {
        metric_add(edge->shard->metrics, METRIC_SENDS_DENIED, 1);
        return ERR_DENIED;
    }
    if (conn->sends >= CONN_SENDS_MAX) {
        conn_pause(conn);
        return ERR_AGAIN;
    }
    const struct send_input request = {
        .from_uid = session_uid(&conn->session),
        .channel_id = channel_id,
        .client_msg_no = input->client_msg_no,
        .topic = input->topic,
        .stream_no = input->stream_no,
        .tag = input->tag,
        .payload_size = input->payload_size,
    };
    struct send *send = send_acquire(&edge->reads_budget, &request);
    if (send == NULL) {
        conn_stall(edge, conn);
        return ERR_AGAIN;
    }
    send->origin = conn->session.id;
    send->flags = input->flags;
    send->setting = input->setting;
    send->channel_type = input->channel_type;
    send->client_seq = input->client_seq;
    send->expire_s = input->expire_s;
    *out_send = send;
    return ERR_OK;
}

void gate_count(struct edge *edge, struct conn *conn, struct send *send)
{
    struct shard *shard = edge->shard;
    send->op.home = &shard->mailbox;
    send->op.on_home = sent_comes_home;
    send->op.now_ns = shard->now_ns;
    send->is_alone = conn->sends == 0;
    conn->sends++;
    edge->sends++;
    edge->posted++;
}

void gate_post(struct edge *edge, struct send *send)
{
    struct shard *shard = edge->shard;
    send_post(send, &shard->mailer, shard->shards, shard->shards_count);
}

void gate_refuse_unreadable(struct edge *edge, struct send *send)
{
    struct shard *shard = edge->shard;
    metric_add(shard->metrics, METRIC_BAD_MSG_KEY, 1);
    metric_add(shard->metrics, METRIC_SENDS_UNREADABLE, 1);
    send->message_id = gate_refusal_id(edge, send->channel_id, send->channel_type);
    send->reason = CHAT_REASON_PAYLOAD_DECODE;
    send->op.letter.receive = send->op.on_home;
    mailer_post(&shard->mailer, send->op.home, &send->op.letter);
}

uint64_t gate_refusal_id(struct edge *edge, struct bytes channel_id, uint8_t channel_type)
{
    const struct channel_name name = {.type = channel_type, .id = channel_id};
    return chat_passing_id(edge->chat, slot_of_channel(name));
}

int64_t gate_time_diff(const struct edge *edge, int64_t client_timestamp_ms)
{
    return (int64_t)(edge->shard->wall_ms - (uint64_t)client_timestamp_ms);
}

void gate_logged_in(struct edge *edge, struct conn *conn, bool is_granted)
{
    if (conn->state == CONN_DOOMED) {
        return;
    }
    if (!is_granted) {
        const bool is_banned = conn->login_reason == CHAT_REASON_BAN;
        metric_add(edge->shard->metrics, is_banned ? METRIC_LOGINS_BANNED : METRIC_LOGINS_DENIED,
                   1);
        conn_close_gently(edge, conn, CAUSE_DENIED);
        return;
    }
    metric_add(edge->shard->metrics, METRIC_LOGINS, 1);
    conn->is_counted = true;
    metric_add(edge->shard->metrics, METRIC_SESSIONS, 1);
    metric_subtract(edge->shard->metrics, METRIC_CONNECTIONS_WAITING, 1);
    conn_enter(edge, conn, CONN_OPEN);
    /* Alone: the iOS SDK throws away what it reads together with the CONNACK (wire-protocol 12). */
    conn_flush(edge, conn);
}
