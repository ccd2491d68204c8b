#include "system/profiler.h"

#include "base/assert.h"
#include "memory/allocator.h"
#include "system/clock.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#define NAP_MS         20u
#define ANSWER_MS      50u /* for a thread to tell its stack */
#define ANYBODY        0
#define NOBODY         (-1)
#define LINE_BYTES_MAX 512u
#define PERIOD_US      (1000000u / PROFILER_HERTZ)

/* Words: a stack's depth, then its addresses, innermost first. Zero is the end. */
#define SAMPLES_WORDS (PROFILER_SAMPLES_BYTES / sizeof(uintptr_t))

/* One profile of the process: a signal handler has no other context. */
static struct {
    _Atomic bool is_busy;
    _Atomic bool is_cancelled;
    _Atomic(uintptr_t *) samples; /* where the handler writes; NULL: nowhere */
    _Atomic pid_t asked_tid;      /* who is to tell his stack, or ANYBODY, or NOBODY */
    _Atomic size_t used_words;
    _Atomic uint32_t handlers_inside;
    _Atomic uint32_t answers_count;
    _Atomic uint64_t dropped_count;
} profiler;

struct walk {
    uintptr_t *addresses;
    uintptr_t interrupted; /* frames before this one are the handler's */
    uint32_t count;
    bool is_inside;
};

static _Unwind_Reason_Code walk_frame(struct _Unwind_Context *context, void *argument)
{
    struct walk *walk = argument;
    const uintptr_t address = _Unwind_GetIP(context);
    walk->is_inside = walk->is_inside || address == walk->interrupted;
    if (walk->is_inside) {
        walk->addresses[walk->count++] = address;
    }
    return walk->count < PROFILER_DEPTH_MAX ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static uintptr_t interrupted_at(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.pc;
#else
#error "where was this thread interrupted?"
#endif
}

static void take_sample(uintptr_t *samples, const ucontext_t *context)
{
    uintptr_t addresses[PROFILER_DEPTH_MAX];
    struct walk walk = {.addresses = addresses, .interrupted = interrupted_at(context)};
    _Unwind_Backtrace(walk_frame, &walk);
    if (walk.count == 0) { /* the unwinder did not come through */
        addresses[walk.count++] = walk.interrupted;
    }
    const size_t wanted = walk.count + 1u;
    const size_t place = atomic_fetch_add(&profiler.used_words, wanted);
    if (place + wanted >= SAMPLES_WORDS) {
        atomic_fetch_sub(&profiler.used_words, wanted);
        atomic_fetch_add(&profiler.dropped_count, 1);
        return;
    }
    samples[place] = walk.count;
    memcpy(&samples[place + 1], addresses, walk.count * sizeof(addresses[0]));
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    const int before = errno;
    atomic_fetch_add(&profiler.handlers_inside, 1);
    uintptr_t *samples = atomic_load(&profiler.samples);
    const pid_t asked = atomic_load(&profiler.asked_tid);
    if (samples != NULL && (asked == ANYBODY || asked == (pid_t)syscall(SYS_gettid))) {
        take_sample(samples, context);
        atomic_fetch_add(&profiler.answers_count, 1);
    }
    atomic_fetch_sub(&profiler.handlers_inside, 1);
    errno = before;
}

static void nap(uint32_t ms)
{
    const struct timespec time = {.tv_sec = 0, .tv_nsec = (long)ms * 1000000L};
    nanosleep(&time, NULL);
}

static enum err begin(pid_t asked)
{
    if (atomic_exchange(&profiler.is_busy, true)) {
        return ERR_AGAIN;
    }
    uintptr_t *samples = memory_table_acquire(PROFILER_SAMPLES_BYTES);
    if (samples == NULL) {
        atomic_store(&profiler.is_busy, false);
        return ERR_BUDGET;
    }
    memset(samples, 0, PROFILER_SAMPLES_BYTES); /* the handler takes no page faults */
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGPROF, &action, NULL);
    atomic_store(&profiler.used_words, 0);
    atomic_store(&profiler.dropped_count, 0);
    atomic_store(&profiler.answers_count, 0);
    atomic_store(&profiler.asked_tid, asked);
    atomic_store(&profiler.samples, samples);
    return ERR_OK;
}

/* A signal that is still under way finds the handler, and nothing to write to. */
static uintptr_t *stop_taking(void)
{
    uintptr_t *samples = atomic_exchange(&profiler.samples, NULL);
    while (atomic_load(&profiler.handlers_inside) > 0) {
        nap(1);
    }
    return samples;
}

static void finish(uintptr_t *samples)
{
    memory_table_release(samples, PROFILER_SAMPLES_BYTES);
    atomic_store(&profiler.is_busy, false);
}

static void set_timer(uint32_t period_us)
{
    const struct itimerval timer = {.it_interval = {.tv_usec = period_us},
                                    .it_value = {.tv_usec = period_us}};
    setitimer(ITIMER_PROF, &timer, NULL);
}

/* ---- The profile's words are of this machine's size and order. ---- */

static void write_word(struct writer *out, uintptr_t word)
{
    writer_bytes_add(out, (struct bytes){.data = (const uint8_t *)&word, .size = sizeof(word)});
}

