#include "system/wakeup.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum err wakeup_open(struct wakeup *wakeup)
{
    const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0) {
        return ERR_IO;
    }
    wakeup->fd = fd;
    return ERR_OK;
}

void wakeup_close(struct wakeup *wakeup)
{
    if (wakeup->fd >= 0) {
        close(wakeup->fd);
    }
    wakeup->fd = -1;
}

void wakeup_raise(struct wakeup *wakeup)
{
    const uint64_t one = 1;
    /* The counter cannot overflow: one is added per sleep, and a full counter is raised anyway. */
    while (write(wakeup->fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

void wakeup_clear(struct wakeup *wakeup)
{
    uint64_t count;
    while (read(wakeup->fd, &count, sizeof(count)) < 0 && errno == EINTR) {
    }
}

void wakeup_wait(struct wakeup *wakeup, int timeout_ms)
{
    struct pollfd pollfd = {.fd = wakeup->fd, .events = POLLIN};
    if (poll(&pollfd, 1, timeout_ms) > 0) {
        wakeup_clear(wakeup);
    }
}
