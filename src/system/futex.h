/*
 * futex.h -- sleeps until another thread has changed a word.
 *
 * For threads that wait for nothing but each other: half as many system calls as a
 * descriptor takes (wakeup.h), which a loop can watch. Whoever changes the word wakes
 * the sleeper after that; a sleeper that finds the word changed does not sleep.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/* Sleeps while the word has this value, for at most `wait_ns`. May wake for no reason. */
void futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t wait_ns);

/* Wakes one who sleeps. */
void futex_wake(_Atomic uint32_t *word);
