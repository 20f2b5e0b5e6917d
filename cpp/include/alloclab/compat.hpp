// SPDX-License-Identifier: MIT
#pragma once

// The macros of the SwiftLang allocator document, for C++ code that was written with them. Where
// ALLOCLAB_USE_CUSTOM_ALLOCATORS is 0 they lead to malloc and free; see docs/subsystems.md.
#ifndef ALLOCLAB_USE_CUSTOM_ALLOCATORS
#define ALLOCLAB_USE_CUSTOM_ALLOCATORS 1
#endif

#if ALLOCLAB_USE_CUSTOM_ALLOCATORS
#include <alloclab/subsystems/compat_custom.hpp>
#else
#include <alloclab/subsystems/compat_plain.hpp>
#endif

#include <cstddef>
#include <cstring>
#include <limits>
#include <new>
#include <type_traits>

// In the order of the document's table.
enum AllocSystem {
    ALLOC_SYSTEM_VM,
    ALLOC_SYSTEM_OBJECTS,
    ALLOC_SYSTEM_STRINGS,
    ALLOC_SYSTEM_BYTECODE,
    ALLOC_SYSTEM_COMPILER,
    ALLOC_SYSTEM_AST,
    ALLOC_SYSTEM_PARSER,
    ALLOC_SYSTEM_SYMBOLS,
    ALLOC_SYSTEM_MODULES,
    ALLOC_SYSTEM_STDLIB,
    ALLOC_SYSTEM_TEMP,
};

// The allocator of a part of the program.
inline alloclab::compat::System* allocators_get(AllocSystem system) {
#if ALLOCLAB_USE_CUSTOM_ALLOCATORS
    return &alloclab::compat::all().at(static_cast<std::size_t>(system));
#else
    return &alloclab::compat::plain_state().systems[static_cast<std::size_t>(system)];
#endif
}

inline void allocators_reset_ast() {
    alloclab::compat::reset(*allocators_get(ALLOC_SYSTEM_AST));
}
inline void allocators_reset_temp() {
    alloclab::compat::reset(*allocators_get(ALLOC_SYSTEM_TEMP));
}
inline void allocators_reset_symbols() {
    alloclab::compat::reset(*allocators_get(ALLOC_SYSTEM_SYMBOLS));
}
// The bytecode ends with the compilation that made it.
inline void allocators_reset_compiler() {
    alloclab::compat::reset(*allocators_get(ALLOC_SYSTEM_COMPILER));
}

namespace alloclab::compat {

// Room for `count` objects reading as zero; null where there is none, or where so many bytes cannot
// be counted. Their destructors never run: the memory is freed, or ends with its arena.
template <class T> T* make_array(System& system, std::size_t count, const AllocationSite& site) {
    static_assert(std::is_trivially_destructible_v<T>, "nobody would run the destructor");
    static_assert(alignof(T) <= alignof(std::max_align_t));
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) {
        return nullptr;
    }
    void* const block = allocate_zeroed(system, count * sizeof(T), site);
    if (block == nullptr) {
        return nullptr;
    }
    T* const first = static_cast<T*>(block);
    if constexpr (!std::is_trivially_default_constructible_v<T>) {
        for (std::size_t place = 0; place < count; ++place) {
            ::new (static_cast<void*>(first + place)) T();
        }
    }
    return first;
}

// A copy of a text; null for null, or where there is no room. It takes strlen + 1 bytes.
inline char* duplicate(System& system, const char* text, const AllocationSite& site) {
    if (text == nullptr) {
        return nullptr;
    }
    const std::size_t size = std::strlen(text) + 1;
    void* const copy = allocate(system, size, site);
    return copy == nullptr ? nullptr : static_cast<char*>(std::memcpy(copy, text, size));
}
inline char* duplicate_remembered(const char* text, const AllocationSite& site) {
    if (text == nullptr) {
        return nullptr;
    }
    const std::size_t size = std::strlen(text) + 1;
    void* const copy = allocate_remembered(size, site);
    return copy == nullptr ? nullptr : static_cast<char*>(std::memcpy(copy, text, size));
}

} // namespace alloclab::compat

