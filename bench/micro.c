#include "micro.h"

#include "system/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * bench [--list] [--count N] [NAME…]: nanoseconds per operation of the cases whose name begins with
 * one of the words, as "name<tab>ns". The least of ROUNDS rounds is told: what is above it is the
 * machine. With --count N each case runs once, N times, and no time is taken: for an instrument
 * that counts instructions (tools/bench_compare).
 */

#define ROUNDS       9u
#define ROUND_NS_MIN 10000000u

static uint64_t time_ns(const struct micro_case *micro, struct micro_state *state, uint64_t count)
{
    const uint64_t begun_ns = clock_now_ns();
    const volatile uint64_t result = micro->run(state, count);
    (void)result;
    return clock_now_ns() - begun_ns;
}

static double measure(const struct micro_case *micro, struct micro_state *state)
{
    uint64_t count = 16;
    while (time_ns(micro, state, count) < ROUND_NS_MIN) {
        count *= 2;
    }
    uint64_t least_ns = UINT64_MAX;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        const uint64_t taken_ns = time_ns(micro, state, count);
        least_ns = taken_ns < least_ns ? taken_ns : least_ns;
    }
    return (double)least_ns / (double)count;
}

static bool is_wanted(const struct micro_case *micro, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strncmp(micro->name, argv[i], strlen(argv[i])) == 0) {
            return true;
        }
    }
    return argc == 0;
}

static void run_case(const struct micro_case *micro, struct micro_state *state, uint64_t count)
{
    if (count > 0) {
        (void)time_ns(micro, state, count);
    } else {
        printf("%s\t%.1f\n", micro->name, measure(micro, state));
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    uint64_t count = 0;
    bool is_listing = false;
    argc--;
    argv++;
    if (argc > 0 && strcmp(argv[0], "--list") == 0) {
        is_listing = true;
        argc--;
        argv++;
    } else if (argc > 1 && strcmp(argv[0], "--count") == 0) {
        count = strtoull(argv[1], NULL, 10);
        argc -= 2;
        argv += 2;
    }
    struct budget budget;
    struct micro_state *state = NULL;
    budget_init(&budget, "micro", NULL, BUDGET_UNLIMITED);
    if (micro_state_open(&state, &budget) != ERR_OK) {
        fputs("bench: no memory\n", stderr);
        return EXIT_FAILURE;
    }
    for (uint32_t i = 0; i < micro_cases_count; i++) {
        const struct micro_case *micro = &micro_cases[i];
        if (!is_wanted(micro, argc, argv)) {
            continue;
        }
        if (is_listing) {
            printf("%s\t%s\n", micro->name, micro->words);
        } else {
            run_case(micro, state, count);
        }
    }
    micro_state_close(state, &budget);
    return EXIT_SUCCESS;
}
