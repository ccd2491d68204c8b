#include "shard/bell.h"

#include <stdatomic.h>

enum err bell_open(struct bell *bell)
{
    atomic_init(&bell->id_least, BELL_NOTHING);
    atomic_init(&bell->bytes, 0);
    atomic_init(&bell->is_awaited, false);
    return wakeup_open(&bell->wakeup);
}

void bell_close(struct bell *bell)
{
    wakeup_close(&bell->wakeup);
}

void bell_ring(struct bell *bell, uint64_t id_least, uint64_t bytes)
{
    atomic_fetch_add(&bell->bytes, bytes);
    uint64_t least = atomic_load(&bell->id_least);
    while (id_least < least && !atomic_compare_exchange_weak(&bell->id_least, &least, id_least)) {
    }
    /* The listener says that it waits and then looks again; we ring and then look whether it
     * waits. Both orders are sequentially consistent, so one of the two sees the other. */
    if (atomic_load(&bell->is_awaited) && atomic_exchange(&bell->is_awaited, false)) {
        wakeup_raise(&bell->wakeup);
    }
}

uint64_t bell_hear(struct bell *bell, uint64_t *out_bytes)
{
    const uint64_t id_least = atomic_exchange(&bell->id_least, BELL_NOTHING);
    *out_bytes = atomic_load(&bell->bytes);
    return id_least;
}

bool bell_await(struct bell *bell)
{
    atomic_store(&bell->is_awaited, true);
    return atomic_load(&bell->id_least) == BELL_NOTHING;
}
