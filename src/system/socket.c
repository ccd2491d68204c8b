#include "system/socket.h"

#include "base/assert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define LISTEN_BACKLOG 4096 /* a reconnect storm waits here; the kernel cuts it to somaxconn */
#define UNSENT_PART    4

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool address_is_v4(const struct address *address)
{
    return memcmp(address->ip, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static struct address address_of_v4(const struct in_addr *v4, uint16_t port)
{
    struct address address = {.port = port};
    memcpy(address.ip, mapped_prefix, sizeof(mapped_prefix));
    memcpy(address.ip + 12, v4, 4);
    return address;
}

static struct address address_of_kernel(const struct sockaddr_storage *storage)
{
    if (storage->ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, storage, sizeof(v4));
        return address_of_v4(&v4.sin_addr, ntohs(v4.sin_port));
    }
    struct address address = {0};
    if (storage->ss_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, storage, sizeof(v6));
        memcpy(address.ip, &v6.sin6_addr, 16);
        address.port = ntohs(v6.sin6_port);
    }
    return address;
}

uint32_t address_to_kernel(const struct address *address, struct sockaddr_storage *storage)
{
    memset(storage, 0, sizeof(*storage));
    if (address_is_v4(address)) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(address->port)};
        memcpy(&v4.sin_addr, address->ip + 12, 4);
        memcpy(storage, &v4, sizeof(v4));
        return sizeof(v4);
    }
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    memcpy(&v6.sin6_addr, address->ip, 16);
    memcpy(storage, &v6, sizeof(v6));
    return sizeof(v6);
}

void address_text(const struct address *address, char out_text[ADDRESS_TEXT_MAX])
{
    const char *text = address_is_v4(address)
                           ? inet_ntop(AF_INET, address->ip + 12, out_text, ADDRESS_TEXT_MAX)
                           : inet_ntop(AF_INET6, address->ip, out_text, ADDRESS_TEXT_MAX);
    ASSERT(text != NULL);
}

enum err address_parse(struct bytes text, struct address *out_address)
{
    char copy[ADDRESS_TEXT_MAX];
    if (text.size == 0 || text.size >= sizeof(copy)) {
        return ERR_PROTOCOL;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, copy, &v4) == 1) {
        *out_address = address_of_v4(&v4, 0);
        return ERR_OK;
    }
    if (inet_pton(AF_INET6, copy, &v6) == 1) {
        *out_address = (struct address){.port = 0};
        memcpy(out_address->ip, &v6, 16);
        return ERR_OK;
    }
    return ERR_PROTOCOL;
}

enum err address_resolve(const char *host, uint16_t port, struct address *out_address)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, NULL, &hints, &found) != 0) {
        return ERR_ABSENT;
    }
    struct sockaddr_storage storage = {0};
    memcpy(&storage, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    *out_address = address_of_kernel(&storage);
    out_address->port = port;
    return ERR_OK;
}

bool address_is_loopback(const struct address *address)
{
    static const uint8_t v6_loopback[16] = {[15] = 1};
    return address_is_v4(address) ? address->ip[12] == 127
                                  : memcmp(address->ip, v6_loopback, 16) == 0;
}

bool address_is_loopback_kernel(const struct sockaddr *address)
{
    struct sockaddr_storage storage = {0};
    const bool is_v6 = address->sa_family == AF_INET6;
    memcpy(&storage, address, is_v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
    const struct address peer = address_of_kernel(&storage);
    return address_is_loopback(&peer);
}

enum err socket_listen(const struct address *address, int *out_fd)
{
    struct sockaddr_storage storage;
    const socklen_t size = address_to_kernel(address, &storage);
    const int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return ERR_IO;
    }
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&storage, size) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        const int reason = errno;
        close(fd);
        errno = reason;
        return ERR_IO;
    }
    *out_fd = fd;
    return ERR_OK;
}

uint16_t socket_port(int fd)
{
    struct sockaddr_storage storage = {0};
    socklen_t size = sizeof(storage);
    if (getsockname(fd, (struct sockaddr *)&storage, &size) != 0) {
        return 0;
    }
    return address_of_kernel(&storage).port;
}

