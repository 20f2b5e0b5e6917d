// SPDX-License-Identifier: MIT
#pragma once

// The functions that the recorder's own stand in front of: the program's malloc stays what it was.

#include <cstddef>
#include <cstdint>
#include <sys/types.h>

namespace alloclab::record {

struct RealCalls {
    void* (*malloc)(std::size_t);
    void* (*calloc)(std::size_t, std::size_t);
    void* (*realloc)(void*, std::size_t);
    void (*free)(void*);
    int (*posix_memalign)(void**, std::size_t, std::size_t);
    void* (*aligned_alloc)(std::size_t, std::size_t);
    void* (*memalign)(std::size_t, std::size_t);
    void* (*valloc)(std::size_t);
    void* (*pvalloc)(std::size_t);
    // The object that provides malloc: its own mappings are not the program's.
    std::uintptr_t allocator_begin;
    std::uintptr_t allocator_end;
    char allocator_path[1024];
    bool is_malloc_foreign; // the program's malloc is neither ours nor behind us
};

// Looks the functions up, once. Safe from within any of them: see bootstrap_allocate().
void resolve_real_calls();
const RealCalls& real_calls();
// A call has reached the recorder: whatever stands in front of it passes calls on.
void note_calls_arrive();

// Looks any other function up behind this library, and where there is none, among the libraries
// that were loaded out of everyone's sight. Returns null where there is none either.
void* next_function(const char* name);

// A block for a caller inside resolve_real_calls(): the lookup itself may ask for memory. Zeroed,
// never given back. Returns null when the few kilobytes are spent.
void* bootstrap_allocate(std::size_t size, std::size_t alignment);
bool is_bootstrap(const void* p);
// How much of `size` bytes from `p` lies within these blocks. Requires: is_bootstrap(p).
std::size_t bootstrap_bytes_from(const void* p, std::size_t size);

// Whether this thread is inside resolve_real_calls().
bool is_resolving();

// Whether the code at `address` belongs to the object that provides malloc.
bool is_allocator_code(const void* address);

} // namespace alloclab::record
