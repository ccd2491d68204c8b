#include "cli/bench_traffic.h"

#include "base/assert.h"
#include "cli/bench_receipt.h"
#include "system/clock.h"

#include <stdio.h>

#define NS_PER_S       1000000000ULL
#define NS_PER_MS      1000000ULL
#define SENDS_PER_TURN 64u  /* then it is time to read: an unread socket is latency, too */
#define START_MS       200u /* between the logins and the first message */
#define SETTLE_MS      500u /* for what should not come after all has come */

/* ---- Opening and closing. ---- */

enum err bench_traffic_open(struct bench_traffic *traffic, struct bench_engine *engine,
                            struct bench_watch *watch, const struct bench_traffic_size *size)
{
    struct budget *budget = &engine->budget;
    const uint32_t clients_count = engine->clients_count;
    *traffic = (struct bench_traffic){
        .engine = engine,
        .watch = watch,
        .rate = engine->options->rate,
        .channels_capacity = size->channels_count,
        .inboxes_capacity = size->inboxes_count,
        .senders_capacity = size->senders_count,
        .channels = memory_acquire_zeroed(budget, MEMORY_RANK_READ,
                                          size->channels_count * sizeof(struct bench_channel)),
        .inboxes = memory_acquire_zeroed(budget, MEMORY_RANK_READ,
                                         size->inboxes_count * sizeof(struct bench_inbox)),
        .senders = memory_acquire_zeroed(budget, MEMORY_RANK_READ,
                                         size->senders_count * sizeof(struct bench_sender)),
        .members = memory_acquire_zeroed(budget, MEMORY_RANK_READ,
                                         clients_count * sizeof(struct bench_member)),
    };
    list_init(&traffic->waiting);
    if (traffic->channels == NULL || traffic->inboxes == NULL || traffic->senders == NULL ||
        traffic->members == NULL) {
        bench_traffic_close(traffic);
        return ERR_BUDGET;
    }
    for (uint32_t i = 0; i < clients_count; i++) {
        traffic->members[i].sender = BENCH_NONE;
    }
    return ERR_OK;
}

void bench_traffic_close(struct bench_traffic *traffic)
{
    struct budget *budget = &traffic->engine->budget;
    for (uint32_t i = 0; i < traffic->channels_count; i++) {
        bench_series_release(&traffic->channels[i].messages, budget);
    }
    for (uint32_t i = 0; i < traffic->inboxes_count; i++) {
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): with a count there are inboxes. */
        memory_release(budget, traffic->inboxes[i].bits, traffic->inboxes[i].bits_bytes);
    }
    for (uint32_t i = 0; i < traffic->senders_count; i++) {
        bench_series_release(&traffic->senders[i].sends, budget);
    }
    memory_release(budget, traffic->channels,
                   traffic->channels_capacity * sizeof(struct bench_channel));
    memory_release(budget, traffic->inboxes,
                   traffic->inboxes_capacity * sizeof(struct bench_inbox));
    memory_release(budget, traffic->senders,
                   traffic->senders_capacity * sizeof(struct bench_sender));
    memory_release(budget, traffic->members,
                   traffic->engine->clients_count * sizeof(struct bench_member));
    *traffic = (struct bench_traffic){.engine = traffic->engine};
}

uint32_t bench_traffic_add_channel(struct bench_traffic *traffic, uint8_t type)
{
    ASSERT(traffic->channels_count < traffic->channels_capacity);
    const uint32_t index = traffic->channels_count++;
    struct bench_channel *channel = &traffic->channels[index];
    *channel = (struct bench_channel){
        .type = type,
        .messages = BENCH_SERIES_OF(struct bench_message),
    };
    snprintf(channel->id, sizeof(channel->id), "bench-%08x-g%u", traffic->engine->run, index);
    return index;
}

void bench_traffic_join(struct bench_traffic *traffic, uint32_t channel, uint32_t client)
{
    ASSERT(traffic->inboxes_count < traffic->inboxes_capacity);
    ASSERT(channel < traffic->channels_count);
    struct bench_member *member = &traffic->members[client];
    const uint32_t index = traffic->inboxes_count++;
    if (member->inboxes_count == 0) {
        member->first_inbox = index;
    } else {
        ASSERT(member->first_inbox + member->inboxes_count == index);
        ASSERT(traffic->inboxes[index - 1].channel < channel);
    }
    member->inboxes_count++;
    traffic->inboxes[index] = (struct bench_inbox){.channel = channel, .client = client};
    traffic->channels[channel].sessions_count++;
}

