#include "edge/outbox_trimmer.h"

#include "base/assert.h"
#include "edge/webhook.h"
#include "telemetry/logger.h"

#include <string.h>

#define LOOK_NS       30000000000u /* how often old events are looked for */
#define COUNT_AT_ONCE 4096u
#define DROP_AT_ONCE  256u /* of one lane, before the others are looked at again */

/* Every lane there may be. */
struct place {
    uint8_t queue;
    uint8_t lanes;
};

static const struct place places[] = {
    {OUTBOX_NOTIFY, 1},  {OUTBOX_AGENT, 1},
    {OUTBOX_PENDING, 1}, {OUTBOX_OFFLINE, OUTBOX_LANES_MAX},
    {OUTBOX_STATUS, 1},  {OUTBOX_DEAD, OUTBOX_QUEUES_END},
};

/* ---- At start. ---- */

struct counting {
    uint64_t id_max;
    uint64_t bytes;
    uint32_t visited;
    struct outbox_key last;
};

static bool count_visit(void *context, const struct outbox_key *key, const struct outbox_row *row,
                        size_t row_bytes)
{
    (void)row;
    struct counting *counting = context;
    counting->bytes += key->id <= counting->id_max ? outbox_cost(row_bytes) : 0;
    counting->visited++;
    counting->last = *key;
    return true;
}

static void pass_key(struct outbox_key *key)
{
    key->id += key->part == UINT16_MAX ? 1 : 0;
    key->part++;
}

static enum err count_queue(struct store *store, uint8_t queue, struct counting *counting)
{
    struct outbox_key from = {.queue = queue};
    for (;;) {
        const struct outbox_range range = {
            .from = from,
            .is_all_lanes = true,
            .count_max = COUNT_AT_ONCE,
            .visit = count_visit,
            .context = counting,
        };
        struct outbox_key bad = {.queue = OUTBOX_INVALID};
        counting->visited = 0;
        const enum err err = store_read_outbox(store, &range, &bad);
        if (err == ERR_CORRUPT && bad.queue != OUTBOX_INVALID) {
            counting->last = bad; /* its lane will drop it */
        } else if (err != ERR_OK || counting->visited < COUNT_AT_ONCE) {
            return err;
        }
        from = counting->last;
        pass_key(&from);
    }
}

enum err outbox_trimmer_count(struct outbox_trimmer *trimmer, uint64_t id_max)
{
    struct counting counting = {.id_max = id_max};
    enum err err = ERR_OK;
    for (size_t i = 0; i < COUNT_OF(places) && err == ERR_OK; i++) {
        err = count_queue(trimmer->webhook->options.store, places[i].queue, &counting);
    }
    trimmer->webhook->office.bytes += counting.bytes;
    return err;
}

/* ---- Dropping. ---- */

static bool is_full(const struct outbox_trimmer *trimmer)
{
    return trimmer->events_count == TRIMMER_EVENTS_MAX || trimmer->result != ERR_OK;
}

/* A lane that is being gone through. */
struct visit {
    struct outbox_trimmer *trimmer;
    uint32_t lane;
};

static void drop(const struct visit *visit, const struct outbox_key *key, uint64_t cost,
                 enum metric metric)
{
    struct outbox_trimmer *trimmer = visit->trimmer;
    trimmer->result = outbox_writer_drop(&trimmer->writer, key, cost);
    if (trimmer->result == ERR_OK) {
        metric_add(trimmer->webhook->options.metrics, metric, 1);
        trimmer->events_count++;
        trimmer->bytes_left -= trimmer->bytes_left < cost ? trimmer->bytes_left : cost;
        trimmer->heads[visit->lane] = *key;
        pass_key(&trimmer->heads[visit->lane]);
    }
}

static bool expired_visit(void *context, const struct outbox_key *key, const struct outbox_row *row,
                          size_t row_bytes)
{
    const struct visit *visit = context;
    if (is_full(visit->trimmer) || !webhook_is_expired(visit->trimmer->webhook, row->queued_ms)) {
        return false;
    }
    drop(visit, key, outbox_cost(row_bytes), METRIC_WEBHOOK_EXPIRED);
    return true;
}

static bool oldest_visit(void *context, const struct outbox_key *key, const struct outbox_row *row,
                         size_t row_bytes)
{
    (void)row;
    const struct visit *visit = context;
    if (is_full(visit->trimmer) || visit->trimmer->bytes_left == 0) {
        return false;
    }
    drop(visit, key, outbox_cost(row_bytes), METRIC_WEBHOOK_DROPPED);
    return true;
}

static bool head_visit(void *context, const struct outbox_key *key, const struct outbox_row *row,
                       size_t row_bytes)
{
    (void)row;
    (void)row_bytes;
    const struct visit *visit = context;
    struct outbox_trimmer *trimmer = visit->trimmer;
    trimmer->heads[visit->lane] = *key;
    if (!trimmer->has_oldest || key->id < trimmer->oldest.id) {
        trimmer->oldest = *key;
        trimmer->lane = visit->lane;
        trimmer->has_oldest = true;
    }
    return false;
}

static bool is_below(const struct outbox_key *a, const struct outbox_key *b)
{
    return a->id != b->id ? a->id < b->id : a->part < b->part;
}

