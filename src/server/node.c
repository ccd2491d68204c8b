#include "server/node.h"

#include "base/assert.h"
#include "chat/system_accounts.h"
#include "edge/http.h"
#include "edge/source.h"
#include "edge/webhook.h"
#include "memory/allocator.h"
#include "server/alarms.h"
#include "server/core.h"
#include "server/ledger.h"
#include "server/pages.h"
#include "server/ports.h"
#include "server/rest.h"
#include "server/settings.h"
#include "store/read.h"
#include "store/store.h"
#include "system/clock.h"
#include "system/file.h"
#include "system/profiler.h"
#include "system/tls.h"
#include "telemetry/logger.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define STOP_POLL_MS      5
#define FILES_THREADS     2
#define SLOT_COMMITTER(n) (n)
#define SLOT_HTTP(n)      ((n) + 1)
#define SLOT_WEBHOOK(n)   ((n) + 2)
#define SLOT_SOURCE(n)    ((n) + 3)
#define SLOTS_BESIDES     4 /* committer, HTTP, webhooks, data source */

struct node {
    struct budget budget; /* the root of what belongs to no shard */
    struct budget metrics_budget;
    struct budget committer_budget;
    struct budget store_budget; /* of the main thread, which opens and closes */
    uint32_t cores_count;
    struct core *cores;
    struct shard *shards[SHARDS_MAX];
    struct metrics metrics;
    struct store *store;
    struct readers readers;
    struct journal journal;
    struct http http;
    struct webhook webhook;
    struct source source;
    struct inquiry_desk desk; /* where shards ask it */
    struct bell bell;
    uint32_t notices;        /* a sum of enum notice: what the back end is told */
    uint64_t clock_floor_ms; /* store_last_ms at start */
    bool has_courier;        /* libcurl is ready */
    bool has_bell;           /* there are webhooks */
    bool is_webhook_started;
    bool is_source_started;
    bool has_webhook_addr; /* configured at the start */
    bool has_agent_addr;
    bool is_readers_started;
    bool is_journal_started;
    bool is_http_started;
    uint32_t cores_started;
    uint32_t cores_ready; /* initialised, perhaps not started */
    struct settings_secrets secrets;
    struct settings settings[2]; /* those in use, and those before or to come */
    uint32_t settings_current;
    struct capacity capacity;
    struct ports ports;
    struct edge_crowd crowd;
    struct rest rest;
    struct ledger ledger;
    struct alarms alarms;
    struct pages pages;
    bool is_ledger_ready;
};

static enum err fail(struct store_fault *out_why, enum err err, const char *what,
                     const char *detail)
{
    snprintf(out_why->text, sizeof(out_why->text), "%s: %s", what, detail);
    return err;
}

/* ---- Webhooks. ---- */

/* Is the event among those that are sent? (webhook 1) */
static bool is_in_focus(const struct config *config, const char *event)
{
    for (uint32_t i = 0; i < config->webhook_events.count; i++) {
        if (strcmp(config->webhook_events.items[i], event) == 0) {
            return true;
        }
    }
    return config->webhook_events.count == 0;
}

/* What the back end is told: nothing without an address. */
static uint32_t wanted_notices(const struct config *config)
{
    if (config->webhook_http_addr[0] == '\0') {
        return 0;
    }
    uint32_t notices = 0;
    if (is_in_focus(config, "msg.notify")) {
        notices |= NOTICE_MESSAGES;
        notices |= config->agent_webhook_http_addr[0] != '\0' ? NOTICE_AGENTS : 0;
    }
    notices |= is_in_focus(config, "msg.offline") ? NOTICE_OFFLINE : 0;
    notices |= is_in_focus(config, "user.onlinestatus") ? NOTICE_STATUS : 0;
    return notices;
}

/* ---- Starting. ---- */

