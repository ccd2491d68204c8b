#include "journal/journal.h"

#include "base/assert.h"
#include "journal/apply.h"
#include "memory/heap.h"
#include "store/batch.h"
#include "store/read.h"
#include "system/clock.h"
#include "system/file.h"
#include "telemetry/logger.h"

#include <stdatomic.h>

#define DISK_CHECK_NS     100000000u /* how old our knowledge of the free disk may be */
#define DISK_RESERVE_PART 16         /* of a disk is never more than its reserve */
/* Asleep, whether it is to rest; closed, for another try to open. */
#define LOOK_NS 1000000000u

static void entry_arrives(struct letter *letter, void *receiver)
{
    struct journal *journal = receiver;
    struct entry *entry = CONTAINER_OF(letter, struct entry, letter);
    list_push_back(&journal->gathered, &entry->link);
}

static void stop_arrives(struct letter *letter, void *receiver)
{
    (void)letter;
    ((struct journal *)receiver)->is_stopping = true;
}

static void entry_go_home(struct entry *entry, enum err result)
{
    entry->result = result;
    entry->letter.receive = entry->on_home;
    mailbox_post(entry->home, &entry->letter);
}

/* From now on nothing that was decided before this moment is committed, for any shard. */
static void refuse_epochs(struct journal *journal, struct list *entries)
{
    LIST_FOR_EACH (item, entries) {
        const struct entry *entry = CONTAINER_OF(item, struct entry, link);
        if (entry->epoch > journal->refused_epoch[entry->shard]) {
            journal->refused_epoch[entry->shard] = entry->epoch;
        }
    }
}

static void entries_refuse(struct journal *journal, struct list *entries, enum err why)
{
    refuse_epochs(journal, entries);
    atomic_store(&journal->is_failing, true);
    struct list *item;
    while ((item = list_pop_front(entries)) != NULL) {
        metric_add(journal->options.metrics, METRIC_JOURNAL_REFUSED, 1);
        entry_go_home(CONTAINER_OF(item, struct entry, link), why);
    }
}

/* What must stay free: the operator's reserve (a small disk is not all reserve), room for what is
 * in memory and in the log by now and has still to be written to files (by the next start, if this
 * process is killed now), and for the next file of the log, which may take its room meanwhile. */
static uint64_t disk_reserve(const struct journal *journal, const struct file_disk *disk)
{
    const uint64_t share = disk->total_bytes / DISK_RESERVE_PART;
    const uint64_t asked = journal->options.reserve_bytes;
    return (asked < share ? asked : share) + store_memtables_bytes(journal->options.store) +
           store_log_ahead_bytes(journal->options.store);
}

static bool disk_is_short(struct journal *journal)
{
    const uint64_t now_ns = clock_now_ns();
    if (now_ns - journal->disk_checked_ns >= DISK_CHECK_NS) {
        struct file_disk disk = {.free_bytes = 0};
        const bool is_known = file_disk(journal->options.path, &disk) == ERR_OK;
        const uint64_t reserve_bytes = disk_reserve(journal, &disk);
        const bool is_short = is_known && disk.free_bytes < reserve_bytes;
        journal->disk_checked_ns = now_ns;
        metric_set(journal->options.metrics, METRIC_DISK_FREE, disk.free_bytes);
        metric_set(journal->options.metrics, METRIC_DISK_SHORT, is_short ? 1 : 0);
        if (is_short != journal->is_disk_short) {
            journal->is_disk_short = is_short;
            LOG_WARN(is_short ? "disk_short" : "disk_enough", F_U64("free_bytes", disk.free_bytes),
                     F_U64("reserve_bytes", reserve_bytes));
        }
    }
    return journal->is_disk_short;
}

static bool store_is_open(struct journal *journal)
{
    if (!journal->is_store_closed) {
        return true;
    }
    struct store_fault fault;
    if (store_reopen(journal->options.store, &fault) != ERR_OK) {
        LOG_ERROR("store_reopen_failed", F_STR("why", fault.text));
        return false;
    }
    journal->is_store_closed = false;
    LOG_INFO("store_reopened", F_STR("path", journal->options.path));
    return true;
}

/* Moves entries into the batch until it is full. `taken` are in it, refused ones have gone home. */
static void batch_fill(struct journal *journal, struct list *taken)
{
    while (!list_is_empty(&journal->gathered)) {
        struct entry *entry = CONTAINER_OF(journal->gathered.next, struct entry, link);
        if (!store_batch_is_empty(journal->batch) &&
            !store_batch_has_room(journal->batch, entry->messages_count, entry->rows_bytes)) {
            return;
        }
        list_remove(&entry->link);
        if (entry->epoch <= journal->refused_epoch[entry->shard]) {
            metric_add(journal->options.metrics, METRIC_JOURNAL_REFUSED, 1);
            entry_go_home(entry, ERR_IO);
            continue;
        }
        const struct bytes bytes = {.data = entry->bytes, .size = entry->size};
        const enum err err = apply_entry(journal->batch, bytes, &journal->clock_ms);
        ASSERT(err == ERR_OK); /* by entry_reserve and the limits of names nothing is too large */
        list_push_back(taken, &entry->link);
    }
}

