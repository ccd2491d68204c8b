/*
 * test.h -- one page on top of cmocka: a test is a sentence, a seed, and a process.
 *
 *   TEST(evicts_what_was_wanted_longest_ago) { CHECK_EQ(…); }
 *
 * registers itself before main, runs in a forked child of its own (so that an
 * assertion or a leak ends one test and not the run), and is handed `prng`,
 * seeded from the seed that the run prints. A failure is replayed by
 *
 *   BINARY [part of a test's name [seed]]
 *
 * CHECK_ABORTS demands that a statement fails an ASSERT.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/prng.h"

typedef void test_fn(struct prng *prng);

/* Registered by TEST; private to test.c. */
struct test_case {
    const char *name;
    test_fn *run;
    struct test_case *next;
};

void test_register(struct test_case *test_case);

/* Does `run` end its (forked) process by SIGABRT? */
int test_aborts(void (*run)(void *), void *argument);

#define TEST(sentence)                                                                             \
    static void sentence(struct prng *prng);                                                       \
    static struct test_case sentence##_case = {.name = #sentence, .run = sentence, .next = NULL};  \
    __attribute__((constructor)) static void sentence##_register(void)                             \
    {                                                                                              \
        test_register(&sentence##_case);                                                           \
    }                                                                                              \
    static void sentence(UNUSED struct prng *prng)

#define CHECK(condition)     assert_true(condition)
#define CHECK_EQ(a, b)       assert_int_equal((a), (b))
#define CHECK_NE(a, b)       assert_int_not_equal((a), (b))
#define CHECK_OK(expression) assert_int_equal((expression), ERR_OK)
#define CHECK_STRING(a, b)   assert_string_equal((a), (b))
#define CHECK_BYTES(a, b)                                                                          \
    do {                                                                                           \
        const struct bytes check_a = (a);                                                          \
        const struct bytes check_b = (b);                                                          \
        assert_int_equal(check_a.size, check_b.size);                                              \
        if (check_a.size > 0) {                                                                    \
            assert_memory_equal(check_a.data, check_b.data, check_a.size);                         \
        }                                                                                          \
    } while (0)
#define CHECK_ABORTS(run, argument) assert_true(test_aborts((run), (argument)))
