/*
 * clock.h -- what time it is.
 *
 * The system layer holds the only code that makes system calls; a simulated
 * outside world would replace it at link time. Times measure from an unknown
 * start and never step; the wall clock tells the date and may step, so nothing
 * waits on it.
 */
#pragma once

#include <stdint.h>

/* Nanoseconds since some start; never steps back. */
uint64_t clock_now_ns(void);

/* Milliseconds since 1970. May step. */
uint64_t clock_wall_ms(void);

/* Milliseconds that the processors have worked for this process. */
uint64_t clock_worked_ms(void);