/* The first event of a lane that may be dropped: none before is left, or it is on its way. */
static struct outbox_key first_of(const struct outbox_trimmer *trimmer, struct outbox_key lane,
                                  uint32_t index)
{
    const struct outbox_key sent = webhook_sent_below(trimmer->webhook, lane.queue, lane.lane);
    const struct outbox_key *head = &trimmer->heads[index];
    return head->queue == lane.queue && is_below(&sent, head) ? *head : sent;
}

/* Visits up to `count_max` events of a lane. A damaged one ends it; its lane drops it. */
static void visit_lane(struct visit *visit, const struct outbox_key *from, uint32_t count_max,
                       store_outbox_fn *event)
{
    struct outbox_trimmer *trimmer = visit->trimmer;
    const struct outbox_range range = {
        .from = *from, .count_max = count_max, .visit = event, .context = visit};
    const enum err err = store_read_outbox(trimmer->webhook->options.store, &range, NULL);
    if (err != ERR_CORRUPT && trimmer->result == ERR_OK) {
        trimmer->result = err;
    }
}

static void visit_all(struct outbox_trimmer *trimmer, uint32_t count_max, store_outbox_fn *event)
{
    struct visit visit = {.trimmer = trimmer};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        for (uint8_t lane = 0; lane < places[i].lanes; lane++, visit.lane++) {
            const struct outbox_key key = {.queue = places[i].queue, .lane = lane};
            const struct outbox_key from = first_of(trimmer, key, visit.lane);
            visit_lane(&visit, &from, count_max, event);
        }
    }
    ASSERT(visit.lane <= TRIMMER_LANES_MAX);
}

/* Some of the lane that has the oldest; false: it has none that can be dropped. */
static bool drop_some(struct outbox_trimmer *trimmer)
{
    const uint32_t before = trimmer->events_count;
    trimmer->has_oldest = false;
    visit_all(trimmer, 1, head_visit);
    if (trimmer->has_oldest && !is_full(trimmer)) {
        struct visit visit = {.trimmer = trimmer, .lane = trimmer->lane};
        visit_lane(&visit, &trimmer->oldest, DROP_AT_ONCE, oldest_visit);
    }
    return trimmer->events_count > before;
}

/* The oldest events of all lanes, but for a few. What this entry drops already is still on the
 * disk: the heads are behind it. */
static void drop_oldest(struct outbox_trimmer *trimmer)
{
    while (trimmer->bytes_left > 0 && !is_full(trimmer) && drop_some(trimmer)) {
    }
}

/* Whether that was enough is for the run behind the others' turn to see. */
static void trimmed(struct outbox_writer *writer)
{
    struct outbox_trimmer *trimmer = CONTAINER_OF(writer, struct outbox_trimmer, writer);
    trimmer->is_others_turn = true;
}

void outbox_trimmer_init(struct outbox_trimmer *trimmer, struct webhook *webhook,
                         uint64_t bytes_max)
{
    *trimmer = (struct outbox_trimmer){.webhook = webhook, .bytes_max = bytes_max};
    outbox_writer_init(&trimmer->writer, &webhook->office);
    trimmer->writer.done = trimmed;
}

void outbox_trimmer_deinit(struct outbox_trimmer *trimmer)
{
    outbox_writer_deinit(&trimmer->writer);
}

/* A sixteenth more than needed, so that not every new event costs a look. */
static uint64_t surplus(const struct outbox_trimmer *trimmer)
{
    const uint64_t bytes = trimmer->webhook->office.bytes;
    return bytes > trimmer->bytes_max ? bytes - trimmer->bytes_max / 16 * 15 : 0;
}

/* What is too old goes, as much as there is room for in the entry; the rest in those behind it. */
static void drop_expired(struct outbox_trimmer *trimmer, uint64_t now_ns)
{
    if (!trimmer->has_more_expired) {
        memset(trimmer->heads, 0, sizeof(trimmer->heads));
    }
    visit_all(trimmer, TRIMMER_EVENTS_MAX, expired_visit);
    trimmer->has_more_expired = trimmer->events_count == TRIMMER_EVENTS_MAX;
    trimmer->look_at_ns = trimmer->has_more_expired ? now_ns : now_ns + LOOK_NS;
}

uint64_t outbox_trimmer_run(struct outbox_trimmer *trimmer)
{
    const uint64_t now_ns = trimmer->webhook->office.now_ns;
    if (trimmer->writer.is_away || trimmer->webhook->is_stopping) {
        return UINT64_MAX;
    }
    if (trimmer->is_others_turn) {
        trimmer->is_others_turn = false;
        return now_ns;
    }
    trimmer->bytes_left = surplus(trimmer);
    if (trimmer->bytes_left == 0 && now_ns < trimmer->look_at_ns) {
        return trimmer->look_at_ns;
    }
    trimmer->events_count = 0;
    trimmer->result = ERR_OK;
    if (trimmer->bytes_left > 0) {
        drop_oldest(trimmer);
    } else {
        drop_expired(trimmer, now_ns);
    }
    if (trimmer->result != ERR_OK) {
        LOG_ERROR("outbox_trim_failed", F_ERR(trimmer->result));
        trimmer->look_at_ns = now_ns + LOOK_NS;
    }
    if (trimmer->events_count == 0) {
        memset(trimmer->heads, 0, sizeof(trimmer->heads)); /* perhaps there is more below */
        return trimmer->look_at_ns > now_ns ? trimmer->look_at_ns : now_ns + LOOK_NS;
    }
    outbox_writer_send(&trimmer->writer);
    return UINT64_MAX;
}
