#include "cli/soak_attack.h"

#include "system/clock.h"
#include "system/thread.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the new process: nothing of the judge's is touched from here on. */
static void play(struct soak_attack *attack, soak_run_fn run)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setpgid(0, 0);
    thread_step_back(); /* below the server and the judge, wherever these are */
    thread_step_back();
    (void)close_range(STDERR_FILENO + 1, ~0U, 0);
    const enum err err = run(attack);
    if (err != ERR_OK) {
        atomic_store(&attack->score->failure, (uint32_t)err);
    }
    _exit(err == ERR_OK ? 0 : 1);
}

enum err soak_attack_start(struct soak_attack *attack, soak_run_fn run, pid_t *out_pid)
{
    fflush(NULL);
    const pid_t pid = fork();
    if (pid < 0) {
        return ERR_IO;
    }
    if (pid == 0) {
        play(attack, run);
    }
    (void)setpgid(pid, pid); /* both do it: whoever comes first */
    *out_pid = pid;
    return ERR_OK;
}

void soak_attack_stop(pid_t pid)
{
    (void)kill(-pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

void soak_attack_fork(struct soak_attack *attack, uint32_t hands)
{
    for (uint32_t hand = 1; hand < hands; hand++) {
        const pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            attack->hand = hand;
            prng_init(&attack->prng, prng_next(&attack->prng) + hand);
            return;
        }
    }
}

bool soak_attack_is_over(const struct soak_attack *attack)
{
    return clock_now_ns() >= attack->end_ns;
}
