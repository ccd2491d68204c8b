#include "edge/source.h"

#include "base/assert.h"
#include "chat/inquiry.h"
#include "memory/heap.h"
#include "system/clock.h"
#include "system/crypto.h"
#include "telemetry/logger.h"

#include <stdatomic.h>
#include <string.h>

#define NS_PER_MS 1000000u
#define LOOK_MS   1000u /* asleep, for an order to stop */
#define END_MS    1000u /* for what the shards sent home before they ended */
#define LATE_MS                                                                                    \
    100u /* beyond the time-out, for the changes of an answer that came just in time               \
          */

#define SILENCES_MAX  3u    /* then nobody seems to be there */
#define FULL_AGAIN_MS 1000u /* whoever is turned away asks again after that */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- Is anybody there? ---- */

void source_heard(struct source *source, bool was_there)
{
    if (was_there) {
        source->silences = 0;
        return;
    }
    source->silences++;
    source->down_until_ns = source->now_ns + source->settings.retry_ms * NS_PER_MS;
}

bool source_is_down(const struct source *source)
{
    return source->silences >= SILENCES_MAX && source->now_ns < source->down_until_ns;
}

/* ---- Inquiries. ---- */

static void send_home(struct source *source, struct inquiry *inquiry, uint64_t again_ms)
{
    inquiry->again_ms = again_ms;
    inquiry->letter.receive = inquiry->on_home;
    mailer_post(&source->mailer, inquiry->home, &inquiry->letter);
}

static void turn_away(struct source *source, struct inquiry *inquiry, enum metric why,
                      uint64_t again_ms)
{
    metric_add(source->options.metrics, why, 1);
    send_home(source, inquiry, again_ms);
}

/* Is this known without asking? Then it goes home. */
static bool settle(struct source *source, struct inquiry *inquiry)
{
    const struct source_settings *settings = &source->settings;
    const struct source_entry *entry = source_table_find(&source->table, inquiry->hash);
    if (entry != NULL) {
        const uint64_t age_ms = (source->now_ns - entry->at_ns) / NS_PER_MS;
        const uint64_t rest_ms = entry->is_good ? settings->ttl_ms : settings->retry_ms;
        if (age_ms < rest_ms) {
            turn_away(source, inquiry, METRIC_SOURCE_INQUIRIES_SPARED, rest_ms - age_ms);
            return true;
        }
        if (inquiry->channel != NULL) {
            send_home(source, inquiry, 0); /* it asks again, and does not wait then */
            return true;
        }
    }
    if (source->is_stopping || source_is_down(source)) {
        turn_away(source, inquiry, METRIC_SOURCE_INQUIRIES_SPARED, settings->retry_ms);
        return true;
    }
    return false;
}

/* Somebody else has asked for this channel: the answer is for both. */
static bool join(struct source *source, struct inquiry *inquiry)
{
    for (uint32_t i = 0; i < SOURCE_FLIGHTS; i++) {
        struct source_flight *flight = &source->flights[i];
        if (flight->stage != SOURCE_FLIGHT_IDLE && flight->hash == inquiry->hash) {
            list_push_back(&flight->inquiries, &inquiry->link);
            return true;
        }
    }
    return false;
}

static struct source_flight *free_flight(struct source *source)
{
    for (uint32_t i = 0; i < SOURCE_FLIGHTS; i++) {
        if (source->flights[i].stage == SOURCE_FLIGHT_IDLE) {
            return &source->flights[i];
        }
    }
    return NULL;
}

void source_take_inquiry(struct letter *letter, void *receiver)
{
    struct source *source = receiver;
    struct inquiry *inquiry = CONTAINER_OF(letter, struct inquiry, letter);
    if (settle(source, inquiry) || join(source, inquiry)) {
        return;
    }
    if (source->inquiries_count >= SOURCE_INQUIRIES_MAX) {
        turn_away(source, inquiry, METRIC_SOURCE_INQUIRIES_FULL, FULL_AGAIN_MS);
        return;
    }
    list_push_back(&source->inquiries, &inquiry->link);
    source->inquiries_count++;
}

static uint64_t inquiry_ends_ns(const struct source *source, const struct inquiry *inquiry)
{
    return inquiry->asked_ns + (uint64_t)source->settings.timeout_ms * NS_PER_MS;
}

