/*
 * assert.h -- claims that are proven, and what happens when a proof is wrong.
 *
 * An assertion is never a way to handle input: whatever came from a socket, a
 * file or a clock is checked and becomes an `enum err`. ASSERT stays in release
 * builds, because a messaging server that goes on with corrupt state sends one
 * person's words to another. A failed assertion prints itself and aborts.
 */
#pragma once

#include "base/compiler.h"

NO_RETURN COLD void assert_failed(const char *expression, const char *file, int line);

#define ASSERT(claim)                                                                              \
    do {                                                                                           \
        if (UNLIKELY(!(claim))) {                                                                  \
            assert_failed(#claim, __FILE__, __LINE__);                                             \
        }                                                                                          \
    } while (0)

/* A claim that costs more than O(1) to test: only in debug and sanitizer builds. */
#ifdef JINGU_SLOW_ASSERTIONS
#define ASSERT_SLOW(claim) ASSERT(claim)
#else
#define ASSERT_SLOW(claim)                                                                         \
    do {                                                                                           \
        (void)sizeof(claim);                                                                       \
    } while (0)
#endif

#define UNREACHABLE() assert_failed("unreachable", __FILE__, __LINE__)
