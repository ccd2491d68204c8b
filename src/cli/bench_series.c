#include "cli/bench_series.h"

#include "base/assert.h"

#include <string.h>

#define CHUNK_ELEMENTS      512u
#define CHUNKS_CAPACITY_MIN 8u

static size_t chunk_bytes(const struct bench_series *series)
{
    return (size_t)CHUNK_ELEMENTS * series->element_bytes;
}

void bench_series_release(struct bench_series *series, struct budget *budget)
{
    for (uint32_t i = 0; i < series->chunks_count; i++) {
        memory_release(budget, series->chunks[i], chunk_bytes(series));
    }
    memory_release(budget, (void *)series->chunks, series->chunks_capacity * sizeof(void *));
    *series = (struct bench_series){.element_bytes = series->element_bytes};
}

static enum err grow_directory(struct bench_series *series, struct budget *budget)
{
    const uint32_t capacity =
        series->chunks_capacity == 0 ? CHUNKS_CAPACITY_MIN : series->chunks_capacity * 2;
    void **chunks = (void **)memory_acquire(budget, MEMORY_RANK_READ, capacity * sizeof(void *));
    if (chunks == NULL) {
        return ERR_BUDGET;
    }
    if (series->chunks_count > 0) {
        memcpy((void *)chunks, (void *)series->chunks, series->chunks_count * sizeof(void *));
    }
    memory_release(budget, (void *)series->chunks, series->chunks_capacity * sizeof(void *));
    series->chunks = chunks;
    series->chunks_capacity = capacity;
    return ERR_OK;
}

void *bench_series_add(struct bench_series *series, struct budget *budget)
{
    if (series->count == (uint64_t)series->chunks_count * CHUNK_ELEMENTS) {
        if (series->chunks_count == series->chunks_capacity &&
            grow_directory(series, budget) != ERR_OK) {
            return NULL;
        }
        void *chunk = memory_acquire_zeroed(budget, MEMORY_RANK_READ, chunk_bytes(series));
        if (chunk == NULL) {
            return NULL;
        }
        series->chunks[series->chunks_count++] = chunk;
    }
    return bench_series_at(series, series->count++);
}

void *bench_series_at(const struct bench_series *series, uint64_t index)
{
    ASSERT(index < series->count);
    unsigned char *chunk = series->chunks[index / CHUNK_ELEMENTS];
    return chunk + index % CHUNK_ELEMENTS * series->element_bytes;
}
