#include "cli/soak_server.h"

#include "base/assert.h"
#include "base/compiler.h"
#include "system/clock.h"
#include "system/crypto.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NS_PER_MS        1000000ULL
#define START_MS_MAX     30000u
#define STOP_MS_MAX      20000u
#define POLL_MS          20
#define PORT_TRIES_MAX   100u
#define PORT_FIRST       20000u
#define PORTS_SPAN       12000u
#define SMALL_DISK_BYTES "192m"
#define WORDS_MAX        24u          /* of a command */
#define IMAGE_BYTES      (384L << 20) /* of the disk that stalls */

enum port {
    PORT_TCP = 0,
    PORT_WS,
    PORT_HTTP,
    PORT_TLS,
    PORT_HOOK,
    PORTS_COUNT,
};

/* Free ports, from below those that the kernel gives to outgoing connections: one of our own
 * clients must not take one between our choice and the server's. */
static enum err choose_ports(uint16_t out_ports[PORTS_COUNT])
{
    uint32_t count = 0;
    for (uint32_t tries = 0; tries < PORT_TRIES_MAX && count < PORTS_COUNT; tries++) {
        struct address address;
        uint16_t random = 0;
        int fd = -1;
        crypto_random((uint8_t *)&random, sizeof(random));
        const uint16_t port = (uint16_t)(PORT_FIRST + random % PORTS_SPAN);
        enum err err = address_resolve("127.0.0.1", port, &address);
        if (err == ERR_OK) {
            err = socket_listen(&address, &fd);
        }
        if (err == ERR_OK) {
            socket_close(fd);
            out_ports[count++] = port;
        }
    }
    return count == PORTS_COUNT ? ERR_OK : ERR_IO;
}

/* Runs a program to its end, silently. */
static enum err run_program(const char *const argv[])
{
    char *words[WORDS_MAX] = {NULL};
    int status = 0;
    for (size_t i = 0; argv[i] != NULL; i++) {
        ASSERT(i + 1 < WORDS_MAX);
        memcpy(&words[i], &argv[i], sizeof(words[i])); /* exec changes nothing */
    }
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        const int fd = open("/dev/null", O_WRONLY);
        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
        execvp(words[0], words);
        _exit(127);
    }
    (void)waitpid(pid, &status, 0);
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? ERR_OK : ERR_IO;
}

static enum err make_certificate(const struct soak_server *server)
{
    char cert[SOAK_PATH_CHARS + 16];
    char key[SOAK_PATH_CHARS + 16];
    snprintf(cert, sizeof(cert), "%s/cert.pem", server->directory);
    snprintf(key, sizeof(key), "%s/key.pem", server->directory);
    const char *const argv[] = {"openssl",
                                "req",
                                "-x509",
                                "-newkey",
                                "ec",
                                "-pkeyopt",
                                "ec_paramgen_curve:prime256v1",
                                "-nodes",
                                "-days",
                                "2",
                                "-subj",
                                "/CN=localhost",
                                "-out",
                                cert,
                                "-keyout",
                                key,
                                NULL};
    return run_program(argv);
}

static enum err write_config(const struct soak_server *server, const struct soak_options *options,
                             const uint16_t ports[PORTS_COUNT], enum soak_server_kind kind)
{
    char path[SOAK_PATH_CHARS + 16];
    snprintf(path, sizeof(path), "%s/config.yaml", server->directory);
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return ERR_IO;
    }
    fprintf(file,
            "rootDir: \"%s\"\ndataDir: \"%s\"\nmemory: \"%uM\"\n"
            "addr: \"tcp://127.0.0.1:%u\"\nwsAddr: \"ws://127.0.0.1:%u\"\n"
            "httpAddr: \"127.0.0.1:%u\"\nexternal:\n  ip: \"127.0.0.1\"\n"
            "manager:\n  on: false\ndemo:\n  on: false\n",
            server->directory, server->data, options->memory_mib, ports[PORT_TCP], ports[PORT_WS],
            ports[PORT_HTTP]);
    if (server->has_tls) {
        fprintf(file,
                "wssAddr: \"wss://127.0.0.1:%u\"\nwssConfig:\n  certFile: \"%s/cert.pem\"\n"
                "  keyFile: \"%s/key.pem\"\n",
                ports[PORT_TLS], server->directory, server->directory);
    }
    if (kind == SOAK_SERVER_HOOK) {
        fprintf(file, "webhook:\n  httpAddr: \"http://127.0.0.1:%u/hook\"\n", ports[PORT_HOOK]);
    }
    return fclose(file) == 0 ? ERR_OK : ERR_IO;
}

