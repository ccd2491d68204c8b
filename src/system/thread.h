/*
 * thread.h -- threads, and the little locking that exists off the message path.
 */
#pragma once

#include "base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef void thread_fn(void *context);

/* Private to thread.c. */
struct thread {
    pthread_t handle;
    thread_fn *run;
    void *context;
    char name[16];
    bool is_started;
};

#define THREAD_STACK_BYTES 262144u /* counted in the memory table, touched as used */

/* Starts `run(context)` with all signals blocked. `name` is cut to 15 characters; `thread` stays
 * in place until it is joined. */
MUST_USE enum err thread_start(struct thread *thread, const char *name, thread_fn *run,
                               void *context);

/* Waits for its end. Nothing happens for a thread that was never started. */
void thread_join(struct thread *thread);

/* Whom others wait for runs before who has much to do. Both are wishes of the calling thread, for
 * as long as it runs: a system that does not know them, or another policy that the operator has
 * chosen, changes nothing but latency.
 *
 * thread_hurry: the system takes the processor from others for it, and gives it back soon (Linux
 * 6.12 and later: short slices). thread_step_back: it gets a third of what others get who want
 * the processor at the same time, and all that nobody wants. */
void thread_hurry(void);
void thread_step_back(void);

/* A lock and the one condition it guards. */
struct monitor {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
};

void monitor_init(struct monitor *monitor);
void monitor_deinit(struct monitor *monitor);
void monitor_enter(struct monitor *monitor);
void monitor_leave(struct monitor *monitor);
/* Inside: sleeps until another thread signals. May wake for no reason. */
void monitor_wait(struct monitor *monitor);
/* The same, for at most `wait_ms`. */
void monitor_wait_ms(struct monitor *monitor, uint32_t wait_ms);
void monitor_signal(struct monitor *monitor);
void monitor_signal_all(struct monitor *monitor);
