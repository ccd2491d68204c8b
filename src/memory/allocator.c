#include "memory/allocator.h"

#include "base/assert.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef JINGU_JEMALLOC
#include <jemalloc/jemalloc.h>
#endif

#define PAGE_BYTES 4096

/* The refusal sweep: process-wide on purpose, since it stands for the machine running out of
 * memory. It costs one relaxed load per acquisition while off. */
static struct {
    _Atomic bool is_on;
    _Atomic bool is_for_good;
    _Atomic uint64_t nth;
    _Atomic uint64_t count;
} sweep;

static bool sweep_refuses(void)
{
    if (LIKELY(!atomic_load_explicit(&sweep.is_on, memory_order_relaxed))) {
        return false;
    }
    const uint64_t count = atomic_fetch_add(&sweep.count, 1) + 1;
    const uint64_t nth = atomic_load(&sweep.nth);
    return nth != 0 && (count == nth || (count > nth && atomic_load(&sweep.is_for_good)));
}

void memory_refuse(uint64_t nth, bool is_for_good)
{
    atomic_store(&sweep.count, 0);
    atomic_store(&sweep.nth, nth);
    atomic_store(&sweep.is_for_good, is_for_good);
    atomic_store(&sweep.is_on, nth != 0);
}

uint64_t memory_acquisitions(void)
{
    return atomic_load(&sweep.count);
}

/* In sanitizer builds the sanitizer's own heap stands behind the door, so that each object has its
 * red zones. */
#ifdef JINGU_JEMALLOC
size_t memory_cost(size_t size)
{
    return nallocx(size, 0);
}

static void *heap_acquire(size_t size, bool is_zeroed)
{
    return mallocx(size, is_zeroed ? MALLOCX_ZERO : 0);
}

static void heap_release(void *memory, size_t size)
{
    sdallocx(memory, size, 0);
}
#else
size_t memory_cost(size_t size)
{
    return (size + 15) / 16 * 16;
}

static void *heap_acquire(size_t size, bool is_zeroed)
{
    return is_zeroed ? calloc(1, size) : malloc(size);
}

static void heap_release(void *memory, size_t size)
{
    (void)size;
    free(memory);
}
#endif

static void *acquire(struct budget *budget, enum memory_rank rank, size_t size, bool is_zeroed)
{
    ASSERT(size > 0);
    const size_t cost = memory_cost(size);
    if (sweep_refuses() || budget_charge(budget, rank, cost) != ERR_OK) {
        return NULL;
    }
    void *memory = heap_acquire(size, is_zeroed);
    if (memory == NULL) {
        budget_refund(budget, cost);
    }
    return memory;
}

void *memory_acquire(struct budget *budget, enum memory_rank rank, size_t size)
{
    return acquire(budget, rank, size, false);
}

void *memory_acquire_zeroed(struct budget *budget, enum memory_rank rank, size_t size)
{
    return acquire(budget, rank, size, true);
}

void memory_release(struct budget *budget, void *memory, size_t size)
{
    if (memory == NULL) {
        return;
    }
    budget_refund(budget, memory_cost(size));
    heap_release(memory, size);
}

void *memory_table_acquire(size_t size)
{
    void *table = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return table == MAP_FAILED ? NULL : table;
}

void memory_table_release(void *table, size_t size)
{
    if (table != NULL) {
        munmap(table, size);
    }
}

uint64_t memory_table_resident(void *table, size_t size)
{
    unsigned char pages[512]; /* asked in pieces of two megabytes */
    uint64_t bytes = 0;
    for (size_t done = 0; done < size; done += sizeof(pages) * PAGE_BYTES) {
        const size_t left = size - done;
        const size_t piece = left < sizeof(pages) * PAGE_BYTES ? left : sizeof(pages) * PAGE_BYTES;
        if (mincore((uint8_t *)table + done, piece, pages) != 0) {
            return size; /* the most that it can be */
        }
        for (size_t i = 0; i < (piece + PAGE_BYTES - 1) / PAGE_BYTES; i++) {
            bytes += (pages[i] & 1) != 0 ? PAGE_BYTES : 0;
        }
    }
    return bytes;
}

void memory_table_forget(void *part, size_t size)
{
    const uintptr_t begin = ((uintptr_t)part + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    const uintptr_t end = ((uintptr_t)part + size) / PAGE_BYTES * PAGE_BYTES;
    if (end > begin) {
        madvise((void *)begin, end - begin, MADV_DONTNEED);
    }
}