/* Why the end of the write-ahead log may be missing, as far as we can know. */
static const char *loss_reason(const struct config *config)
{
    if (config->is_loss_accepted) {
        return "the log was damaged, and --accept-loss was given";
    }
    return config->durability == CONFIG_DURABILITY_SYNCED
               ? "a record was cut short; it was never acknowledged"
               : "it had not reached the disk (durability: written)";
}

static enum err start_store(struct node *node, const struct config *config,
                            const struct capacity *capacity, struct store_fault *out_why)
{
    if (file_make_directory(config->data_dir) != ERR_OK) {
        return fail(out_why, ERR_IO, config->data_dir, strerrordesc_np(errno));
    }
    const struct store_options options = {
        .budget = &node->store_budget,
        .path = config->data_dir,
        .cache_bytes = capacity->cache_bytes,
        .memtables_bytes = capacity->memtables_bytes,
        .filters_bytes = capacity->filters_bytes,
        .files_open_max = capacity->files_open_max,
        .threads_count = FILES_THREADS,
        .is_new_allowed = true,
        .is_tail_unsynced = config->durability == CONFIG_DURABILITY_WRITTEN,
        .is_loss_accepted = config->is_loss_accepted,
    };
    const enum err err = store_open(&options, &node->store, out_why);
    if (err == ERR_OK && store_dropped_bytes(node->store) > 0) {
        LOG_WARN("log_tail_dropped", F_U64("bytes", store_dropped_bytes(node->store)),
                 F_STR("why", loss_reason(config)));
    }
    return err;
}

static enum err start_journal(struct node *node, const struct config *config,
                              const struct capacity *capacity)
{
    enum err err = readers_start(&node->readers, capacity->readers_count);
    if (err != ERR_OK) {
        return err;
    }
    node->is_readers_started = true;
    const struct journal_options options = {
        .store = node->store,
        .path = config->data_dir,
        .is_synced = config->durability == CONFIG_DURABILITY_SYNCED,
        .reserve_bytes = config->disk_reserve_bytes,
        .batch_bytes = capacity->batch_bytes,
        .batch_messages = capacity->batch_messages,
        .budget = &node->committer_budget,
        .metrics = metrics_slot(&node->metrics, SLOT_COMMITTER(node->cores_count)),
    };
    err = journal_start(&node->journal, &options);
    node->is_journal_started = err == ERR_OK;
    return err;
}

static enum err init_core(struct node *node, uint32_t index, const struct capacity *capacity)
{
    struct core *core = &node->cores[index];
    enum err err = shard_open(&core->shard, index, node->shards, node->cores_count,
                              capacity->shard_bytes + capacity->streams_bytes);
    if (err != ERR_OK) {
        return err;
    }
    core->shard.metrics = metrics_slot(&node->metrics, index);
    const struct chat_options chat = {
        .shard = &core->shard,
        .store = node->store,
        .journal = &node->journal,
        .readers = &node->readers,
        .settings = &node->settings[0].chat,
        .port = edge_session_port(),
        .clock_floor_ms = node->clock_floor_ms,
        .notices = node->notices,
        .bell = node->has_bell ? &node->bell : NULL,
        .desk = node->desk.mailbox != NULL ? &node->desk : NULL,
    };
    err = chat_init(&core->chat, &chat);
    if (err != ERR_OK) {
        shard_close(&core->shard);
        return err;
    }
    const struct edge_options edge = {
        .shard = &core->shard,
        .chat = &core->chat,
        .settings = &node->settings[0].edge,
        .listeners = node->ports.listeners,
        .listeners_count = node->ports.listeners_count,
        .crowd = &node->crowd,
    };
    err = edge_init(&core->edge, &edge);
    if (err == ERR_OK) {
        err = loop_watch_wakeup(&core->shard.loop, core->shard.mailbox.wakeup.fd,
                                CORE_MAILBOX_COOKIE);
    }
    if (err != ERR_OK) {
        chat_deinit(&core->chat);
        shard_close(&core->shard);
    }
    return err;
}

