/*
 * routing.h -- slot to shard: who owns a user or a channel on this node.
 *
 * Slots are dealt out in contiguous ranges, so that one shard's keys are one
 * range of each family. The number of shards may change between starts: nothing
 * stored depends on it.
 */
#pragma once

#include <stdint.h>

#define SHARDS_MAX        64u
#define ROUTING_SLOT_BITS 12 /* 4096 slots, as in store/slot.h */

static inline uint32_t routing_shard_of_slot(uint16_t slot, uint32_t shards_count)
{
    return (uint32_t)slot * shards_count >> ROUTING_SLOT_BITS;
}
