/*
 * floor.c -- what this machine's kernel alone takes for a chat: the floor under the rows of
 * docs/benchmarks.md.
 *
 * A relay with one thread does for each message only what no server can leave out: it reads the
 * SEND, writes as many bytes to a log and syncs it, writes an acknowledgement to the sender and a
 * RECV to each receiver, and reads each receiver's acknowledgement. Nothing is parsed, encrypted,
 * looked up or remembered, no thread is woken but itself. Messages that a turn has found share a
 * sync. The sizes are those of WKProto with 256 bytes of payload, encrypted.
 *
 * Two processes: the relay, whose CPU time is told, and the clients, all in one thread, which send
 * evenly spaced and measure from the intended time.
 */
#include "system/clock.h"
#include "telemetry/histogram.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEND_BYTES    490u
#define SENDACK_BYTES 18u
#define RECV_BYTES    560u
#define RECVACK_BYTES 14u
#define ROW_BYTES     380u /* of the log, for each message */

#define LOG_BYTES  (64u << 20) /* zeros, written over again and again: no sync waits for a size */
#define HELD_BYTES (256u << 10)
#define CONNS_MAX  16384u
#define TURN_MAX   4096u

struct options {
    uint32_t senders;
    uint32_t receivers; /* of each sender */
    uint32_t rate;      /* messages a second, of all senders */
    uint32_t seconds;
    uint32_t rest_us; /* between two looks of the relay at its sockets */
    const char *folder;
};

/* One end of a connection: a part of a message that has come so far. */
struct half {
    int fd;
    uint32_t filled;
    char bytes[SEND_BYTES > RECV_BYTES ? SEND_BYTES : RECV_BYTES];
};

/* Both processes number connections alike: sender 0, its receivers, sender 1, and so on. */
static struct half halves[CONNS_MAX];
static char held[HELD_BYTES];

static uint32_t conns_count(const struct options *options)
{
    return options->senders * (1 + options->receivers);
}

static bool is_sender(const struct options *options, uint32_t conn)
{
    return conn % (1 + options->receivers) == 0;
}

/* Everything here is small and read at once: a socket that is full would be a wrong experiment. */
static void put(int fd, const char *bytes, size_t size)
{
    if (send(fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size) {
        err(2, "a socket did not take %zu bytes", size);
    }
}

/* Reads once. Calls `take` for each whole message of `size` bytes. False: the peer has gone. */
static bool drain(struct half *half, uint32_t size, void (*take)(void *context, const char *bytes),
                  void *context)
{
    const ssize_t got = recv(half->fd, held, sizeof(held), 0);
    if (got <= 0) {
        return got < 0 && errno == EAGAIN;
    }
    size_t at = 0;
    while (at < (size_t)got) {
        const size_t left = (size_t)got - at;
        const size_t part = left < size - half->filled ? left : size - half->filled;
        memcpy(half->bytes + half->filled, held + at, part);
        half->filled += (uint32_t)part;
        at += part;
        if (half->filled == size) {
            take(context, half->bytes);
            half->filled = 0;
        }
    }
    return true;
}

static int watch_all(const struct options *options)
{
    const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < conns_count(options); i++) {
        const int on = 1;
        setsockopt(halves[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, halves[i].fd, &event) != 0) {
            err(2, "epoll_ctl");
        }
    }
    return epoll_fd;
}

/* The relay */

struct relay {
    const struct options *options;
    int log_fd;
    off_t log_at;
    uint32_t conn; /* that is being read */
    uint32_t news_count;
    struct news {
        uint32_t conn;
        uint64_t intended_ns;
    } news[TURN_MAX];
};

static void relay_send(void *context, const char *bytes)
{
    struct relay *relay = context;
    if (relay->news_count == TURN_MAX) {
        errx(2, "more than %u messages in one turn", TURN_MAX);
    }
    struct news *news = &relay->news[relay->news_count++];
    news->conn = relay->conn;
    memcpy(&news->intended_ns, bytes, sizeof(news->intended_ns));
}

static void relay_recvack(void *context, const char *bytes)
{
    (void)context;
    (void)bytes;
}

