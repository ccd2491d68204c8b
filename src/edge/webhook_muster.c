#include "edge/webhook_muster.h"

#include "base/assert.h"
#include "chat/names.h"
#include "edge/webhook.h"
#include "memory/allocator.h"
#include "store/message_log.h"
#include "telemetry/logger.h"

#include <stdlib.h>

#define AGAIN_NS         1000000000u /* after something has failed */
#define INLINE_BYTES_MAX 524288u     /* of messages that travel in their marks, on one page */

static struct muster_mark *last_mark(struct webhook_muster *muster)
{
    return &muster->marks[muster->marks_count - 1];
}

static void mark_release(struct webhook_muster *muster, const struct muster_mark *mark)
{
    memory_release(&muster->webhook->budget, (void *)(uintptr_t)mark->row.message.data,
                   mark->row.message.size);
}

static void page_clear(struct webhook_muster *muster)
{
    for (uint32_t i = 0; i < muster->marks_count; i++) {
        mark_release(muster, &muster->marks[i]);
    }
    muster->marks_count = 0;
    muster->uids_count = 0;
    muster->area_used = 0;
    muster->is_page_full = false;
}

/* Everything again, from the disk, a little later. */
static void muster_fail(struct webhook_muster *muster, const char *step, enum err why)
{
    LOG_ERROR("webhook_offline_failed", F_STR("step", step), F_ERR(why));
    page_clear(muster);
    outbox_writer_forget(&muster->writer);
    muster->is_resuming = false;
    muster->stage = MUSTER_IDLE;
    muster->due_ns = muster->webhook->office.now_ns + AGAIN_NS;
}

/* ---- Filling the page. ---- */

/* Puts a recipient on the page. False: the page is full. */
static bool page_add(struct webhook_muster *muster, struct bytes uid)
{
    if (bytes_equal(uid, muster->sender) || bytes_equal(uid, NAME_SYSTEM_UID) || uid.size == 0) {
        return true; /* never offline (webhook 4.1) */
    }
    if (muster->uids_count == MUSTER_UIDS_MAX ||
        muster->area_used + uid.size > sizeof(muster->area)) {
        muster->is_page_full = true;
        return false;
    }
    uint8_t *copy = muster->area + muster->area_used;
    memcpy(copy, uid.data, uid.size);
    muster->area_used += uid.size;
    muster->uids[muster->uids_count++] = (struct bytes){.data = copy, .size = uid.size};
    last_mark(muster)->uids_count++;
    return true;
}

static int compare_uids(const void *a, const void *b)
{
    const struct bytes *first = a;
    const struct bytes *second = b;
    return bytes_compare(*first, *second);
}

/* Of a list that somebody wrote: who is named twice is one. */
static void deduplicate(struct webhook_muster *muster)
{
    struct muster_mark *mark = last_mark(muster);
    struct bytes *uids = &muster->uids[mark->uids_first];
    if (mark->uids_count < 2) {
        return;
    }
    qsort(uids, mark->uids_count, sizeof(*uids), compare_uids);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < mark->uids_count; i++) {
        if (!bytes_equal(uids[i], uids[kept - 1])) {
            uids[kept++] = uids[i];
        }
    }
    mark->uids_count = kept;
    muster->uids_count = mark->uids_first + kept;
}

static void add_explicit(struct webhook_muster *muster, struct bytes uids)
{
    struct reader reader = reader_of(uids);
    while (reader_left(&reader) > 0 &&
           page_add(muster, reader_bytes(&reader, reader_u16(&reader)))) {
    }
    deduplicate(muster);
}

static bool member_visit(void *context, struct bytes uid, const struct member_row *row)
{
    (void)row;
    struct webhook_muster *muster = context;
    if (!page_add(muster, uid)) {
        return false;
    }
    memcpy(muster->last, uid.data, uid.size);
    muster->last_size = (uint16_t)uid.size;
    return true;
}

/* The visitor of a customer service, unless he is on the list as well. */
static enum err add_visitor(struct webhook_muster *muster, const struct outbox_row *row,
                            struct bytes visitor)
{
    struct member_row member;
    const struct list_ref list = {.channel = row->log.channel, .kind = LIST_SUBSCRIBER};
    const enum err err =
        store_find_member(muster->webhook->options.store, STORE_MAY_BLOCK, list, visitor, &member);
    if (err == ERR_ABSENT) {
        (void)page_add(muster, visitor);
        return ERR_OK;
    }
    return err;
}

