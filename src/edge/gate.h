/*
 * gate.h -- what both dialects have in common: login and send, checked and handed to the domain.
 */
#pragma once

#include "chat/send.h"
#include "chat/session.h"
#include "edge/inflow.h"

struct conn;
struct edge;

/* A CONNECT of either dialect. */
struct gate_login {
    struct bytes uid;
    struct bytes token;
    struct bytes device_id;
    uint8_t device_flag;
};

/* Is the uid one that may log in at all (wire-protocol 9.4, steps 1 and 2, and 9.6)? */
bool gate_knows_uid(struct bytes uid);

/* Where the user lives, if not here: FLOW_MOVE with conn->move_to set. FLOW_NEXT: here. */
enum flow gate_route(struct edge *edge, struct conn *conn, struct bytes uid);

/* Begins the login of a connection that is at home. FLOW_HOLD: the frame is kept until the login is
 * decided (conn_finish_login). FLOW_STOP: no room. */
enum flow gate_login(struct edge *edge, struct conn *conn, const struct gate_login *login);

/* Could it not be decided, for want of something of ours? Then the connection is closed without an
 * answer: a client that is told "no" would not come back (semantics 1.4). */
bool gate_login_has_failed(struct edge *edge, struct conn *conn);

/* A SEND of either dialect, its payload not yet in place. */
struct gate_send {
    uint8_t flags;
    uint8_t setting;
    uint8_t channel_type;
    uint32_t client_seq;
    uint32_t expire_s;
    struct bytes client_msg_no;
    struct bytes channel_id; /* as addressed */
    struct bytes topic;
    struct bytes stream_no;
    struct bytes tag;
    size_t payload_size; /* room to be made */
};

/* Makes the request. ERR_OK: fill its payload, gate_count and gate_post it. ERR_DENIED: it is
 * refused, with `out_reason`. ERR_AGAIN: too much is under way, or no memory: the frame has to wait
 * and the connection was paused. */
MUST_USE enum err gate_send(struct edge *edge, struct conn *conn, const struct gate_send *input,
                            struct send **out_send, enum chat_reason *out_reason);

/* From now on the request is one of its connection's that are under way, and has to come home. */
void gate_count(struct edge *edge, struct conn *conn, struct send *send);

void gate_post(struct edge *edge, struct send *send);

/* Its key was wrong, or its payload: it goes home at once, to be answered like any other. */
void gate_refuse_unreadable(struct edge *edge, struct send *send);

/* How far our clock is ahead of the client's, whatever that says: modulo 2^64, as the reference. */
int64_t gate_time_diff(const struct edge *edge, int64_t client_timestamp_ms);

/* The login was answered: the connection is open, or closes gently. */
void gate_logged_in(struct edge *edge, struct conn *conn, bool is_granted);

/* An id for the answer to a send that never became a request. */
uint64_t gate_refusal_id(struct edge *edge, struct bytes channel_id, uint8_t channel_type);
