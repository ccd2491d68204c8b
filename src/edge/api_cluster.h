/*
 * api_cluster.h -- a cluster of one, for tools that poll it (http-api 16.1).
 *
 * The slots shown here are those that WuKongIM's clients and pages know: 64 by default, by the
 * CRC-32 of a name. They have nothing to do with the slots of design 5.
 */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

struct http_request;

#define API_CLUSTER_SLOTS        64u
#define API_CLUSTER_NO_SUCH_NODE "node not found"

void api_cluster_nodes(struct http_request *request);
void api_cluster_node(struct http_request *request);
void api_cluster_info(struct http_request *request);
void api_cluster_slots(struct http_request *request);
void api_cluster_all_slots(struct http_request *request);
void api_cluster_slot_config(struct http_request *request);
void api_cluster_slot_replicas(struct http_request *request);
void api_cluster_slot_replica(struct http_request *request);
void api_cluster_check_log(struct http_request *request);
void api_cluster_logs(struct http_request *request);

/* Moves what cannot be moved where there is one node. */
void api_cluster_slot_migrate(struct http_request *request);
void api_cluster_slot_election(struct http_request *request);
void api_cluster_channel_migrate(struct http_request *request);
void api_cluster_channel_start(struct http_request *request);
void api_cluster_channel_stop(struct http_request *request);

/* The slot that is shown for a uid or a channel id. */
uint32_t api_cluster_slot_of(struct bytes name);

/* Whether `text` is the number of this node, which is the only one. */
bool api_cluster_is_this_node(const struct http_request *request, struct bytes text);