/* Begins what can be; gives when the oldest of the others has waited long enough. */
static uint64_t run_inquiries(struct source *source)
{
    while (source->inquiries_count > 0) {
        struct inquiry *inquiry = CONTAINER_OF(source->inquiries.next, struct inquiry, link);
        const bool is_late = source->now_ns >= inquiry_ends_ns(source, inquiry);
        struct source_flight *flight = free_flight(source);
        if (!is_late && flight == NULL && !source->is_stopping) {
            return inquiry_ends_ns(source, inquiry);
        }
        list_remove(&inquiry->link);
        source->inquiries_count--;
        if (settle(source, inquiry) || join(source, inquiry)) {
            continue;
        }
        if (is_late) {
            turn_away(source, inquiry, METRIC_SOURCE_INQUIRIES_FULL, FULL_AGAIN_MS);
        } else {
            source_flight_begin(flight, inquiry);
        }
    }
    return UINT64_MAX;
}

static uint64_t release_at_ns(const struct source_flight *flight)
{
    return flight->until_ns + (uint64_t)LATE_MS * NS_PER_MS;
}

static void send_all_home(struct source *source, struct source_flight *flight, uint64_t again_ms)
{
    struct list *item;
    while ((item = list_pop_front(&flight->inquiries)) != NULL) {
        send_home(source, CONTAINER_OF(item, struct inquiry, link), again_ms);
    }
}

void source_landed(struct source *source, struct source_flight *flight)
{
    const struct source_settings *settings = &source->settings;
    source_table_put(&source->table, flight->hash, source->now_ns, !flight->has_failed);
    metric_add(source->options.metrics,
               flight->has_failed ? METRIC_SOURCE_CHANNELS_FAILED : METRIC_SOURCE_CHANNELS_ANSWERED,
               1);
    send_all_home(source, flight, flight->has_failed ? settings->retry_ms : settings->ttl_ms);
}

/* Changes that take longer than the time-out are not waited for: what they wait for may stand
 * behind a message that waits for them. Gives when to look again. */
static uint64_t release_late(struct source *source)
{
    uint64_t due_ns = UINT64_MAX;
    for (uint32_t i = 0; i < SOURCE_FLIGHTS; i++) {
        struct source_flight *flight = &source->flights[i];
        if (flight->stage != SOURCE_FLIGHT_APPLIES || list_is_empty(&flight->inquiries)) {
            continue;
        }
        if (source->now_ns >= release_at_ns(flight)) {
            metric_add(source->options.metrics, METRIC_SOURCE_INQUIRIES_FULL, 1);
            send_all_home(source, flight, source->settings.retry_ms);
        } else if (release_at_ns(flight) < due_ns) {
            due_ns = release_at_ns(flight);
        }
    }
    return due_ns;
}

/* ---- The thread. ---- */

static void take_time(struct source *source)
{
    source->now_ns = clock_now_ns();
    if (!source->is_stopping && atomic_load(&source->is_stop_asked)) {
        source->is_stopping = true;
        source_system_stop(&source->system);
        for (uint32_t i = 0; source->has_flights && i < SOURCE_FLIGHTS; i++) {
            source_flight_stop(&source->flights[i]);
        }
    }
}

static int wait_ms(struct source *source, uint64_t due_ns)
{
    if (!mailbox_may_sleep(&source->mailbox)) {
        return 0;
    }
    const uint64_t look_ns =
        source->now_ns + (uint64_t)(source->is_stopping ? 1 : LOOK_MS) * NS_PER_MS;
    due_ns = least(due_ns, look_ns);
    const uint64_t left_ns = due_ns > source->now_ns ? due_ns - source->now_ns : 0;
    return (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS);
}

static void turn(struct source *source, uint64_t due_ns)
{
    const struct wakeup *wakeups[2] = {&source->mailbox.wakeup, NULL};
    courier_wait(&source->courier, wakeups, wait_ms(source, due_ns));
    mailbox_awake(&source->mailbox);
    wakeup_clear(&source->mailbox.wakeup);
    take_time(source);
    mailbox_drain(&source->mailbox);
    courier_run(&source->courier);
    if (heap_thread_is_to_rest()) {
        heap_thread_flush();
    }
}