void bench_traffic_add_sender(struct bench_traffic *traffic, uint32_t channel, uint32_t client,
                              const char *target)
{
    ASSERT(traffic->senders_count < traffic->senders_capacity);
    ASSERT(traffic->members[client].sender == BENCH_NONE);
    const uint32_t index = traffic->senders_count++;
    traffic->members[client].sender = index;
    traffic->senders[index] = (struct bench_sender){
        .sends = BENCH_SERIES_OF(uint64_t),
        .target = target,
        .client = client,
        .channel = channel,
    };
}

/* ---- One message. ---- */

bool bench_traffic_is_measured(const struct bench_traffic *traffic, uint64_t intended_ns)
{
    return intended_ns >= traffic->measure_ns;
}

/* Remembers a new message of `sender`. NULL: no memory. */
static struct bench_message *remember(struct bench_traffic *traffic, struct bench_sender *sender,
                                      struct bench_message_id *out_id)
{
    struct budget *budget = &traffic->engine->budget;
    struct bench_channel *channel = &traffic->channels[sender->channel];
    uint64_t *index = bench_series_add(&sender->sends, budget);
    struct bench_message *message =
        index != NULL ? bench_series_add(&channel->messages, budget) : NULL;
    if (message == NULL) {
        return NULL;
    }
    *index = channel->messages.count - 1;
    *out_id = (struct bench_message_id){.channel = sender->channel, .index = *index};
    message->sender = (uint32_t)(sender - traffic->senders);
    message->deliveries_left = channel->sessions_count - 1;
    return message;
}

void bench_traffic_send(struct bench_traffic *traffic, uint32_t sender_index, uint64_t intended_ns)
{
    struct bench_engine *engine = traffic->engine;
    struct bench_sender *sender = &traffic->senders[sender_index];
    struct bench_client *client = &engine->clients[sender->client];
    struct bench_message_id id;
    struct bench_message *message = remember(traffic, sender, &id);
    if (message == NULL) {
        traffic->failure = ERR_BUDGET;
        return;
    }
    message->intended_ns = intended_ns;
    uint8_t message_no[BENCH_NO_CHARS];
    uint8_t tail[BENCH_TAIL_BYTES];
    bench_message_no_write(engine->run, id, message_no);
    bench_payload_tail(sender->client, id.index, intended_ns, tail);
    const struct bench_send send = {
        .channel_type = traffic->channels[sender->channel].type,
        .channel_id = bytes_of_string(sender->target),
        .client_msg_no = {.data = message_no, .size = sizeof(message_no)},
        .tail = {.data = tail, .size = sizeof(tail)},
    };
    if (bench_client_send(engine, client, &send) != ERR_OK) {
        traffic->failure = ERR_BUDGET;
        return;
    }
    ASSERT(client->client_seq_last == sender->sends.count);
    sender->open_count++;
    traffic->open_count++;
    bench_receipt_count(traffic, intended_ns, BENCH_TALLY_SENT);
}

/* ---- Sending what is due. ---- */

/* The times of what one turn sends, until it is known when they left. */
struct departures {
    uint64_t intended_ns[SENDS_PER_TURN];
    uint32_t count;
};

static void depart(struct bench_traffic *traffic, struct departures *departures, uint32_t sender,
                   uint64_t intended_ns)
{
    bench_traffic_send(traffic, sender, intended_ns);
    departures->intended_ns[departures->count++] = intended_ns;
}

static bool is_closed_loop(const struct bench_traffic *traffic)
{
    return traffic->engine->options->window > 0;
}

/* How many messages `sender` may send now, were its socket to take them. */
static uint64_t sendable_count(const struct bench_traffic *traffic,
                               const struct bench_sender *sender)
{
    return is_closed_loop(traffic) ? traffic->engine->options->window - sender->open_count
                                   : sender->due_count - sender->sends.count;
}

/* When the sender's next message is, or was, due. */
static uint64_t intended_ns_of(const struct bench_traffic *traffic,
                               const struct bench_sender *sender, uint64_t now_ns)
{
    if (is_closed_loop(traffic)) {
        return now_ns;
    }
    const uint32_t index = (uint32_t)(sender - traffic->senders);
    const uint64_t sent = sender->sends.count - sender->sent_before;
    return bench_schedule_time_ns(&traffic->schedule, sent * traffic->senders_count + index);
}

