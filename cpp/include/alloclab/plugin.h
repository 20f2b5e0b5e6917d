/* SPDX-License-Identifier: MIT */
#ifndef ALLOCLAB_PLUGIN_H
#define ALLOCLAB_PLUGIN_H

/*
 * The C interface of an allocator: a versioned table of functions. A shared library that exports
 * `alloclab_plugin` can be replayed, composed with the lab's own blocks and used from Python; it
 * may be written in any language that can export C functions. Plain C, and nothing of the lab.
 *
 * The table and the strings it points to live as long as the library, which is never unloaded. A
 * function the allocator does not have is null, not one that fails; only `allocate` and
 * `deallocate` are required, and of a plugin `create` and `destroy`. No function may throw or
 * unwind, but for `create`: what a C++ one throws is reported as its error.
 *
 * Unless its flags say more, an allocator is called by one thread at a time. Several may be created
 * from one library.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when the meaning of a field changes. New fields are appended and found by `table_bytes`: a
 * table that ends early has none of what would follow, one that goes on is read as far as known. */
#define ALLOCLAB_ABI_VERSION 1u

/* Before the definition of `alloclab_plugin`, where symbols are otherwise kept within a library. */
#if defined(__GNUC__)
#define ALLOCLAB_EXPORT __attribute__((visibility("default")))
#else
#define ALLOCLAB_EXPORT
#endif

/* Flags of a table. */
#define ALLOCLAB_THREAD_SAFE 1u /* any function may be called from any thread at any time */

/* A setting, as text. */
typedef struct alloclab_option {
    const char* name;
    const char* value;
} alloclab_option;

/* Where a request comes from; each may be null or 0. */
typedef struct alloclab_site {
    const char* tag;
    const char* file;
    uint32_t line;
} alloclab_site;

/* A point that can be returned to; what the words mean is the allocator's own business. */
typedef struct alloclab_mark {
    uint64_t words[4];
} alloclab_mark;

/* Called once for each figure an allocator keeps. The name is valid during the call. */
typedef struct alloclab_stat_visitor {
    void (*visit)(void* context, const char* name, uint64_t value);
    void* context;
} alloclab_stat_visitor;

typedef struct alloclab_allocator {
    uint32_t abi_version; /* ALLOCLAB_ABI_VERSION */
    uint32_t table_bytes; /* sizeof(alloclab_allocator) where the table was compiled */
    const char* name;
    uint32_t flags;
    uint32_t reserved; /* 0 */

    /* Returns the allocator, or null after writing why into `error`, zero terminated. */
    void* (*create)(const alloclab_option* options, size_t option_count, char* error,
                    size_t error_bytes);
    void (*destroy)(void* self);

    /* At least `size` bytes at a multiple of `alignment`, a power of two; null when it cannot. A
     * size of 0 gives a block of its own. */
    void* (*allocate)(void* self, size_t size, size_t alignment);
    /* Takes back what `allocate` gave for the same size and alignment; null is ignored. */
    void (*deallocate)(void* self, void* block, size_t size, size_t alignment);

    /* From here on everything is optional; a table may end before any of these. */

    /* Changes a block's size where it stands: 1, or 0 having changed nothing. */
    int (*resize)(void* self, void* block, size_t old_size, size_t new_size, size_t alignment);
    /* As allocate, the block reading as zero. */
    void* (*allocate_zeroed)(void* self, size_t size, size_t alignment);
    /* As allocate, told where the request comes from; the strings outlive the allocator. */
    void* (*allocate_at)(void* self, size_t size, size_t alignment, const alloclab_site* site);
    /* Ends the life of every block; the allocator stays usable. */
    void (*reset)(void* self);
    /* 1 where memory of this allocator stands at `block`. */
    int (*owns)(const void* self, const void* block);
    /* How many bytes a live block really has. */
    size_t (*usable_size)(const void* self, const void* block);
    /* A point, and the end of everything allocated since: 1, or 0 where the mark is refused. */
    alloclab_mark (*mark)(const void* self);
    int (*rewind)(void* self, alloclab_mark to);
    /* Calls the visitor for every figure. `reserved_bytes` and `committed_bytes` are understood. */
    void (*visit_stats)(const void* self, alloclab_stat_visitor visitor);
    /* Gives a live block another size: the block, moved with its bytes or where it stood, or null
     * and the old one lives on. Where this is null the caller resizes, and where that fails
     * allocates, copies and deallocates. */
    void* (*reallocate)(void* self, void* block, size_t old_size, size_t new_size,
                        size_t alignment);
} alloclab_allocator;

/* What a plugin defines: returns its table. */
ALLOCLAB_EXPORT const alloclab_allocator* alloclab_plugin(void);

typedef const alloclab_allocator* (*alloclab_plugin_function)(void);

#ifdef __cplusplus
}
#endif

#endif
