#include "store/gate.h"

#include "base/assert.h"

#include <stdatomic.h>

#define GATE_CLOSED (1u << 31)
#define GATE_PAUSED (1u << 30)
#define GATE_GUESTS (GATE_PAUSED - 1u)

void gate_init(struct gate *gate)
{
    atomic_init(&gate->guests, GATE_CLOSED);
    monitor_init(&gate->monitor);
}

void gate_deinit(struct gate *gate)
{
    ASSERT(atomic_load(&gate->guests) == GATE_CLOSED);
    monitor_deinit(&gate->monitor);
}

void gate_open(struct gate *gate)
{
    ASSERT((atomic_load(&gate->guests) & GATE_CLOSED) != 0);
    atomic_fetch_and(&gate->guests, ~GATE_CLOSED);
}

void gate_shut(struct gate *gate)
{
    atomic_fetch_or(&gate->guests, GATE_CLOSED);
}

void gate_close(struct gate *gate)
{
    monitor_enter(&gate->monitor);
    gate_shut(gate);
    while (atomic_load(&gate->guests) != GATE_CLOSED) {
        monitor_wait(&gate->monitor);
    }
    monitor_leave(&gate->monitor);
}

bool gate_pause(struct gate *gate, uint32_t wait_ms)
{
    for (;;) {
        uint32_t guests = 0;
        if (atomic_compare_exchange_strong(&gate->guests, &guests, GATE_PAUSED)) {
            return true;
        }
        if (wait_ms == 0 || (guests & GATE_CLOSED) != 0) {
            return false;
        }
        wait_ms--;
        monitor_enter(&gate->monitor);
        monitor_wait_ms(&gate->monitor, 1);
        monitor_leave(&gate->monitor);
    }
}

void gate_resume(struct gate *gate)
{
    monitor_enter(&gate->monitor);
    ASSERT((atomic_load(&gate->guests) & GATE_PAUSED) != 0);
    atomic_fetch_and(&gate->guests, ~GATE_PAUSED);
    monitor_signal_all(&gate->monitor);
    monitor_leave(&gate->monitor);
}

static void gate_wait_for_resume(struct gate *gate)
{
    monitor_enter(&gate->monitor);
    while ((atomic_load(&gate->guests) & GATE_PAUSED) != 0) {
        monitor_wait(&gate->monitor);
    }
    monitor_leave(&gate->monitor);
}

bool gate_enter(struct gate *gate)
{
    for (;;) {
        const uint32_t before = atomic_fetch_add(&gate->guests, 1);
        if (LIKELY((before & (GATE_CLOSED | GATE_PAUSED)) == 0)) {
            return true;
        }
        gate_leave(gate); /* perhaps somebody waits for us already */
        if ((before & GATE_CLOSED) != 0) {
            return false;
        }
        gate_wait_for_resume(gate);
    }
}

void gate_leave(struct gate *gate)
{
    const uint32_t before = atomic_fetch_sub(&gate->guests, 1);
    ASSERT((before & GATE_GUESTS) > 0);
    if ((before & GATE_GUESTS) == 1 && (before & GATE_CLOSED) != 0) {
        monitor_enter(&gate->monitor);
        monitor_signal_all(&gate->monitor);
        monitor_leave(&gate->monitor);
    }
}