static void relay_turn_end(struct relay *relay)
{
    static char recv_frame[RECV_BYTES];
    if (relay->news_count == 0) {
        return;
    }
    const size_t size = (size_t)relay->news_count * ROW_BYTES;
    if (relay->log_at + (off_t)size > (off_t)LOG_BYTES) {
        relay->log_at = 0;
    }
    static char rows[TURN_MAX * ROW_BYTES];
    if (pwrite(relay->log_fd, rows, size, relay->log_at) != (ssize_t)size ||
        fdatasync(relay->log_fd) != 0) {
        err(2, "the log");
    }
    relay->log_at += (off_t)size;
    for (uint32_t i = 0; i < relay->news_count; i++) {
        const struct news *news = &relay->news[i];
        put(halves[news->conn].fd, recv_frame, SENDACK_BYTES);
        memcpy(recv_frame, &news->intended_ns, sizeof(news->intended_ns));
        for (uint32_t r = 1; r <= relay->options->receivers; r++) {
            put(halves[news->conn + r].fd, recv_frame, RECV_BYTES);
        }
    }
    relay->news_count = 0;
}

static int log_open(const char *folder)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/floor.log", folder);
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        err(2, "%s", path);
    }
    unlink(path);
    static const char zeros[1u << 20];
    for (uint32_t i = 0; i < LOG_BYTES / sizeof(zeros); i++) {
        if (write(fd, zeros, sizeof(zeros)) != (ssize_t)sizeof(zeros)) {
            err(2, "%s", path);
        }
    }
    if (fsync(fd) != 0) {
        err(2, "%s", path);
    }
    return fd;
}

static void relay_run(const struct options *options, int listen_fd)
{
    static struct relay relay;
    relay.options = options;
    relay.log_fd = log_open(options->folder);
    for (uint32_t i = 0; i < conns_count(options); i++) {
        halves[i].fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (halves[i].fd < 0) {
            err(2, "accept");
        }
    }
    const int epoll_fd = watch_all(options);
    struct epoll_event events[256];
    for (;;) {
        const int count = epoll_wait(epoll_fd, events, 256, -1);
        for (int i = 0; i < count; i++) {
            relay.conn = events[i].data.u32;
            const bool sends = is_sender(options, relay.conn);
            if (!drain(&halves[relay.conn], sends ? SEND_BYTES : RECVACK_BYTES,
                       sends ? relay_send : relay_recvack, &relay)) {
                return;
            }
        }
        relay_turn_end(&relay);
        if (options->rest_us > 0) {
            usleep(options->rest_us);
        }
    }
}

/* The clients */

struct clients {
    const struct options *options;
    uint32_t conn; /* that is being read */
    uint64_t warm_ns;
    uint64_t delivered_count;
    struct histogram recv;
};

static void client_recv(void *context, const char *bytes)
{
    struct clients *clients = context;
    static const char recvack[RECVACK_BYTES];
    uint64_t intended_ns;
    memcpy(&intended_ns, bytes, sizeof(intended_ns));
    put(halves[clients->conn].fd, recvack, sizeof(recvack));
    clients->delivered_count++;
    if (intended_ns >= clients->warm_ns) {
        histogram_add(&clients->recv, clock_now_ns() - intended_ns);
    }
}

static void client_sendack(void *context, const char *bytes)
{
    (void)context;
    (void)bytes;
}

static void clients_read(struct clients *clients, int epoll_fd, uint64_t until_ns)
{
    struct epoll_event events[256];
    const uint64_t now_ns = clock_now_ns();
    const uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    const struct timespec wait = {.tv_sec = (time_t)(left_ns / 1000000000u),
                                  .tv_nsec = (long)(left_ns % 1000000000u)};
    const int count = epoll_pwait2(epoll_fd, events, 256, &wait, NULL);
    for (int i = 0; i < count; i++) {
        clients->conn = events[i].data.u32;
        const bool sends = is_sender(clients->options, clients->conn);
        if (!drain(&halves[clients->conn], sends ? SENDACK_BYTES : RECV_BYTES,
                   sends ? client_sendack : client_recv, clients)) {
            errx(2, "the relay has gone");
        }
    }
}

