#include "server/turn.h"

#include "base/assert.h"
#include "edge/strangers.h"
#include "memory/heap.h"
#include "server/core.h"
#include "system/clock.h"

#include <stdatomic.h>

static void turn_obey(struct core *core)
{
    const enum core_order order = (enum core_order)atomic_load(&core->order);
    if (order == core->obeyed) {
        return;
    }
    if (order >= CORE_STOPS_ACCEPTING) {
        edge_stop_accepting(&core->edge);
    }
    if (order >= CORE_CLOSES) {
        core->chat.is_stopping = true;
        edge_close_all(&core->edge);
    }
    core->obeyed = order;
}

/* Between two looks at busy sockets only letters are received; see pace.h. True: it is one of those
 * turns. */
static bool turn_rest(struct core *core, uint64_t now_ns)
{
    struct shard *shard = &core->shard;
    const uint64_t rest_ns =
        core->has_more ? pace_left_ns(&core->pace, now_ns) : pace_rest_ns(&core->pace, now_ns);
    if (rest_ns == 0) {
        return false;
    }
    shard->loop.events_count = 0;
    return core->has_more || mailbox_rest(&shard->mailbox, rest_ns);
}

/* The only place where a shard sleeps. */
static void turn_poll(struct core *core)
{
    struct shard *shard = &core->shard;
    int timeout_ms = 0;
    if (!core->has_more && mailbox_may_sleep(&shard->mailbox)) {
        timeout_ms = timers_wait_ms(&shard->timers, shard->now_ms);
        if (timeout_ms < 0 || timeout_ms > 1000) {
            timeout_ms = 1000; /* an order that came without a wake-up is seen by then */
        }
    }
    loop_poll(&shard->loop, timeout_ms);
    mailbox_awake(&shard->mailbox);
}

/* Hands out what the sockets have to tell. */
static void turn_events(struct core *core)
{
    struct shard *shard = &core->shard;
    uint32_t sockets_count = 0;
    for (uint32_t i = 0; i < shard->loop.events_count; i++) {
        const struct loop_event *event = &shard->loop.events[i];
        if (event->cookie != CORE_MAILBOX_COOKIE) { /* letters have been received already */
            edge_on_event(&core->edge, event);
            sockets_count++;
        }
    }
    pace_count(&core->pace, shard->now_ns, sockets_count);
}

static void turn_receive(struct core *core)
{
    struct shard *shard = &core->shard;
    metric_add(shard->metrics, METRIC_LETTERS, mailbox_drain(&shard->mailbox));
}

void turn_run(struct core *core)
{
    struct shard *shard = &core->shard;
    ASSERT(shard_is_current(shard));

    const uint64_t begun_ns = clock_now_ns();
    const bool is_resting = turn_rest(core, begun_ns);
    if (!is_resting) {
        turn_poll(core);
    }
    shard_tick(shard);
    turn_obey(core);

    /* Others first: they wait for us, and what has been committed is answered before more is
     * taken in. */
    turn_receive(core);
    if (!is_resting) {
        turn_events(core);
    }
    core->has_more = edge_read(&core->edge);
    core->has_more |= strangers_meet(&core->edge);
    /* What this shard has told itself meanwhile is done in this turn: what was read is asked, and
     * what has been committed is on its way to its readers. */
    turn_receive(core);
    core->has_more |= intake_run(&shard->intake, shard, clock_now_ns() + INTAKE_NS);
    core->has_more |= deliveries_run(&core->chat);
    /* What came in time has been seen before a deadline is: also if we stood still, behind asking
     * the sockets, without a core. So it is the time before that which counts. */
    if (!is_resting) {
        shard->asked_ms = begun_ns / 1000000u;
        timers_run(&shard->timers, shard->asked_ms);
    }

    chat_turn_end(&core->chat);                /* this turn's records leave as one entry */
    mailer_flush(&shard->mailer);              /* one wake-up a peer: they work while we write */
    core->has_more |= edge_write(&core->edge); /* what this turn had to say, in few system calls */
    mailer_flush(&shard->mailer);              /* whatever writing has led to */
    core->has_more |= edge_bury(&core->edge);  /* last: nobody above holds a pointer */
    if (heap_thread_is_to_rest()) {
        chat_rest(&core->chat);
        edge_rest(&core->edge);
        heap_thread_flush();
    }

    metric_add(shard->metrics, METRIC_TURNS, 1);
    metric_set(shard->metrics, METRIC_TIMERS, shard->timers.count);
    metric_took(shard->metrics, LATENCY_TURN, clock_now_ns() - shard->now_ns);

    const bool is_idle = chat_is_idle(&core->chat) && edge_is_idle(&core->edge);
    atomic_store_explicit(&core->is_idle, is_idle, memory_order_release);
}

void core_run(void *context)
{
    struct core *core = context;
    shard_enter(&core->shard);
    thread_hurry();
    while ((enum core_order)atomic_load(&core->order) != CORE_ENDS ||
           !atomic_load(&core->is_idle)) {
        turn_run(core);
    }
    /* What others posted meanwhile still finds its receiver. */
    do {
        core->has_more = true; /* without sleeping */
        turn_run(core);
    } while (core->has_more);
}

void core_order(struct core *core, enum core_order order)
{
    atomic_store(&core->order, (int)order);
    wakeup_raise(&core->shard.mailbox.wakeup);
}
