#include "edge/sealing.h"

#include "edge/edge.h"
#include "memory/allocator.h"

enum err sealing_begin(struct edge *edge, size_t size, struct sealing *out_sealing)
{
    if (size <= SEALING_BYTES) {
        *out_sealing = (struct sealing){.scratch = edge->sealing, .borrowed = 0};
        return ERR_OK;
    }
    uint8_t *scratch = memory_acquire(&edge->writes_budget, MEMORY_RANK_DRAIN, size);
    if (scratch == NULL) {
        return ERR_BUDGET;
    }
    *out_sealing = (struct sealing){.scratch = scratch, .borrowed = size};
    return ERR_OK;
}

void sealing_end(struct edge *edge, struct sealing *sealing)
{
    if (sealing->borrowed > 0) {
        memory_release(&edge->writes_budget, sealing->scratch, sealing->borrowed);
    }
}
