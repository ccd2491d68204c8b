#include "edge/webhook_lane.h"

#include "base/assert.h"
#include "edge/webhook.h"
#include "memory/allocator.h"
#include "store/message_id.h"
#include "store/message_log.h"
#include "telemetry/logger.h"

#define BACKOFF_FIRST_MS 1000u
#define BACKOFF_LAST_MS  30000u
#define LINGER_LOOK_MS   50u /* how often a lingering batch is looked at */
#define READ_AGAIN_MS    1000u
#define NS_PER_MS        1000000u

uint64_t webhook_backoff_ms(uint32_t fails, uint64_t random)
{
    ASSERT(fails > 0);
    uint64_t wait_ms = BACKOFF_FIRST_MS;
    for (uint32_t i = 1; i < fails && wait_ms < BACKOFF_LAST_MS; i++) {
        wait_ms *= 2;
    }
    wait_ms = wait_ms < BACKOFF_LAST_MS ? wait_ms : BACKOFF_LAST_MS;
    return wait_ms / 2 + random % (wait_ms / 2 + 1);
}

static uint64_t now_ns(const struct webhook_lane *lane)
{
    return lane->webhook->office.now_ns;
}

static struct outbox_key lane_key(const struct webhook_lane *lane, uint64_t id, uint16_t part)
{
    return (struct outbox_key){
        .queue = lane->options.queue, .lane = lane->options.lane, .id = id, .part = part};
}

static struct outbox_key event_key(const struct webhook_lane *lane, uint32_t index)
{
    return lane_key(lane, lane->events[index].id, lane->events[index].part);
}

/* Nothing is in memory but the place in the queue. */
static void lane_rest(struct webhook_lane *lane)
{
    webhook_body_clear(&lane->body);
    lane->events_count = 0;
    lane->stage = LANE_IDLE;
}

static void lane_wait(struct webhook_lane *lane, uint64_t wait_ms)
{
    lane->due_ns = now_ns(lane) + wait_ms * NS_PER_MS;
    lane_rest(lane);
}

/* ---- Reading what is at the head. ---- */

static uint32_t batch_count_max(const struct webhook_lane *lane)
{
    return lane->singles > 0 ? 1 : lane->options.count_max;
}

/* What the event has in its own row is written at once; what it points to is read afterwards. */
static enum err add_own(struct webhook_lane *lane, uint64_t id, const struct outbox_row *row)
{
    if (lane->options.queue == OUTBOX_STATUS) {
        return webhook_body_add_status(&lane->body, row->data, lane->webhook->body_bytes_max);
    }
    if (lane->options.queue == OUTBOX_OFFLINE) {
        return webhook_write_offline(lane->webhook, &lane->body, id, row);
    }
    return ERR_OK;
}

static bool visit_event(void *context, const struct outbox_key *key, const struct outbox_row *row,
                        size_t row_bytes)
{
    struct webhook_lane *lane = context;
    enum lane_fate fate = LANE_SEND;
    if (webhook_is_expired(lane->webhook, row->queued_ms)) {
        fate = LANE_EXPIRED;
    } else {
        const enum err err = add_own(lane, key->id, row);
        if (err == ERR_ABSENT) {
            fate = LANE_GONE;
        } else if (err != ERR_OK) {
            lane->read_result =
                err == ERR_LIMIT ? ERR_OK : err; /* the batch is full, or it fails */
            return false;
        }
    }
    lane->events[lane->events_count++] = (struct lane_event){
        .id = key->id,
        .queued_ms = row->queued_ms,
        .seq = row->seq,
        .log = row->log,
        .cost = (uint32_t)outbox_cost(row_bytes),
        .part = key->part,
        .fate = (uint8_t)fate,
    };
    return true;
}

static enum err read_events(struct webhook_lane *lane)
{
    lane->rung_least = UINT64_MAX;
    lane->events_count = 0;
    lane->read_result = ERR_OK;
    const struct outbox_range range = {
        .from = lane->cursor,
        .count_max = batch_count_max(lane),
        .visit = visit_event,
        .context = lane,
    };
    struct outbox_key bad = {.queue = OUTBOX_INVALID};
    const enum err err = store_read_outbox(lane->webhook->options.store, &range, &bad);
    if (err == ERR_CORRUPT && bad.queue != OUTBOX_INVALID) {
        if (lane->events_count == 0) { /* what is before it goes first; then it is dropped */
            LOG_ERROR("outbox_row_damaged", F_STR("event", lane->options.event),
                      F_U64("id", bad.id));
            lane->events[lane->events_count++] =
                (struct lane_event){.id = bad.id, .part = bad.part, .fate = LANE_DAMAGED};
        }
        return lane->read_result;
    }
    return err == ERR_OK ? lane->read_result : err;
}

