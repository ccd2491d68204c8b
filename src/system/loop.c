#include "system/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

enum err loop_open(struct loop *loop)
{
    loop->events_count = 0;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return loop->epoll_fd < 0 ? ERR_IO : ERR_OK;
}

void loop_close(struct loop *loop)
{
    if (loop->epoll_fd >= 0) {
        close(loop->epoll_fd);
    }
    loop->epoll_fd = -1;
}

static enum err loop_add(struct loop *loop, int fd, uint64_t cookie, uint32_t interest)
{
    struct epoll_event event = {.events = interest, .data.u64 = cookie};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? ERR_OK : ERR_IO;
}

enum err loop_watch_socket(struct loop *loop, int fd, uint64_t cookie)
{
    return loop_add(loop, fd, cookie, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

enum err loop_watch_readable(struct loop *loop, int fd, uint64_t cookie, bool is_shared)
{
    return loop_add(loop, fd, cookie, EPOLLIN | (is_shared ? EPOLLEXCLUSIVE : 0));
}

enum err loop_watch_wakeup(struct loop *loop, int fd, uint64_t cookie)
{
    return loop_add(loop, fd, cookie, EPOLLIN | EPOLLET);
}

enum err loop_watch_hangup(struct loop *loop, int fd, uint64_t cookie)
{
    return loop_add(loop, fd, cookie, EPOLLRDHUP | EPOLLET);
}

void loop_forget(struct loop *loop, int fd)
{
    struct epoll_event unused = {0};
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, &unused);
}

void loop_poll(struct loop *loop, int timeout_ms)
{
    struct epoll_event ready[LOOP_EVENTS_MAX];
    int count = epoll_wait(loop->epoll_fd, ready, LOOP_EVENTS_MAX, timeout_ms);
    if (count < 0) { /* the process was stopped and goes on (signal(7)): much may be there by now */
        count = epoll_wait(loop->epoll_fd, ready, LOOP_EVENTS_MAX, 0);
    }
    loop->events_count = count > 0 ? (uint32_t)count : 0;
    for (uint32_t i = 0; i < loop->events_count; i++) {
        const uint32_t what = ready[i].events;
        loop->events[i] = (struct loop_event){
            .cookie = ready[i].data.u64,
            .is_readable = (what & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
            .is_writable = (what & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0,
            .is_hung_up = (what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
            .is_broken = (what & (EPOLLHUP | EPOLLERR)) != 0,
        };
    }
}
