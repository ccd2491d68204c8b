#include "shard/shard.h"

#include "base/assert.h"
#include "system/clock.h"

/* Which shard this thread is: the one thing that is a thread's and not a shard's, kept so that
 * every door can assert that nobody else came in. */
static _Thread_local const struct shard *current;

enum err shard_open(struct shard *shard, uint32_t index, struct shard **shards,
                    uint32_t shards_count, uint64_t memory_bytes)
{
    ASSERT(index < shards_count);
    ASSERT(shards_count <= SHARDS_MAX);
    *shard = (struct shard){.index = index, .shards_count = shards_count, .shards = shards};
    budget_init(&shard->budget, "shard", NULL, memory_bytes);
    shard_tick(shard);
    timers_init(&shard->timers, shard->now_ms, shard);
    enum err err = loop_open(&shard->loop);
    if (err != ERR_OK) {
        return err;
    }
    shard->mailer.own = &shard->mailbox;
    err = mailbox_open(&shard->mailbox, shard);
    if (err != ERR_OK) {
        loop_close(&shard->loop);
    }
    return err;
}

void shard_close(struct shard *shard)
{
    mailbox_close(&shard->mailbox);
    loop_close(&shard->loop);
}

void shard_enter(struct shard *shard)
{
    current = shard;
}

bool shard_is_current(const struct shard *shard)
{
    return current == shard;
}

void shard_tick(struct shard *shard)
{
    shard->now_ns = clock_now_ns();
    shard->now_ms = shard->now_ns / 1000000u;
    shard->wall_ms = clock_wall_ms();
}
