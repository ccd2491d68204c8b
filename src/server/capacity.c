#include "server/capacity.h"

#include "base/assert.h"
#include "chat/user.h"
#include "edge/conn.h"
#include "edge/source.h"
#include "edge/webhook.h"
#include "journal/journal.h"

#define MIB 1048576ull

/* Measured (docs/memory.md): what is resident right after the start with everything else at its
 * minimum: code, libraries, and what RocksDB, OpenSSL, the heap and the C library keep. */
#define CODE_BYTES         (25u * MIB)
#define STACK_BYTES        65536ull /* what a thread touches of its stack */
#define THREADS_BESIDES    12u      /* main, committer, HTTP, rest, RocksDB and the like */
#define SHARD_BYTES_MIN    (2u * MIB)
#define CACHE_BYTES_MIN    (4u * MIB)
#define FILTERS_BYTES_MIN  (MIB / 2)
#define SMALL_BYTES        (64u * MIB) /* to divide: what is more is given more freely */
#define MEMTABLE_BYTES_MIN (4u * MIB)
#define HTTP_BYTES_MIN     (7u * MIB / 2)
/* A message of 64 KiB in base64, with what is around it. */
#define HTTP_BODY_BYTES_MIN (128ull << 10)
#define BATCH_BYTES_MIN     (2u * MIB)     /* the largest message and its rows, whole */
#define STREAMS_BYTES_MIN   (192u * 1024u) /* a shard's table, and a hundred open streams */
#define STREAM_BYTES_MAX    (1u * MIB)
#define BATCH_ROW_BYTES     512u /* of a message in a full batch; smaller ones fill it sooner */
#define READERS_COUNT       2u
#define SLACK_PART          9u  /* of the whole: size classes, pages that are free and kept */
#define SLACK_PART_MIN      64u /* when there is no room for more */
/* What a connection may take of its shard before the shard refuses more of them: itself, its
 * session and user, and a frame that has half arrived. */
#define CONN_SHARE_BYTES    2048u
#define CONNS_SPARE         64u  /* a shard may get more than its part of the users */
#define DESCRIPTORS_BESIDES 800u /* files of the store, listeners, the API, the loops' own */
#define MEMORY_MIB_MAX      (1u << 20)
/* An idle one takes next to nothing of that. */
#define KERNEL_BYTES_PER_CONN ((uint64_t)CAPACITY_SOCKET_SEND_BYTES + CAPACITY_SOCKET_RECEIVE_BYTES)

static void add_line(struct capacity *capacity, const char *holder, uint64_t bytes,
                     const char *reason)
{
    ASSERT(capacity->lines_count < CAPACITY_LINES_MAX);
    capacity->lines[capacity->lines_count++] =
        (struct capacity_line){.holder = holder, .bytes = bytes, .reason = reason};
}

static uint64_t at_least(uint64_t value, uint64_t smallest)
{
    return value > smallest ? value : smallest;
}

static uint64_t beyond(uint64_t value, uint64_t threshold)
{
    return value > threshold ? value - threshold : 0;
}

static uint64_t at_most(uint64_t value, uint64_t largest)
{
    return value < largest ? value : largest;
}

/* Who wants no webhooks pays nothing for them. */
static bool has_webhook(const struct config *config)
{
    return config->webhook_http_addr[0] != '\0';
}

static uint64_t source_bytes(const struct config *config, uint64_t all)
{
    return config->datasource_addr[0] == '\0'
               ? 0
               : at_least(all / 64, SOURCE_MEMORY_MIN(config->datasource_answer_bytes));
}

/* How many connections a shard is to hold: its part of all, and some more, since users live where
 * their uid says. */
static uint64_t conns_of_shard(uint64_t total, uint32_t shards_count)
{
    return at_most(total / shards_count * 5 / 4 + CONNS_SPARE, at_least(total, CONNS_SPARE));
}

static uint64_t conns_by_memory(const struct capacity *plan)
{
    return at_least(plan->shard_bytes / 2 / CONN_SHARE_BYTES, CONNS_SPARE);
}

