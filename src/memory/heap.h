/*
 * heap.h -- how the heap behaves as a whole: given back when idle.
 *
 * The settings themselves are data that jemalloc reads at start (heap.c): dirty
 * pages go back to the system after a few seconds, by a thread of jemalloc's own.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* What the heap has handed out and what it holds of the system, in bytes; zeros without jemalloc.
 */
struct heap_figures {
    uint64_t allocated_bytes;
    uint64_t active_bytes;   /* pages with something allocated in them */
    uint64_t metadata_bytes; /* of the heap itself */
    uint64_t resident_bytes; /* all of it, with pages that are free and not given back yet */
};

void heap_figures(struct heap_figures *out_figures);

/* Gives every page that is free now back to the system, and asks every thread to give up what it
 * can do without (heap_thread_is_to_rest). Takes milliseconds; for quiet moments. */
void heap_purge(void);

/* Writes jemalloc's profile of what is allocated now to a file. ERR_ABSENT: without jemalloc, or
 * when MALLOC_CONF has turned profiling off. */
MUST_USE enum err heap_profile_dump(const char *path);

/* Should the calling thread give up what it can do without? Once for each heap_purge, for threads
 * that wake up now and then; heap_thread_flush is the last thing that they do about it. */
bool heap_thread_is_to_rest(void);

/* Gives up the freed objects that the calling thread keeps for itself. */
void heap_thread_flush(void);