enum err socket_accept(int listener, int *out_fd, struct address *out_peer)
{
    struct sockaddr_storage storage = {0};
    socklen_t size = sizeof(storage);
    const int fd =
        accept4(listener, (struct sockaddr *)&storage, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        switch (errno) {
        case EAGAIN:
            return ERR_AGAIN;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            return ERR_FULL;
        default:
            return ERR_CLOSED;
        }
    }
    *out_fd = fd;
    *out_peer = address_of_kernel(&storage);
    return ERR_OK;
}

enum err socket_connect(const struct address *address, int *out_fd)
{
    struct sockaddr_storage storage;
    const socklen_t size = address_to_kernel(address, &storage);
    const int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return ERR_IO;
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (const struct sockaddr *)&storage, size) != 0 && errno != EINPROGRESS) {
        close(fd);
        return ERR_IO;
    }
    *out_fd = fd;
    return ERR_OK;
}

enum err socket_connected(int fd)
{
    int reason = 0;
    socklen_t size = sizeof(reason);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &size) != 0 || reason != 0) {
        return ERR_IO;
    }
    return ERR_OK;
}

void socket_limit(int fd, uint32_t send_bytes, uint32_t receive_bytes)
{
    if (send_bytes > 0) {
        /* The kernel doubles what it is told, for its own bookkeeping. */
        const int half = (int)(send_bytes / 2);
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &half, sizeof(half));
        /* What the network does not take yet is better kept by us, who may still decide. */
        const int unsent = (int)(send_bytes / UNSENT_PART);
        setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    }
    if (receive_bytes > 0) {
        const int half = (int)(receive_bytes / 2);
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &half, sizeof(half));
    }
}

void socket_keep_unread(int fd, uint32_t keep_ms)
{
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &keep_ms, sizeof(keep_ms));
}

enum err socket_read(int fd, uint8_t *area, size_t size, size_t *out_size)
{
    ASSERT(size > 0);
    for (;;) {
        const ssize_t count = recv(fd, area, size, 0);
        if (count > 0) {
            *out_size = (size_t)count;
            return ERR_OK;
        }
        if (count == 0) {
            return ERR_CLOSED;
        }
        if (errno != EINTR) {
            return errno == EAGAIN ? ERR_AGAIN : ERR_CLOSED;
        }
    }
}

enum err socket_peek(int fd, uint8_t *area, size_t size, size_t *out_size)
{
    ASSERT(size > 0);
    const ssize_t count = recv(fd, area, size, MSG_PEEK);
    if (count > 0) {
        *out_size = (size_t)count;
        return ERR_OK;
    }
    return count < 0 && (errno == EAGAIN || errno == EINTR) ? ERR_AGAIN : ERR_CLOSED;
}

enum err socket_write(int fd, const struct bytes *parts, uint32_t count, size_t *out_size)
{
    ASSERT(count <= SOCKET_PARTS_MAX);
    struct iovec vectors[SOCKET_PARTS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        /* The kernel only reads; its struct has no const. */
        vectors[i] =
            (struct iovec){.iov_base = (void *)(uintptr_t)parts[i].data, .iov_len = parts[i].size};
    }
    const struct msghdr message = {.msg_iov = vectors, .msg_iovlen = count};
    for (;;) {
        /* Nearly always it is one part, for which the kernel has a shorter way. */
        const ssize_t written = count == 1 ? send(fd, parts[0].data, parts[0].size, MSG_NOSIGNAL)
                                           : sendmsg(fd, &message, MSG_NOSIGNAL);
        if (written >= 0) {
            *out_size = (size_t)written;
            return ERR_OK;
        }
        if (errno != EINTR) {
            return errno == EAGAIN ? ERR_AGAIN : ERR_CLOSED;
        }
    }
}

void socket_stop_reading(int fd)
{
    (void)shutdown(fd, SHUT_RD); /* the peer may have gone first; here and below */
}

void socket_end(int fd)
{
    (void)shutdown(fd, SHUT_RDWR);
}

void socket_leave_nothing(int fd)
{
    const struct linger none = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

void socket_close(int fd)
{
    close(fd);
}