static bool visit_message(void *context, const struct message_view *view, struct bytes row)
{
    (void)row;
    struct webhook_lane *lane = context;
    for (uint32_t i = lane->run_first; i < lane->events_count; i++) {
        struct lane_event *event = &lane->events[i];
        if (event->seq == view->seq && event->id == view->message_id) {
            lane->read_result =
                webhook_body_add_message(&lane->body, view, lane->webhook->body_bytes_max);
            event->fate = LANE_SEND;
            lane->run_first = i + 1;
            return lane->read_result == ERR_OK;
        }
        if (event->seq > view->seq) {
            return true;
        }
    }
    return false;
}

static bool is_same_log(struct log_ref a, struct log_ref b)
{
    return a.channel.slot == b.channel.slot && a.channel.number == b.channel.number &&
           a.kind == b.kind;
}

/* How many events from `first` on are neighbours in one log. */
static uint32_t run_length(const struct webhook_lane *lane, uint32_t first)
{
    const struct lane_event *events = lane->events;
    uint32_t count = 1;
    while (first + count < lane->events_count && events[first + count].fate == LANE_SEND &&
           is_same_log(events[first + count].log, events[first].log) &&
           events[first + count].seq == events[first].seq + count) {
        count++;
    }
    return count;
}

/* Adds the messages of one run to the body. Those that are not found stay LANE_GONE. ERR_LIMIT: the
 * body is full, and the batch ends before lane->run_first. */
static enum err read_run(struct webhook_lane *lane, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        lane->events[i].fate = LANE_GONE;
    }
    const struct message_range range = {
        .log = lane->events[first].log,
        .seq_min = lane->events[first].seq,
        .seq_max = lane->events[first].seq + count - 1,
        .order = MESSAGES_OLDEST_ASCENDING,
        .count_max = count,
        .bytes_max = UINT32_MAX,
        .visit = visit_message,
        .context = lane,
    };
    lane->run_first = first;
    const enum err err = store_read_messages(lane->webhook->options.store, STORE_PASSING, &range);
    if (err == ERR_OK && lane->read_result == ERR_LIMIT) {
        lane->run_first--; /* this one did not fit */
    }
    if (err == ERR_CORRUPT) {
        LOG_ERROR("webhook_message_damaged", F_STR("event", lane->options.event),
                  F_U64("id", lane->events[lane->run_first].id));
        return ERR_OK; /* it and those behind it in this run are gone */
    }
    return err == ERR_OK ? lane->read_result : err;
}

/* Reads what the events point to. */
static enum err read_messages(struct webhook_lane *lane)
{
    uint32_t i = 0;
    while (i < lane->events_count) {
        if (lane->events[i].fate != LANE_SEND) {
            i++;
            continue;
        }
        const uint32_t count = run_length(lane, i);
        const enum err err = read_run(lane, i, count);
        if (err == ERR_LIMIT) {
            lane->events_count = lane->run_first;
            lane->read_result = ERR_OK;
            return ERR_OK;
        }
        if (err != ERR_OK) {
            return err;
        }
        i += count;
    }
    return ERR_OK;
}

/* ---- Dropping what is done. ---- */

static void lane_dropped(struct outbox_writer *writer)
{
    struct webhook_lane *lane = writer->context;
    lane->cursor = event_key(lane, lane->events_count - 1);
    lane->cursor.part++;
    webhook_lane_ring(lane, lane->rung_least); /* it may have come before those of the batch */
    lane->due_ns = 0;
    lane_rest(lane);
}

static void count_fates(struct webhook_lane *lane)
{
    struct metrics_slot *metrics = lane->webhook->options.metrics;
    for (uint32_t i = 0; i < lane->events_count; i++) {
        const uint8_t fate = lane->events[i].fate;
        metric_add(metrics, METRIC_WEBHOOK_EXPIRED, fate == LANE_EXPIRED ? 1 : 0);
        metric_add(metrics, METRIC_WEBHOOK_GONE, fate == LANE_GONE || fate == LANE_DAMAGED ? 1 : 0);
    }
}

/* Takes the batch off the disk. Without memory for that now: the whole batch again, later. */
static void lane_drop(struct webhook_lane *lane)
{
    lane->stage = LANE_DROPPING;
    for (uint32_t i = 0; i < lane->events_count; i++) {
        const struct outbox_key key = event_key(lane, i);
        if (outbox_writer_drop(&lane->writer, &key, lane->events[i].cost) != ERR_OK) {
            outbox_writer_forget(&lane->writer);
            lane_wait(lane, READ_AGAIN_MS);
            return;
        }
    }
    count_fates(lane);
    webhook_body_clear(&lane->body);
    outbox_writer_send(&lane->writer);
}

/* ---- What became of a request. ---- */

