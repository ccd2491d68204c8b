#include "edge/source.h"

#include "base/assert.h"
#include "system/clock.h"
#include "system/crypto.h"
#include "telemetry/logger.h"

#include <stdatomic.h>
#include <string.h>

#define NS_PER_MS 1000000u
#define LOOK_MS   1000u /* asleep, for an order to stop */
#define END_MS    1000u /* for what the shards sent home before they ended */

/* ---- The thread. ---- */

static void take_time(struct source *source)
{
    source->now_ns = clock_now_ns();
    if (!source->is_stopping && atomic_load(&source->is_stop_asked)) {
        source->is_stopping = true;
        source_system_stop(&source->system);
    }
}

static int wait_ms(struct source *source, uint64_t due_ns)
{
    if (!mailbox_may_sleep(&source->mailbox)) {
        return 0;
    }
    const uint64_t look_ns =
        source->now_ns + (uint64_t)(source->is_stopping ? 1 : LOOK_MS) * NS_PER_MS;
    due_ns = due_ns < look_ns ? due_ns : look_ns;
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
        const uint64_t due_ns = source_system_run(&source->system);
        mailer_flush(&source->mailer);
        atomic_store(&source->is_quiet, source->is_stopping && source->changes_away == 0);
        turn(source, due_ns);
    }
    mailer_flush(&source->mailer);
}

/* ---- Life cycle. ---- */

static void close_parts(struct source *source)
{
    source_system_close(&source->system);
    courier_close(&source->courier);
    mailbox_close(&source->mailbox);
    ASSERT(source->changes_away > 0 || budget_used(&source->budget) == 0);
}

enum err source_start(struct source *source, const struct source_options *options)
{
    *source = (struct source){.options = *options};
    budget_init(&source->budget, "datasource", NULL, options->memory_bytes);
    const size_t size = strlen(options->addr) + 1;
    if (size > sizeof(source->addr)) {
        return ERR_LIMIT;
    }
    if (options->memory_bytes < SOURCE_MEMORY_MIN(options->answer_bytes_max)) {
        return ERR_BUDGET;
    }
    memcpy(source->addr, options->addr, size);
    source->options.addr = source->addr;
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
