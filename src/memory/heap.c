#include "memory/heap.h"

#include "base/compiler.h"

#include <stdatomic.h>
#include <stddef.h>

/* Counts heap_purge, and how many of them this thread has answered. */
static _Atomic uint32_t purges_count;
static _Thread_local uint32_t purges_answered;

#ifdef JINGU_JEMALLOC
#include <jemalloc/jemalloc.h>

/* Read by jemalloc before main; MALLOC_CONF in the environment comes after it.
 *
 * A burst's pages are kept for two seconds, in case of another one, and then given back by a thread
 * of its own. Two arenas: each keeps slabs of every size that are partly used, and threads take and
 * give in bulk. Slabs are of one page, or two for larger objects, where jemalloc would take up to
 * seven: one goes back only when the last object in it has gone, and what outlives a burst is
 * spread over all slabs that the burst has made. That costs at most an eighth of a page. A thread
 * keeps small freed objects for itself, and nobody can take them from it while it sleeps: so only
 * small ones.
 *
 * One allocation in half a megabyte is remembered with the calls that led to it, always: a profile
 * that was off while the memory was acquired would not know who has it (docs/memory.md has what
 * it costs). */
extern const char *malloc_conf;
const char *malloc_conf = "background_thread:true,dirty_decay_ms:2000,muzzy_decay_ms:0,narenas:2,"
                          "slab_sizes:1-1280:1|1281-4096:2,"
                          "tcache_max:4096,prof:true,prof_active:true,lg_prof_sample:19";

static uint64_t figure(const char *name)
{
    size_t value = 0;
    size_t size = sizeof(value);
    return mallctl(name, &value, &size, NULL, 0) == 0 ? value : 0;
}

void heap_figures(struct heap_figures *out_figures)
{
    uint64_t epoch = 1;
    size_t size = sizeof(epoch);
    (void)mallctl("epoch", &epoch, &size, &epoch, size); /* the figures are of now */
    out_figures->allocated_bytes = figure("stats.allocated");
    out_figures->active_bytes = figure("stats.active");
    out_figures->metadata_bytes = figure("stats.metadata");
    out_figures->resident_bytes = figure("stats.resident");
}

void heap_purge(void)
{
    char command[] = "arena.4096.purge"; /* 4096: MALLCTL_ARENAS_ALL */
    _Static_assert(MALLCTL_ARENAS_ALL == 4096, "the name has it");
    (void)mallctl(command, NULL, NULL, NULL, 0);
    atomic_fetch_add_explicit(&purges_count, 1, memory_order_relaxed);
}

enum err heap_profile_dump(const char *path)
{
    return mallctl("prof.dump", NULL, NULL, &path, sizeof(path)) == 0 ? ERR_OK : ERR_ABSENT;
}

void heap_thread_flush(void)
{
    (void)mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
}
#else
void heap_figures(struct heap_figures *out_figures)
{
    *out_figures = (struct heap_figures){.allocated_bytes = 0};
}

void heap_purge(void)
{
    atomic_fetch_add_explicit(&purges_count, 1, memory_order_relaxed);
}

enum err heap_profile_dump(const char *path)
{
    (void)path;
    return ERR_ABSENT;
}

void heap_thread_flush(void)
{
}
#endif

bool heap_thread_is_to_rest(void)
{
    const uint32_t count = atomic_load_explicit(&purges_count, memory_order_relaxed);
    if (LIKELY(count == purges_answered)) {
        return false;
    }
    purges_answered = count;
    return true;
}