static enum err add_members(struct webhook_muster *muster, const struct outbox_row *row,
                            struct bytes visitor)
{
    if (!muster->is_resumed && visitor.size > 0) {
        const enum err err = add_visitor(muster, row, visitor);
        if (err != ERR_OK) {
            return err;
        }
    }
    if (row->log.channel.number == 0) {
        return ERR_OK; /* a message that was not stored, to a channel that does not exist */
    }
    const struct member_page page = {
        .list = {.channel = row->log.channel, .kind = LIST_SUBSCRIBER},
        .after = {.data = muster->resume_after,
                  .size = muster->is_resumed ? muster->resume_size : 0},
        .count_max = UINT32_MAX,
        .visit = member_visit,
        .context = muster,
    };
    return store_read_members(muster->webhook->options.store, STORE_MAY_BLOCK, &page);
}

static enum err add_recipients(struct webhook_muster *muster, const struct outbox_row *row,
                               struct channel_name channel, struct bytes from_uid)
{
    struct bytes uids[2];
    memcpy(muster->sender_area, from_uid.data, from_uid.size);
    muster->sender = (struct bytes){.data = muster->sender_area, .size = from_uid.size};
    if ((row->flags & OUTBOX_EXPLICIT) != 0) {
        add_explicit(muster, row->data);
        return ERR_OK;
    }
    if (channel_type_is_pair(channel.type)) {
        if (name_split_pair(channel.id, &uids[0], &uids[1]) == ERR_OK &&
            page_add(muster, uids[0])) {
            (void)page_add(muster, uids[1]);
        }
        return ERR_OK;
    }
    return add_members(muster, row, name_visitor(channel.id, channel.type));
}

/* What webhook_with_message calls with the message of a mark. */
static enum err use_message(void *context, const struct outbox_row *row,
                            const struct message_view *view)
{
    const struct channel_name channel = {.id = view->channel_id, .type = view->channel_type};
    return add_recipients(context, row, channel, view->from_uid);
}

/* ERR_ABSENT: its message is there no more. Of one that is named that is seen when it is sent. */
static enum err add_recipients_of_mark(struct webhook_muster *muster, uint64_t id,
                                       const struct outbox_row *row)
{
    if ((row->flags & OUTBOX_NAMED) == 0) {
        return webhook_with_message(muster->webhook->options.store, id, row, use_message, muster);
    }
    const struct channel_name channel = {.id = row->channel_id, .type = row->channel_type};
    return add_recipients(muster, row, channel, row->from_uid);
}

/* Takes back the mark that did not fit behind others; it begins the next page. */
static void take_back(struct webhook_muster *muster)
{
    const struct muster_mark *mark = last_mark(muster);
    mark_release(muster, mark);
    muster->uids_count = mark->uids_first;
    muster->marks_count--;
}

static enum err copy_message(struct webhook_muster *muster, struct muster_mark *mark,
                             struct bytes message)
{
    mark->row.message = BYTES_EMPTY;
    if (message.size == 0) {
        return ERR_OK;
    }
    uint8_t *copy = memory_acquire(&muster->webhook->budget, MEMORY_RANK_DELIVER, message.size);
    if (copy == NULL) {
        return ERR_BUDGET;
    }
    memcpy(copy, message.data, message.size);
    mark->row.message = (struct bytes){.data = copy, .size = message.size};
    return ERR_OK;
}

static size_t inline_bytes(const struct webhook_muster *muster)
{
    size_t size = 0;
    for (uint32_t i = 0; i < muster->marks_count; i++) {
        size += muster->marks[i].row.message.size;
    }
    return size;
}

static bool is_same_key(const struct outbox_key *a, const struct outbox_key *b)
{
    return a->id == b->id && a->part == b->part;
}

/* There is no room for another mark with its message. */
static bool is_page_taken(const struct webhook_muster *muster, size_t message_bytes)
{
    return muster->marks_count == MUSTER_MARKS_MAX ||
           (muster->marks_count > 0 && message_bytes > 0 &&
            inline_bytes(muster) + message_bytes > INLINE_BYTES_MAX);
}

/* The last mark does not fit. Behind others it is taken back and begins the next page; alone it
 * goes on there. */