/* Those that were held up, or whose window opened. */
static void send_waiting(struct bench_traffic *traffic, struct departures *departures,
                         uint64_t now_ns)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the head was initialised: a ring. */
    LIST_FOR_EACH_SAFE (item, following, &traffic->waiting) {
        struct bench_sender *sender = CONTAINER_OF(item, struct bench_sender, waiting);
        const uint32_t index = (uint32_t)(sender - traffic->senders);
        const struct bench_client *client = &traffic->engine->clients[sender->client];
        while (sendable_count(traffic, sender) > 0 && bench_client_can_send(client)) {
            if (departures->count == SENDS_PER_TURN) {
                return;
            }
            depart(traffic, departures, index, intended_ns_of(traffic, sender, now_ns));
        }
        if (sendable_count(traffic, sender) == 0) {
            list_remove(&sender->waiting);
        }
    }
}

/* Those whose time has come. */
static void send_scheduled(struct bench_traffic *traffic, struct departures *departures,
                           uint64_t now_ns)
{
    while (traffic->next < traffic->schedule.count && departures->count < SENDS_PER_TURN) {
        const uint64_t intended_ns = bench_schedule_time_ns(&traffic->schedule, traffic->next);
        if (intended_ns > now_ns) {
            return;
        }
        const uint32_t index = (uint32_t)(traffic->next++ % traffic->senders_count);
        struct bench_sender *sender = &traffic->senders[index];
        sender->due_count++;
        if (list_is_linked(&sender->waiting)) {
            continue; /* behind what it has to send already */
        }
        if (bench_client_can_send(&traffic->engine->clients[sender->client])) {
            depart(traffic, departures, index, intended_ns);
        } else {
            list_push_back(&traffic->waiting, &sender->waiting);
        }
    }
}

/* Sends what is due and returns when there will be more. */
static uint64_t send_due(struct bench_traffic *traffic)
{
    struct departures departures = {.count = 0};
    const uint64_t now_ns = clock_now_ns();
    send_waiting(traffic, &departures, now_ns);
    send_scheduled(traffic, &departures, now_ns);
    bench_engine_flush(traffic->engine);
    if (departures.count > 0) {
        const uint64_t left_ns = clock_now_ns();
        for (uint32_t i = 0; i < departures.count; i++) {
            if (bench_traffic_is_measured(traffic, departures.intended_ns[i])) {
                histogram_add(&traffic->lags, left_ns - departures.intended_ns[i]);
            }
        }
    }
    if (departures.count == SENDS_PER_TURN) {
        return now_ns;
    }
    return traffic->next < traffic->schedule.count
               ? bench_schedule_time_ns(&traffic->schedule, traffic->next)
               : BENCH_NO_TIME;
}

/* ---- The run. ---- */

void bench_traffic_begin(struct bench_traffic *traffic, uint64_t start_ns)
{
    const struct bench_options *options = traffic->engine->options;
    traffic->measure_ns = start_ns + options->warmup_s * NS_PER_S;
    traffic->end_ns = traffic->measure_ns + options->measure_s * NS_PER_S;
    traffic->schedule = (struct bench_schedule){
        .start_ns = start_ns,
        .rate = traffic->rate,
        .bursts_hz = options->bursts_hz,
        .count = (uint64_t)traffic->rate * (options->warmup_s + options->measure_s),
    };
}

static bool has_more_to_send(const struct bench_traffic *traffic)
{
    const uint64_t now_ns = clock_now_ns();
    if (is_closed_loop(traffic)) {
        return now_ns < traffic->end_ns;
    }
    const uint64_t patience_ns = traffic->engine->options->drain_s * NS_PER_S;
    return traffic->next < traffic->schedule.count ||
           (!list_is_empty(&traffic->waiting) && now_ns < traffic->end_ns + patience_ns);
}

static void run_sending(struct bench_traffic *traffic)
{
    bool is_marked = false;
    while (has_more_to_send(traffic) && traffic->failure == ERR_OK) {
        uint64_t wake_ns = send_due(traffic);
        if (!is_marked && clock_now_ns() >= traffic->measure_ns) {
            bench_engine_reset_figures(traffic->engine);
            bench_watch_mark_begin(traffic->watch);
            is_marked = true;
        }
        const uint64_t moment_ns = is_marked ? traffic->end_ns : traffic->measure_ns;
        wake_ns = wake_ns < moment_ns ? wake_ns : moment_ns;
        bench_engine_turn(traffic->engine, wake_ns);
    }
}