static bool visit_dead(void *context, const struct outbox_key *key, const struct outbox_row *row,
                       size_t row_bytes)
{
    struct webhook_lane *lane = context;
    (void)row_bytes;
    const struct outbox_key dead = {
        .queue = OUTBOX_DEAD, .lane = key->queue, .id = key->id, .part = key->part};
    struct outbox_row kept = *row;
    kept.queued_ms = lane->webhook->wall_ms;
    kept.status = (uint16_t)lane->call.status;
    lane->read_result = outbox_writer_reserve(&lane->writer, 2, outbox_row_strings_size(row));
    if (lane->read_result == ERR_OK) {
        lane->read_result = outbox_writer_put(&lane->writer, &dead, &kept);
    }
    return false;
}

/* The one event of the batch is refused for good: it moves to the dead letters. */
static void lane_bury(struct webhook_lane *lane)
{
    ASSERT(lane->events_count == 1);
    lane->read_result = ERR_ABSENT;
    const struct outbox_range range = {
        .from = event_key(lane, 0), .count_max = 1, .visit = visit_dead, .context = lane};
    enum err err = store_read_outbox(lane->webhook->options.store, &range, NULL);
    err = err == ERR_OK ? lane->read_result : err;
    if (err != ERR_OK) {
        outbox_writer_forget(&lane->writer);
        lane_wait(lane, READ_AGAIN_MS);
        return;
    }
    LOG_WARN("webhook_dead_letter", F_STR("event", lane->options.event),
             F_U64("id", lane->events[0].id), F_U64("status", lane->call.status));
    metric_add(lane->webhook->options.metrics, METRIC_WEBHOOK_DEAD, 1);
    lane->refusals = 0;
    lane_drop(lane);
}

static bool is_away(uint32_t status)
{
    return status == 0 || status == 408 || status == 425 || status == 429 || status == 502 ||
           status == 503 || status == 504;
}

static void lane_failed(struct webhook_lane *lane)
{
    struct webhook *webhook = lane->webhook;
    if (lane->fails == 0) {
        LOG_WARN("webhook_failing", F_STR("event", lane->options.event),
                 F_U64("status", lane->call.status), F_STR("why", lane->call.fault));
    }
    lane->fails++;
    const uint64_t wait_ms = webhook_backoff_ms(lane->fails, prng_next(&webhook->prng));
    if (is_away(lane->call.status)) {
        metric_add(webhook->options.metrics, METRIC_WEBHOOK_CALLS_AWAY, 1);
        lane_wait(lane, wait_ms);
        return;
    }
    metric_add(webhook->options.metrics, METRIC_WEBHOOK_CALLS_REFUSED, 1);
    lane->refusals++;
    if (lane->singles == 0 && lane->refusals < lane->options.tries_max) {
        lane_wait(lane, wait_ms);
    } else if (lane->events_count > 1) {
        lane->singles = lane->events_count;
        lane_wait(lane, 0);
    } else {
        lane->singles -= lane->singles > 0 ? 1 : 0;
        lane_bury(lane);
    }
}

static void lane_posted(struct courier_call *call)
{
    struct webhook_lane *lane = call->context;
    if (call->status != 200) {
        lane_failed(lane);
        return;
    }
    if (lane->fails > 0) {
        LOG_INFO("webhook_answers", F_STR("event", lane->options.event),
                 F_U64("failures", lane->fails));
    }
    struct metrics_slot *metrics = lane->webhook->options.metrics;
    metric_add(metrics, METRIC_WEBHOOK_CALLS, 1);
    metric_add(metrics, METRIC_WEBHOOK_SENT, lane->events_count);
    metric_took(metrics, LATENCY_WEBHOOK, now_ns(lane) - lane->posted_ns);
    lane->fails = 0;
    lane->refusals = 0;
    lane->singles -= lane->singles > 0 ? 1 : 0;
    lane_drop(lane);
}

/* ---- Sending. ---- */

/* The address may have changed since the last request. */
static enum err lane_find_address(struct webhook_lane *lane)
{
    if (lane->url_turn == lane->webhook->urls_turn) {
        return ERR_OK;
    }
    const enum err err = courier_call_readdress(&lane->call, lane->options.url);
    if (err == ERR_OK) {
        lane->url_turn = lane->webhook->urls_turn;
    }
    return err;
}

static void lane_post(struct webhook_lane *lane)
{
    struct webhook *webhook = lane->webhook;
    if (lane->body.items > 0) {
        webhook_body_end(&lane->body);
    }
    const struct bytes text = webhook_body_text(&lane->body);
    enum err err = lane_find_address(lane);
    if (err == ERR_OK) {
        err = courier_post(&lane->call, lane->body.buffer, text.size, webhook->secret,
                           webhook->wall_ms / 1000);
    }
    if (err != ERR_OK) {
        lane_wait(lane, READ_AGAIN_MS);
        return;
    }
    lane->posted_ns = now_ns(lane);
    lane->stage = LANE_POSTING;
}