static void end_page(struct webhook_muster *muster)
{
    struct muster_mark *mark = last_mark(muster);
    if (mark->uids_first > 0) {
        take_back(muster);
        return;
    }
    mark->is_complete = false;
    muster->is_resuming = true;
    muster->resume_key = mark->key;
    muster->resume_part = (uint16_t)(mark->part + 1);
    muster->resume_size = muster->last_size;
    memcpy(muster->resume_after, muster->last, muster->last_size);
}

/* Puts a mark and its recipients on the page. False: no more now. */
static bool visit_mark(void *context, const struct outbox_key *key, const struct outbox_row *row,
                       size_t row_bytes)
{
    struct webhook_muster *muster = context;
    if (is_page_taken(muster, row->message.size)) {
        return false;
    }
    muster->is_resumed = muster->is_resuming && is_same_key(key, &muster->resume_key);
    struct muster_mark *mark = &muster->marks[muster->marks_count];
    *mark = (struct muster_mark){.key = *key,
                                 .cost = (uint32_t)outbox_cost(row_bytes),
                                 .row = *row,
                                 .uids_first = muster->uids_count,
                                 .part = muster->is_resumed ? muster->resume_part : key->part,
                                 .is_complete = true};
    muster->read_result = copy_message(muster, mark, row->message);
    if (muster->read_result != ERR_OK) {
        return false;
    }
    muster->marks_count++;
    if (webhook_is_expired(muster->webhook, row->queued_ms)) {
        metric_add(muster->webhook->options.metrics, METRIC_WEBHOOK_EXPIRED, 1);
        return true;
    }
    const enum err err = add_recipients_of_mark(muster, key->id, row);
    if (err == ERR_ABSENT) {
        metric_add(muster->webhook->options.metrics, METRIC_WEBHOOK_GONE, 1);
        return true;
    }
    muster->read_result = err;
    if (err == ERR_OK && muster->is_page_full) {
        end_page(muster);
        return false;
    }
    muster->is_resuming = muster->is_resuming && !muster->is_resumed;
    return err == ERR_OK;
}

static enum err fill_page(struct webhook_muster *muster)
{
    muster->rung_least = UINT64_MAX;
    muster->read_result = ERR_OK;
    struct outbox_key bad = {.queue = OUTBOX_INVALID};
    const struct outbox_range range = {
        .from = muster->cursor,
        .count_max = MUSTER_MARKS_MAX,
        .visit = visit_mark,
        .context = muster,
    };
    const enum err err = store_read_outbox(muster->webhook->options.store, &range, &bad);
    if (err == ERR_CORRUPT && bad.queue != OUTBOX_INVALID) {
        if (muster->marks_count == 0) { /* it has no recipients any more, and is dropped */
            LOG_ERROR("outbox_row_damaged", F_STR("event", "msg.offline"), F_U64("id", bad.id));
            muster->marks[muster->marks_count++] =
                (struct muster_mark){.key = bad, .is_complete = true};
        }
        return muster->read_result;
    }
    return err == ERR_OK ? muster->read_result : err;
}

/* ---- Writing what was found. ---- */

static void muster_written(struct outbox_writer *writer)
{
    struct webhook_muster *muster = writer->context;
    const struct muster_mark *last = last_mark(muster);
    muster->cursor = last->key;
    if (last->is_complete) {
        muster->cursor.part++;
    }
    webhook_muster_ring(muster, muster->rung_least); /* it may have come before those of the page */
    webhook_ring_queue(muster->webhook, OUTBOX_OFFLINE, muster->marks[0].key.id);
    page_clear(muster);
    muster->stage = MUSTER_IDLE;
}

/* The recipients of a mark who are offline, each with its size before it. */
static struct bytes offline_uids(struct webhook_muster *muster, const struct muster_mark *mark)
{
    struct writer writer = writer_of(muster->data, sizeof(muster->data));
    for (uint32_t i = mark->uids_first; i < mark->uids_first + mark->uids_count; i++) {
        if (!muster->is_online[i]) {
            writer_u16(&writer, (uint16_t)muster->uids[i].size);
            writer_bytes_add(&writer, muster->uids[i]);
        }
    }
    ASSERT(!writer.is_full);
    return writer_bytes(&writer);
}

static enum err write_mark(struct webhook_muster *muster, const struct muster_mark *mark)
{
    enum err err = ERR_OK;
    struct outbox_row row = mark->row;
    row.flags &= (uint8_t)~OUTBOX_NAMED;
    row.data = offline_uids(muster, mark);
    if (row.data.size > 0) {
        const struct outbox_key key = {.queue = OUTBOX_OFFLINE,
                                       .lane = webhook_offline_lane(mark->key.id),
                                       .id = mark->key.id,
                                       .part = mark->part};
        err = outbox_writer_put(&muster->writer, &key, &row);
    }
    if (err == ERR_OK && mark->is_complete) {
        err = outbox_writer_drop(&muster->writer, &mark->key, mark->cost);
    }
    return err;
}

