#include "edge/webhook_resend.h"

#include "base/assert.h"
#include "edge/webhook.h"

static void resends_advance(struct resends *resends);

static void resend_end(struct resends *resends, enum err result)
{
    struct resend *resend = CONTAINER_OF(resends->waiting.next, struct resend, link);
    list_remove(&resend->link);
    resend->result = result;
    resend->letter.receive = resend->on_home;
    mailer_post(&resends->webhook->mailer, resend->home, &resend->letter);
}

/* Where it came from: its queue, and there the lane that it would have now. */
static struct outbox_key origin(const struct outbox_key *dead)
{
    struct outbox_key key = *dead;
    key.queue = dead->lane;
    key.lane = dead->lane == OUTBOX_OFFLINE ? webhook_offline_lane(dead->id) : 0;
    return key;
}

static bool move_visit(void *context, const struct outbox_key *key, const struct outbox_row *row,
                       size_t row_bytes)
{
    struct resends *resends = context;
    struct resend *resend = resends->current;
    if (resend->moved_count == RESEND_EVENTS_MAX) {
        resend->has_more = true;
        return false;
    }
    resend->result = outbox_writer_reserve(&resends->writer, 2, outbox_row_strings_size(row));
    if (resend->result != ERR_OK) {
        resend->has_more = true;
        return false;
    }
    const struct outbox_key live = origin(key);
    struct outbox_row again = *row;
    again.queued_ms = resends->webhook->wall_ms;
    again.status = 0;
    enum err err = outbox_writer_put(&resends->writer, &live, &again);
    ASSERT(err == ERR_OK);
    err = outbox_writer_drop(&resends->writer, key, outbox_cost(row_bytes));
    ASSERT(err == ERR_OK);
    uint64_t *least = &resends->id_least[live.queue];
    *least = live.id < *least ? live.id : *least;
    resend->moved_count++;
    return true;
}

static bool move_named_visit(void *context, const struct outbox_key *key,
                             const struct outbox_row *row, size_t row_bytes)
{
    const struct resends *resends = context;
    const struct outbox_key *wanted = &resends->current->keys[resends->current->keys_count];
    if (key->lane == wanted->lane && key->id == wanted->id && key->part == wanted->part) {
        (void)move_visit(context, key, row, row_bytes);
    }
    return false;
}

static enum err move_all(struct resends *resends)
{
    const struct outbox_range range = {
        .from = {.queue = OUTBOX_DEAD},
        .is_all_lanes = true,
        .count_max = RESEND_EVENTS_MAX + 1,
        .visit = move_visit,
        .context = resends,
    };
    return store_read_outbox(resends->webhook->options.store, &range, NULL);
}

static enum err move_named(struct resends *resends)
{
    struct resend *resend = resends->current;
    const uint32_t count = resend->keys_count;
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < count && err == ERR_OK && !resend->has_more; i++) {
        resend->keys_count = i; /* the one that is looked for */
        const struct outbox_range range = {
            .from = resend->keys[i],
            .count_max = 1,
            .visit = move_named_visit,
            .context = resends,
        };
        err = store_read_outbox(resends->webhook->options.store, &range, NULL);
    }
    resend->keys_count = count;
    return err;
}

static void resend_written(struct outbox_writer *writer)
{
    struct resends *resends = writer->context;
    for (uint8_t queue = 0; queue < OUTBOX_QUEUES_END; queue++) {
        if (resends->id_least[queue] != UINT64_MAX) {
            webhook_ring_queue(resends->webhook, queue, resends->id_least[queue]);
        }
    }
    resend_end(resends, ERR_OK);
    resends_advance(resends);
}

/* Begins the oldest unless it is under way; some end as soon as they are begun. */
static void resends_advance(struct resends *resends)
{
    while (!list_is_empty(&resends->waiting)) {
        struct resend *resend = CONTAINER_OF(resends->waiting.next, struct resend, link);
        if (resend->is_under_way) {
            return;
        }
        resend->is_under_way = true;
        resends->current = resend;
        memset(resends->id_least, 0xff, sizeof(resends->id_least));
        const enum err err = resend->keys != NULL ? move_named(resends) : move_all(resends);
        if (resend->moved_count > 0) {
            outbox_writer_send(&resends->writer);
            return;
        }
        resend_end(resends, err != ERR_OK ? err : resend->result);
    }
}

static void resend_arrives(struct letter *letter, void *receiver)
{
    struct webhook *webhook = receiver;
    struct resend *resend = CONTAINER_OF(letter, struct resend, letter);
    resend->result = ERR_OK;
    resend->moved_count = 0;
    resend->has_more = false;
    resend->is_under_way = false;
    list_push_back(&webhook->resends.waiting, &resend->link);
    resends_advance(&webhook->resends);
}

void resend_post(struct resend *resend, struct mailer *mailer, struct webhook *webhook)
{
    ASSERT(resend->home != NULL);
    ASSERT(resend->keys_count <= RESEND_EVENTS_MAX);
    resend->letter.receive = resend_arrives;
    mailer_post(mailer, &webhook->mailbox, &resend->letter);
}

void resends_init(struct resends *resends, struct webhook *webhook)
{
    *resends = (struct resends){.webhook = webhook};
    list_init(&resends->waiting);
    outbox_writer_init(&resends->writer, &webhook->office);
    resends->writer.done = resend_written;
    resends->writer.context = resends;
}

void resends_deinit(struct resends *resends)
{
    outbox_writer_deinit(&resends->writer);
}