// Any allocator: sizes are told at every free.
#define MEM_ALLOC(allocator, size)                                                                 \
    ::alloclab::compat::allocate(*(allocator), (size), ::alloclab::site_here())
#define MEM_ALLOC_TAGGED(allocator, size, tag)                                                     \
    ::alloclab::compat::allocate(*(allocator), (size), ::alloclab::site_here(tag))
#define MEM_ALLOC_ZERO(allocator, size)                                                            \
    ::alloclab::compat::allocate_zeroed(*(allocator), (size), ::alloclab::site_here())
#define MEM_REALLOC(allocator, block, old_size, new_size)                                          \
    ::alloclab::compat::reallocate(*(allocator), (block), (old_size), (new_size),                  \
                                   ::alloclab::site_here())
#define MEM_FREE(allocator, block, size)                                                           \
    ::alloclab::compat::deallocate(*(allocator), (block), (size))
#define MEM_NEW(allocator, T)                                                                      \
    ::alloclab::compat::make_array<T>(*(allocator), 1, ::alloclab::site_here(#T))
#define MEM_NEW_ARRAY(allocator, T, count)                                                         \
    ::alloclab::compat::make_array<T>(*(allocator), (count), ::alloclab::site_here(#T))
#define MEM_STRDUP(allocator, text)                                                                \
    ::alloclab::compat::duplicate(*(allocator), (text), ::alloclab::site_here())

// One part of the program each.
#define VM_ALLOC(size) MEM_ALLOC(allocators_get(ALLOC_SYSTEM_VM), size)
#define VM_ALLOC_ZERO(size) MEM_ALLOC_ZERO(allocators_get(ALLOC_SYSTEM_VM), size)
#define VM_REALLOC(block, old_size, new_size)                                                      \
    MEM_REALLOC(allocators_get(ALLOC_SYSTEM_VM), block, old_size, new_size)
#define VM_FREE(block, size) MEM_FREE(allocators_get(ALLOC_SYSTEM_VM), block, size)
#define VM_STRDUP(text) MEM_STRDUP(allocators_get(ALLOC_SYSTEM_VM), text)
#define VM_NEW(T) MEM_NEW(allocators_get(ALLOC_SYSTEM_VM), T)
#define VM_NEW_ARRAY(T, count) MEM_NEW_ARRAY(allocators_get(ALLOC_SYSTEM_VM), T, count)
#define OBJ_NEW(T, tag)                                                                            \
    ::alloclab::compat::make_array<T>(*allocators_get(ALLOC_SYSTEM_OBJECTS), 1,                    \
                                      ::alloclab::site_here(tag))
#define OBJ_FREE(block, T) MEM_FREE(allocators_get(ALLOC_SYSTEM_OBJECTS), block, sizeof(T))
#define AST_NEW(T) MEM_NEW(allocators_get(ALLOC_SYSTEM_AST), T)
#define AST_NEW_ARRAY(T, count) MEM_NEW_ARRAY(allocators_get(ALLOC_SYSTEM_AST), T, count)
#define STR_DUP(text) MEM_STRDUP(allocators_get(ALLOC_SYSTEM_STRINGS), text)

// Whatever is current: sizes are remembered.
#define MALLOC(size) ::alloclab::compat::allocate_remembered((size), ::alloclab::site_here())
#define STRDUP(text) ::alloclab::compat::duplicate_remembered((text), ::alloclab::site_here())
#define FREE_SIMPLE(block) ::alloclab::compat::free_remembered(block)

// WITH_ARENA(name, bytes) { ... }: MALLOC and STRDUP in the block take from an arena of its own.
#define WITH_ARENA(name, bytes) if (::alloclab::compat::ArenaScope name{#name, (bytes)}; true)
