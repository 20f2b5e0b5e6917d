// SPDX-License-Identifier: MIT

// Every call of the malloc family, in every way the C library treats specially, a known number of
// times. Prints nothing, so that the C library allocates nothing of its own.

#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

static void *volatile kept; // so that no call is optimised away

static void release(void *p) {
    kept = p;
    free(p);
}

int main(void) {
    volatile size_t huge = PTRDIFF_MAX;
    volatile size_t zero = 0;
    void *p = NULL;
    release(malloc(zero));
    release(malloc(24));
    release(malloc(25));
    release(malloc(504));
    release(malloc(512));
    release(malloc(100000));
    release(calloc(3, 8));
    release(calloc(100, 100));
    free(kept = NULL);
    kept = malloc(huge); // fails
    kept = calloc(huge, 4);
    if (errno != ENOMEM)
        return 1;
    void *volatile none = NULL;
    p = realloc(none, 40);
    p = realloc(p, 4000);
    p = realloc(p, 400000);
    void *volatile lives = p;
    kept = realloc(p, huge);     // fails, the block lives on
    kept = realloc(lives, zero); // frees
    p = reallocarray(NULL, 5, 5);
    p = reallocarray(p, 50, 50);
    release(p);
    if (posix_memalign(&p, 64, 100) != 0)
        return 2;
    release(p);
    if (posix_memalign(&p, 3, 100) != EINVAL)
        return 3;
    release(aligned_alloc(256, 512));
    release(memalign(4096, 10));
    release(valloc(10));
    release(pvalloc(10));
    if (malloc_usable_size(NULL) != 0)
        return 4;
    return 0;
}
