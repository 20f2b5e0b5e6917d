// SPDX-License-Identifier: MIT

// Maps, cuts, moves, discards and unmaps memory of its own, and touches a known number of pages.

#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { page = 4096 };

static char *map(size_t size, int protection) {
    return mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

int main(void) {
    // A block of 100 pages, 7 of them touched, freed; one of 50, 3 touched, alive at the end.
    char *block = malloc(100 * page);
    for (int n = 1; n <= 7; ++n)
        ((volatile char *)block)[n * page] = 1;
    free(block);
    volatile char *kept = malloc(50 * page);
    for (int n = 1; n <= 3; ++n)
        kept[n * page] = 1;

    char *region = map(64 * page, PROT_READ | PROT_WRITE);
    memset(region, 1, 10 * page);
    munmap(region + 32 * page, 32 * page);       // its second half, of which none was touched
    region = mremap(region, 32 * page, 128 * page, MREMAP_MAYMOVE);
    madvise(region, 4 * page, MADV_DONTNEED);
    munmap(region, 128 * page);                  // 6 pages resident

    char *reserved = map((size_t)1 << 40, PROT_NONE); // a terabyte
    if (reserved == MAP_FAILED)
        return 1;
    mprotect(reserved, 16 * page, PROT_READ | PROT_WRITE);
    memset(reserved, 1, 5 * page); // alive at the end
    return 0;
}