static enum err open_cores(struct node *node, const struct capacity *capacity)
{
    enum err err = store_last_ms(node->store, &node->clock_floor_ms);
    for (uint32_t i = 0; i < node->cores_count; i++) {
        node->shards[i] = &node->cores[i].shard;
    }
    for (uint32_t i = 0; i < node->cores_count && err == ERR_OK; i++) {
        err = init_core(node, i, capacity);
        node->cores_ready += err == ERR_OK ? 1 : 0;
    }
    if (err == ERR_OK) {
        struct chat *chats[SHARDS_MAX];
        for (uint32_t i = 0; i < node->cores_count; i++) {
            chats[i] = &node->cores[i].chat;
        }
        err = system_accounts_load(node->store, chats, node->cores_count);
    }
    return err;
}

static enum err start_cores(struct node *node)
{
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < node->cores_count && err == ERR_OK; i++) {
        char name[24];
        snprintf(name, sizeof(name), "shard-%u", i);
        err = thread_start(&node->cores[i].thread, name, core_run, &node->cores[i]);
        node->cores_started += err == ERR_OK ? 1 : 0;
    }
    return err;
}

static bool has_source(const struct capacity *capacity)
{
    return capacity->source_bytes > 0;
}

/* Before there are other threads that count, and before the shards, who ring the bell. */
static enum err prepare_couriers(struct node *node, const struct config *config,
                                 const struct capacity *capacity)
{
    node->notices = wanted_notices(config);
    node->has_webhook_addr = config->webhook_http_addr[0] != '\0';
    node->has_agent_addr = config->agent_webhook_http_addr[0] != '\0';
    if (node->notices == 0 && !has_source(capacity)) {
        return ERR_OK;
    }
    enum err err = courier_global_init();
    node->has_courier = err == ERR_OK;
    if (err == ERR_OK && node->notices != 0) {
        err = bell_open(&node->bell);
        node->has_bell = err == ERR_OK;
    }
    if (has_source(capacity) && (config->is_datasource_lists_on || config->is_datasource_info_on)) {
        node->desk = (struct inquiry_desk){.mailbox = &node->source.mailbox,
                                           .receive = source_take_inquiry,
                                           .has_lists = config->is_datasource_lists_on};
    }
    return err;
}

static enum err start_webhook(struct node *node, const struct config *config,
                              const struct capacity *capacity)
{
    if (!node->has_bell) {
        return ERR_OK;
    }
    const struct webhook_options options = {
        .settings = node->settings[0].webhook,
        .notices = node->notices,
        .notify_interval_ms = (uint32_t)config->webhook_notify_interval_ms,
        .notify_count_max = (uint32_t)config->webhook_notify_count_max,
        .tries_max = (uint32_t)config->webhook_notify_tries_max,
        .parallel_max = (uint32_t)config->webhook_parallel_max,
        .compress_above = config->subscriber_compress_count,
        .source_id = config->node_id,
        .outbox_bytes_max = config->webhook_outbox_bytes,
        .outbox_age_ms_max = config->webhook_outbox_age_ms,
        .memory_bytes = capacity->webhook_bytes,
        .bell = &node->bell,
        .store = node->store,
        .journal = &node->journal,
        .shards = node->shards,
        .shards_count = node->cores_count,
        .metrics = metrics_slot(&node->metrics, SLOT_WEBHOOK(node->cores_count)),
        .clock_floor_ms = node->clock_floor_ms,
    };
    const enum err err = webhook_start(&node->webhook, &options);
    node->is_webhook_started = err == ERR_OK;
    return err;
}

static enum err start_source(struct node *node, const struct config *config,
                             const struct capacity *capacity)
{
    if (!has_source(capacity)) {
        return ERR_OK;
    }
    const struct source_options options = {
        .settings = node->settings[0].source,
        .asks_lists = config->is_datasource_lists_on,
        .asks_info = config->is_datasource_info_on,
        .answer_bytes_max = config->datasource_answer_bytes,
        .memory_bytes = capacity->source_bytes,
        .store = node->store,
        .shards = node->shards,
        .shards_count = node->cores_count,
        .metrics = metrics_slot(&node->metrics, SLOT_SOURCE(node->cores_count)),
    };
    const enum err err = source_start(&node->source, &options);
    node->is_source_started = err == ERR_OK;
    return err;
}