/* In the new process. */
static void become_server(const struct soak_server *server)
{
    char config[SOAK_PATH_CHARS + 16];
    char log[SOAK_PATH_CHARS + 16];
    snprintf(config, sizeof(config), "%s/config.yaml", server->directory);
    snprintf(log, sizeof(log), "%s/log", server->directory);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setpgid(0, 0); /* an interrupt is for us, and we stop it */
    const int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd >= 0) {
        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
    }
    execl("/proc/self/exe", "jingu", "serve", "--config", config, (char *)NULL);
    _exit(127);
}

bool soak_server_is_running(struct soak_server *server)
{
    siginfo_t info = {.si_pid = 0};
    return server->pid > 0 &&
           waitid(P_PID, (id_t)server->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
}

/* Does it answer? Its ports are open long before. */
static bool is_answering(int fd)
{
    const struct bytes request = BYTES_OF("GET /health HTTP/1.0\r\n\r\n");
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    size_t size = 0;
    if (poll(&poll_fd, 1, START_MS_MAX) != 1 || socket_connected(fd) != ERR_OK ||
        socket_write(fd, &request, 1, &size) != ERR_OK) {
        return false;
    }
    uint8_t answer[16];
    poll_fd.events = POLLIN;
    return poll(&poll_fd, 1, START_MS_MAX) == 1 &&
           socket_read(fd, answer, sizeof(answer), &size) == ERR_OK;
}

/* It is ready when its API answers: that is the last to come. */
static enum err wait_until_ready(struct soak_server *server, const struct address *address)
{
    const uint64_t end_ns = clock_now_ns() + START_MS_MAX * NS_PER_MS;
    while (soak_server_is_running(server) && clock_now_ns() < end_ns) {
        int fd = -1;
        if (socket_connect(address, &fd) == ERR_OK) {
            const bool is_there = is_answering(fd);
            socket_close(fd);
            if (is_there) {
                return ERR_OK;
            }
        }
        poll(NULL, 0, POLL_MS);
    }
    return ERR_IO;
}

static void show_log(const struct soak_server *server)
{
    char path[SOAK_PATH_CHARS + 16];
    char line[512];
    snprintf(path, sizeof(path), "%s/log", server->directory);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        fputs(line, stderr);
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void remove_directory(const struct soak_server *server)
{
    if (server->is_mounted) {
        (void)umount2(server->data, MNT_DETACH);
    }
    const char *const argv[] = {"rm", "-rf", "--", server->directory, NULL};
    ERR_IGNORE(run_program(argv), "something in a directory for temporary files stays");
}

/* ---- Disks. ---- */

static enum err mount_small(struct soak_server *server)
{
    return mount("jingu-soak", server->data, "tmpfs", 0, "size=" SMALL_DISK_BYTES) == 0
               ? ERR_OK
               : ERR_DENIED;
}

/* A file with a file system in it. */
static enum err mount_image(struct soak_server *server)
{
    char image[SOAK_PATH_CHARS + 16];
    snprintf(image, sizeof(image), "%s/image", server->directory);
    const int fd = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return ERR_IO;
    }
    const bool is_long = ftruncate(fd, IMAGE_BYTES) == 0;
    close(fd);
    const char *const make[] = {"mkfs.ext4", "-q", image, NULL};
    const char *const mount[] = {"mount", "-o", "loop", image, server->data, NULL};
    return is_long && run_program(make) == ERR_OK && run_program(mount) == ERR_OK ? ERR_OK
                                                                                  : ERR_DENIED;
}

enum err soak_server_freeze(const char *path)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool is_done = fd >= 0 && ioctl(fd, FIFREEZE, 0) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return is_done ? ERR_OK : ERR_IO;
}

void soak_server_thaw(const char *path)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)ioctl(fd, FITHAW, 0); /* what is not frozen cannot be thawed: no harm */
        close(fd);
    }
}

/* ---- Starting. ---- */

