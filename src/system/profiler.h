/*
 * profiler.h -- where the time goes, and what each thread does now: stacks, taken by a signal.
 *
 * A CPU profile is a timer of the process's CPU time: each hundredth of a second that it
 * uses, the thread that is running then is asked for its stack (SIGPROF). The result is
 * the profile of gperftools, which `go tool pprof` and `jeprof` read. Nothing runs and
 * nothing is held while no profile is taken.
 *
 * The handler calls the unwinder of libgcc, which finds its tables without a lock since
 * glibc 2.35 (_dl_find_object), and writes to memory that was touched before; it calls
 * nothing else.
 *
 * Any thread; one profile at a time.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdint.h>

#define PROFILER_SECONDS_MAX   60u
#define PROFILER_HERTZ         100u
#define PROFILER_SAMPLES_BYTES (1024u * 1024u) /* of stacks; more are dropped, and counted */
#define PROFILER_DEPTH_MAX     48u

/* Takes a profile for so many seconds and writes it. Blocks for that long. ERR_AGAIN: another one
 * is under way; ERR_BUDGET: no memory; ERR_CLOSED: profiler_cancel came. */
MUST_USE enum err profiler_run(uint32_t seconds, struct writer *out);

/* Ends what is under way, and refuses what comes: the server stops. */
void profiler_cancel(void);

/* The stack of every thread, with its state and CPU time in its name, in a text that `go tool
 * pprof` reads too. ERR_AGAIN as above. */
MUST_USE enum err profiler_threads(struct writer *out);

/* The address map of this process, as profiles end with it. */
void profiler_write_maps(struct writer *out);
