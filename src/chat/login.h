/*
 * login.h -- decides a CONNECT: the token, the ban, and who else has to go.
 *
 * The order is that of semantics 1.3 and wire-protocol 9.4; the uid itself was
 * checked at the edge. What must be read is read off the shard; the session may
 * close meanwhile.
 */
#pragma once

#include "chat/session.h"

/* The state of a login; private to login.c. */
struct login;

/* See session_login. */
MUST_USE enum err login_begin(struct chat *chat, struct session *session,
                              const struct login_request *request);
