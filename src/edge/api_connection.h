/*
 * api_connection.h -- live connections, looked at and ended: http-api 13 and 14.2.
 */
#pragma once

#include "edge/conn_listing.h"
#include "edge/json_fields.h"

struct http_request;

extern const struct json_shape api_shape_conn;

void api_connz(struct http_request *request);
void api_conn_remove(struct http_request *request);
void api_conn_kick(struct http_request *request);

/* An object with a page of connections in it. */
struct api_conn_page {
    enum conn_order order;
    bool is_descending;
    struct bytes uid_part;
    uint64_t offset;
    uint32_t limit; /* 1 to CONN_LISTING_LIMIT_MAX */
    /* Writes the members of the object before the page, and behind it; run again, with more room,
     * when it was too little. */
    void (*begin)(struct http_request *request, const struct api_conn_page *page);
    void (*end)(struct http_request *request, const struct api_conn_page *page);
};

/* Answers with it. `page` lives as long as the request. */
void api_answer_conns(struct http_request *request, const struct api_conn_page *page);

/* Is `node_id` absent, or this node? Otherwise the request was answered with `text`. */
MUST_USE bool api_check_node(struct http_request *request, const char *text);
