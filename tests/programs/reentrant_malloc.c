// SPDX-License-Identifier: MIT

// A malloc that may be called at any instant, also by a handler that interrupted it: each block is
// new, none is given back. Preloaded behind the recorder and the counter it lets handlers allocate.

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { heap_bytes = 1 << 28, header_bytes = 16 };
static _Alignas(16) char heap[heap_bytes];
static atomic_size_t used;

static void *take(size_t size) {
    if (size > heap_bytes / 2)
        return NULL;
    size_t whole = header_bytes + ((size + 15) & ~(size_t)15);
    size_t at = atomic_fetch_add(&used, whole);
    if (at + whole > heap_bytes)
        return NULL;
    memcpy(heap + at, &size, sizeof size);
    return heap + at + header_bytes;
}

void *malloc(size_t size) { return take(size); }
void free(void *p) { (void)p; }
void *calloc(size_t count, size_t size) { return take(count * size); }

void *realloc(void *old, size_t size) {
    void *p = take(size);
    size_t old_size = 0;
    if (old != NULL)
        memcpy(&old_size, (char *)old - header_bytes, sizeof old_size);
    if (p != NULL && old != NULL)
        memcpy(p, old, old_size < size ? old_size : size);
    return p;
}
