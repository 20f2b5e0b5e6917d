// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define ALLOCLAB_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ALLOCLAB_HAS_ASAN 1
#endif
#endif
#ifdef ALLOCLAB_HAS_ASAN
#include <sanitizer/asan_interface.h>
#elif __has_include(<valgrind/memcheck.h>)
#define ALLOCLAB_HAS_MEMCHECK 1
#include <valgrind/memcheck.h>
#endif

// What an outside checker is told of memory whose life ended while it stays mapped, as in an arena
// that was reset. Under AddressSanitizer and under valgrind any access to it is then an error of
// theirs; without them these cost nothing, or a few instructions.
namespace alloclab {

inline void annotate_ended([[maybe_unused]] const void* memory,
                           [[maybe_unused]] std::size_t size) noexcept {
#if defined(ALLOCLAB_HAS_ASAN)
    __asan_poison_memory_region(memory, size);
#elif defined(ALLOCLAB_HAS_MEMCHECK)
    VALGRIND_MAKE_MEM_NOACCESS(memory, size);
#endif
}

// The memory may be written again; what it holds counts as unset.
inline void annotate_usable([[maybe_unused]] const void* memory,
                            [[maybe_unused]] std::size_t size) noexcept {
#if defined(ALLOCLAB_HAS_ASAN)
    __asan_unpoison_memory_region(memory, size);
#elif defined(ALLOCLAB_HAS_MEMCHECK)
    VALGRIND_MAKE_MEM_UNDEFINED(memory, size);
#endif
}

// The memory may be read as it stands: for our own checks of it.
inline void annotate_readable([[maybe_unused]] const void* memory,
                              [[maybe_unused]] std::size_t size) noexcept {
#if defined(ALLOCLAB_HAS_ASAN)
    __asan_unpoison_memory_region(memory, size);
#elif defined(ALLOCLAB_HAS_MEMCHECK)
    VALGRIND_MAKE_MEM_DEFINED(memory, size);
#endif
}

} // namespace alloclab