static bool nothing_to_write(const struct webhook_muster *muster)
{
    return muster->writer.entry.records_count == 0;
}

static void write_page(struct webhook_muster *muster)
{
    enum err err = outbox_writer_reserve(&muster->writer, 2 * muster->marks_count,
                                         inline_bytes(muster) + sizeof(muster->data));
    for (uint32_t i = 0; i < muster->marks_count && err == ERR_OK; i++) {
        err = write_mark(muster, &muster->marks[i]);
    }
    if (err != ERR_OK) {
        muster_fail(muster, "write", err);
        return;
    }
    muster->stage = MUSTER_WRITING;
    if (nothing_to_write(muster)) { /* a part of a group, all of it online */
        muster_written(&muster->writer);
        return;
    }
    outbox_writer_send(&muster->writer);
}

static void call_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct roll_call *call = CONTAINER_OF(letter, struct roll_call, letter);
    struct webhook_muster *muster = call->context;
    memset(muster->is_online, 0, sizeof(muster->is_online));
    ASSERT(call->found_count <= call->entries_max);
    for (uint32_t i = 0; i < call->found_count; i++) {
        muster->is_online[call->entries[i].uid_index] = true;
    }
    write_page(muster);
}

static void call_roll(struct webhook_muster *muster)
{
    struct webhook *webhook = muster->webhook;
    struct roll_call *call = muster->call;
    call->home = &webhook->mailbox;
    call->on_home = call_comes_home;
    call->context = muster;
    call->uids = muster->uids;
    call->uids_count = muster->uids_count;
    call->is_for_masters = true;
    muster->stage = MUSTER_CALLING;
    roll_call_post(call, &webhook->mailer, webhook->options.shards, webhook->options.shards_count);
}

uint64_t webhook_muster_run(struct webhook_muster *muster)
{
    if (muster->stage != MUSTER_IDLE || !muster->has_more || muster->webhook->is_stopping) {
        return UINT64_MAX;
    }
    if (muster->webhook->office.now_ns < muster->due_ns) {
        return muster->due_ns;
    }
    if (!webhook_may_post(muster->webhook, OUTBOX_PENDING)) {
        return UINT64_MAX;
    }
    const enum err err = fill_page(muster);
    if (err != ERR_OK) {
        muster_fail(muster, "read", err);
        return muster->due_ns;
    }
    if (muster->marks_count == 0) {
        muster->has_more = false;
        return UINT64_MAX;
    }
    if (muster->uids_count > 0) {
        call_roll(muster);
    } else {
        write_page(muster);
    }
    return UINT64_MAX;
}

void webhook_muster_ring(struct webhook_muster *muster, uint64_t id_least)
{
    muster->rung_least = id_least < muster->rung_least ? id_least : muster->rung_least;
    if (id_least <= muster->cursor.id) {
        muster->cursor = (struct outbox_key){.queue = OUTBOX_PENDING, .id = id_least};
    }
    muster->has_more = true;
}

struct outbox_key webhook_muster_taken_below(const struct webhook_muster *muster)
{
    struct outbox_key key = {.queue = OUTBOX_PENDING};
    if (muster->marks_count > 0) {
        key = muster->marks[muster->marks_count - 1].key;
        key.part++;
    }
    return key;
}

enum err webhook_muster_open(struct webhook_muster *muster, struct webhook *webhook)
{
    muster->webhook = webhook;
    muster->cursor = (struct outbox_key){.queue = OUTBOX_PENDING};
    muster->has_more = true;
    outbox_writer_init(&muster->writer, &webhook->office);
    muster->writer.done = muster_written;
    muster->writer.context = muster;
    muster->call = roll_call_acquire(&webhook->budget, MUSTER_UIDS_MAX);
    return muster->call != NULL ? ERR_OK : ERR_BUDGET;
}

void webhook_muster_close(struct webhook_muster *muster)
{
    page_clear(muster);
    outbox_writer_deinit(&muster->writer);
    if (muster->call != NULL) {
        roll_call_release(muster->call);
        muster->call = NULL;
    }
}
