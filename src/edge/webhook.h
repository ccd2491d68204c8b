/*
 * webhook.h -- the thread that tells the back end: msg.notify, msg.offline, user.onlinestatus.
 *
 * Shards put events into the outbox, with what caused them (chat/notices.h); this
 * thread takes them out and posts them (webhook.md). It may wait for the disk, and for
 * nothing else: all requests are under way at once in one loop.
 *
 *   bell: new events ──▶ muster (marks become msg.offline) ──▶ lanes ──▶ courier ──▶ the back end
 *                            │ asks the shards                  │ 200: dropped by a journal entry
 *                            └── trimmer: keeps the outbox within its bytes and its age
 *
 * Promises:
 *   (1) an event whose cause was acknowledged is posted until it is answered with 200,
 *       refused for good (a dead letter), or older or more than the outbox keeps; a
 *       kill -9 at any moment loses none and may repeat some. That holds for messages
 *       that are not stored, too: they wait for their event's commit (chat/send.c);
 *   (2) the events of a channel are posted in its order, of msg.notify and of msg.offline
 *       each; a user's of user.onlinestatus in theirs;
 *   (3) a slow or dead back end costs disk and no memory, and delays nobody: requests
 *       under way are bounded, all of this thread's memory is within `memory_bytes`;
 *   (4) the secret and contents are never logged.
 *
 * Started and stopped by one other thread.
 */
#pragma once

#include "base/prng.h"
#include "chat/notices.h"
#include "edge/outbox_trimmer.h"
#include "edge/webhook_lane.h"
#include "edge/webhook_muster.h"
#include "edge/webhook_resend.h"
#include "shard/bell.h"
#include "shard/mailbox.h"
#include "system/thread.h"
#include "telemetry/metric.h"

struct shard;
struct store;

#define WEBHOOK_SECRET_BYTES_MAX 1024u
#define WEBHOOK_URL_BYTES_MAX    1200u
#define WEBHOOK_BATCH_BYTES_MAX  1048576u /* of one body, unless one message is larger */

/* With less it cannot hold the largest message as JSON while its buffer grows, and the courier. */
#define WEBHOOK_MEMORY_MIN (8u * 1048576u)

/* What may change while it runs. Borrowed for the call. */
struct webhook_settings {
    const char *http_addr;       /* webhook.httpAddr */
    const char *agent_http_addr; /* agent.webhook.httpAddr; "": none */
    struct bytes secret;         /* empty: requests are not signed */
};

/* What is configured. All but the settings outlives the thread. */
struct webhook_options {
    struct webhook_settings settings;
    uint32_t notices; /* a sum of enum notice: which events are sent */
    uint32_t notify_interval_ms;
    uint32_t notify_count_max;
    uint32_t tries_max;
    uint32_t parallel_max;   /* requests of msg.offline under way at once */
    uint64_t compress_above; /* channel.subscriberCompressOfCount */
    uint64_t source_id;      /* of this node */
    uint64_t outbox_bytes_max;
    uint64_t outbox_age_ms_max;
    uint64_t memory_bytes; /* the root budget of this thread */

    struct bell *bell;
    struct store *store;
    struct journal *journal;
    struct shard *const *shards;
    uint32_t shards_count;
    struct metrics_slot *metrics; /* this thread's own */
    uint64_t clock_floor_ms;      /* events from before this start have times up to here */
};

#define WEBHOOK_LANES_MAX (3u + OUTBOX_LANES_MAX) /* notify, agent, status; offline */

/* Where events are posted to, with their names behind. */
struct webhook_urls {
    char notify[WEBHOOK_URL_BYTES_MAX];
    char agent[WEBHOOK_URL_BYTES_MAX];
    char status[WEBHOOK_URL_BYTES_MAX];
    char offline[WEBHOOK_URL_BYTES_MAX];
};

/* Private to the webhook files. */
struct webhook {
    struct webhook_options options;
    struct budget budget; /* the root; may be read by any thread */
    struct courier courier;
    struct mailbox mailbox; /* its receiver is this struct */
    struct mailer mailer;
    struct outbox_office office;
    struct thread thread;
    _Atomic bool is_stop_asked;
    bool is_stopping; /* this thread has taken notice: nothing new is begun */
    uint64_t stop_by_ns;
    uint64_t wall_ms;     /* of this turn */
    uint64_t bytes_heard; /* of the bell */
    uint64_t rung_ns;     /* when the bell was last looked at */
    uint8_t secret_area[WEBHOOK_SECRET_BYTES_MAX];
    struct bytes secret; /* in there */
    size_t body_bytes_max;
    struct prng prng;
    struct webhook_urls urls;
    uint32_t urls_turn; /* raised when one has changed */
    struct webhook_lane lanes[WEBHOOK_LANES_MAX];
    uint32_t lanes_count;
    struct webhook_muster *muster; /* NULL: msg.offline is not sent */
    struct outbox_trimmer trimmer;
    struct resends resends;
};

/* ERR_DENIED: an address is no URL. ERR_BUDGET: memory_bytes is below WEBHOOK_MEMORY_MIN. */
MUST_USE enum err webhook_start(struct webhook *webhook, const struct webhook_options *options);

/* Goes by these from now on; on this thread. At a new address what waits is tried at once. */
void webhook_take_settings(struct webhook *webhook, const struct webhook_settings *settings);

/* Begins nothing new from now on; what is under way gets WEBHOOK_STOP_MS. Any thread. */
#define WEBHOOK_STOP_MS 2000u
void webhook_order_stop(struct webhook *webhook);

/* Ends the thread. What was not answered is posted again after the next start. */
void webhook_stop(struct webhook *webhook);

/* ---- For the parts of the thread. ---- */

/* Is an event from then older than the outbox keeps? */
bool webhook_is_expired(const struct webhook *webhook, uint64_t queued_ms);

/* Calls `use` with the message of an event, which is in the event or in its log. Blocks; any
 * thread. ERR_ABSENT: there is no such message. */
typedef enum err webhook_use_fn(void *context, const struct outbox_row *row,
                                const struct message_view *view);
MUST_USE enum err webhook_with_message(struct store *store, uint64_t id,
                                       const struct outbox_row *row, webhook_use_fn *use,
                                       void *context);

/* Writes the body of an event of msg.offline. Errors as webhook_with_message, and ERR_BUDGET. */
MUST_USE enum err webhook_write_offline(struct webhook *webhook, struct webhook_body *body,
                                        uint64_t id, const struct outbox_row *row);

/* In which lane the events of msg.offline with this id stand. */
uint8_t webhook_offline_lane(uint64_t id);

/* Events of a queue have been written by this thread, none with an id below. */
void webhook_ring_queue(struct webhook *webhook, uint8_t queue, uint64_t id_least);

/* What of a lane is on its way: events before this are not to be dropped. */
struct outbox_key webhook_sent_below(const struct webhook *webhook, uint8_t queue, uint8_t lane);

/* May one more request of msg.offline be begun? */
bool webhook_may_post(const struct webhook *webhook, uint8_t queue);
