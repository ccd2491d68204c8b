/*
 * bench_traffic.h -- messages between clients: who writes to whom and when, and whether all
 * arrived.
 *
 * A scenario adds channels, lets clients join them and names those who send; then the traffic runs
 * by itself: open loop by a bench_schedule, or closed loop, each sender having so many messages
 * open. A message is open until it was answered and every other client of its channel has it.
 *
 * What is checked, always and for every message, from the first of the warm-up to the last of the
 * drain (bench_tally.h has the words):
 *   (1) each SEND is answered once; what was acknowledged reaches every session of the channel but
 *       the one that sent it, once, and nobody else; what was refused reaches nobody;
 *   (2) each session sees the message_seq of a channel ascend; so do the SENDACKs of one sender;
 *   (3) message_id and message_seq are the same wherever they are told.
 * With --verify also that the msgKey is right and that content, sender and channel are what was
 * sent.
 *
 * Latency counts from the time a message was meant to be sent (closed loop: when the window
 * opened), for the measured part of the run only.
 */
#pragma once

#include "cli/bench_engine.h"
#include "cli/bench_report.h"
#include "cli/bench_schedule.h"
#include "cli/bench_series.h"
#include "cli/bench_steps.h"
#include "cli/bench_tally.h"
#include "cli/bench_watch.h"

#define BENCH_CHANNEL_CHARS_MAX 40u
#define BENCH_NONE              UINT32_MAX

/* All private to bench_traffic.c and bench_receipt.c, but for what is marked. */

struct bench_channel {
    char id[BENCH_CHANNEL_CHARS_MAX]; /* readable */
    struct bench_series messages;     /* struct bench_message, in the order of sending */
    uint32_t sessions_count;
    uint8_t type;
};

struct bench_message {
    uint64_t intended_ns;
    uint64_t message_id; /* the first that was told; 0: none yet */
    uint64_t message_seq;
    uint32_t sender;
    uint32_t deliveries_left;
    bool is_answered;
    bool is_refused;
};

/* One client's view of one channel. */
struct bench_inbox {
    uint64_t message_seq_highest;
    uint8_t *bits; /* by index of the message: was it received? */
    size_t bits_bytes;
    uint32_t channel;
    uint32_t client;
};

struct bench_sender {
    struct list waiting;       /* linked while it has something to send */
    struct bench_series sends; /* uint64_t: by client_seq - 1, the message's index in the channel */
    uint64_t due_count;
    uint64_t sent_before;         /* in earlier passes */
    uint64_t message_seq_highest; /* acknowledged */
    const char *target;           /* the channel_id of its SENDs */
    uint32_t client;
    uint32_t channel;
    uint32_t open_count;
};

/* What a client is here. */
struct bench_member {
    uint32_t first_inbox;
    uint32_t inboxes_count;
    uint32_t sender; /* or BENCH_NONE */
};

struct bench_traffic {
    struct bench_engine *engine; /* borrowed */
    struct bench_watch *watch;   /* borrowed */
    struct bench_channel *channels;
    struct bench_inbox *inboxes; /* those of one client together, by channel */
    struct bench_sender *senders;
    struct bench_member *members; /* by client */
    uint32_t channels_count;
    uint32_t channels_capacity;
    uint32_t inboxes_count;
    uint32_t inboxes_capacity;
    uint32_t senders_count;
    uint32_t senders_capacity;
    struct list waiting; /* senders that could send now, or will when their socket has room */
    struct bench_schedule schedule;
    uint32_t rate;       /* of the next pass, a second */
    uint64_t next;       /* of the schedule */
    uint64_t measure_ns; /* messages from then on are measured */
    uint64_t end_ns;     /* readable: when sending ends */
    uint64_t open_count; /* readable: messages that are open */
    uint64_t last_delivery_ns;
    enum err failure; /* our own: it ends the run */
    struct bench_tally warmup;
    struct bench_tally measured;
    struct histogram acks;       /* from the intended time to the SENDACK */
    struct histogram deliveries; /* from the intended time to each RECV */
    struct histogram lags;       /* from the intended time to the system call */
    struct bench_steps steps;    /* with --p99 */
};

/* Room for so many; the clients are the engine's. ERR_BUDGET: no memory. */
struct bench_traffic_size {
    uint32_t channels_count;
    uint32_t inboxes_count;
    uint32_t senders_count;
};
MUST_USE enum err bench_traffic_open(struct bench_traffic *traffic, struct bench_engine *engine,
                                     struct bench_watch *watch,
                                     const struct bench_traffic_size *size);
void bench_traffic_close(struct bench_traffic *traffic);

/* A new channel, named "bench-RUN-gINDEX" (person channels are never called by that). */
uint32_t bench_traffic_add_channel(struct bench_traffic *traffic, uint8_t type);

/* `client` will be delivered what others write there. Clients join in ascending order, and each its
 * channels in ascending order. */
void bench_traffic_join(struct bench_traffic *traffic, uint32_t channel, uint32_t client);

/* `client`, which sends in no other channel, calls it `target` (borrowed) in its SENDs. */
void bench_traffic_add_sender(struct bench_traffic *traffic, uint32_t channel, uint32_t client,
                              const char *target);

/* The handler's functions for a scenario that adds nothing of its own; the engine's scenario is the
 * traffic. */
extern const struct bench_handler bench_traffic_handler;

/* Runs warm-up, measurement and drain as the options say; with --p99 as many times as it takes
 * (bench_steps.h). ERR_BUDGET: memory gave out. */
MUST_USE enum err bench_traffic_run(struct bench_traffic *traffic);

/* One such pass at `rate` without the accounts; the figures begin anew, the books go on: what an
 * earlier pass measured counts as warm-up from then on. */
MUST_USE enum err bench_traffic_pass(struct bench_traffic *traffic, uint32_t rate);

/* For scenarios that do their own timing: sets the times, then one message, then the accounts. */
void bench_traffic_begin(struct bench_traffic *traffic, uint64_t start_ns);
void bench_traffic_send(struct bench_traffic *traffic, uint32_t sender, uint64_t intended_ns);
void bench_traffic_finish(struct bench_traffic *traffic);

/* The SENDACK's message, or NULL if nobody waited for that. */
const struct bench_message *bench_traffic_on_sendack(struct bench_traffic *traffic,
                                                     const struct bench_client *client,
                                                     const struct packet_sendack *sendack);
void bench_traffic_on_recv(struct bench_traffic *traffic, const struct bench_client *client,
                           const struct packet_recv *recv);

/* Takes samples and says how far it is. */
void bench_traffic_on_tick(struct bench_traffic *traffic);

/* The measured counts and those of the warm-up together. */
uint64_t bench_traffic_total(const struct bench_traffic *traffic, enum bench_tally_id id);
bool bench_traffic_is_measured(const struct bench_traffic *traffic, uint64_t intended_ns);

/* Writes latencies, counts and the costs of the processes; notes every fault as a fault of the
 * run. */
void bench_traffic_report(const struct bench_traffic *traffic, struct bench_report *report);
