#include "edge/webhook.h"

#include "base/assert.h"
#include "memory/allocator.h"
#include "memory/heap.h"
#include "store/message_id.h"
#include "store/message_log.h"
#include "system/clock.h"
#include "system/crypto.h"
#include "telemetry/logger.h"

#include <stdatomic.h>
#include <stdio.h>

#define NS_PER_MS     1000000u
#define LOOK_MS       1000     /* asleep, for an order to stop */
#define BELL_PAUSE_NS 2000000u /* between two looks at the bell: commits come much faster */
#define STATUS_COUNT  1000u

/* ---- For the parts. ---- */

bool webhook_is_expired(const struct webhook *webhook, uint64_t queued_ms)
{
    return webhook->wall_ms > queued_ms &&
           webhook->wall_ms - queued_ms > webhook->options.outbox_age_ms_max;
}

struct use {
    uint64_t id;
    const struct outbox_row *row;
    webhook_use_fn *use;
    void *context;
    enum err result;
};

static bool use_visit(void *context, const struct message_view *view, struct bytes row)
{
    (void)row;
    struct use *use = context;
    if (view->message_id == use->id) { /* else this event's message was never committed */
        use->result = use->use(use->context, use->row, view);
    }
    return false;
}

enum err webhook_with_message(struct store *store, uint64_t id, const struct outbox_row *row,
                              webhook_use_fn *use, void *context)
{
    if (row->message.size > 0) {
        struct message_view view;
        const enum err err = message_row_decode(row->message, &view);
        return err == ERR_OK ? use(context, row, &view) : ERR_ABSENT;
    }
    if (row->log.channel.number == 0) {
        return ERR_ABSENT;
    }
    /* Past the cache: a backlog would fill it again as soon as it rests. What is of now lies in
     * memory anyway. */
    struct use found = {.id = id, .row = row, .use = use, .context = context, .result = ERR_ABSENT};
    const struct message_range range = {
        .log = row->log,
        .seq_min = row->seq,
        .seq_max = row->seq,
        .order = MESSAGES_OLDEST_ASCENDING,
        .count_max = 1,
        .bytes_max = MESSAGE_ROW_BYTES_MAX,
        .visit = use_visit,
        .context = &found,
    };
    const enum err err = store_read_messages(store, STORE_PASSING, &range);
    if (err == ERR_CORRUPT) {
        LOG_ERROR("webhook_message_damaged", F_U64("id", id));
        return ERR_ABSENT;
    }
    return err == ERR_OK ? found.result : err;
}

struct offline_writing {
    struct webhook *webhook;
    struct webhook_body *body;
};

static enum err write_offline(void *context, const struct outbox_row *row,
                              const struct message_view *view)
{
    struct offline_writing *writing = context;
    const struct webhook_options *options = &writing->webhook->options;
    const struct webhook_offline offline = {
        .view = view,
        .is_explicit = (row->flags & OUTBOX_EXPLICIT) != 0,
        .uids = row->data,
        .compress_above = options->compress_above,
        .source_id = options->source_id,
    };
    return webhook_body_write_offline(writing->body, &offline);
}

enum err webhook_write_offline(struct webhook *webhook, struct webhook_body *body, uint64_t id,
                               const struct outbox_row *row)
{
    struct offline_writing writing = {.webhook = webhook, .body = body};
    return webhook_with_message(webhook->options.store, id, row, write_offline, &writing);
}

uint8_t webhook_offline_lane(uint64_t id)
{
    return (uint8_t)(message_id_slot(id) % OUTBOX_LANES_MAX);
}

void webhook_ring_queue(struct webhook *webhook, uint8_t queue, uint64_t id_least)
{
    for (uint32_t i = 0; i < webhook->lanes_count; i++) {
        if (webhook->lanes[i].options.queue == queue) {
            webhook_lane_ring(&webhook->lanes[i], id_least);
        }
    }
}

struct outbox_key webhook_sent_below(const struct webhook *webhook, uint8_t queue, uint8_t lane)
{
    for (uint32_t i = 0; i < webhook->lanes_count; i++) {
        const struct lane_options *options = &webhook->lanes[i].options;
        if (options->queue == queue && options->lane == lane) {
            return webhook_lane_sent_below(&webhook->lanes[i]);
        }
    }
    struct outbox_key key = {.queue = queue, .lane = lane};
    if (queue == OUTBOX_PENDING && webhook->muster != NULL) {
        key = webhook_muster_taken_below(webhook->muster);
    }
    return key;
}

