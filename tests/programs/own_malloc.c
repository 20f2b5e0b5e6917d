// SPDX-License-Identifier: MIT

// A program that brings its own malloc: nothing can be preloaded in front of it.

#include <stddef.h>
#include <string.h>

static _Alignas(16) char heap[1 << 20];
static size_t used;

void *malloc(size_t size) {
    char *p = heap + used;
    used += (size + 15) & ~(size_t)15;
    return used <= sizeof heap ? p : NULL;
}
void free(void *p) { (void)p; }
void *calloc(size_t count, size_t size) { return malloc(count * size); }
void *realloc(void *p, size_t size) {
    void *moved = malloc(size);
    if (moved != NULL && p != NULL)
        memcpy(moved, p, size);
    return moved;
}

int main(void) { return malloc(100) == NULL; }
