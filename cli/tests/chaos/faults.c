/* Faults at the calls by which a program stores things: put before the C library with LD_PRELOAD, by tests alone.
 *
 * A call counts if it changes what lies below the folder FAULTS_BELOW. The FAULTS_AT-th is struck, counted over all threads
 * from 1: FAULTS_DO says how. Every call that counts is a line of the file FAULTS_LOG: its number, name and path. With
 * FAULTS_SYNCS only those count that make something durable or give it its name.
 *
 * With FAULTS_SERVERS, ports between commas, those count too that send to one of these what it is to make durable: the commit
 * of a transaction to a database, the beginning of an object to a store of objects. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum fate { PASS, KILL_BEFORE, KILL_AFTER, FAIL };

static char below[PATH_MAX];
static const char *servers;
static long at, until;
static int syncs_only, log_file = -1, failure;
static enum fate fate;
static atomic_long count;

__attribute__((constructor)) static void read_orders(void) {
    const char *folder = getenv("FAULTS_BELOW"), *what = getenv("FAULTS_DO"), *when = getenv("FAULTS_AT");
    const char *log = getenv("FAULTS_LOG"), *last = getenv("FAULTS_UNTIL");
    servers = getenv("FAULTS_SERVERS");
    if (!folder || !realpath(folder, below)) return;
    syncs_only = getenv("FAULTS_SYNCS") != NULL;
    at = when ? atol(when) : 0;
    until = last ? atol(last) : at;
    if (log) log_file = syscall(SYS_openat, AT_FDCWD, log, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    if (!what) return;
    if (!strcmp(what, "kill-before")) fate = KILL_BEFORE;
    if (!strcmp(what, "kill-after")) fate = KILL_AFTER;
    if (!strcmp(what, "eio")) fate = FAIL, failure = EIO;
    if (!strcmp(what, "enospc")) fate = FAIL, failure = ENOSPC;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static int is_below(const char *path) {
    size_t length = strlen(below);
    return length && !strncmp(path, below, length) && (path[length] == '/' || !path[length]);
}

/* What becomes of a call that counts: -1 if it fails, with errno; otherwise whether the process dies after it. */
static int strike_call(const char *name, const char *what) {
    long number = atomic_fetch_add(&count, 1) + 1;
    if (log_file >= 0) {
        char line[PATH_MAX + 64];
        int length = snprintf(line, sizeof line, "%ld %s %s\n", number, name, what);
        syscall(SYS_write, log_file, line, (size_t)length);
    }
    if (!at || number < at || number > until) return 0;
    if (fate == KILL_BEFORE) die();
    if (fate == FAIL) return errno = failure, -1;
    return fate == KILL_AFTER;
}

/* The same for a call on a path. */
static int strike(const char *name, const char *path, int syncs) {
    if (!is_below(path) || (syncs_only && !syncs)) return 0;
    return strike_call(name, path + strlen(below));
}

static int strike_file(const char *name, int file, int syncs) {
    char link[64], path[PATH_MAX];
    if (!*below) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strike(name, path, syncs);
}

static int strike_path(const char *name, const char *path, int syncs) {
    char whole[PATH_MAX];
    if (!*below) return 0;
    if (*path == '/') return strike(name, path, syncs);
    if (!getcwd(whole, sizeof whole) || strlen(whole) + strlen(path) + 2 > sizeof whole) return 0;
    strcat(strcat(whole, "/"), path);
    return strike(name, whole, syncs);
}

/* Whether the other end of a socket is one of the servers. */
static int is_server(int file) {
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    if (getpeername(file, (struct sockaddr *)&peer, &length) || peer.sin_family != AF_INET) return 0;
    for (const char *port = servers; port; port = (port = strchr(port, ',')) ? port + 1 : NULL)
        if (atol(port) == ntohs(peer.sin_port)) return 1;
    return 0;
}

static int strike_sent(int file, const struct iovec *parts, int many) {
    if (!servers || !is_server(file)) return 0;
    for (int part = 0; part < many; part++) {
        const char *bytes = parts[part].iov_base;
        size_t length = parts[part].iov_len;
        if (length > 4 && !memcmp(bytes, "PUT ", 4)) return strike_call("put", "/");
        if (length > 5 && !memcmp(bytes, "POST ", 5)) return strike_call("post", "/");
        if (memmem(bytes, length, "COMMIT", 6)) return strike_call("commit", "/");
    }
    return 0;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

#define AROUND(type, struck, call) \
    int struck_ = (struck); \
    if (struck_ < 0) return -1; \
    type done_ = (call); \
    if (struck_ > 0) die(); \
    return done_

int fsync(int file) {
    REAL(int, "fsync", int);
    AROUND(int, strike_file("fsync", file, 1), real(file));
}

int fdatasync(int file) {
    REAL(int, "fdatasync", int);
    AROUND(int, strike_file("fdatasync", file, 1), real(file));
}

ssize_t write(int file, const void *bytes, size_t length) {
    REAL(ssize_t, "write", int, const void *, size_t);
    AROUND(ssize_t, strike_file("write", file, 0), real(file, bytes, length));
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t offset) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    AROUND(ssize_t, strike_file("pwrite", file, 0), real(file, bytes, length, offset));
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t offset) {
    return pwrite64(file, bytes, length, offset);
}

int ftruncate64(int file, off64_t length) {
    REAL(int, "ftruncate64", int, off64_t);
    AROUND(int, strike_file("ftruncate", file, 0), real(file, length));
}

int ftruncate(int file, off_t length) { return ftruncate64(file, length); }

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    AROUND(int, strike_path("rename", to, 1), real(from, to));
}

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    AROUND(int, strike_path("unlink", path, 0), real(path));
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    AROUND(int, strike_path("mkdir", path, 0), real(path, mode));
}

int open64(const char *path, int flags, ...) {
    REAL(int, "open64", const char *, int, ...);
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    int writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_CREAT;
    AROUND(int, writes ? strike_path("open", path, 0) : 0, real(path, flags, mode));
}

int open(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    return open64(path, flags, mode);
}

ssize_t send(int file, const void *bytes, size_t length, int flags) {
    REAL(ssize_t, "send", int, const void *, size_t, int);
    struct iovec whole = {(void *)bytes, length};
    AROUND(ssize_t, strike_sent(file, &whole, 1), real(file, bytes, length, flags));
}

ssize_t writev(int file, const struct iovec *parts, int many) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    AROUND(ssize_t, strike_sent(file, parts, many), real(file, parts, many));
}