static void write_profile(struct writer *out, const uintptr_t *samples)
{
    const uintptr_t head[] = {0, 3, 0, PERIOD_US, 0};
    for (size_t i = 0; i < COUNT_OF(head); i++) {
        write_word(out, head[i]);
    }
    const uintptr_t *sample = samples;
    while (sample[0] != 0) {
        write_word(out, 1);
        for (uintptr_t i = 0; i <= sample[0]; i++) {
            write_word(out, sample[i]);
        }
        sample += sample[0] + 1;
    }
    const uintptr_t tail[] = {0, 1, 0};
    for (size_t i = 0; i < COUNT_OF(tail); i++) {
        write_word(out, tail[i]);
    }
    profiler_write_maps(out);
}

enum err profiler_run(uint32_t seconds, struct writer *out)
{
    ASSERT(seconds > 0);
    ASSERT(seconds <= PROFILER_SECONDS_MAX);
    const enum err err = begin(ANYBODY);
    if (err != ERR_OK) {
        return err;
    }
    const uint64_t end_ns = clock_now_ns() + (uint64_t)seconds * 1000000000u;
    set_timer(PERIOD_US);
    while (clock_now_ns() < end_ns && !atomic_load(&profiler.is_cancelled)) {
        nap(NAP_MS);
    }
    set_timer(0);
    uintptr_t *samples = stop_taking();
    write_profile(out, samples);
    finish(samples);
    return atomic_load(&profiler.is_cancelled) ? ERR_CLOSED : ERR_OK;
}

void profiler_cancel(void)
{
    atomic_store(&profiler.is_cancelled, true);
}

void profiler_write_maps(struct writer *out)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL) {
        return;
    }
    char line[LINE_BYTES_MAX];
    while (fgets(line, sizeof(line), maps) != NULL) {
        writer_bytes_add(out, bytes_of_string(line));
    }
    fclose(maps);
}

/* ---- Threads. ---- */

struct thread_facts {
    char name[24];
    char state;
    uint64_t cpu_ms;
};

static void read_facts(pid_t tid, struct thread_facts *out_facts)
{
    *out_facts = (struct thread_facts){.name = "?", .state = '?'};
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return; /* it has ended */
    }
    char line[LINE_BYTES_MAX];
    const bool is_read = fgets(line, sizeof(line), file) != NULL;
    fclose(file);
    char *begin = is_read ? strchr(line, '(') : NULL;
    char *end = is_read ? strrchr(line, ')') : NULL;
    if (begin == NULL || end == NULL) {
        return;
    }
    *end = '\0';
    snprintf(out_facts->name, sizeof(out_facts->name), "%s", begin + 1);
    unsigned long long user = 0;
    unsigned long long kernel = 0;
    /* NOLINTNEXTLINE(cert-err34-c): the kernel wrote the text; what is missing stays 0 */
    (void)sscanf(end + 2, "%c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &out_facts->state,
                 &user, &kernel);
    out_facts->cpu_ms = (user + kernel) * 1000u / (uint64_t)sysconf(_SC_CLK_TCK);
}

/* The thread's stack, behind the samples that there are. False: it does not answer in time, because
 * it blocks the signal, gets no core or has ended. What it says later is no answer: another one is
 * asked by then. */
static bool ask_stack(pid_t tid)
{
    const uint32_t before = atomic_load(&profiler.answers_count);
    atomic_store(&profiler.asked_tid, tid);
    const bool is_asked = syscall(SYS_tgkill, getpid(), tid, SIGPROF) == 0;
    for (uint32_t ms = 0; is_asked && ms < ANSWER_MS; ms++) {
        if (atomic_load(&profiler.answers_count) != before) {
            break;
        }
        nap(1);
    }
    atomic_store(&profiler.asked_tid, NOBODY);
    while (atomic_load(&profiler.handlers_inside) > 0) { /* it has just begun to tell */
        nap(1);
    }
    return atomic_load(&profiler.answers_count) != before;
}

static void write_thread(struct writer *out, pid_t tid, const uintptr_t *stack)
{
    struct thread_facts facts;
    read_facts(tid, &facts);
    char line[LINE_BYTES_MAX];
    snprintf(line, sizeof(line), "--- Thread %x (name: %s, state %c, cpu %llu ms/%d) stack: ---\n",
             (unsigned)tid, facts.name, facts.state, (unsigned long long)facts.cpu_ms, tid);
    writer_bytes_add(out, bytes_of_string(line));
    for (uintptr_t i = 0; stack != NULL && i < stack[0]; i++) {
        snprintf(line, sizeof(line), "  %s0x%016llx\n", i == 0 ? "PC: " : "    ",
                 (unsigned long long)stack[i + 1]);
        writer_bytes_add(out, bytes_of_string(line));
    }
    writer_u8(out, '\n');
}

enum err profiler_threads(struct writer *out)
{
    const enum err err = begin(NOBODY);
    if (err != ERR_OK) {
        return err;
    }
    writer_bytes_add(out, BYTES_OF("--- threadz 1 ---\n\n"));
    const uintptr_t *samples = atomic_load(&profiler.samples);
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *entry;
    while (tasks != NULL && (entry = readdir(tasks)) != NULL) {
        const pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (tid > 0) {
            const size_t place = atomic_load(&profiler.used_words);
            const bool has_stack = ask_stack(tid) && samples[place] != 0;
            write_thread(out, tid, has_stack ? &samples[place] : NULL);
        }
    }
    if (tasks != NULL) {
        closedir(tasks);
    }
    finish(stop_taking());
    writer_bytes_add(out, BYTES_OF("\n--- Memory map: ---\n"));
    profiler_write_maps(out);
    return ERR_OK;
}
