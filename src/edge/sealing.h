/*
 * sealing.h -- the scratch area for one encryption or check.
 *
 * Nearly every message fits the area that the shard keeps for it; a larger one
 * borrows memory for the moment.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct edge;

#define SEALING_BYTES 16384u /* kept by a shard */

struct sealing {
    uint8_t *scratch;
    size_t borrowed; /* 0: it is the shard's own area */
};

/* ERR_BUDGET: a large message and no memory for it now. */
MUST_USE enum err sealing_begin(struct edge *edge, size_t size, struct sealing *out_sealing);
void sealing_end(struct edge *edge, struct sealing *sealing);
