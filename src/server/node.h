/*
 * node.h -- one running server: its parts, started in order and stopped in the reverse order.
 *
 *   store → readers → journal → shards (chat, edge) → HTTP → accepting
 *
 * Stopping (SIGTERM): no new connections and requests; what was asked is
 * committed and answered; connections are closed without a word, so that SDKs
 * come back; the journal ends; the store is flushed and closed. All within
 * NODE_STOP_MS and REST_STOP_MS, or the rest is told and left to the write-ahead log.
 */
#pragma once

#include "server/capacity.h"
#include "server/config.h"
#include "store/store.h"

#include <stdbool.h>

#define NODE_STOP_MS 10000

struct node; /* opaque */

/* Starts everything. `config` is borrowed until the node has stopped. On failure `out_why` says
 * what, and nothing is left running. */
MUST_USE enum err node_start(const struct config *config, const struct capacity *capacity,
                             struct node **out_node, struct store_fault *out_why);

/* Has the last reload come to its end? Only then may there be another, and only then is the
 * configuration of the reload before it free. */
bool node_may_reload(const struct node *node);

/* Goes over to what is reloadable in `config`, which is borrowed until the next reload but one has
 * ended; reads the certificates again. Connections that exist keep theirs. */
void node_reload(struct node *node, const struct config *config);

/* Once a second: what is told by one for all. */
void node_tick(struct node *node);

/* Stops everything and releases the node. */
void node_stop(struct node *node);

/* What it listens on, for people. */
void node_print(const struct node *node, FILE *out);