static enum err start_http(struct node *node, const struct config *config,
                           const struct capacity *capacity)
{
    struct http_options options = {
        .listener = node->ports.http_fd,
        .manager_listener = node->ports.manager_fd,
        .is_manager_on = node->ports.manager_fd >= 0,
        .shards = node->shards,
        .shards_count = node->cores_count,
        .store = node->store,
        .readers = &node->readers,
        .webhook = node->is_webhook_started ? &node->webhook : NULL,
        .journal = &node->journal,
        .metrics = &node->metrics,
        .slot = metrics_slot(&node->metrics, SLOT_HTTP(node->cores_count)),
        .addresses = node->settings[0].addresses,
        .access = node->settings[0].access,
        .identity = node->settings[0].identity,
        .memory_bytes = capacity->http_bytes,
        .limits = capacity->http,
        .expose = pages_expose,
        .expose_context = &node->pages,
        .is_command_sync_off = config->is_command_sync_off,
        .online_channel = node->settings[0].online_channel,
    };
    options.pages = pages_list(&options.pages_count);
    const enum err err = http_start(&node->http, &options);
    node->is_http_started = err == ERR_OK;
    return err;
}

static enum err start_ledger(struct node *node, const struct capacity *capacity)
{
    rest_init(&node->rest, node->store, &node->readers, &node->metrics);
    ledger_init(&node->ledger, node->store, &node->rest, capacity->memory_bytes);
    for (uint32_t i = 0; i < node->cores_count; i++) {
        ledger_add_root(&node->ledger, &node->cores[i].shard.budget, i);
    }
    ledger_add_root(&node->ledger, &node->budget, 0);
    ledger_add_root(&node->ledger, &node->http.budget, 0); /* http_start makes it */
    if (node->has_bell) {
        ledger_add_root(&node->ledger, &node->webhook.budget, 0); /* webhook_start makes it */
    }
    if (has_source(capacity)) {
        ledger_add_root(&node->ledger, &node->source.budget, 0);
    }
    alarms_init(&node->alarms, &node->ledger, &node->metrics);
    pages_init(&node->pages, &node->ledger, &node->alarms);
    node->is_ledger_ready = true;
    return rest_start(&node->rest);
}

/* The data source's thread before those of the shards, who may ask it from the first message on. */
static enum err start_shards(struct node *node, const struct config *config,
                             const struct capacity *capacity, struct store_fault *out_why)
{
    if (open_cores(node, capacity) != ERR_OK) {
        return fail(out_why, ERR_IO, "shards", "cannot start: no memory or descriptors");
    }
    const enum err err = start_source(node, config, capacity);
    if (err != ERR_OK) {
        return fail(out_why, err, "datasource",
                    err == ERR_DENIED ? "the address is no URL" : "cannot start");
    }
    if (start_cores(node) != ERR_OK) {
        return fail(out_why, ERR_IO, "shards", "cannot start their threads");
    }
    return ERR_OK;
}