bool webhook_may_post(const struct webhook *webhook, uint8_t queue)
{
    if (webhook->trimmer.writer.is_away) {
        return false; /* it may be dropping just this */
    }
    uint32_t under_way = 0;
    for (uint32_t i = 0; i < webhook->lanes_count; i++) {
        const struct webhook_lane *lane = &webhook->lanes[i];
        under_way += lane->options.queue == queue && lane->stage == LANE_POSTING ? 1 : 0;
    }
    return queue != OUTBOX_OFFLINE || under_way < webhook->options.parallel_max;
}

/* ---- The thread. ---- */

static bool lane_hears_bell(const struct webhook_lane *lane)
{
    return lane->options.queue != OUTBOX_OFFLINE; /* those are written by this thread */
}

static void hear_bell(struct webhook *webhook)
{
    uint64_t bytes = 0;
    const uint64_t id_least = bell_hear(webhook->options.bell, &bytes);
    webhook->office.bytes += bytes - webhook->bytes_heard;
    webhook->bytes_heard = bytes;
    if (id_least == BELL_NOTHING) {
        return;
    }
    webhook->rung_ns = webhook->office.now_ns;
    for (uint32_t i = 0; i < webhook->lanes_count; i++) {
        if (lane_hears_bell(&webhook->lanes[i])) {
            webhook_lane_ring(&webhook->lanes[i], id_least);
        }
    }
    if (webhook->muster != NULL) {
        webhook_muster_ring(webhook->muster, id_least);
    }
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Does what is due, in all parts; gives when to look again. */
static uint64_t run_parts(struct webhook *webhook)
{
    uint64_t due_ns = outbox_office_run(&webhook->office);
    due_ns = least(due_ns, outbox_trimmer_run(&webhook->trimmer));
    if (webhook->muster != NULL) {
        due_ns = least(due_ns, webhook_muster_run(webhook->muster));
    }
    for (uint32_t i = 0; i < webhook->lanes_count; i++) {
        due_ns = least(due_ns, webhook_lane_run(&webhook->lanes[i]));
    }
    return due_ns;
}

static int wait_ms(struct webhook *webhook, uint64_t due_ns)
{
    const uint64_t now_ns = webhook->office.now_ns;
    const bool is_pausing = now_ns - webhook->rung_ns < BELL_PAUSE_NS;
    if (!is_pausing && !bell_await(webhook->options.bell)) {
        return 0;
    }
    if (!mailbox_may_sleep(&webhook->mailbox)) {
        return 0;
    }
    const uint64_t look_ns = now_ns + (is_pausing ? BELL_PAUSE_NS : (uint64_t)LOOK_MS * NS_PER_MS);
    due_ns = least(due_ns, look_ns);
    return due_ns <= now_ns ? 0 : (int)((due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
}

static void take_time(struct webhook *webhook)
{
    webhook->office.now_ns = clock_now_ns();
    webhook->wall_ms = clock_wall_ms();
    if (!webhook->is_stopping && atomic_load(&webhook->is_stop_asked)) {
        webhook->is_stopping = true;
        webhook->stop_by_ns = webhook->office.now_ns + (uint64_t)WEBHOOK_STOP_MS * NS_PER_MS;
    }
}

/* Each lane keeps the room of its last batch, and there are many of them. */
static void give_back(struct webhook *webhook)
{
    for (uint32_t i = 0; i < webhook->lanes_count; i++) {
        webhook_lane_give_back(&webhook->lanes[i]);
    }
    heap_thread_flush();
}

static void turn(struct webhook *webhook, uint64_t due_ns)
{
    struct bell *bell = webhook->options.bell;
    const struct wakeup *wakeups[2] = {&webhook->mailbox.wakeup, &bell->wakeup};
    courier_wait(&webhook->courier, wakeups, wait_ms(webhook, due_ns));
    mailbox_awake(&webhook->mailbox);
    wakeup_clear(&webhook->mailbox.wakeup);
    wakeup_clear(&bell->wakeup);
    take_time(webhook);
    hear_bell(webhook);
    mailbox_drain(&webhook->mailbox);
    courier_run(&webhook->courier);
    if (heap_thread_is_to_rest()) {
        give_back(webhook);
    }
}

static bool is_under_way(const struct webhook *webhook)
{
    bool is_busy = webhook->office.entries_away > 0;
    is_busy |= webhook->muster != NULL && webhook->muster->stage == MUSTER_CALLING;
    for (uint32_t i = 0; i < webhook->lanes_count; i++) {
        is_busy |= webhook->lanes[i].stage == LANE_POSTING;
    }
    return is_busy;
}

/* What was asked of others has to come home; the back end gets a little time. */
static bool is_done(const struct webhook *webhook)
{
    if (!webhook->is_stopping) {
        return false;
    }
    const bool must_wait = webhook->office.entries_away > 0;
    return !must_wait && (!is_under_way(webhook) || webhook->office.now_ns >= webhook->stop_by_ns);
}

/* The largest id that an earlier start can have given out; 0: this is the first. */
static uint64_t id_before(const struct webhook *webhook)
{
    const uint64_t floor_ms = webhook->options.clock_floor_ms;
    return floor_ms < MESSAGE_ID_EPOCH_MS
               ? 0
               : message_id_compose(floor_ms, SLOTS_COUNT - 1, MESSAGE_ID_COUNTER_MAX);
}

static void run(void *context)
{
    struct webhook *webhook = context;
    thread_step_back(); /* those who chat wait for an acknowledgement, the back end for nothing */
    take_time(webhook);
    const enum err err = outbox_trimmer_count(&webhook->trimmer, id_before(webhook));
    if (err != ERR_OK) {
        LOG_ERROR("outbox_unreadable", F_ERR(err));
    }
    LOG_INFO("webhook_begins", F_U64("outbox_bytes", webhook->office.bytes));
    while (!is_done(webhook)) {
        const uint64_t due_ns = run_parts(webhook);
        metric_set(webhook->options.metrics, METRIC_OUTBOX_BYTES, webhook->office.bytes);
        mailer_flush(&webhook->mailer);
        turn(webhook, due_ns);
    }
    mailer_flush(&webhook->mailer);
}

/* ---- Lanes. ---- */

/* The text "?event=<name>" behind the address, or "&event=…" where there is a query already. */
static bool make_url(char url[WEBHOOK_URL_BYTES_MAX], const char *address, const char *event)
{
    const char *mark = strchr(address, '?') == NULL ? "?" : "&";
    const int size = snprintf(url, WEBHOOK_URL_BYTES_MAX, "%s%sevent=%s", address, mark, event);
    return size > 0 && (size_t)size < WEBHOOK_URL_BYTES_MAX && courier_url_is_good(url);
}

/* False: one is no URL, or too long. */
static bool make_urls(struct webhook_urls *urls, const struct webhook_settings *settings)
{
    const bool has_agent = settings->agent_http_addr[0] != '\0';
    return make_url(urls->notify, settings->http_addr, "msg.notify") &&
           make_url(urls->status, settings->http_addr, "user.onlinestatus") &&
           make_url(urls->offline, settings->http_addr, "msg.offline") &&
           (!has_agent || make_url(urls->agent, settings->agent_http_addr, "msg.notify"));
}

static enum err add_lane(struct webhook *webhook, const struct lane_options *options)
{
    struct lane_options complete = *options;
    complete.tries_max = webhook->options.tries_max;
    return webhook_lane_open(&webhook->lanes[webhook->lanes_count++], webhook, &complete);
}

static enum err add_message_lanes(struct webhook *webhook)
{
    const struct webhook_options *options = &webhook->options;
    const uint32_t count_max =
        options->notify_count_max < LANE_COUNT_MAX ? options->notify_count_max : LANE_COUNT_MAX;
    struct lane_options lane = {.event = "msg.notify",
                                .queue = OUTBOX_NOTIFY,
                                .count_max = count_max,
                                .linger_ms = options->notify_interval_ms};
    enum err err = ERR_OK;
    if ((options->notices & NOTICE_MESSAGES) != 0) {
        lane.url = webhook->urls.notify;
        err = add_lane(webhook, &lane);
    }
    if (err == ERR_OK && (options->notices & NOTICE_AGENTS) != 0) {
        lane.queue = OUTBOX_AGENT;
        lane.url = webhook->urls.agent;
        err = add_lane(webhook, &lane);
    }
    return err;
}

static enum err add_offline_lanes(struct webhook *webhook)
{
    webhook->muster =
        memory_acquire_zeroed(&webhook->budget, MEMORY_RANK_DELIVER, sizeof(*webhook->muster));
    if (webhook->muster == NULL) {
        return ERR_BUDGET;
    }
    enum err err = webhook_muster_open(webhook->muster, webhook);
    for (uint8_t i = 0; i < OUTBOX_LANES_MAX && err == ERR_OK; i++) {
        const struct lane_options lane = {.url = webhook->urls.offline,
                                          .event = "msg.offline",
                                          .queue = OUTBOX_OFFLINE,
                                          .lane = i,
                                          .count_max = 1};
        err = add_lane(webhook, &lane);
    }
    return err;
}

static enum err open_lanes(struct webhook *webhook)
{
    const struct webhook_options *options = &webhook->options;
    enum err err = add_message_lanes(webhook);
    if (err == ERR_OK && (options->notices & NOTICE_OFFLINE) != 0) {
        err = add_offline_lanes(webhook);
    }
    if (err == ERR_OK && (options->notices & NOTICE_STATUS) != 0) {
        const struct lane_options lane = {.url = webhook->urls.status,
                                          .event = "user.onlinestatus",
                                          .queue = OUTBOX_STATUS,
                                          .count_max = STATUS_COUNT};
        err = add_lane(webhook, &lane);
    }
    return err;
}

/* ---- Settings. ---- */

static bool take_secret(struct webhook *webhook, struct bytes secret)
{
    if (secret.size > sizeof(webhook->secret_area)) {
        return false;
    }
    if (secret.size > 0) {
        memcpy(webhook->secret_area, secret.data, secret.size);
    }
    webhook->secret = (struct bytes){.data = webhook->secret_area, .size = secret.size};
    return true;
}

void webhook_take_settings(struct webhook *webhook, const struct webhook_settings *settings)
{
    struct webhook_urls urls = webhook->urls;
    if (!take_secret(webhook, settings->secret) || !make_urls(&urls, settings)) {
        LOG_ERROR("webhook_settings_refused",
                  F_STR("why", "an address is no URL, or too long, or the secret is"));
        return;
    }
    if (memcmp(&urls, &webhook->urls, sizeof(urls)) == 0) {
        return;
    }
    webhook->urls = urls;
    webhook->urls_turn++;
    for (uint32_t i = 0; i < webhook->lanes_count; i++) {
        webhook_lane_hurry(&webhook->lanes[i]);
    }
    LOG_INFO("webhook_moved");
}

/* ---- Life cycle. ---- */

static void close_parts(struct webhook *webhook)
{
    for (uint32_t i = 0; i < webhook->lanes_count; i++) {
        webhook_lane_close(&webhook->lanes[i]);
    }
    if (webhook->muster != NULL) {
        webhook_muster_close(webhook->muster);
        memory_release(&webhook->budget, webhook->muster, sizeof(*webhook->muster));
        webhook->muster = NULL;
    }
    outbox_trimmer_deinit(&webhook->trimmer);
    resends_deinit(&webhook->resends);
    courier_close(&webhook->courier);
    mailbox_close(&webhook->mailbox);
    ASSERT(budget_used(&webhook->budget) == 0);
}

enum err webhook_start(struct webhook *webhook, const struct webhook_options *options)
{
    *webhook = (struct webhook){.options = *options};
    budget_init(&webhook->budget, "webhook", NULL, options->memory_bytes);
    if (options->memory_bytes < WEBHOOK_MEMORY_MIN) {
        return ERR_BUDGET;
    }
    if (!make_urls(&webhook->urls, &options->settings)) {
        return ERR_DENIED;
    }
    if (!take_secret(webhook, options->settings.secret)) {
        return ERR_LIMIT;
    }
    crypto_random((uint8_t *)&webhook->prng, sizeof(webhook->prng));
    webhook->body_bytes_max = WEBHOOK_BATCH_BYTES_MAX;
    webhook->office = (struct outbox_office){.journal = options->journal,
                                             .mailbox = &webhook->mailbox,
                                             .mailer = &webhook->mailer,
                                             .budget = &webhook->budget};
    outbox_office_init(&webhook->office);
    enum err err = mailbox_open(&webhook->mailbox, webhook);
    if (err != ERR_OK) {
        return err;
    }
    resends_init(&webhook->resends, webhook);
    outbox_trimmer_init(&webhook->trimmer, webhook, options->outbox_bytes_max);
    err = courier_open(&webhook->courier, &webhook->budget);
    if (err == ERR_OK) {
        err = open_lanes(webhook);
    }
    if (err == ERR_OK) {
        err = thread_start(&webhook->thread, "webhook", run, webhook);
    }
    if (err != ERR_OK) {
        close_parts(webhook);
    }
    return err;
}

void webhook_order_stop(struct webhook *webhook)
{
    atomic_store(&webhook->is_stop_asked, true);
    wakeup_raise(&webhook->mailbox.wakeup);
}

void webhook_stop(struct webhook *webhook)
{
    webhook_order_stop(webhook);
    thread_join(&webhook->thread);
    close_parts(webhook);
}
