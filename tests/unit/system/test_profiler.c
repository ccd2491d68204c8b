#include "system/profiler.h"

#include "system/clock.h"
#include "system/symbols.h"
#include "system/thread.h"

#include "support/test.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define OUT_BYTES   ((size_t)2 * 1024 * 1024)
#define SAMPLES_MIN 5u /* of a second; of fewer, others' could be the most */

static _Atomic bool is_over;

__attribute__((noinline)) static void burn(void *context)
{
    _Atomic uint64_t *turns = context;
    while (!atomic_load(&is_over)) {
        atomic_fetch_add(turns, 1);
    }
}

/* A thread that burns, and has begun to. */
static void start_burner(struct thread *thread, _Atomic uint64_t *turns)
{
    atomic_store(&is_over, false);
    atomic_store(turns, 0);
    CHECK_OK(thread_start(thread, "burner", burn, turns));
    while (atomic_load(turns) == 0) {
        sched_yield();
    }
}

/* How many of the profile's samples begin in `burn`, or near it; and all. */
static void count_samples(const struct writer *out, uint32_t *out_burning, uint32_t *out_all)
{
    const uintptr_t *words = (const uintptr_t *)(const void *)out->begin;
    CHECK_EQ(words[0], 0);
    CHECK_EQ(words[1], 3);
    CHECK_EQ(words[3], 1000000u / PROFILER_HERTZ);
    const uintptr_t burning = (uintptr_t)burn;
    *out_burning = 0;
    *out_all = 0;
    for (const uintptr_t *sample = words + 5; sample[0] != 0; sample += sample[1] + 2) {
        CHECK(sample[1] >= 1);
        CHECK(sample[1] <= PROFILER_DEPTH_MAX);
        ++*out_all;
        for (uintptr_t i = 0; i < sample[1]; i++) {
            if (sample[2 + i] - burning < 512) {
                ++*out_burning;
                break;
            }
        }
    }
}

TEST(a_profile_finds_the_function_that_burns_the_cpu)
{
    _Atomic uint64_t turns;
    struct thread thread;
    start_burner(&thread, &turns);
    struct writer out = writer_of(malloc(OUT_BYTES), OUT_BYTES);
    uint32_t burning = 0;
    uint32_t all = 0;
    for (uint32_t i = 0; i < 60 && all < SAMPLES_MIN; i++) { /* until it gets a core */
        out = writer_of(out.begin, OUT_BYTES);
        CHECK_OK(profiler_run(1, &out));
        count_samples(&out, &burning, &all);
    }
    atomic_store(&is_over, true);
    thread_join(&thread);
    CHECK(all >= SAMPLES_MIN);
    CHECK(burning > all / 2);
    CHECK(memmem(out.begin, writer_size(&out), "r-xp", 4) != NULL);
    free(out.begin);
}

TEST(each_thread_tells_its_name_and_its_stack)
{
    _Atomic uint64_t turns;
    struct thread thread;
    start_burner(&thread, &turns);
    struct writer out = writer_of(malloc(OUT_BYTES), OUT_BYTES);
    const char *stack = NULL;
    for (uint32_t i = 0; i < 200 && stack == NULL; i++) { /* until it gets a core in time to tell */
        out = writer_of(out.begin, OUT_BYTES);
        CHECK_OK(profiler_threads(&out));
        writer_u8(&out, '\0');
        const char *found = strstr((const char *)out.begin, "name: burner");
        CHECK(found != NULL);
        stack = strstr(found, "PC: 0x");
    }
    atomic_store(&is_over, true);
    thread_join(&thread);
    CHECK(stack != NULL);
    CHECK(strstr((const char *)out.begin, "--- threadz 1 ---") == (const char *)out.begin);
    free(out.begin);
}

/* Two that do not hear the question. The first hears it when the second has been asked. */
static _Atomic bool is_second_asked;

static void block_questions(bool is_blocked)
{
    sigset_t questions;
    sigemptyset(&questions);
    sigaddset(&questions, SIGPROF);
    pthread_sigmask(is_blocked ? SIG_BLOCK : SIG_UNBLOCK, &questions, NULL);
}

static void be_late(void *context)
{
    _Atomic uint32_t *deaf_count = context;
    block_questions(true);
    atomic_fetch_add(deaf_count, 1);
    while (!atomic_load(&is_second_asked) && !atomic_load(&is_over)) {
        sched_yield();
    }
    block_questions(false);
    while (!atomic_load(&is_over)) {
        sched_yield();
    }
}

static void be_silent(void *context)
{
    _Atomic uint32_t *deaf_count = context;
    block_questions(true);
    atomic_fetch_add(deaf_count, 1);
    while (!atomic_load(&is_over)) {
        sigset_t pending;
        sigpending(&pending);
        atomic_store(&is_second_asked, sigismember(&pending, SIGPROF) == 1);
        sched_yield();
    }
}

TEST(an_answer_that_comes_late_is_not_taken_for_another_threads)
{
    struct thread late;
    struct thread silent;
    _Atomic uint32_t deaf_count = 0;
    atomic_store(&is_over, false);
    CHECK_OK(thread_start(&late, "late", be_late, &deaf_count));
    CHECK_OK(thread_start(&silent, "silent", be_silent, &deaf_count));
    while (atomic_load(&deaf_count) < 2) {
        sched_yield();
    }
    struct writer out = writer_of(malloc(OUT_BYTES), OUT_BYTES);
    CHECK_OK(profiler_threads(&out));
    atomic_store(&is_over, true);
    thread_join(&late);
    thread_join(&silent);
    writer_u8(&out, '\0');
    const char *found = strstr((const char *)out.begin, "name: silent");
    CHECK(found != NULL);
    const char *end = strstr(found, "\n--- ");
    const char *stack = strstr(found, "PC: 0x");
    CHECK(stack == NULL || stack > end);
    free(out.begin);
}

TEST(a_profile_that_is_cancelled_ends_at_once)
{
    struct writer out = writer_of(malloc(OUT_BYTES), OUT_BYTES);
    profiler_cancel();
    const uint64_t began_ns = clock_now_ns();
    CHECK_EQ(profiler_run(30, &out), ERR_CLOSED);
    CHECK(clock_now_ns() - began_ns < 5000000000u);
    free(out.begin);
}

TEST(a_function_of_the_program_has_its_name_though_nobody_else_sees_it)
{
    struct symbols symbols;
    symbols_open(&symbols);
    CHECK_STRING(symbols_find(&symbols, (uintptr_t)burn), "burn");
    CHECK_STRING(symbols_find(&symbols, (uintptr_t)burn + 1), "burn");
    CHECK(symbols_find(&symbols, 1) == NULL);
    symbols_close(&symbols);
}