/* Sends what is due, evenly spaced, each sender in turn. */
static void clients_run(struct clients *clients, int epoll_fd)
{
    const struct options *options = clients->options;
    const uint64_t count = (uint64_t)options->rate * (options->seconds + 1);
    const uint64_t begin_ns = clock_now_ns();
    clients->warm_ns = begin_ns + 1000000000u;
    char frame[SEND_BYTES] = {0};
    for (uint64_t sent = 0; sent < count;) {
        const uint64_t due_ns = begin_ns + sent * 1000000000u / options->rate;
        if (clock_now_ns() < due_ns) {
            clients_read(clients, epoll_fd, due_ns);
            continue;
        }
        memcpy(frame, &due_ns, sizeof(due_ns));
        put(halves[sent % options->senders * (1 + options->receivers)].fd, frame, sizeof(frame));
        sent++;
    }
    const uint64_t patience_ns = clock_now_ns() + 5000000000u;
    while (clients->delivered_count < count * options->receivers && clock_now_ns() < patience_ns) {
        clients_read(clients, epoll_fd, patience_ns);
    }
    if (clients->delivered_count != count * options->receivers) {
        errx(1, "not all has been delivered");
    }
}

static int listen_anywhere(struct sockaddr_in *address)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof(*address);
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)address, size) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)address, &size) != 0) {
        err(2, "no port");
    }
    return fd;
}

static uint64_t worked_us(const struct rusage *usage)
{
    return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000u +
           (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

static void report(const struct clients *clients, const struct rusage *usage)
{
    printf("recv p50 ms\t%.2f\n", (double)histogram_percentile_ns(&clients->recv, 500000) / 1e6);
    printf("recv p99 ms\t%.2f\n", (double)histogram_percentile_ns(&clients->recv, 990000) / 1e6);
    printf("CPU s/million\t%.1f\n", (double)worked_us(usage) / (double)clients->delivered_count);
    printf("context switches per delivery\t%.2f\n",
           (double)(usage->ru_nvcsw + usage->ru_nivcsw) / (double)clients->delivered_count);
}

static void play(const struct options *options)
{
    struct sockaddr_in address;
    const int listen_fd = listen_anywhere(&address);
    const pid_t pid = fork();
    if (pid == 0) {
        relay_run(options, listen_fd);
        _exit(0);
    }
    for (uint32_t i = 0; i < conns_count(options); i++) {
        halves[i].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(halves[i].fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
            err(2, "connect");
        }
        fcntl(halves[i].fd, F_SETFL, O_NONBLOCK);
    }
    static struct clients clients;
    clients.options = options;
    const int epoll_fd = watch_all(options);
    clients_run(&clients, epoll_fd);
    for (uint32_t i = 0; i < conns_count(options); i++) {
        close(halves[i].fd);
    }
    int status;
    struct rusage usage;
    if (wait4(pid, &status, 0, &usage) != pid || status != 0) {
        errx(2, "the relay failed");
    }
    report(&clients, &usage);
}

static uint32_t number(const char *text, uint32_t least, uint32_t most)
{
    char *end;
    const unsigned long value = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < least || value > most) {
        errx(2, "%s is not a number from %u to %u", text, least, most);
    }
    return (uint32_t)value;
}

int main(int argc, char **argv)
{
    static const struct option names[] = {{"senders", required_argument, NULL, 's'},
                                          {"receivers", required_argument, NULL, 'r'},
                                          {"rate", required_argument, NULL, 'R'},
                                          {"seconds", required_argument, NULL, 'S'},
                                          {"rest-us", required_argument, NULL, 'p'},
                                          {"folder", required_argument, NULL, 'f'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {
        .senders = 50, .receivers = 1, .rate = 8000, .seconds = 4, .folder = "."};
    int name;
    while ((name = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (name) {
        case 's':
            options.senders = number(optarg, 1, CONNS_MAX / 2);
            break;
        case 'r':
            options.receivers = number(optarg, 1, CONNS_MAX / 2);
            break;
        case 'R':
            options.rate = number(optarg, 1, 1000000);
            break;
        case 'S':
            options.seconds = number(optarg, 1, 3600);
            break;
        case 'p':
            options.rest_us = number(optarg, 0, 1000000);
            break;
        case 'f':
            options.folder = optarg;
            break;
        default:
            return 2;
        }
    }
    if (conns_count(&options) > CONNS_MAX) {
        errx(2, "more than %u connections", CONNS_MAX);
    }
    play(&options);
    return 0;
}
