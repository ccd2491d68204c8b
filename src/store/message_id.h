/*
 * message_id.h -- the parts of a message_id, which is unique in a cluster and sorts by time.
 *
 * 63 bits: 41 bits of milliseconds since 2020-01-01 UTC, 12 bits slot, 10 bits counter
 * (design 5). Ids of one slot ascend, and so do the ids of one log with its seq. 41
 * bits of milliseconds last until 2089.
 */
#pragma once

#include "base/assert.h"
#include "store/slot.h"

#define MESSAGE_ID_EPOCH_MS     1577836800000ull /* 2020-01-01T00:00:00Z */
#define MESSAGE_ID_MS_BITS      41
#define MESSAGE_ID_SLOT_BITS    12
#define MESSAGE_ID_COUNTER_BITS 10
#define MESSAGE_ID_COUNTER_MAX  ((1u << MESSAGE_ID_COUNTER_BITS) - 1)

_Static_assert(1u << MESSAGE_ID_SLOT_BITS == SLOTS_COUNT, "every slot fits an id");
_Static_assert(MESSAGE_ID_MS_BITS + MESSAGE_ID_SLOT_BITS + MESSAGE_ID_COUNTER_BITS == 63,
               "an id is a positive number in any language");

/* inline definitions */

/* `wall_ms` is the time since 1970, not before 2020. */
static inline uint64_t message_id_compose(uint64_t wall_ms, uint16_t slot, uint32_t counter)
{
    ASSERT(wall_ms >= MESSAGE_ID_EPOCH_MS);
    ASSERT(wall_ms - MESSAGE_ID_EPOCH_MS < 1ull << MESSAGE_ID_MS_BITS);
    ASSERT(slot < SLOTS_COUNT);
    ASSERT(counter <= MESSAGE_ID_COUNTER_MAX);
    return (wall_ms - MESSAGE_ID_EPOCH_MS) << (MESSAGE_ID_SLOT_BITS + MESSAGE_ID_COUNTER_BITS) |
           (uint64_t)slot << MESSAGE_ID_COUNTER_BITS | counter;
}

static inline uint16_t message_id_slot(uint64_t message_id)
{
    return (uint16_t)(message_id >> MESSAGE_ID_COUNTER_BITS & (SLOTS_COUNT - 1));
}

static inline uint32_t message_id_counter(uint64_t message_id)
{
    return (uint32_t)(message_id & MESSAGE_ID_COUNTER_MAX);
}

/* Milliseconds since 1970. */
static inline uint64_t message_id_wall_ms(uint64_t message_id)
{
    return (message_id >> (MESSAGE_ID_SLOT_BITS + MESSAGE_ID_COUNTER_BITS)) + MESSAGE_ID_EPOCH_MS;
}
