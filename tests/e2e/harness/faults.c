/*
 * faults.c -- stands between the server and the system, and makes the Nth call of a kind fail.
 *
 * Preloaded (LD_PRELOAD) by the refusal sweep. What fails is written into a file that both sides
 * map: `kind` says what, `countdown` when, `is_lasting` that it fails each time from the first on,
 * `hits` counts what was refused. Only what the server
 * acquires for itself fails as "alloc": the door of memory/allocator.c calls mallocx. Charges to
 * budgets fail in builds that ask faults_refuse_charge, which a release does not.
 *
 * With FAULTS_CLOCK_S in the environment the wall clock is ahead by so many seconds.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum kind {
    KIND_NONE = 0,
    KIND_ALLOC,
    KIND_WRITE,
    KIND_SYNC,
    KIND_ACCEPT,
    KIND_EPOLL,
    KIND_CHARGE,
    KIND_READ,
};

struct orders {
    _Atomic uint32_t kind;
    _Atomic int32_t countdown;
    _Atomic uint32_t hits;
    _Atomic uint32_t is_lasting;
};

static struct orders *orders;
static time_t ahead_s;

__attribute__((constructor)) static void open_orders(void)
{
    const char *path = getenv("FAULTS_FILE");
    const char *ahead = getenv("FAULTS_CLOCK_S");
    ahead_s = ahead != NULL ? atol(ahead) : 0;
    const int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *area = mmap(NULL, sizeof(*orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        orders = area == MAP_FAILED ? NULL : area;
        close(fd);
    }
}

static bool refuses(enum kind kind)
{
    if (orders == NULL || atomic_load(&orders->kind) != (uint32_t)kind) {
        return false;
    }
    if (atomic_load(&orders->is_lasting) == 0 && atomic_fetch_sub(&orders->countdown, 1) != 1) {
        return false;
    }
    atomic_fetch_add(&orders->hits, 1);
    return true;
}

bool faults_refuse_charge(void);

bool faults_refuse_charge(void)
{
    return refuses(KIND_CHARGE);
}

/* The log goes to a file, too, but no promise hangs on it. */
static bool is_data(int fd)
{
    struct stat status;
    return fd > STDERR_FILENO && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

/* What would have been called without us. */
#define NEXT(name)                                                                                 \
    static __typeof__(&name) next;                                                                 \
    if (next == NULL) {                                                                            \
        *(void **)&next = dlsym(RTLD_NEXT, #name);                                                 \
    }

void *mallocx(size_t size, int flags);

void *mallocx(size_t size, int flags)
{
    NEXT(mallocx)
    return refuses(KIND_ALLOC) ? NULL : next(size, flags);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    NEXT(write)
    if (orders != NULL && atomic_load(&orders->kind) == KIND_WRITE && is_data(fd) &&
        refuses(KIND_WRITE)) {
        errno = EIO;
        return -1;
    }
    return next(fd, bytes, size);
}

/* RocksDB reads its tables like this; what is in its cache it does not read. */
ssize_t pread(int fd, void *bytes, size_t size, off_t offset)
{
    NEXT(pread)
    if (orders != NULL && atomic_load(&orders->kind) == KIND_READ && is_data(fd) &&
        refuses(KIND_READ)) {
        errno = EIO;
        return -1;
    }
    return next(fd, bytes, size, offset);
}

int fdatasync(int fd)
{
    NEXT(fdatasync)
    if (refuses(KIND_SYNC)) {
        errno = EIO;
        return -1;
    }
    return next(fd);
}

int fsync(int fd)
{
    NEXT(fsync)
    if (refuses(KIND_SYNC)) {
        errno = EIO;
        return -1;
    }
    return next(fd);
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    NEXT(accept4)
    if (refuses(KIND_ACCEPT)) {
        errno = ENFILE;
        return -1;
    }
    return next(fd, address, size, flags);
}

int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
    NEXT(epoll_ctl)
    if (what == EPOLL_CTL_ADD && refuses(KIND_EPOLL)) {
        errno = ENOMEM;
        return -1;
    }
    return next(epoll, what, fd, event);
}

int clock_gettime(clockid_t clock, struct timespec *out_now)
{
    NEXT(clock_gettime)
    const int result = next(clock, out_now);
    if (result == 0 && clock == CLOCK_REALTIME) {
        out_now->tv_sec += ahead_s;
    }
    return result;
}
