// SPDX-License-Identifier: MIT

// A preload library that counts calls of malloc and its kin in a file per process image, by nothing
// the recorder uses: what a recording is held against. Sits behind the recorder.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct counts {
    atomic_ulong allocations, failed, frees, null_frees, reallocations, zero_reallocations;
    atomic_ulong aligned, bytes;
};

static struct counts spare;
static struct counts *counts;
static pid_t counted_process;

// The counters live in a shared mapping, so that any end of the process leaves them.
static struct counts *current(void) {
    if (counts != NULL && counted_process == getpid())
        return counts;
    counted_process = getpid();
    counts = &spare;
    const char *folder = getenv("COUNTER_DIR");
    for (int image = 0; folder != NULL && image < 1000; ++image) {
        char path[512];
        snprintf(path, sizeof path, "%s/%d-%d.counts", folder, (int)getpid(), image);
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno == EEXIST)
            continue;
        if (fd >= 0 && ftruncate(fd, sizeof *counts) == 0) {
            void *p = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            counts = p != MAP_FAILED ? p : &spare;
        }
        close(fd);
        break;
    }
    return counts;
}

// Before the program installs a signal handler, which must not find this half done.
__attribute__((constructor)) static void begin(void) { current(); }

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

static void *counted(void *p, size_t size) {
    int kept = errno;
    struct counts *c = current();
    if (p == NULL) {
        c->failed++;
    } else {
        c->allocations++;
        c->bytes += size;
    }
    errno = kept;
    return p;
}

void *malloc(size_t size) {
    static void *(*real)(size_t);
    if (real == NULL)
        real = next("malloc");
    return counted(real(size), size);
}

void *calloc(size_t count, size_t size) {
    static void *(*real)(size_t, size_t);
    if (real == NULL)
        real = next("calloc");
    return counted(real(count, size), count * size);
}

static void *reallocated(void *old, void *p, size_t size) {
    if (old == NULL)
        return counted(p, size);
    struct counts *c = current();
    if (p != NULL)
        c->reallocations++;
    else if (size == 0)
        c->zero_reallocations++;
    else
        c->failed++;
    return p;
}

void *realloc(void *old, size_t size) {
    static void *(*real)(void *, size_t);
    if (real == NULL)
        real = next("realloc");
    return reallocated(old, real(old, size), size);
}

void *reallocarray(void *old, size_t count, size_t size) {
    static void *(*real)(void *, size_t, size_t);
    if (real == NULL)
        real = next("reallocarray");
    return reallocated(old, real(old, count, size), count * size);
}

void free(void *p) {
    static void (*real)(void *);
    if (real == NULL)
        real = next("free");
    if (p == NULL)
        current()->null_frees++;
    else
        current()->frees++;
    real(p);
}

static void *aligned(void *p, size_t size) {
    current()->aligned += p != NULL;
    return counted(p, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    static int (*real)(void **, size_t, size_t);
    if (real == NULL)
        real = next("posix_memalign");
    int result = real(out, alignment, size);
    aligned(result == 0 ? *out : NULL, size);
    return result;
}

void *aligned_alloc(size_t alignment, size_t size) {
    static void *(*real)(size_t, size_t);
    if (real == NULL)
        real = next("aligned_alloc");
    return aligned(real(alignment, size), size);
}

void *memalign(size_t alignment, size_t size) {
    static void *(*real)(size_t, size_t);
    if (real == NULL)
        real = next("memalign");
    return aligned(real(alignment, size), size);
}