static void batch_commit(struct journal *journal, struct list *taken)
{
    struct metrics_slot *metrics = journal->options.metrics;
    struct store_fault fault;
    const uint64_t began_ns = clock_now_ns();
    const enum err err = store_batch_commit(journal->batch, journal->options.is_synced, &fault);
    const uint64_t ended_ns = clock_now_ns();
    metric_took(metrics, LATENCY_SYNC, ended_ns - began_ns);
    metric_add(metrics, METRIC_JOURNAL_COMMITS, 1);
    if (err != ERR_OK) {
        LOG_ERROR("journal_commit_failed", F_STR("why", fault.text));
        store_batch_clear(journal->batch);
        journal->is_store_closed = true;
        (void)store_is_open(journal); /* what is on the disk is the truth before anyone is told */
        entries_refuse(journal, taken, ERR_IO);
        return;
    }
    atomic_store_explicit(&journal->is_failing, false, memory_order_relaxed);
    struct list *item;
    while ((item = list_pop_front(taken)) != NULL) {
        struct entry *entry = CONTAINER_OF(item, struct entry, link);
        metric_took(metrics, LATENCY_COMMIT, ended_ns - entry->appended_ns);
        metric_add(metrics, METRIC_JOURNAL_ENTRIES, 1);
        metric_add(metrics, METRIC_JOURNAL_RECORDS, entry->records_count);
        metric_add(metrics, METRIC_JOURNAL_RECORDS_OUTBOX,
                   entry->shard == JOURNAL_WRITER_WEBHOOK ? entry->records_count : 0);
        metric_add(metrics, METRIC_JOURNAL_BYTES, entry->size);
        entry_go_home(entry, ERR_OK);
    }
}

static void journal_turn(struct journal *journal)
{
    if (!store_is_open(journal)) {
        entries_refuse(journal, &journal->gathered, ERR_IO);
        return;
    }
    if (disk_is_short(journal)) {
        entries_refuse(journal, &journal->gathered, ERR_FULL);
        return;
    }
    struct list taken;
    list_init(&taken);
    batch_fill(journal, &taken);
    if (!list_is_empty(&taken)) {
        batch_commit(journal, &taken);
    }
}

static void journal_run(void *context)
{
    struct journal *journal = context;
    thread_hurry();
    for (;;) {
        mailbox_drain(&journal->mailbox);
        if (!list_is_empty(&journal->gathered)) {
            journal_turn(journal);
            continue;
        }
        if (journal->is_stopping) {
            return;
        }
        mailbox_rest(&journal->mailbox, LOOK_NS);
        if (heap_thread_is_to_rest()) {
            store_batch_rest(journal->batch);
            heap_thread_flush();
        }
        if (journal->is_store_closed) {
            (void)store_is_open(journal);
        }
    }
}

uint64_t journal_memory(uint32_t batch_bytes, uint32_t batch_messages)
{
    const struct store_batch_options options = {.messages_max = batch_messages,
                                                .bytes_max = batch_bytes};
    return store_batch_cost(&options);
}

enum err journal_start(struct journal *journal, const struct journal_options *options)
{
    *journal = (struct journal){.options = *options};
    list_init(&journal->gathered);
    const struct store_batch_options batch_options = {
        .messages_max = options->batch_messages,
        .bytes_max = options->batch_bytes,
        .budget = options->budget,
    };
    enum err err = store_last_ms(options->store, &journal->clock_ms);
    if (err != ERR_OK) {
        return err;
    }
    err = store_batch_open(options->store, &batch_options, &journal->batch);
    if (err != ERR_OK) {
        return err;
    }
    err = mailbox_open(&journal->mailbox, journal);
    if (err != ERR_OK) {
        goto fail_batch;
    }
    err = thread_start(&journal->thread, "committer", journal_run, journal);
    if (err != ERR_OK) {
        goto fail_mailbox;
    }
    return ERR_OK;

fail_mailbox:
    mailbox_close(&journal->mailbox);
fail_batch:
    store_batch_close(journal->batch);
    journal->batch = NULL;
    return err;
}

void journal_stop(struct journal *journal)
{
    journal->stop.receive = stop_arrives;
    mailbox_post(&journal->mailbox, &journal->stop);
    thread_join(&journal->thread);
    mailbox_close(&journal->mailbox);
    store_batch_close(journal->batch);
    journal->batch = NULL;
}

void journal_append(struct journal *journal, struct mailer *mailer, struct entry *entry)
{
    ASSERT(!entry_is_empty(entry));
    ASSERT(entry->shard < JOURNAL_WRITERS_MAX);
    entry->appended_ns = clock_now_ns();
    entry->on_home = entry->letter.receive;
    entry->letter.receive = entry_arrives;
    mailer_post(mailer, &journal->mailbox, &entry->letter);
}

bool journal_is_failing(const struct journal *journal)
{
    return atomic_load(&journal->is_failing);
}
