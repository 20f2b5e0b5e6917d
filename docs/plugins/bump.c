/* SPDX-License-Identifier: MIT */
/*
 * A bump allocator as a plugin, in C99 and without the C library's heap: one region is reserved and
 * handed out from front to back. The same in C++, Rust and Zig stands beside it.
 *
 *     cc -std=c99 -O2 -fPIC -shared -I "$(alloclab compile --include)" bump.c -o bump.so
 */
#define _GNU_SOURCE
#include <alloclab/plugin.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef struct bump {
    uintptr_t first;
    uintptr_t next;
    uintptr_t end;
} bump;

static void* refuse(char* error, size_t error_bytes, const char* why) {
    if (error_bytes > 0) {
        strncpy(error, why, error_bytes - 1);
        error[error_bytes - 1] = '\0';
    }
    return NULL;
}

/* The allocator's own record stands at the start of its region. */
static void* create(const alloclab_option* options, size_t option_count, char* error,
                    size_t error_bytes) {
    size_t region_bytes = (size_t)1 << 36;
    for (size_t index = 0; index < option_count; ++index) {
        if (strcmp(options[index].name, "region_bytes") != 0) {
            return refuse(error, error_bytes, "the only option is region_bytes");
        }
        region_bytes = strtoull(options[index].value, NULL, 10);
    }
    if (region_bytes < 4096) {
        return refuse(error, error_bytes, "region_bytes is at least 4096");
    }
    void* region = mmap(NULL, region_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED) {
        return refuse(error, error_bytes, "the region cannot be mapped");
    }
    bump* self = region;
    self->first = self->next = (uintptr_t)(self + 1);
    self->end = (uintptr_t)region + region_bytes;
    return self;
}

static void destroy(void* self) {
    munmap(self, ((bump*)self)->end - (uintptr_t)self);
}

static void* allocate(void* self, size_t size, size_t alignment) {
    bump* from = self;
    uintptr_t first = (from->next + alignment - 1) & ~(uintptr_t)(alignment - 1);
    if (first < from->next || first > from->end || size >= from->end - first) {
        return NULL;
    }
    from->next = first + (size == 0 ? 1 : size); /* a block of no bytes is a block of its own */
    return (void*)first;
}

static void deallocate(void* self, void* block, size_t size, size_t alignment) {
    (void)self, (void)block, (void)size, (void)alignment;
}

static void reset(void* self) {
    ((bump*)self)->next = ((bump*)self)->first;
}

static int owns(const void* self, const void* block) {
    const bump* from = self;
    return (uintptr_t)block >= from->first && (uintptr_t)block < from->next;
}

static void visit_stats(const void* self, alloclab_stat_visitor visitor) {
    const bump* from = self;
    visitor.visit(visitor.context, "reserved_bytes", from->end - (uintptr_t)from);
    visitor.visit(visitor.context, "committed_bytes", from->next - (uintptr_t)from);
}

ALLOCLAB_EXPORT const alloclab_allocator* alloclab_plugin(void) {
    static const alloclab_allocator table = {
        .abi_version = ALLOCLAB_ABI_VERSION,
        .table_bytes = sizeof(alloclab_allocator),
        .name = "bump in C",
        .create = create,
        .destroy = destroy,
        .allocate = allocate,
        .deallocate = deallocate,
        .reset = reset,
        .owns = owns,
        .visit_stats = visit_stats,
    };
    return &table;
}