/* The shards have ended before: what is not home soon will not come. */
static bool is_done(struct source *source)
{
    if (!atomic_load(&source->is_end_asked)) {
        return false;
    }
    if (source->end_by_ns == 0) {
        source->end_by_ns = source->now_ns + (uint64_t)END_MS * NS_PER_MS;
    }
    return source->changes_away == 0 || source->now_ns >= source->end_by_ns;
}

static void run(void *context)
{
    struct source *source = context;
    take_time(source);
    LOG_INFO("datasource_begins");
    while (!is_done(source)) {
        uint64_t due_ns = run_inquiries(source);
        due_ns = least(due_ns, release_late(source));
        due_ns = least(due_ns, source_system_run(&source->system));
        mailer_flush(&source->mailer);
        atomic_store(&source->is_quiet, source->is_stopping && source->changes_away == 0);
        turn(source, due_ns);
    }
    mailer_flush(&source->mailer);
}

/* ---- Settings. ---- */

static void take_address(struct source *source, const char *addr)
{
    const size_t size = strlen(addr) + 1;
    if (size > sizeof(source->addr) || !courier_url_is_good(addr)) {
        LOG_ERROR("datasource_address_refused", F_STR("why", "it is no URL, or too long"));
        return;
    }
    memcpy(source->addr, addr, size);
    source->addr_turn++;
    source->silences = 0;
    source_system_hurry(&source->system, 0);
    LOG_INFO("datasource_moved");
}

void source_take_settings(struct source *source, const struct source_settings *settings)
{
    source->settings = *settings;
    source->settings.addr = source->addr;
    source_system_hurry(&source->system, settings->ttl_ms);
    if (strcmp(settings->addr, source->addr) != 0) {
        take_address(source, settings->addr);
    }
}

/* ---- Life cycle. ---- */

static enum err open_flights(struct source *source)
{
    source->has_flights = source->options.asks_lists || source->options.asks_info;
    enum err err =
        source->has_flights ? source_table_init(&source->table, &source->budget) : ERR_OK;
    for (uint32_t i = 0; source->has_flights && i < SOURCE_FLIGHTS && err == ERR_OK; i++) {
        err = source_flight_open(&source->flights[i], source);
    }
    return err;
}

static void close_parts(struct source *source)
{
    source_system_close(&source->system);
    for (uint32_t i = 0; i < SOURCE_FLIGHTS; i++) {
        source_flight_close(&source->flights[i]);
    }
    source_table_deinit(&source->table);
    courier_close(&source->courier);
    mailbox_close(&source->mailbox);
    ASSERT(source->changes_away > 0 || budget_used(&source->budget) == 0);
}

enum err source_start(struct source *source, const struct source_options *options)
{
    *source = (struct source){.options = *options};
    budget_init(&source->budget, "datasource", NULL, options->memory_bytes);
    const size_t size = strlen(options->settings.addr) + 1;
    if (size > sizeof(source->addr)) {
        return ERR_LIMIT;
    }
    if (options->memory_bytes < SOURCE_MEMORY_MIN(options->answer_bytes_max)) {
        return ERR_BUDGET;
    }
    memcpy(source->addr, options->settings.addr, size);
    source->settings = options->settings;
    source->settings.addr = source->addr;
    source->table.budget = &source->budget;
    list_init(&source->inquiries);
    crypto_random((uint8_t *)&source->prng, sizeof(source->prng));
    crypto_random((uint8_t *)&source->hash_key, sizeof(source->hash_key));
    enum err err = mailbox_open(&source->mailbox, source);
    if (err != ERR_OK) {
        return err;
    }
    err = courier_open(&source->courier, &source->budget);
    if (err == ERR_OK) {
        err = source_system_open(&source->system, source);
    }
    if (err == ERR_OK) {
        err = open_flights(source);
    }
    if (err == ERR_OK) {
        err = thread_start(&source->thread, "datasource", run, source);
    }
    if (err != ERR_OK) {
        close_parts(source);
    }
    return err;
}

void source_order_stop(struct source *source)
{
    atomic_store(&source->is_stop_asked, true);
    wakeup_raise(&source->mailbox.wakeup);
}

bool source_is_quiet(const struct source *source)
{
    return atomic_load(&source->is_quiet);
}

void source_stop(struct source *source)
{
    source_order_stop(source);
    atomic_store(&source->is_end_asked, true);
    wakeup_raise(&source->mailbox.wakeup);
    thread_join(&source->thread);
    close_parts(source);
}
