/*
 * gate.h -- lets everybody in until it is closed, and closes when the last guest has left.
 *
 * What stands behind a gate may be taken away while it is closed. Entering and leaving
 * cost one atomic operation each; nobody waits but whoever closes. A guest may enter
 * again while inside; it is refused if the gate is closing.
 *
 * A pause is for work of a millisecond that no guest may see half done: it begins only
 * when nobody is inside, and whoever comes meanwhile waits for its end.
 *
 * Private to the store layer; any thread, but one at a time closes and opens.
 */
#pragma once

#include "system/thread.h"

#include <stdbool.h>
#include <stdint.h>

/* Private to gate.c. */
struct gate {
    _Atomic uint32_t guests; /* how many are inside; the highest bits: closed, paused */
    struct monitor monitor;  /* where the one who closes waits for the last guest */
};

/* Begins closed. */
void gate_init(struct gate *gate);
void gate_deinit(struct gate *gate);

void gate_open(struct gate *gate);

/* Refuses new guests from now on. A guest may do this; it is no harm if the gate is shut. */
void gate_shut(struct gate *gate);

/* Shuts the gate, and waits until those inside have left. */
void gate_close(struct gate *gate);

/* Looks every millisecond for at most `wait_ms`. False: somebody was inside each time, or the gate
 * is closed. One thread at a time. */
MUST_USE bool gate_pause(struct gate *gate, uint32_t wait_ms);
void gate_resume(struct gate *gate);

/* False: it is closed. */
MUST_USE bool gate_enter(struct gate *gate);
void gate_leave(struct gate *gate);
