/*
 * compiler.h -- the few extensions of the language that we use, behind words.
 *
 * The base layer holds words that every file may use: no state, no input or
 * output, no allocation. This header names what the compiler can check for us.
 */
#pragma once

#include <stddef.h>

#define MUST_USE            __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a)   __attribute__((format(printf, f, a)))
#define CACHE_LINE_BYTES    64
#define CACHE_ALIGNED       __attribute__((aligned(CACHE_LINE_BYTES)))
#define COLD                __attribute__((cold, noinline))
#define HOT                 __attribute__((hot))
#define NO_RETURN           __attribute__((noreturn))
#define UNUSED              __attribute__((unused))
#define LIKELY(condition)   __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The struct of `type` around `pointer`, which is its field `field`. */
#define CONTAINER_OF(pointer, type, field)                                                         \
    ((type *)(void *)((unsigned char *)(pointer)-offsetof(type, field)))