/* False: more were asked for than there is memory for. Without a wish there are as many as fit. */
static bool plan_conns(const struct config *config, uint64_t descriptors_max, struct capacity *plan)
{
    const uint64_t by_descriptors =
        descriptors_max > 2 * DESCRIPTORS_BESIDES ? descriptors_max - DESCRIPTORS_BESIDES : 512;
    const bool is_asked = config->connections_max > 0;
    const uint64_t asked = is_asked ? config->connections_max : by_descriptors;
    const uint64_t wanted = conns_of_shard(at_most(asked, by_descriptors), plan->shards_count);
    const uint64_t possible = conns_by_memory(plan);
    plan->conns_per_shard = (uint32_t)at_most(wanted, possible);
    const uint64_t tables = (uint64_t)plan->conns_per_shard * plan->shards_count;
    plan->conns_all = (uint32_t)(is_asked ? at_most(asked, tables) : tables);
    plan->kernel_bytes = plan->conns_all * KERNEL_BYTES_PER_CONN;
    return !is_asked || wanted <= possible;
}

/* What the API may hold at once, so that it fits what it was given: the largest answer and the
 * largest body are a part of it each. */
static struct http_limits plan_http(uint64_t bytes, const struct config *config)
{
    struct http_limits limits = {
        .connections_max = (uint32_t)at_most(at_least(bytes / 8 / 32768u, 16), 256),
        .body_bytes_max = HTTP_BODY_BYTES_DEFAULT,
        .answer_bytes_max = at_most(bytes / 3, HTTP_ANSWER_BYTES_DEFAULT),
        .conversations_max = (uint32_t)config->conversation_count_max,
    };
    while (http_memory_min(&limits) > bytes && limits.body_bytes_max > HTTP_BODY_BYTES_MIN) {
        limits.body_bytes_max = limits.body_bytes_max * 7 / 8;
    }
    return limits;
}

static void plan_committer(struct capacity *plan)
{
    plan->batch_bytes =
        (uint32_t)at_most(at_least(plan->memory_bytes / 64, BATCH_BYTES_MIN), JOURNAL_BATCH_BYTES);
    plan->batch_messages =
        (uint32_t)at_most(plan->batch_bytes / BATCH_ROW_BYTES, JOURNAL_BATCH_MESSAGES);
    plan->committer_bytes = journal_memory(plan->batch_bytes, plan->batch_messages);
}

static uint64_t sum_of_lines(const struct capacity *plan)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < plan->lines_count; i++) {
        sum += plan->lines[i].bytes;
    }
    return sum;
}

/* Divides `all` bytes. False: they do not suffice. */
static bool divide(const struct config *config, uint64_t descriptors_max, uint64_t all,
                   struct capacity *out_plan)
{
    struct capacity plan = {.memory_bytes = all,
                            .shards_count = (uint32_t)config->shards_count,
                            .readers_count = READERS_COUNT};
    const uint64_t stacks = (THREADS_BESIDES + plan.shards_count + READERS_COUNT) * STACK_BYTES;
    const uint64_t fixed = CODE_BYTES + stacks;
    const uint64_t free = all > fixed ? all - fixed : 0; /* what there is to divide */
    plan.cache_bytes = at_least(free / 8, CACHE_BYTES_MIN);
    plan.memtables_bytes = at_least(free / 8, MEMTABLE_BYTES_MIN);
    plan.filters_bytes = at_least(free / 32, FILTERS_BYTES_MIN) + beyond(free, SMALL_BYTES) / 32;
    plan.http_bytes = at_least(free / 12, HTTP_BYTES_MIN);
    plan.http = plan_http(plan.http_bytes, config);
    plan.webhook_bytes = has_webhook(config) ? at_least(all / 32, WEBHOOK_MEMORY_MIN) : 0;
    plan.source_bytes = source_bytes(config, all);
    plan.stream_bytes_max = at_most(plan.http.answer_bytes_max / 8, STREAM_BYTES_MAX);
    plan.streams_bytes = at_least(free / 64 / plan.shards_count, STREAMS_BYTES_MIN);
    plan.files_open_max = (uint32_t)at_most(at_least(all / MIB, 32), 256);
    plan_committer(&plan);

