#include "system/signals.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

static sigset_t orders(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}

void signals_block(void)
{
    const sigset_t set = orders();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

enum signal_order signals_wait(int timeout_ms)
{
    const sigset_t set = orders();
    const struct timespec timeout = {.tv_sec = timeout_ms / 1000,
                                     .tv_nsec = timeout_ms % 1000 * 1000000L};
    switch (sigtimedwait(&set, NULL, &timeout)) {
    case SIGTERM:
    case SIGINT:
        return SIGNAL_STOP;
    case SIGHUP:
        return SIGNAL_RELOAD;
    default:
        return SIGNAL_NONE;
    }
}
