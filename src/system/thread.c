#include "system/thread.h"

#include "base/assert.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TIMER_SLACK_NS      1000ul  /* a short rest is as short as it was meant */
#define HURRY_SLICE_NS      100000u /* the least that Linux knows */
#define STEPS_BACK          5       /* of `nice`: a third of the weight */
#define SLICE_NOT_INHERITED 1u      /* SCHED_FLAG_RESET_ON_FORK */
#define NICE_MAX            19

static void *thread_main(void *argument)
{
    struct thread *thread = argument;
    pthread_setname_np(pthread_self(), thread->name);
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
    thread->run(thread->context);
    return NULL;
}

enum err thread_start(struct thread *thread, const char *name, thread_fn *run, void *context)
{
    thread->run = run;
    thread->context = context;
    thread->is_started = false;
    snprintf(thread->name, sizeof(thread->name), "%s", name);

    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    sigdelset(&all, SIGPROF); /* each thread tells its stack when asked (profiler.h) */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    const int result = pthread_create(&thread->handle, &attributes, thread_main, thread);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    thread->is_started = result == 0;
    return result == 0 ? ERR_OK : ERR_IO;
}

void thread_join(struct thread *thread)
{
    if (thread->is_started) {
        pthread_join(thread->handle, NULL);
        thread->is_started = false;
    }
}

/* As the kernel has it; not every C library does. */
struct slice_wish {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns;
    uint64_t deadline_ns;
    uint64_t period_ns;
};

/* `steps` of `nice` further back; a slice of 0 is the system's own. */
static void wish(int steps, uint64_t slice_ns)
{
    const int nice = getpriority(PRIO_PROCESS, 0) + steps; /* Linux has one for each thread */
    const struct slice_wish wish = {
        .size = sizeof(wish),
        .policy = SCHED_OTHER,
        .flags = slice_ns > 0 ? SLICE_NOT_INHERITED : 0,
        .nice = nice < NICE_MAX ? nice : NICE_MAX,
        .runtime_ns = slice_ns,
    };
    if (sched_getscheduler(0) == SCHED_OTHER) {
        (void)syscall(SYS_sched_setattr, 0, &wish, 0);
    }
}

void thread_hurry(void)
{
    wish(0, HURRY_SLICE_NS);
}

void thread_step_back(void)
{
    wish(STEPS_BACK, 0);
}

void monitor_init(struct monitor *monitor)
{
    ASSERT(pthread_mutex_init(&monitor->mutex, NULL) == 0);
    ASSERT(pthread_cond_init(&monitor->changed, NULL) == 0);
}

void monitor_deinit(struct monitor *monitor)
{
    pthread_cond_destroy(&monitor->changed);
    pthread_mutex_destroy(&monitor->mutex);
}

void monitor_enter(struct monitor *monitor)
{
    ASSERT(pthread_mutex_lock(&monitor->mutex) == 0);
}

void monitor_leave(struct monitor *monitor)
{
    ASSERT(pthread_mutex_unlock(&monitor->mutex) == 0);
}

void monitor_wait(struct monitor *monitor)
{
    ASSERT(pthread_cond_wait(&monitor->changed, &monitor->mutex) == 0);
}

void monitor_wait_ms(struct monitor *monitor, uint32_t wait_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    const uint64_t ns = (uint64_t)until.tv_nsec + (uint64_t)wait_ms * 1000000u;
    until.tv_sec += (time_t)(ns / 1000000000u);
    until.tv_nsec = (long)(ns % 1000000000u);
    const int result = pthread_cond_timedwait(&monitor->changed, &monitor->mutex, &until);
    ASSERT(result == 0 || result == ETIMEDOUT);
}

void monitor_signal(struct monitor *monitor)
{
    pthread_cond_signal(&monitor->changed);
}

void monitor_signal_all(struct monitor *monitor)
{
    pthread_cond_broadcast(&monitor->changed);
}
