/*
 * source.h -- the thread that asks the back end: the data source (webhook 7, ADR 22).
 *
 * It exists only with `datasource.addr`. It asks over HTTP, several questions at once
 * in one loop, and brings the answers to the shards as changes of their own kinds; it
 * may wait for the disk, and for nothing else.
 *
 * Promises:
 *   (1) the last good answer counts until there is another: an answer that does not
 *       come, or cannot be read, changes nothing;
 *   (2) a slow or dead back end costs no memory and delays nobody beyond the time-out;
 *       all of this thread's memory is within `memory_bytes`; when more is asked than
 *       can be, who asks goes on with what is stored;
 *   (3) a channel is asked for once at a time, whoever asks, and not again while its
 *       answer is fresh or it has just failed;
 *   (4) what was asked of others has come home before the thread ends.
 *
 * Started and stopped by one other thread.
 */
#pragma once

#include "base/hash.h"
#include "base/prng.h"
#include "edge/courier.h"
#include "edge/source_flight.h"
#include "edge/source_system.h"
#include "edge/source_table.h"
#include "shard/mailbox.h"
#include "system/thread.h"
#include "telemetry/metric.h"

struct inquiry;
struct shard;
struct store;

#define SOURCE_URL_BYTES_MAX 1024u

/* What is needed beside answers: calls, what they are made of, and libcurl. */
#define SOURCE_MEMORY_FIXED (2u * 1048576u)
/* The least `memory_bytes` for answers of so many bytes: an answer while its room grows, and its
 * uids while they are sorted. */
#define SOURCE_MEMORY_MIN(answer_bytes_max_) (SOURCE_MEMORY_FIXED + 4u * (answer_bytes_max_))

/* What may change while it runs. */
struct source_settings {
    const char *addr; /* datasource.addr; borrowed for the call */
    uint32_t timeout_ms;
    uint64_t ttl_ms;   /* how long an answer is fresh */
    uint64_t retry_ms; /* how long a channel rests after a failure */
};

/* What is configured. All outlives the thread. */
struct source_options {
    struct source_settings settings;
    bool asks_lists; /* members, deny and allow list of channels */
    bool asks_info;  /* flags of channels */
    size_t answer_bytes_max;
    uint64_t memory_bytes; /* the root budget of this thread */

    struct store *store;
    struct shard *const *shards;
    uint32_t shards_count;
    struct metrics_slot *metrics; /* this thread's own */
};

#define SOURCE_FLIGHTS       16u  /* channels that are asked for at once */
#define SOURCE_INQUIRIES_MAX 256u /* that wait for one of them */

/* Private to the source files. */
struct source {
    struct source_options options;
    struct budget budget; /* the root; may be read by any thread */
    struct courier courier;
    struct mailbox mailbox; /* its receiver is this struct */
    struct mailer mailer;
    struct thread thread;
    _Atomic bool is_stop_asked;
    _Atomic bool is_end_asked;
    _Atomic bool is_quiet; /* is_stopping, and nothing is with the shards any more */
    bool is_stopping;      /* this thread has taken notice: nothing new is begun */
    uint64_t end_by_ns;    /* 0: not asked to end yet */
    uint64_t now_ns;       /* of this turn */
    uint32_t changes_away; /* with the shards */
    struct hash_key hash_key;
    struct prng prng;
    struct source_settings settings; /* the address is in here: */
    char addr[SOURCE_URL_BYTES_MAX];
    uint32_t addr_turn; /* raised when it has changed */
    struct source_system system;
    struct source_flight flights[SOURCE_FLIGHTS];
    bool has_flights; /* channels are asked for at all */
    struct source_table table;
    struct list inquiries; /* that wait for a flight, oldest first */
    uint32_t inquiries_count;
    uint32_t silences;      /* questions in a row that nobody answered */
    uint64_t down_until_ns; /* with so many: nobody is asked before */
};

/* ERR_DENIED: the address is no URL. ERR_BUDGET: memory_bytes is below SOURCE_MEMORY_MIN.
 * ERR_LIMIT: the address is too long. */
MUST_USE enum err source_start(struct source *source, const struct source_options *options);

/* Goes by these from now on; on this thread. What was answered stays fresh as long as it was to be,
 * but for the system accounts, who are asked for at once at a new address. */
void source_take_settings(struct source *source, const struct source_settings *settings);

/* Gives up what is under way and begins nothing new. Any thread. The shards must go on until
 * source_is_quiet. */
void source_order_stop(struct source *source);

/* Will no shard hear from it any more? Any thread. */
bool source_is_quiet(const struct source *source);

/* Ends the thread. The shards have ended. */
void source_stop(struct source *source);

/* Receives the letter of an inquiry (chat/inquiry.h), on this thread; `receiver` is the source. */
void source_take_inquiry(struct letter *letter, void *receiver);

/* ---- For the parts of the thread. ---- */

/* A question was answered, somehow, or nobody was there. */
void source_heard(struct source *source, bool was_there);

/* Has nobody been there lately? Then nobody is asked for a while. */
bool source_is_down(const struct source *source);

/* A flight has come to its end: its inquiries go home. */
void source_landed(struct source *source, struct source_flight *flight);
