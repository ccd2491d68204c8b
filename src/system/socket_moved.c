/* The kernel's account of a connection. Apart from socket.c, as the C library's own header names a
 * shorter form of the same struct. */
#include "system/socket.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

uint64_t socket_moved_bytes(int fd)
{
    struct tcp_info info = {.tcpi_state = 0};
    socklen_t size = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received)) {
        return 0;
    }
    return info.tcpi_bytes_acked + info.tcpi_bytes_received;
}

uint32_t socket_unsent_bytes(int fd)
{
    int size = 0;
    return ioctl(fd, SIOCOUTQ, &size) == 0 && size > 0 ? (uint32_t)size : 0;
}
