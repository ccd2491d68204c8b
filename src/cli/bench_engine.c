#include "cli/bench_engine.h"

#include "base/assert.h"
#include "system/clock.h"
#include "system/file.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define NS_PER_S        1000000000ULL
#define NS_PER_MS       1000000ULL
#define TIMER_COOKIE    UINT64_MAX
#define DESCRIPTORS     64u /* besides the clients' */
#define LOGIN_TRIES     3u
#define LOGIN_MS_MAX    10000u
#define LOGIN_REVIEW_MS 50u
#define TURN_NS_MIN     2000u /* a sleep shorter than this is not worth a system call */
#define SCRATCH_BYTES() bench_seal_scratch_bytes(BENCH_FRAME_BYTES_MAX)
#define AREA_BYTES      (BENCH_FRAME_BYTES_MAX + BENCH_READ_BYTES)

/* ---- Opening and closing. ---- */

/* The soft limit is a default for programs that cannot deal with more; we can. */
static enum err raise_descriptors(uint32_t clients_count)
{
    struct rlimit limit;
    const rlim_t wanted = (rlim_t)clients_count + DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return ERR_IO;
    }
    if (limit.rlim_cur >= wanted) {
        return ERR_OK;
    }
    if (limit.rlim_max < wanted) {
        return ERR_LIMIT;
    }
    limit.rlim_cur = wanted;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? ERR_OK : ERR_LIMIT;
}

static enum err acquire_memory(struct bench_engine *engine)
{
    struct budget *budget = &engine->budget;
    engine->read_area = memory_acquire(budget, MEMORY_RANK_READ, AREA_BYTES);
    engine->scratch = memory_acquire(budget, MEMORY_RANK_READ, SCRATCH_BYTES());
    engine->filler = memory_acquire(budget, MEMORY_RANK_READ, BENCH_FILLER_BYTES);
    engine->clients = memory_acquire_zeroed(budget, MEMORY_RANK_READ,
                                            engine->clients_count * sizeof(struct bench_client));
    if (engine->read_area == NULL || engine->scratch == NULL || engine->filler == NULL ||
        engine->clients == NULL) {
        return ERR_BUDGET;
    }
    bench_filler_init(engine->filler);
    return ERR_OK;
}

static void name_clients(struct bench_engine *engine)
{
    engine->run = engine->options->run;
    if (engine->run == 0) {
        crypto_random((uint8_t *)&engine->run, sizeof(engine->run));
    }
    for (uint32_t i = 0; i < engine->clients_count; i++) {
        struct bench_client *client = &engine->clients[i];
        client->index = i;
        client->fd = -1;
        snprintf(client->uid, sizeof(client->uid), "bench-%08x-%06u", engine->run, i);
    }
}

static enum err open_timer(struct bench_engine *engine)
{
    engine->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    engine->timer_ns = BENCH_NO_TIME;
    if (engine->timer_fd < 0) {
        return ERR_IO;
    }
    return loop_watch_readable(&engine->loop, engine->timer_fd, TIMER_COOKIE, false);
}

enum err bench_engine_open(struct bench_engine *engine, const struct bench_options *options,
                           uint32_t clients_count)
{
    static const struct bench_handler nothing = {.on_tick = NULL};
    *engine = (struct bench_engine){
        .options = options,
        .handler = &nothing,
        .timer_fd = -1,
        .clients_count = clients_count,
        .loop = {.epoll_fd = -1},
    };
    list_init(&engine->dirty);
    budget_init(&engine->budget, "bench", NULL, BUDGET_UNLIMITED);
    enum err err = raise_descriptors(clients_count);
    if (err == ERR_OK) {
        err = acquire_memory(engine);
    }
    if (err == ERR_OK) {
        err = loop_open(&engine->loop);
    }
    if (err == ERR_OK) {
        err = open_timer(engine);
    }
    if (err != ERR_OK) {
        bench_engine_close(engine);
        return err;
    }
    name_clients(engine);
    engine->woken_ns = clock_now_ns();
    engine->tick_ns = engine->woken_ns;
    return ERR_OK;
}

void bench_engine_close(struct bench_engine *engine)
{
    struct budget *budget = &engine->budget;
    for (uint32_t i = 0; engine->clients != NULL && i < engine->clients_count; i++) {
        bench_client_close(engine, &engine->clients[i]);
    }
    if (engine->timer_fd >= 0) {
        close(engine->timer_fd);
        engine->timer_fd = -1;
    }
    loop_close(&engine->loop);
    memory_release(budget, engine->read_area, AREA_BYTES);
    memory_release(budget, engine->scratch, SCRATCH_BYTES());
    memory_release(budget, engine->filler, BENCH_FILLER_BYTES);
    memory_release(budget, engine->clients, engine->clients_count * sizeof(struct bench_client));
    engine->read_area = NULL;
    engine->scratch = NULL;
    engine->filler = NULL;
    engine->clients = NULL;
}

/* ---- The turn. ---- */

void bench_engine_mark_dirty(struct bench_engine *engine, struct bench_client *client)
{
    if (!list_is_linked(&client->dirty)) {
        list_push_back(&engine->dirty, &client->dirty);
    }
}

void bench_engine_flush(struct bench_engine *engine)
{
    struct list *item = NULL;
    while ((item = list_pop_front(&engine->dirty)) != NULL) {
        bench_client_flush(engine, CONTAINER_OF(item, struct bench_client, dirty));
    }
}