static void run_drain(struct bench_traffic *traffic)
{
    const uint64_t end_ns = clock_now_ns() + traffic->engine->options->drain_s * NS_PER_S;
    while (traffic->open_count > 0 && clock_now_ns() < end_ns && traffic->failure == ERR_OK) {
        bench_engine_turn(traffic->engine, end_ns);
    }
}

/* Whoever is late is late for good: a pass begins with nothing to make up for. */
static void begin_anew(struct bench_traffic *traffic)
{
    for (uint32_t i = 0; i < BENCH_TALLIES_COUNT; i++) {
        traffic->warmup.counts[i] += traffic->measured.counts[i];
    }
    for (uint32_t i = 0; i < BENCH_REASONS_COUNT; i++) {
        traffic->warmup.reasons[i] += traffic->measured.reasons[i];
    }
    memset(&traffic->measured, 0, sizeof(traffic->measured));
    memset(&traffic->acks, 0, sizeof(traffic->acks));
    memset(&traffic->deliveries, 0, sizeof(traffic->deliveries));
    memset(&traffic->lags, 0, sizeof(traffic->lags));
    traffic->next = 0;
    for (uint32_t i = 0; i < traffic->senders_count; i++) {
        struct bench_sender *sender = &traffic->senders[i];
        sender->due_count = sender->sends.count;
        sender->sent_before = sender->sends.count;
        if (list_is_linked(&sender->waiting)) {
            list_remove(&sender->waiting);
        }
    }
}

enum err bench_traffic_pass(struct bench_traffic *traffic, uint32_t rate)
{
    struct bench_engine *engine = traffic->engine;
    begin_anew(traffic);
    traffic->rate = rate;
    bench_engine_run_until(engine, clock_now_ns() + START_MS * NS_PER_MS);
    bench_traffic_begin(traffic, clock_now_ns() + NS_PER_MS);
    if (is_closed_loop(traffic)) {
        traffic->schedule.count = 0;
        for (uint32_t i = 0; i < traffic->senders_count; i++) {
            list_push_back(&traffic->waiting, &traffic->senders[i].waiting);
        }
    }
    run_sending(traffic);
    run_drain(traffic);
    bench_watch_mark_end(traffic->watch);
    bench_engine_run_until(engine, clock_now_ns() + SETTLE_MS * NS_PER_MS);
    return traffic->failure;
}

enum err bench_traffic_run(struct bench_traffic *traffic)
{
    const struct bench_options *options = traffic->engine->options;
    traffic->watch->deliveries = &traffic->deliveries;
    enum err err = ERR_OK;
    if (options->p99_ms > 0) {
        err = bench_steps_run(&traffic->steps, traffic);
    }
    if (err == ERR_OK) {
        err = bench_traffic_pass(traffic, traffic->rate);
    }
    bench_watch_progress_end(traffic->watch);
    bench_traffic_finish(traffic);
    traffic->watch->deliveries = NULL;
    return err;
}

/* ---- The handler. ---- */

static void on_sendack(struct bench_engine *engine, struct bench_client *client,
                       const struct packet_sendack *sendack)
{
    (void)bench_traffic_on_sendack(engine->scenario, client, sendack);
}

static void on_recv(struct bench_engine *engine, struct bench_client *client,
                    const struct packet_recv *recv)
{
    bench_traffic_on_recv(engine->scenario, client, recv);
}

void bench_traffic_on_tick(struct bench_traffic *traffic)
{
    (void)bench_watch_sample(traffic->watch);
    if (bench_watch_wants_progress(traffic->watch)) {
        bench_watch_progress(
            traffic->watch, "sent %llu  open %llu  delivered %llu  p99 %.1f ms",
            (unsigned long long)bench_traffic_total(traffic, BENCH_TALLY_SENT),
            (unsigned long long)traffic->open_count,
            (unsigned long long)bench_traffic_total(traffic, BENCH_TALLY_DELIVERED),
            (double)histogram_percentile_ns(&traffic->deliveries, 990000) / 1e6);
    }
}

static void on_tick(struct bench_engine *engine)
{
    bench_traffic_on_tick(engine->scenario);
}

const struct bench_handler bench_traffic_handler = {
    .on_sendack = on_sendack,
    .on_recv = on_recv,
    .on_tick = on_tick,
};
