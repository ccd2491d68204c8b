/*
 * http_glance.h -- what the first bytes of a connection to the API tell, before anything is spent
 * on it.
 *
 * libmicrohttpd needs a place with its memory for a connection that has said nothing. So we look at
 * what lies in the socket first: a connection takes a place when its head is there, and before
 * others when its whole request is. This decides on the order only: whoever is let in is read from
 * the beginning, by libmicrohttpd, so nothing here has to understand what it would refuse. What
 * is no HTTP is UNCLEAR and let in like a request whose body is on its way, to be told so.
 *
 * Pure; any thread.
 */
#pragma once

#include "base/bytes.h"

enum http_glance_kind {
    HTTP_GLANCE_HEAD = 0, /* the head has not come to its end */
    HTTP_GLANCE_WHOLE,    /* the request is there, with its body */
    HTTP_GLANCE_BODY,     /* its body is not there yet */
    HTTP_GLANCE_UNCLEAR,
};

struct http_glance {
    enum http_glance_kind kind;
    bool is_monitor;    /* it asks how the server is: GET of /health, /metrics or /ledger */
    struct bytes token; /* the header; lies in what was seen */
};

/* `seen` begins where the request does. */
struct http_glance http_glance(struct bytes seen);
