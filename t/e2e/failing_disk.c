/*
 * For LD_PRELOAD: a disk that fails below one directory. FAILING_DISK names it, and the file
 * "FAILING_DISK.state" says how: an errno (0: the disk is sound) and how many bytes can still be
 * written before it, both as 64-bit numbers. So a disk that is full (ENOSPC), read-only (EROFS)
 * or broken (EIO) can be had without the right to mount one, and at any byte.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

typedef struct {
    _Atomic int64_t error, left;
} state_t;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static state_t *state;
static char dir[PATH_MAX];
static size_t dir_len;


static void
map_state(void)
{
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    const char *name = getenv("FAILING_DISK");
    char path[PATH_MAX + 8];
    void *map;
    int fd;

    if (name == NULL)
        return;
    dir_len = (size_t) snprintf(dir, sizeof(dir), "%s/", name);
    snprintf(path, sizeof(path), "%s.state", name);
    fd = real(path, O_RDWR | O_CLOEXEC);
    map = fd != -1 ? mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                   : MAP_FAILED;
    if (map == MAP_FAILED)
        abort();
    close(fd);
    state = map;
}


static int
trouble(void)
{
    pthread_once(&once, map_state);
    return state != NULL ? (int) atomic_load(&state->error) : 0;
}


static int
is_ours(int fd)
{
    char link[32], path[PATH_MAX];
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    return n > (ssize_t) dir_len && strncmp(path, dir, dir_len) == 0;
}


/* How many of n bytes go; -1: none. */
static ssize_t
room(int fd, size_t n)
{
    int error = trouble();
    int64_t left;

    if (error == 0 || !is_ours(fd))
        return (ssize_t) n;
    left = atomic_fetch_sub(&state->left, (int64_t) n);
    if (left > 0)
        return left < (int64_t) n ? (ssize_t) left : (ssize_t) n;
    errno = error;
    return -1;
}


static int
refused(const char *path, int flags)
{
    int error = trouble();

    if (error == 0 || path == NULL
        || (strncmp(path, dir, dir_len) != 0 && strncmp(path, dir, dir_len - 1) != 0))
        return 0;
    if ((flags & O_ACCMODE) == O_RDONLY && (flags & O_CREAT) == 0)
        return error == EIO ? error : 0;
    if (error == ENOSPC && (flags & O_TMPFILE) != O_TMPFILE
        && ((flags & O_CREAT) == 0 || access(path, F_OK) == 0))
        return 0; /* nothing is made */
    return error;
}

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, #name);                             \
        va_list list;                                                                              \
        mode_t mode;                                                                               \
        int error = refused(path, flags);                                                          \
        va_start(list, flags);                                                                     \
        mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;                    \
        va_end(list);                                                                              \
        if (error != 0) {                                                                          \
            errno = error;                                                                         \
            return -1;                                                                             \
        }                                                                                          \
        return real(path, flags, mode);                                                            \
    }

#define PWRITE(name)                                                                               \
    ssize_t name(int fd, const void *p, size_t n, off_t at)                                        \
    {                                                                                              \
        ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, #name);               \
        ssize_t some = room(fd, n);                                                                \
        return some < 0 ? -1 : real(fd, p, (size_t) some, at);                                     \
    }

#define SYNC(name)                                                                                 \
    int name(int fd)                                                                               \
    {                                                                                              \
        int (*real)(int) = dlsym(RTLD_NEXT, #name);                                                \
        if (trouble() == EIO && is_ours(fd)) {                                                     \
            errno = EIO;                                                                           \
            return -1;                                                                             \
        }                                                                                          \
        return real(fd);                                                                           \
    }

OPEN(open)
OPEN(open64)
PWRITE(pwrite)
PWRITE(pwrite64)
SYNC(fsync)
SYNC(fdatasync)


ssize_t
write(int fd, const void *p, size_t n)
{
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    ssize_t some = room(fd, n);

    return some < 0 ? -1 : real(fd, p, (size_t) some);
}