    add_line(&plan, "code", CODE_BYTES, "program, libraries, what they keep");
    add_line(&plan, "stacks", stacks, "threads, as far as they touch them");
    add_line(&plan, "block cache", plan.cache_bytes, "RocksDB, strict, indexes and filters within");
    add_line(&plan, "memtables", plan.memtables_bytes, "RocksDB, written and not yet in files");
    add_line(&plan, "filters", plan.filters_bytes, "which sends are surely new, without a look-up");
    add_line(&plan, "committer", plan.committer_bytes, "the batch, and RocksDB's copy of it");
    add_line(&plan, "http", plan.http_bytes, "connections, bodies and answers of the API");
    if (plan.webhook_bytes > 0) {
        add_line(&plan, "webhook", plan.webhook_bytes, "events on their way to the back end");
    }
    if (plan.source_bytes > 0) {
        add_line(&plan, "datasource", plan.source_bytes, "questions to the back end, and answers");
    }
    add_line(&plan, "streams", plan.streams_bytes * plan.shards_count,
             "event streams that are written to, without their contents");
    const uint64_t given = sum_of_lines(&plan);
    const uint64_t left = all > given ? all - given : 0;
    const uint64_t shards_min = plan.shards_count * SHARD_BYTES_MIN;
    const uint64_t slack = all / SLACK_PART;
    const uint64_t shards = at_least(left > slack ? left - slack : 0, shards_min);
    if (shards + all / SLACK_PART_MIN > left) {
        return false;
    }
    plan.shard_bytes = shards / plan.shards_count;
    const uint64_t shards_bytes = plan.shard_bytes * plan.shards_count;
    add_line(&plan, "shards", shards_bytes, "connections, sessions, channels, queues");
    add_line(&plan, "slack", left - shards_bytes, "the allocator's size classes and pages");
    ASSERT(sum_of_lines(&plan) == all);
    const bool is_enough = plan_conns(config, descriptors_max, &plan);
    *out_plan = plan;
    return is_enough;
}

/* What would fit instead. */
static void explain_refusal(const struct config *config, uint64_t descriptors_max,
                            struct capacity_refusal *out_refusal)
{
    struct capacity plan;
    uint64_t mib = config->memory_bytes / MIB + 1;
    while (mib < MEMORY_MIB_MAX && !divide(config, descriptors_max, mib * MIB, &plan)) {
        mib++;
    }
    *out_refusal = (struct capacity_refusal){.smallest_bytes = mib * MIB};
    struct config fewer = *config;
    fewer.connections_max = 0;
    if (divide(&fewer, descriptors_max, config->memory_bytes, &plan)) {
        const uint64_t possible = conns_by_memory(&plan);
        out_refusal->connections_max =
            (uint32_t)((possible - CONNS_SPARE) * 4 / 5 * plan.shards_count);
    }
}

enum err capacity_plan(const struct config *config, uint64_t descriptors_max,
                       struct capacity *out_capacity, struct capacity_refusal *out_refusal)
{
    ASSERT(config->memory_bytes > 0);
    ASSERT(config->shards_count > 0);
    if (divide(config, descriptors_max, config->memory_bytes, out_capacity)) {
        return ERR_OK;
    }
    explain_refusal(config, descriptors_max, out_refusal);
    return ERR_BUDGET;
}

void capacity_print(const struct capacity *capacity, FILE *out)
{
    fprintf(out, "  memory %10.1f MiB\n", (double)capacity->memory_bytes / MIB);
    for (uint32_t i = 0; i < capacity->lines_count; i++) {
        const struct capacity_line *line = &capacity->lines[i];
        fprintf(out, "    %-14s %8.1f MiB  %s\n", line->holder, (double)line->bytes / MIB,
                line->reason);
    }
    fprintf(out,
            "  %u shards, up to %u connections each, %u in all; kernel socket memory at most "
            "%.0f MiB beside it\n",
            capacity->shards_count, capacity->conns_per_shard, capacity->conns_all,
            (double)capacity->kernel_bytes / MIB);
}