static enum err start_all(struct node *node, const struct config *config,
                          const struct capacity *capacity, struct store_fault *out_why)
{
    budget_init(&node->budget, "node", NULL, BUDGET_UNLIMITED);
    budget_init(&node->metrics_budget, "metrics", &node->budget, BUDGET_UNLIMITED);
    budget_init(&node->store_budget, "store", NULL, BUDGET_UNLIMITED); /* measured instead */
    budget_init(&node->committer_budget, "committer", &node->budget, capacity->committer_bytes);
    if (metrics_open(&node->metrics, &node->metrics_budget, node->cores_count + SLOTS_BESIDES) !=
        ERR_OK) {
        return fail(out_why, ERR_BUDGET, "metrics", "no memory");
    }
    node->capacity = *capacity;
    node->crowd.max = capacity->conns_all;
    settings_draw(&node->secrets);
    settings_make(&node->settings[0], config, capacity, &node->secrets);
    /* The ports first: a second server by mistake must not get as far as the data. */
    enum err err = ports_open(&node->ports, config, out_why);
    if (err == ERR_OK) {
        err = start_store(node, config, capacity, out_why);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (start_journal(node, config, capacity) != ERR_OK) {
        return fail(out_why, ERR_IO, "journal", "cannot start its threads");
    }
    if (prepare_couriers(node, config, capacity) != ERR_OK) {
        return fail(out_why, ERR_IO, "webhook and data source", "cannot prepare");
    }
    err = start_shards(node, config, capacity, out_why);
    if (err != ERR_OK) {
        return err;
    }
    if (start_ledger(node, capacity) != ERR_OK) {
        return fail(out_why, ERR_IO, "ledger", "cannot start its thread");
    }
    err = start_webhook(node, config, capacity);
    if (err != ERR_OK) {
        return fail(out_why, err, "webhook",
                    err == ERR_DENIED ? "an address is no URL" : "cannot start");
    }
    if (start_http(node, config, capacity) != ERR_OK) {
        return fail(out_why, ERR_IO, "http", "cannot start");
    }
    ledger_tick(&node->ledger);
    return ERR_OK;
}

enum err node_start(const struct config *config, const struct capacity *capacity,
                    struct node **out_node, struct store_fault *out_why)
{
    /* The node is one object for the life of the process, before there is a budget to charge. */
    const size_t cores_bytes = capacity->shards_count * sizeof(struct core);
    struct node *node = memory_table_acquire(sizeof(*node));
    struct core *cores = memory_table_acquire(cores_bytes);
    if (node == NULL || cores == NULL) {
        memory_table_release(node, sizeof(*node));
        memory_table_release(cores, cores_bytes);
        return fail(out_why, ERR_BUDGET, "node", "no memory");
    }
    node->cores = cores;
    node->cores_count = capacity->shards_count;
    ports_init(&node->ports);
    const enum err err = start_all(node, config, capacity, out_why);
    if (err != ERR_OK) {
        node_stop(node);
        return err;
    }
    *out_node = node;
    return ERR_OK;
}

/* ---- Stopping. ---- */

static bool cores_are_idle(const struct node *node)
{
    for (uint32_t i = 0; i < node->cores_started; i++) {
        if (!atomic_load_explicit(&node->cores[i].is_idle, memory_order_acquire)) {
            return false;
        }
    }
    return true;
}

static void order_cores(struct node *node, enum core_order order)
{
    for (uint32_t i = 0; i < node->cores_started; i++) {
        core_order(&node->cores[i], order);
    }
}

/* What it has asked the shards for has to come home while they run. */
static bool source_is_at_rest(const struct node *node)
{
    return !node->is_source_started || source_is_quiet(&node->source);
}

static bool may_end_cores(const struct node *node)
{
    return cores_are_idle(node) && source_is_at_rest(node);
}

static void stop_cores(struct node *node)
{
    const uint64_t end_ns = clock_now_ns() + (uint64_t)NODE_STOP_MS * 1000000u;
    order_cores(node, CORE_CLOSES);
    struct wakeup pause;
    if (wakeup_open(&pause) == ERR_OK) {
        while (!may_end_cores(node) && clock_now_ns() < end_ns) {
            wakeup_wait(&pause, STOP_POLL_MS);
        }
        wakeup_close(&pause);
    }
    if (!may_end_cores(node)) {
        LOG_WARN("stop_incomplete", F_STR("why", "work is still in flight after the time limit"));
    }
    order_cores(node, CORE_ENDS);
    for (uint32_t i = 0; i < node->cores_started; i++) {
        thread_join(&node->cores[i].thread);
    }
}

void node_stop(struct node *node)
{
    order_cores(node, CORE_STOPS_ACCEPTING);
    profiler_cancel(); /* nobody waits for its minute */
    if (node->is_http_started) {
        http_stop(&node->http);
    }
    if (node->is_webhook_started) {
        webhook_order_stop(&node->webhook);
    }
    if (node->is_source_started) {
        source_order_stop(&node->source);
    }
    if (node->cores_started > 0) {
        stop_cores(node);
    }
    if (node->is_webhook_started) {
        webhook_stop(&node->webhook);
    }
    if (node->is_source_started) {
        source_stop(&node->source);
    }
    if (node->is_readers_started) {
        readers_stop(&node->readers);
    }
    if (node->is_journal_started) {
        journal_stop(&node->journal);
    }
    for (uint32_t i = 0; i < node->cores_ready; i++) {
        edge_deinit(&node->cores[i].edge);
        chat_deinit(&node->cores[i].chat);
        shard_close(&node->cores[i].shard);
    }
    if (node->has_bell) {
        bell_close(&node->bell);
    }
    if (node->has_courier) {
        courier_global_deinit();
    }
    rest_stop(&node->rest);
    if (node->store != NULL) {
        store_close(node->store);
    }
    ports_close(&node->ports, node->is_http_started);
    if (node->is_ledger_ready) {
        pages_deinit(&node->pages);
        ledger_deinit(&node->ledger);
    }
    metrics_close(&node->metrics);
    memory_table_release(node->cores, node->cores_count * sizeof(struct core));
    memory_table_release(node, sizeof(*node));
}

/* ---- While it runs. ---- */

bool node_may_reload(const struct node *node)
{
    return settings_are_everywhere(&node->settings[node->settings_current]);
}

/* Is there such an address, as there was at the start? What goes by it cannot come or go. */
static bool is_as_it_was(const char *key, const char *addr, bool was_given)
{
    const bool is_given = addr[0] != '\0';
    if (is_given != was_given) {
        LOG_WARN("reload_needs_restart", F_STR("key", key));
    }
    return is_given && was_given;
}

static struct source *source_to_tell(struct node *node, const struct settings *settings)
{
    const bool is_told =
        is_as_it_was("datasource.addr", settings->source.addr, node->is_source_started);
    return is_told ? &node->source : NULL;
}

static struct webhook *webhook_to_tell(struct node *node, const struct settings *settings)
{
    const struct webhook_settings *webhook = &settings->webhook;
    const bool is_told =
        is_as_it_was("webhook.httpAddr", webhook->http_addr, node->has_webhook_addr);
    (void)is_as_it_was("agent.webhook.httpAddr", webhook->agent_http_addr, node->has_agent_addr);
    return is_told && node->is_webhook_started ? &node->webhook : NULL;
}

static void hand_round(struct node *node, struct settings *settings)
{
    const struct settings_readers readers = {
        .shards = node->shards,
        .shards_count = node->cores_count,
        .http = &node->http,
        .source = source_to_tell(node, settings),
        .webhook = webhook_to_tell(node, settings),
    };
    settings_hand_round(settings, &readers);
}

void node_reload(struct node *node, const struct config *config)
{
    ASSERT(node_may_reload(node));
    ports_reload(&node->ports, config);
    const struct settings *before = &node->settings[node->settings_current];
    node->settings_current ^= 1u;
    struct settings *settings = &node->settings[node->settings_current];
    settings_make(settings, config, &node->capacity, &node->secrets);
    /* A client that is logging in has been told these already. */
    settings->edge.node_id = before->edge.node_id;
    settings->edge.is_encryption_off = before->edge.is_encryption_off;
    settings->identity.node_id = before->identity.node_id;
    hand_round(node, settings);
    LOG_INFO("settings_reloaded");
}

void node_tick(struct node *node)
{
    logger_tell_suppressed();
    (void)rest_tick(&node->rest);
    ledger_tick(&node->ledger);
    alarms_tick(&node->alarms);
}

void node_print(const struct node *node, FILE *out)
{
    ports_print(&node->ports, out);
}
