#include "server/rest.h"

#include "memory/heap.h"
#include "system/clock.h"
#include "system/file.h"
#include "system/image.h"
#include "telemetry/logger.h"

#include <stdatomic.h>

void rest_init(struct rest *rest, struct store *store, const struct readers *readers,
               const struct metrics *metrics)
{
    *rest = (struct rest){.store = store, .readers = readers, .metrics = metrics};
}

/* What makes memory be needed: what clients and back ends ask for. What waits in the outbox may
 * take many minutes after a burst to be gone through, and needs nothing that rests. */
static uint64_t work_done(const struct rest *rest)
{
    const uint64_t outbox = metrics_sum(rest->metrics, METRIC_JOURNAL_RECORDS_OUTBOX);
    return metrics_sum(rest->metrics, METRIC_JOURNAL_RECORDS) - outbox +
           readers_asked(rest->readers);
}

static void give_back(struct rest *rest, enum rest_holder holder, uint64_t bytes)
{
    atomic_fetch_add_explicit(&rest->given_back_bytes[holder], bytes, memory_order_relaxed);
}

static void rest_store(struct rest *rest)
{
    if (metrics_sum(rest->metrics, METRIC_DISK_SHORT) > 0 || !store_has_room(rest->store)) {
        return;
    }
    struct store_rest store;
    store_rest(rest->store, &store);
    give_back(rest, REST_MEMTABLES, store.memtables_bytes);
    give_back(rest, REST_CACHE, store.cache_bytes);
    give_back(rest, REST_FILTERS, store.filters_bytes);
    give_back(rest, REST_OWNS, store.owns_bytes);
    give_back(rest, REST_LASTS, store.lasts_bytes);
}

static void rest_heap(struct rest *rest)
{
    struct heap_figures before;
    struct heap_figures after;
    heap_figures(&before);
    heap_thread_flush();
    heap_purge();
    heap_figures(&after);
    if (before.resident_bytes > after.resident_bytes) {
        give_back(rest, REST_HEAP, before.resident_bytes - after.resident_bytes);
    }
}

/* What the others could not give back is made up for with code. They have been asked at the rest
 * before this one: some do it in their own time. */
static void rest_code(struct rest *rest)
{
    const uint64_t before = file_resident_bytes();
    if (rest->calm_bytes == 0) {
        rest->calm_bytes = rest->begun_bytes;
    }
    const uint64_t no_matter = rest->calm_bytes / REST_CALM_PART;
    if (before <= rest->calm_bytes + no_matter) {
        rest->calm_bytes = before + no_matter < rest->calm_bytes ? before : rest->calm_bytes;
        return;
    }
    image_give_back(rest->calm_bytes, &rest->code_piece);
    const uint64_t after = file_resident_bytes();
    give_back(rest, REST_CODE, before > after ? before - after : 0);
    if (after > rest->calm_bytes) {
        rest->calm_bytes = before; /* there is more in use now, and that is no reason to go on */
    }
}

/* True: it is asked to rest; false: to end. */
static bool wait_for_order(struct rest *rest, bool *out_is_calm)
{
    monitor_enter(&rest->monitor);
    while (!rest->is_asked && !rest->is_stopping) {
        monitor_wait(&rest->monitor);
    }
    const bool is_to_rest = !rest->is_stopping;
    *out_is_calm = rest->is_calm;
    rest->is_asked = false;
    monitor_leave(&rest->monitor);
    return is_to_rest;
}

static void rest_run(void *context)
{
    struct rest *rest = context;
    bool is_calm = false;
    while (wait_for_order(rest, &is_calm)) {
        if (is_calm) {
            rest_code(rest);
        }
        rest_store(rest);
        rest_heap(rest);
    }
    if (store_has_room(rest->store)) {
        ERR_IGNORE(store_flush(rest->store), "the write-ahead log has it all; a start replays it");
    }
    monitor_enter(&rest->monitor);
    rest->is_at_end = true;
    monitor_signal_all(&rest->monitor);
    monitor_leave(&rest->monitor);
}

enum err rest_start(struct rest *rest)
{
    monitor_init(&rest->monitor);
    const enum err err = thread_start(&rest->thread, "rest", rest_run, rest);
    if (err != ERR_OK) {
        monitor_deinit(&rest->monitor);
    }
    return err;
}

void rest_stop(struct rest *rest)
{
    if (!rest->thread.is_started) {
        return;
    }
    const uint64_t end_ns = clock_now_ns() + (uint64_t)REST_STOP_MS * 1000000u;
    monitor_enter(&rest->monitor);
    rest->is_stopping = true;
    monitor_signal_all(&rest->monitor);
    while (!rest->is_at_end && clock_now_ns() < end_ns) {
        monitor_wait_ms(&rest->monitor, REST_STOP_MS / 10);
    }
    const bool is_late = !rest->is_at_end;
    monitor_leave(&rest->monitor);
    if (is_late) {
        LOG_WARN("flush_given_up", F_STR("why", "the disk is full or does not answer; the "
                                                "write-ahead log has everything"));
        store_cancel(rest->store);
    }
    thread_join(&rest->thread);
    monitor_deinit(&rest->monitor);
}

bool rest_tick(struct rest *rest)
{
    const uint64_t work = work_done(rest);
    const bool is_quiet = work - rest->work_seen < REST_WORK_PER_SECOND;
    rest->work_seen = work;
    rest->quiet_ticks = is_quiet ? rest->quiet_ticks + 1 : 0;
    rest->has_rested &= is_quiet;
    if (rest->begun_bytes == 0) { /* nothing has been asked of the thread before */
        rest->begun_bytes = file_resident_bytes();
    }
    if (rest->quiet_ticks < REST_TICKS) {
        return false;
    }
    rest->quiet_ticks = 0;
    monitor_enter(&rest->monitor);
    rest->is_asked = true;
    rest->is_calm = rest->has_rested;
    monitor_signal_all(&rest->monitor);
    monitor_leave(&rest->monitor);
    rest->has_rested = true;
    return true;
}

uint64_t rest_given_back(const struct rest *rest, enum rest_holder holder)
{
    return atomic_load_explicit(&rest->given_back_bytes[holder], memory_order_relaxed);
}
