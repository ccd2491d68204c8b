/*
 * sealing.h -- the scratch area for one encryption or check.
 *
 * Nearly every message fits the area that the shard keeps for it; a larger one
 * borrows memory for the moment.
 */
#pragma once

#include "base/err.h"

#include "edge/seal.h"

struct edge;

/* Kept by a shard; several messages at once have their texts there, too (seal.h). */
#define SEALING_BYTES SEAL_LANES_TEXT_BYTES

struct sealing {
    uint8_t *scratch;
    size_t borrowed; /* 0: it is the shard's own area */
};

/* ERR_BUDGET: a large message and no memory for it now. */
MUST_USE enum err sealing_begin(struct edge *edge, size_t size, struct sealing *out_sealing);
void sealing_end(struct edge *edge, struct sealing *sealing);