static enum err make_directory(struct soak_server *server, enum soak_server_kind kind)
{
    const char *temporary = getenv("TMPDIR");
    *server = (struct soak_server){.pid = 0};
    snprintf(server->directory, sizeof(server->directory), "%s/jingu-soak-XXXXXX",
             temporary != NULL ? temporary : "/tmp");
    if (mkdtemp(server->directory) == NULL) {
        return ERR_IO;
    }
    snprintf(server->data, sizeof(server->data), "%s/data", server->directory);
    if (mkdir(server->data, 0700) != 0) {
        return ERR_IO;
    }
    server->has_tls = make_certificate(server) == ERR_OK;
    enum err err = ERR_OK;
    if (kind == SOAK_SERVER_SMALL_DISK) {
        err = mount_small(server);
        server->is_mounted = err == ERR_OK;
    } else if (kind == SOAK_SERVER_STALLING_DISK) {
        err = mount_image(server);
        server->is_mounted = err == ERR_OK;
    }
    return err;
}

/* Our own addresses, as if they had been given. */
static enum err point_to(struct soak_server *server, struct soak_options *options,
                         const uint16_t ports[PORTS_COUNT], enum soak_server_kind kind)
{
    const struct {
        char *text;
        const char **option;
        struct address *address;
        enum port port;
        bool is_there;
    } addresses[] = {
        {server->tcp, &options->tcp, &options->tcp_address, PORT_TCP, true},
        {server->ws, &options->ws, &options->ws_address, PORT_WS, true},
        {server->http, &options->http, &options->http_address, PORT_HTTP, true},
        {server->tls, &options->tls, &options->tls_address, PORT_TLS, server->has_tls},
        {server->hook, &options->hook, &options->hook_address, PORT_HOOK, kind == SOAK_SERVER_HOOK},
    };
    options->own_disk = server->is_mounted ? server->data : NULL;
    options->pid = (uint32_t)server->pid;
    enum err err = ERR_OK;
    for (size_t i = 0; i < COUNT_OF(addresses) && err == ERR_OK; i++) {
        const uint16_t port = ports[addresses[i].port];
        snprintf(addresses[i].text, sizeof(server->tcp), "127.0.0.1:%u", port);
        *addresses[i].option = addresses[i].is_there ? addresses[i].text : NULL;
        err = address_resolve("127.0.0.1", port, addresses[i].address);
    }
    return err;
}

static enum err launch(struct soak_server *server, struct soak_options *options,
                       enum soak_server_kind kind)
{
    uint16_t ports[PORTS_COUNT];
    enum err err = choose_ports(ports);
    if (err == ERR_OK) {
        err = write_config(server, options, ports, kind);
    }
    if (err != ERR_OK) {
        return err;
    }
    fflush(NULL);
    server->pid = fork();
    if (server->pid < 0) {
        return ERR_IO;
    }
    if (server->pid == 0) {
        become_server(server);
    }
    err = point_to(server, options, ports, kind);
    return err == ERR_OK ? wait_until_ready(server, &options->http_address) : err;
}

enum err soak_server_start(struct soak_server *server, struct soak_options *options,
                           enum soak_server_kind kind)
{
    enum err err = make_directory(server, kind);
    if (err == ERR_OK) {
        err = launch(server, options, kind);
        if (err != ERR_OK) {
            show_log(server);
        }
    }
    if (err != ERR_OK) {
        int status = 0;
        ERR_IGNORE(soak_server_stop(server, &status), "it has failed already");
    }
    return err;
}

enum err soak_server_stop(struct soak_server *server, int *out_status)
{
    bool is_good = true;
    if (server->is_mounted) {
        soak_server_thaw(server->data);
    }
    if (server->pid > 0) {
        is_good = soak_server_is_running(server);
        (void)kill(server->pid, SIGTERM);
        const uint64_t end_ns = clock_now_ns() + STOP_MS_MAX * NS_PER_MS;
        while (soak_server_is_running(server) && clock_now_ns() < end_ns) {
            poll(NULL, 0, POLL_MS);
        }
        (void)kill(server->pid, SIGKILL);
        (void)waitpid(server->pid, out_status, 0);
        is_good = is_good && WIFEXITED(*out_status) && WEXITSTATUS(*out_status) == 0;
        if (!is_good) {
            show_log(server);
        }
    }
    remove_directory(server);
    *server = (struct soak_server){.pid = 0};
    return is_good ? ERR_OK : ERR_CLOSED;
}
