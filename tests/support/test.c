#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TESTS_MAX 512

/* What a test may compute, with all its threads; a busy machine does not make that more. And how
 * long it may take, so that one that waits for what never comes ends as well. */
#define TEST_CPU_SECONDS_MAX 240
#define TEST_SECONDS_MAX     480

/* The run: its tests and its seed. The one global of the harness, to be found in a core dump. */
static struct {
    struct test_case *first;
    struct test_case *last;
    uint64_t seed;
} run;

void test_register(struct test_case *test_case)
{
    if (run.last == NULL) {
        run.first = test_case;
    } else {
        run.last->next = test_case;
    }
    run.last = test_case;
}

int test_aborts(void (*statement)(void *), void *argument)
{
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        statement(argument);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* In the child: one cmocka group of one test, whose own report is kept quiet unless it fails. */
static int test_child(struct test_case *test_case)
{
    const struct rlimit cpu = {.rlim_cur = TEST_CPU_SECONDS_MAX,
                               .rlim_max = TEST_CPU_SECONDS_MAX + 10};
    setrlimit(RLIMIT_CPU, &cpu); /* SIGXCPU */
    alarm(TEST_SECONDS_MAX);
    /* A failed check ends this process, instead of jumping back into the parent's run of tests. */
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    struct prng prng;
    prng_init(&prng, run.seed);
    test_case->run(&prng);
    return 0;
}

static void test_in_child(void **state)
{
    struct test_case *test_case = *state;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        exit(test_child(test_case));
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) {
        print_error("%s: child ended with status %d (signal %d); seed %llu\n", test_case->name,
                    WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                    WIFSIGNALED(status) ? WTERMSIG(status) : 0, (unsigned long long)run.seed);
        fail();
    }
}

int main(int argc, char **argv)
{
    const char *part = argc > 1 ? argv[1] : "";
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    run.seed = argc > 2 ? strtoull(argv[2], NULL, 10)
                        : (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    printf("seed %llu\n", (unsigned long long)run.seed);

    /* Outside of a cmocka group a failed check prints and exits; that is what the child wants. */
    cmocka_set_message_output(CM_OUTPUT_STDOUT);
    static struct CMUnitTest tests[TESTS_MAX];
    size_t count = 0;
    for (struct test_case *test = run.first; test != NULL && count < TESTS_MAX; test = test->next) {
        if (strstr(test->name, part) != NULL) {
            tests[count++] = (struct CMUnitTest){
                .name = test->name, .test_func = test_in_child, .initial_state = test};
        }
    }
    return _cmocka_run_group_tests("tests", tests, count, NULL, NULL);
}