/* The messages that are written in their own event are there by now; others are read. */
static void lane_begin(struct webhook_lane *lane)
{
    lane->is_lingering = false;
    const bool points = lane->options.queue == OUTBOX_NOTIFY || lane->options.queue == OUTBOX_AGENT;
    const enum err err = points ? read_messages(lane) : ERR_OK;
    if (err != ERR_OK) {
        lane_wait(lane, READ_AGAIN_MS);
        return;
    }
    if (lane->body.size == COURIER_HEADROOM) {
        lane_drop(lane); /* nothing of the batch is worth sending */
        return;
    }
    lane_post(lane);
}

/* Is the batch to wait for more? Sets when to look again. */
static bool lane_lingers(struct webhook_lane *lane)
{
    const bool is_full = lane->events_count == batch_count_max(lane);
    if (is_full || lane->options.linger_ms == 0 || lane->fails > 0) {
        return false;
    }
    if (!lane->is_lingering) {
        lane->is_lingering = true;
        lane->linger_until_ns = now_ns(lane) + (uint64_t)lane->options.linger_ms * NS_PER_MS;
    }
    if (now_ns(lane) >= lane->linger_until_ns) {
        return false;
    }
    const uint64_t look_ns = now_ns(lane) + LINGER_LOOK_MS * NS_PER_MS;
    lane->due_ns = look_ns < lane->linger_until_ns ? look_ns : lane->linger_until_ns;
    lane_rest(lane);
    return true;
}

uint64_t webhook_lane_run(struct webhook_lane *lane)
{
    if (lane->stage != LANE_IDLE || !lane->has_more || lane->webhook->is_stopping) {
        return UINT64_MAX;
    }
    if (now_ns(lane) < lane->due_ns) {
        return lane->due_ns;
    }
    if (!webhook_may_post(lane->webhook, lane->options.queue)) {
        return UINT64_MAX; /* something that is under way will end */
    }
    const enum err err = read_events(lane);
    if (err != ERR_OK) {
        LOG_ERROR("outbox_unreadable", F_STR("event", lane->options.event), F_ERR(err));
        lane_wait(lane, READ_AGAIN_MS);
        return lane->due_ns;
    }
    if (lane->events_count == 0) {
        lane->has_more = false;
        lane->singles = 0;
        lane->refusals = 0;
        lane_rest(lane);
        return UINT64_MAX;
    }
    if (!lane_lingers(lane)) {
        lane_begin(lane);
    }
    return lane->stage == LANE_IDLE ? lane->due_ns : UINT64_MAX;
}

void webhook_lane_give_back(struct webhook_lane *lane)
{
    if (lane->stage == LANE_IDLE) {
        outbox_writer_rest(&lane->writer);
    }
}

void webhook_lane_ring(struct webhook_lane *lane, uint64_t id_least)
{
    const struct outbox_key key = lane_key(lane, id_least, 0);
    lane->rung_least = id_least < lane->rung_least ? id_least : lane->rung_least;
    if (key.id < lane->cursor.id || (key.id == lane->cursor.id && lane->cursor.part > 0)) {
        lane->cursor = key;
    }
    lane->has_more = true;
}

void webhook_lane_hurry(struct webhook_lane *lane)
{
    lane->due_ns = 0;
}

struct outbox_key webhook_lane_sent_below(const struct webhook_lane *lane)
{
    if (lane->events_count == 0) {
        return lane_key(lane, 0, 0);
    }
    const struct lane_event *last = &lane->events[lane->events_count - 1];
    return lane_key(lane, last->id, last->part + 1);
}

enum err webhook_lane_open(struct webhook_lane *lane, struct webhook *webhook,
                           const struct lane_options *options)
{
    lane->webhook = webhook;
    lane->options = *options;
    lane->has_more = true; /* perhaps from before */
    lane->cursor = lane_key(lane, 0, 0);
    lane->call.done = lane_posted;
    lane->call.context = lane;
    webhook_body_init(&lane->body, &webhook->budget);
    outbox_writer_init(&lane->writer, &webhook->office);
    lane->writer.done = lane_dropped;
    lane->writer.context = lane;
    lane->events = memory_acquire_zeroed(&webhook->budget, MEMORY_RANK_DELIVER,
                                         options->count_max * sizeof(*lane->events));
    if (lane->events == NULL) {
        return ERR_BUDGET;
    }
    return courier_call_open(&lane->call, &webhook->courier, options->url);
}

void webhook_lane_close(struct webhook_lane *lane)
{
    if (lane->webhook == NULL) {
        return;
    }
    courier_call_close(&lane->call);
    webhook_body_clear(&lane->body);
    outbox_writer_deinit(&lane->writer);
    memory_release(&lane->webhook->budget, lane->events,
                   lane->options.count_max * sizeof(*lane->events));
    lane->events = NULL;
}
