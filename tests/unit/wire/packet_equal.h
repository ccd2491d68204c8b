/*
 * packet_equal.h -- checks field by field that two packets say the same.
 */
#pragma once

#include "support/test.h"
#include "wire/packet.h"

static inline void check_send_equal(const struct packet_send *a, const struct packet_send *b)
{
    CHECK_EQ(a->setting, b->setting);
    CHECK_EQ(a->channel_type, b->channel_type);
    CHECK_EQ(a->client_seq, b->client_seq);
    CHECK_EQ(a->expire_s, b->expire_s);
    CHECK_BYTES(a->client_msg_no, b->client_msg_no);
    CHECK_BYTES(a->stream_no, b->stream_no);
    CHECK_BYTES(a->channel_id, b->channel_id);
    CHECK_BYTES(a->msg_key, b->msg_key);
    CHECK_BYTES(a->topic, b->topic);
    CHECK_BYTES(a->payload, b->payload);
}

static inline void check_recv_equal(const struct packet_recv *a, const struct packet_recv *b)
{
    CHECK_EQ(a->setting, b->setting);
    CHECK_EQ(a->channel_type, b->channel_type);
    CHECK_EQ(a->stream_flag, b->stream_flag);
    CHECK_EQ(a->expire_s, b->expire_s);
    CHECK_EQ(a->timestamp_s, b->timestamp_s);
    CHECK(a->stream_id == b->stream_id);
    CHECK(a->message_id == b->message_id);
    CHECK(a->message_seq == b->message_seq);
    CHECK_BYTES(a->msg_key, b->msg_key);
    CHECK_BYTES(a->from_uid, b->from_uid);
    CHECK_BYTES(a->channel_id, b->channel_id);
    CHECK_BYTES(a->client_msg_no, b->client_msg_no);
    CHECK_BYTES(a->stream_no, b->stream_no);
    CHECK_BYTES(a->topic, b->topic);
    CHECK_BYTES(a->payload, b->payload);
}

static inline void check_connect_equal(const struct packet_connect *a,
                                       const struct packet_connect *b)
{
    CHECK_EQ(a->version, b->version);
    CHECK_EQ(a->device_flag, b->device_flag);
    CHECK(a->client_timestamp_ms == b->client_timestamp_ms);
    CHECK_BYTES(a->device_id, b->device_id);
    CHECK_BYTES(a->uid, b->uid);
    CHECK_BYTES(a->token, b->token);
    CHECK_BYTES(a->client_key, b->client_key);
}

static inline void check_connack_equal(const struct packet_connack *a,
                                       const struct packet_connack *b)
{
    CHECK_EQ(a->server_version, b->server_version);
    CHECK_EQ(a->reason, b->reason);
    CHECK(a->time_diff_ms == b->time_diff_ms);
    CHECK(a->node_id == b->node_id);
    CHECK_BYTES(a->server_key, b->server_key);
    CHECK_BYTES(a->salt, b->salt);
}

static inline void check_sendack_equal(const struct packet_sendack *a,
                                       const struct packet_sendack *b)
{
    CHECK(a->message_id == b->message_id);
    CHECK(a->message_seq == b->message_seq);
    CHECK_EQ(a->client_seq, b->client_seq);
    CHECK_EQ(a->reason, b->reason);
    CHECK_BYTES(a->client_msg_no, b->client_msg_no);
}

static inline void check_sub_equal(const struct packet_sub *a, const struct packet_sub *b)
{
    CHECK_EQ(a->setting, b->setting);
    CHECK_EQ(a->channel_type, b->channel_type);
    CHECK_EQ(a->action, b->action);
    CHECK_BYTES(a->sub_no, b->sub_no);
    CHECK_BYTES(a->channel_id, b->channel_id);
    CHECK_BYTES(a->param, b->param);
}

static inline void check_suback_equal(const struct packet_suback *a, const struct packet_suback *b)
{
    CHECK_EQ(a->channel_type, b->channel_type);
    CHECK_EQ(a->action, b->action);
    CHECK_EQ(a->reason, b->reason);
    CHECK_BYTES(a->sub_no, b->sub_no);
    CHECK_BYTES(a->channel_id, b->channel_id);
}

static inline void check_event_equal(const struct packet_event *a, const struct packet_event *b)
{
    CHECK(a->timestamp_ms == b->timestamp_ms);
    CHECK_BYTES(a->id, b->id);
    CHECK_BYTES(a->type, b->type);
    CHECK_BYTES(a->data, b->data);
}

static inline void check_packet_equal(const struct packet *a, const struct packet *b)
{
    CHECK_EQ(a->type, b->type);
    CHECK_EQ(a->flags, b->flags);
    switch (a->type) {
    case PACKET_CONNECT:
        check_connect_equal(&a->connect, &b->connect);
        break;
    case PACKET_CONNACK:
        check_connack_equal(&a->connack, &b->connack);
        break;
    case PACKET_SEND:
        check_send_equal(&a->send, &b->send);
        break;
    case PACKET_SENDACK:
        check_sendack_equal(&a->sendack, &b->sendack);
        break;
    case PACKET_RECV:
        check_recv_equal(&a->recv, &b->recv);
        break;
    case PACKET_RECVACK:
        CHECK(a->recvack.message_id == b->recvack.message_id);
        CHECK(a->recvack.message_seq == b->recvack.message_seq);
        break;
    case PACKET_DISCONNECT:
        CHECK_EQ(a->disconnect.reason, b->disconnect.reason);
        CHECK_BYTES(a->disconnect.text, b->disconnect.text);
        break;
    case PACKET_SUB:
        check_sub_equal(&a->sub, &b->sub);
        break;
    case PACKET_SUBACK:
        check_suback_equal(&a->suback, &b->suback);
        break;
    case PACKET_EVENT:
        check_event_equal(&a->event, &b->event);
        break;
    case PACKET_PING:
    case PACKET_PONG:
    case PACKET_INVALID:
        break;
    }
}