static void set_timer(struct bench_engine *engine, uint64_t until_ns)
{
    if (engine->timer_ns == until_ns) {
        return;
    }
    /* Setting it anew also takes back what it has rung and nobody read. */
    const struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(until_ns / NS_PER_S),
                     .tv_nsec = (long)(until_ns % NS_PER_S)},
    };
    const int result = timerfd_settime(engine->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
    ASSERT(result == 0);
    engine->timer_ns = until_ns;
}

static void sleep_until(struct bench_engine *engine, uint64_t until_ns)
{
    const uint64_t now_ns = clock_now_ns();
    histogram_add(&engine->turns, now_ns - engine->woken_ns);
    engine->busy_ns += now_ns - engine->woken_ns;
    if (until_ns < now_ns + TURN_NS_MIN) {
        loop_poll(&engine->loop, 0);
    } else {
        set_timer(engine, until_ns);
        loop_poll(&engine->loop, -1);
    }
    engine->woken_ns = clock_now_ns();
    engine->now_ns = engine->woken_ns;
}

static void on_event(struct bench_engine *engine, const struct loop_event *event)
{
    if (event->cookie == TIMER_COOKIE) {
        return; /* it is set anew before the next sleep */
    }
    const uint32_t index = (uint32_t)event->cookie;
    ASSERT(index < engine->clients_count);
    struct bench_client *client = &engine->clients[index];
    if (client->generation == event->cookie >> 32 && client->state != BENCH_CLIENT_FREE) {
        bench_client_on_event(engine, client, event);
    }
}

static void tick(struct bench_engine *engine)
{
    const uint64_t now_ns = clock_now_ns();
    if (now_ns < engine->tick_ns) {
        return;
    }
    engine->tick_ns = now_ns + BENCH_TICK_MS * NS_PER_MS;
    if (engine->handler->on_tick != NULL) {
        engine->handler->on_tick(engine);
    }
}

void bench_engine_turn(struct bench_engine *engine, uint64_t until_ns)
{
    sleep_until(engine, until_ns < engine->tick_ns ? until_ns : engine->tick_ns);
    for (uint32_t i = 0; i < engine->loop.events_count; i++) {
        on_event(engine, &engine->loop.events[i]);
    }
    bench_engine_flush(engine);
    tick(engine);
}

void bench_engine_run_until(struct bench_engine *engine, uint64_t until_ns)
{
    while (clock_now_ns() < until_ns) {
        bench_engine_turn(engine, until_ns);
    }
}

void bench_engine_reset_figures(struct bench_engine *engine)
{
    engine->busy_ns = 0;
    engine->woken_ns = clock_now_ns();
    memset(&engine->turns, 0, sizeof(engine->turns));
}

/* ---- Logging in. ---- */

struct login {
    uint32_t first;
    uint32_t count;
    uint32_t next; /* the first that was not tried yet */
    uint64_t review_ns;
    uint8_t *tries;
};

/* Looks at those that were begun: tries again what failed, gives up what takes too long. */
static enum err review(struct bench_engine *engine, struct login *login)
{
    const uint64_t now_ns = clock_now_ns();
    if (now_ns < login->review_ns) {
        return ERR_OK;
    }
    login->review_ns = now_ns + LOGIN_REVIEW_MS * NS_PER_MS;
    for (uint32_t i = 0; i < login->next; i++) {
        struct bench_client *client = &engine->clients[login->first + i];
        if (client->state != BENCH_CLIENT_FREE && client->state != BENCH_CLIENT_ONLINE &&
            now_ns - client->began_ns > LOGIN_MS_MAX * NS_PER_MS) {
            engine->ends[BENCH_END_CLOSED]++;
            bench_client_close(engine, client);
        }
        if (client->state == BENCH_CLIENT_FREE) {
            engine->login_retries_count++;
            const enum err err =
                ++login->tries[i] < LOGIN_TRIES ? bench_client_open(engine, client) : ERR_CLOSED;
            if (err != ERR_OK) {
                return err;
            }
        }
    }
    return ERR_OK;
}

static enum err login_all(struct bench_engine *engine, struct login *login)
{
    const uint32_t online_count = engine->online_count + login->count;
    while (engine->online_count < online_count) {
        const enum err err = review(engine, login);
        if (err != ERR_OK) {
            return err;
        }
        while (login->next < login->count &&
               engine->connecting_count < engine->options->connecting_max) {
            const enum err opened =
                bench_client_open(engine, &engine->clients[login->first + login->next]);
            if (opened != ERR_OK) {
                return opened;
            }
            login->next++;
        }
        bench_engine_turn(engine, clock_now_ns() + LOGIN_REVIEW_MS * NS_PER_MS);
    }
    return ERR_OK;
}

enum err bench_engine_login(struct bench_engine *engine, uint32_t first, uint32_t count)
{
    ASSERT(first + count <= engine->clients_count);
    if (count == 0) {
        return ERR_OK;
    }
    struct login login = {
        .first = first,
        .count = count,
        .tries = memory_acquire_zeroed(&engine->budget, MEMORY_RANK_READ, count),
    };
    if (login.tries == NULL) {
        return ERR_BUDGET;
    }
    const enum err err = login_all(engine, &login);
    memory_release(&engine->budget, login.tries, count);
    return err;
}
