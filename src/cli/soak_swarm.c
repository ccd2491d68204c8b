#include "cli/soak_swarm.h"

#include "system/clock.h"

#include <sys/resource.h>
#include <sys/socket.h>

#define NS_PER_MS        1000000ULL
#define READ_BYTES       65536u
#define PIECES_PER_VISIT 4u /* then it is another socket's turn */

struct swarm {
    struct soak_attack *attack;
    struct budget budget;
    struct loop loop;
    struct soak_raw *raws;
    uint32_t raws_count;
    uint8_t *area;
};

static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* with fewer, fewer are opened */
    }
}

static void close_raw(struct swarm *swarm, struct soak_raw *raw)
{
    if (raw->plan->is_reset) {
        const struct linger none = {.l_onoff = 1, .l_linger = 0};
        setsockopt(raw->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    }
    socket_close(raw->fd);
    raw->fd = -1;
    raw->generation++;
    bench_buffer_release(&raw->out, &swarm->budget);
    raw->next_ns = clock_now_ns() + raw->plan->reopen_ms * NS_PER_MS;
}

static void open_raw(struct swarm *swarm, struct soak_raw *raw)
{
    const uint64_t now_ns = clock_now_ns();
    raw->next_ns = now_ns + 100 * NS_PER_MS; /* if it fails */
    if (socket_connect(raw->plan->address, &raw->fd) != ERR_OK) {
        raw->fd = -1;
        return;
    }
    const uint64_t cookie = (uint64_t)raw->generation << 32 | raw->index;
    if (loop_watch_socket(&swarm->loop, raw->fd, cookie) != ERR_OK) {
        close_raw(swarm, raw);
        return;
    }
    raw->is_connected = false;
    raw->step = 0;
    raw->opening++;
    raw->opened_ns = now_ns;
    raw->next_ns = now_ns;
    soak_count(swarm->attack, SOAK_COUNT_CONNECTIONS, 1);
}

/* Writes what waits. False: the socket takes no more now, or has gone. */
static bool flush(struct swarm *swarm, struct soak_raw *raw)
{
    const struct bytes bytes = bench_buffer_bytes(&raw->out);
    if (bytes.size == 0) {
        return true;
    }
    size_t size = 0;
    const enum err err = socket_write(raw->fd, &bytes, 1, &size);
    if (err == ERR_OK) {
        bench_buffer_consume(&raw->out, size);
        soak_count(swarm->attack, SOAK_COUNT_BYTES, size);
        return size == bytes.size;
    }
    if (err != ERR_AGAIN) {
        soak_count(swarm->attack, SOAK_COUNT_ENDED, 1);
        close_raw(swarm, raw);
    }
    return false;
}

/* Writes the pieces that are due. */
static void act(struct swarm *swarm, struct soak_raw *raw, uint64_t now_ns)
{
    for (uint32_t i = 0; i < PIECES_PER_VISIT; i++) {
        if (raw->fd < 0 || !raw->is_connected || !flush(swarm, raw) || now_ns < raw->next_ns) {
            return;
        }
        const size_t size = raw->plan->next(swarm->attack, raw, swarm->area);
        raw->step++;
        raw->next_ns = now_ns + raw->plan->step_ms * NS_PER_MS;
        uint8_t *room = size > 0 ? bench_buffer_room(&raw->out, &swarm->budget, size) : NULL;
        if (room != NULL) {
            memcpy(room, swarm->area, size);
            bench_buffer_add(&raw->out, size);
        } else {
            raw->next_ns = now_ns + (raw->plan->step_ms > 0 ? raw->plan->step_ms : 1) * NS_PER_MS;
        }
    }
    (void)flush(swarm, raw);
}

static void read_all(struct swarm *swarm, struct soak_raw *raw)
{
    size_t size = 0;
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        err = socket_read(raw->fd, swarm->area, READ_BYTES, &size);
    }
    if (err != ERR_AGAIN) {
        soak_count(swarm->attack, SOAK_COUNT_ENDED, 1);
        close_raw(swarm, raw);
    }
}

static void on_event(struct swarm *swarm, const struct loop_event *event)
{
    struct soak_raw *raw = &swarm->raws[(uint32_t)event->cookie];
    if (raw->generation != event->cookie >> 32 || raw->fd < 0) {
        return;
    }
    if (event->is_writable && !raw->is_connected) {
        raw->is_connected = socket_connected(raw->fd) == ERR_OK;
    }
    if (event->is_readable && (!raw->plan->is_deaf || event->is_broken || event->is_hung_up)) {
        read_all(swarm, raw);
    }
}

/* Those whose time has come, one after the other. */
static void review(struct swarm *swarm)
{
    for (uint32_t i = 0; i < swarm->raws_count; i++) {
        struct soak_raw *raw = &swarm->raws[i];
        const uint64_t now_ns = clock_now_ns();
        const uint32_t life_ms = raw->plan->life_ms > 0 ? raw->plan->life_ms : SOAK_LIFE_MS;
        if (raw->fd < 0) {
            if (now_ns >= raw->next_ns) {
                open_raw(swarm, raw);
            }
        } else if (now_ns - raw->opened_ns >= life_ms * NS_PER_MS) {
            close_raw(swarm, raw);
        } else {
            act(swarm, raw, now_ns);
        }
    }
}

static enum err open_swarm(struct swarm *swarm, const struct soak_plan *plans, uint32_t plans_count)
{
    for (uint32_t i = 0; i < plans_count; i++) {
        swarm->raws_count += plans[i].count;
    }
    swarm->area = memory_acquire(&swarm->budget, MEMORY_RANK_READ, SOAK_PIECE_BYTES);
    swarm->raws = memory_acquire_zeroed(&swarm->budget, MEMORY_RANK_READ,
                                        swarm->raws_count * sizeof(struct soak_raw));
    if (swarm->area == NULL || swarm->raws == NULL) {
        return ERR_BUDGET;
    }
    uint32_t index = 0;
    for (uint32_t i = 0; i < plans_count; i++) {
        for (uint32_t k = 0; k < plans[i].count; k++) {
            swarm->raws[index] = (struct soak_raw){.plan = &plans[i], .index = index, .fd = -1};
            index++;
        }
    }
    return loop_open(&swarm->loop);
}

enum err soak_swarm_run(struct soak_attack *attack, const struct soak_plan *plans,
                        uint32_t plans_count)
{
    struct swarm swarm = {.attack = attack};
    budget_init(&swarm.budget, "swarm", NULL, BUDGET_UNLIMITED);
    raise_descriptors();
    const enum err err = open_swarm(&swarm, plans, plans_count);
    while (err == ERR_OK && !soak_attack_is_over(attack)) {
        loop_poll(&swarm.loop, SOAK_TICK_MS);
        for (uint32_t i = 0; i < swarm.loop.events_count; i++) {
            on_event(&swarm, &swarm.loop.events[i]);
        }
        review(&swarm);
    }
    return err; /* the process ends, and everything with it */
}
